# SPDX-License-Identifier: Apache-2.0
"""Streams of a reply: the events of a format, and where the model's faults come in."""

import asyncio
import json
from dataclasses import dataclass

from .server import SLOW_SECONDS, Cut

DRIP_SECONDS = 0.05
# Content events before a fault.
CONTENT_BEFORE_FAULT = 2


@dataclass
class Event:
    data: object
    name: str = None
    # Whether a client would see something of the answer in it.
    is_content: bool = False


def sse(event):
    """Raw and escaped text take turns by the length of the event."""
    text = event.data
    if not isinstance(text, str):
        escaped = len(str(text)) % 2 == 0
        text = json.dumps(text, ensure_ascii=escaped, separators=(",", ":"))
    name = f"event: {event.name}\n" if event.name else ""
    return f"{name}data: {text}\n\n".encode()


async def stream(reply, events, error, encode=sse):
    """The bytes of `events`; `error` is the event of a provider that fails in the middle."""
    if reply.is_slow:
        await asyncio.sleep(SLOW_SECONDS)
    content = 0
    for event in events:
        if event.is_content:
            if reply.fault in ("cut", "error") and content == CONTENT_BEFORE_FAULT:
                # So that what came before is on its way to the client.
                await asyncio.sleep(DRIP_SECONDS)
                if reply.fault == "cut":
                    raise Cut
            if reply.fault == "early-error" or \
                    (reply.fault == "error" and content == CONTENT_BEFORE_FAULT):
                yield encode(error)
                return
            content += 1
            if reply.drips:
                await asyncio.sleep(DRIP_SECONDS)
        yield encode(event)
