# SPDX-License-Identifier: Apache-2.0
"""Clients that judge every answer by the bytes: whole, a well-formed error, or wrong.

Each kind of client has its own dialect. An exchange ends in exactly one `Outcome`; everything that
is not one of the good ones is a broken promise of the gateway.
"""

import asyncio
import enum
import json


class Outcome(enum.Enum):
    WHOLE = "whole answer"
    ERROR_ANSWER = "well-formed error answer"
    ERROR_EVENT = "stream ended by an error event"
    CLOSED_UNREAD = "closed between two requests"
    RESET = "reset"
    CUT = "cut inside of an answer"
    SILENT = "no answer in time"
    EMPTY = "closed without an answer"
    MALFORMED = "bytes that are no answer"


GOOD = {Outcome.WHOLE, Outcome.ERROR_ANSWER, Outcome.ERROR_EVENT}
# Longer than the queue's age, a backoff and an answer together.
ANSWER_SECONDS = 45


class Broken(Exception):
    """The exchange ended in `outcome`, with a note on what was there."""

    def __init__(self, outcome, note=""):
        super().__init__(f"{outcome.value}: {note}")
        self.outcome, self.note = outcome, note


class Dialect:
    """One kind of request and how its answers end."""

    def __init__(self, name, path, body, is_last, is_error):
        self.name, self.path, self.body = name, path, body
        self.is_last, self.is_error = is_last, is_error

    def request(self):
        body = json.dumps(self.body).encode()
        head = (f"POST {self.path} HTTP/1.1\r\nhost: chaos\r\ncontent-type: application/json\r\n"
                f"content-length: {len(body)}\r\n\r\n")
        return head.encode() + body


def _chat(model, stream):
    body = {"model": model, "messages": [{"role": "user", "content": "one two three four five"}]}
    return body | ({"stream": True} if stream else {})


def _messages(model):
    return {"model": model, "max_tokens": 100, "stream": True,
            "messages": [{"role": "user", "content": "one two three four five"}]}


DIALECTS = [
    Dialect("chat stream", "/v1/chat/completions", _chat("demo/echo", True),
            lambda data: data == "[DONE]", lambda data: '"error"' in data),
    Dialect("slow chat stream", "/v1/chat/completions", _chat("demo/slow", True),
            lambda data: data == "[DONE]", lambda data: '"error"' in data),
    Dialect("messages stream", "/v1/messages", _messages("demo/echo"),
            lambda data: '"message_stop"' in data, lambda data: '"type":"error"' in data),
    Dialect("responses stream", "/v1/responses",
            {"model": "demo/echo", "input": "one two three four five", "stream": True},
            lambda data: '"response.completed"' in data,
            lambda data: '"type":"error"' in data or '"response.failed"' in data),
    Dialect("gemini stream", "/v1beta/models/demo%2Fecho:streamGenerateContent?alt=sse",
            {"contents": [{"role": "user", "parts": [{"text": "one two three four five"}]}]},
            lambda data: '"finishReason"' in data, lambda data: '"error"' in data),
    Dialect("chat", "/v1/chat/completions", _chat("demo/echo", False), None, None),
]


class Client:
    """One connection that is used for several requests."""

    def __init__(self, port):
        self.port = port
        self.reader = self.writer = None
        self.requests = 0

    async def connect(self):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.requests = 0

    def close(self):
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None

    def reset(self):
        """Leaves without a word."""
        if self.writer is not None:
            self.writer.transport.abort()
        self.reader = self.writer = None

    async def exchange(self, dialect):
        """One request and its answer; raises `Broken` for a bad end."""
        try:
            return await asyncio.wait_for(self._exchange(dialect), ANSWER_SECONDS)
        except asyncio.TimeoutError:
            raise Broken(Outcome.SILENT, dialect.name) from None

    async def _exchange(self, dialect):
        if self.writer is None:
            await self.connect()
        self.requests += 1
        try:
            self.writer.write(dialect.request())
            await self.writer.drain()
            line = await self.reader.readline()
        except ConnectionError as error:
            raise Broken(Outcome.RESET, f"{dialect.name}, request {self.requests}: {error}")
        if not line:
            raise Broken(Outcome.EMPTY, f"{dialect.name}, request {self.requests}")
        try:
            return await self._answer(dialect, line)
        except asyncio.IncompleteReadError as error:
            raise Broken(Outcome.CUT, f"{dialect.name}: {bytes(error.partial)[-80:]!r}")
        except ConnectionError as error:
            raise Broken(Outcome.RESET, f"{dialect.name}: {error}")

    async def _answer(self, dialect, line):
        parts = line.split()
        if not line.endswith(b"\r\n") or len(parts) < 2 or not parts[0].startswith(b"HTTP/1."):
            raise Broken(Outcome.MALFORMED, repr(line[:80]))
        status, fields = int(parts[1]), {}
        while (line := await self.reader.readuntil(b"\n")) != b"\r\n":
            name, _, value = line.decode().partition(":")
            fields[name.strip().lower()] = value.strip()
        if fields.get("transfer-encoding") == "chunked":
            outcome = await self._stream(dialect, status)
        else:
            body = await self.reader.readexactly(int(fields.get("content-length", "0")))
            outcome = self._document(dialect, status, fields, body)
        if fields.get("connection", "").lower() == "close" or outcome is Outcome.ERROR_EVENT:
            self.close()
        return outcome

    def _document(self, dialect, status, fields, body):
        try:
            document = json.loads(body)
        except ValueError:
            raise Broken(Outcome.MALFORMED, f"{status}: {body[:80]!r}") from None
        if status == 200:
            return Outcome.WHOLE
        if status == 503 and "retry-after" not in fields:
            raise Broken(Outcome.MALFORMED, "503 without retry-after")
        error = document[0] if isinstance(document, list) else document
        message = error.get("error", {}).get("message")
        if not message:
            raise Broken(Outcome.MALFORMED, f"{status} without a message: {body[:80]!r}")
        return Outcome.ERROR_ANSWER

    async def _stream(self, dialect, status):
        """Reads chunks to the last one and checks the events in them."""
        if status != 200:
            raise Broken(Outcome.MALFORMED, f"a chunked answer with status {status}")
        text = b""
        while True:
            line = await self.reader.readuntil(b"\n")
            size = int(line.strip().split(b";")[0], 16)
            chunk = await self.reader.readexactly(size + 2)
            if not chunk.endswith(b"\r\n"):
                raise Broken(Outcome.MALFORMED, f"chunk without its end: {chunk[-20:]!r}")
            if size == 0:
                break
            text += chunk[:-2]
        if not text.endswith(b"\n\n"):
            raise Broken(Outcome.MALFORMED, f"half an event: {text[-80:]!r}")
        data = [line[5:].strip() for line in text.decode().split("\n") if line.startswith("data:")]
        if dialect.is_last is None or not data:
            raise Broken(Outcome.MALFORMED, f"events where none belong: {text[:80]!r}")
        for item in data:
            if item != "[DONE]":
                json.loads(item)
        if dialect.is_last(data[-1]):
            return Outcome.WHOLE
        if dialect.is_error(data[-1]):
            return Outcome.ERROR_EVENT
        raise Broken(Outcome.CUT, f"{dialect.name} ended behind {data[-1][:80]}")
