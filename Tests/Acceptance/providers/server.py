# SPDX-License-Identifier: Apache-2.0
"""A small HTTP/1.1 server on asyncio in a thread, which keeps what it received."""

import asyncio
import itertools
import json
import threading
import traceback
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

# Sizes of the pieces in which streams are written: no event, line or character stays whole.
PIECES = (1, 7, 64, 3, 500, 2, 31)
# Before the first byte of an answer to `[slow]`.
SLOW_SECONDS = 0.4


class Answer(Exception):
    """A whole answer; raised where a request is refused."""

    def __init__(self, body, status=200, headers=None, content_type="application/json"):
        super().__init__(status)
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.status = status
        self.headers = {"content-type": content_type, **(headers or {})}


class Stream:
    """An answer in pieces; `source` is an asynchronous iterator of bytes."""

    def __init__(self, source, content_type="text/event-stream", headers=None):
        self.source = source
        self.headers = {"content-type": content_type, **(headers or {})}


class Cut(Exception):
    """Breaks the connection in the middle of an answer."""


@dataclass
class Request:
    method: str
    target: str
    headers: dict
    body: bytes
    # Names in the order and the letters in which they came.
    fields: list = field(default_factory=list)
    # Set when the other side hangs up before the end of the answer.
    was_cancelled: bool = False
    status: int = 0

    @property
    def path(self):
        return urlsplit(self.target).path

    @property
    def query(self):
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def json(self):
        try:
            value = json.loads(self.body)
        except ValueError:
            raise Answer({"error": {"message": "no JSON"}}, 400) from None
        return value


class ProviderServer:
    """All providers on one port of 127.0.0.1."""

    def __init__(self):
        # Imported here because the routes need the names above.
        from .routes import Routes
        self.received = []
        self.routes = Routes(self)
        self._loop = asyncio.new_event_loop()
        self._tasks = set()
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        if not started.wait(10):
            raise RuntimeError("the providers did not start")

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def clear(self):
        self.received = []

    def requests(self, part="", method=None):
        """What came to paths that contain `part`, oldest first."""
        return [request for request in self.received
                if part in request.path and method in (None, request.method)]

    def model_requests(self):
        """Requests to models, without tokens and listings."""
        return [request for request in self.received
                if not request.path.startswith(("/oauth", "/v2/lm"))]

    def last(self, part=""):
        found = [request for request in self.model_requests() if part in request.path]
        assert found, f"nothing came to {part}: {[r.target for r in self.received]}"
        return found[-1]

    def stop(self):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self, started):
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 26))
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _serve(self, reader, writer):
        # One byte is always being read, so that a hang-up shows during an answer as well.
        ahead = asyncio.ensure_future(reader.read(1))
        try:
            while first := await ahead:
                request = await self._read(first, reader)
                self.received.append(request)
                ahead = asyncio.ensure_future(reader.read(1))
                if not await self._answer(request, writer, ahead):
                    break
        except (OSError, EOFError, asyncio.CancelledError):
            pass
        finally:
            ahead.cancel()
            writer.close()

    async def _read(self, first, reader):
        head = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        start, *lines = head[:-4].split("\r\n")
        method, target, _ = start.split(" ")
        fields = [(name, value.strip()) for name, _, value in (x.partition(":") for x in lines)]
        headers = {name.lower(): value for name, value in fields}
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(await reader.readuntil(b"\r\n"), 16):
                body += (await reader.readexactly(size + 2))[:-2]
            await reader.readuntil(b"\r\n")
        else:
            body = await reader.readexactly(int(headers.get("content-length", 0)))
        return Request(method, target, headers, body, fields)

    async def _answer(self, request, writer, ahead):
        """Whether the connection goes on."""
        work = asyncio.ensure_future(self._work(request, writer))
        await asyncio.wait({work, ahead}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done() and ahead.result() == b"":
            request.was_cancelled = True
            work.cancel()
            return False
        try:
            await work
            return True
        except Cut:
            writer.transport.abort()
            return False

    async def _work(self, request, writer):
        try:
            answer = await self.routes.answer(request)
        except Answer as refusal:
            answer = refusal
        except Exception as error:
            # A mistake of the stand-in is to be seen, not to be taken for a provider's failure.
            answer = Answer({"error": {"message": f"stand-in failed: {error!r}"}}, 500)
            traceback.print_exc()
        if isinstance(answer, Answer):
            await self._whole(request, answer, writer)
            return
        request.status = 200
        writer.write(_head(200, {**answer.headers, "transfer-encoding": "chunked"}))
        sizes = itertools.cycle(PIECES)
        async for text in answer.source:
            while text:
                size = next(sizes)
                piece, text = text[:size], text[size:]
                writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()


    async def _whole(self, request, answer, writer):
        request.status = answer.status
        text = _head(answer.status, {**answer.headers, "content-length": str(len(answer.body))})
        text += answer.body
        if answer.status == 200 and b"[slow]" in request.body:
            await asyncio.sleep(SLOW_SECONDS)
        is_cut = answer.status == 200 and b"[cut]" in request.body
        writer.write(text[:-20] if is_cut else text)
        await writer.drain()
        if is_cut:
            raise Cut


def _head(status, headers):
    lines = [f"HTTP/1.1 {status} Status", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()
