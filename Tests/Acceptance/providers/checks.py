# SPDX-License-Identifier: Apache-2.0
"""Strictness that all formats share."""

import base64
import binascii

from .model import Invalid

# What the providers measure of an image or document that came whole.
MEDIA_BYTES_MAX = 20 << 20


def members(value, allowed, path, message="Unknown parameter: '{}'."):
    """Refuses members that the format does not have."""
    if not isinstance(value, dict):
        raise Invalid(f"{path or 'the body'} must be an object", path)
    for name in value:
        if name not in allowed:
            place = f"{path}.{name}" if path else name
            raise Invalid(message.format(place), place)


def need(condition, message, path=None):
    if not condition:
        raise Invalid(message, path)


def text(value, path):
    need(isinstance(value, str), f"Invalid type for '{path}': expected a string.", path)
    return value


def media(data, kind, path):
    """What the model sees of bytes in base64."""
    try:
        size = len(base64.b64decode(text(data, path), validate=True))
    except binascii.Error:
        raise Invalid(f"Invalid base64 data in '{path}'.", path) from None
    need(0 < size <= MEDIA_BYTES_MAX, f"Invalid size in '{path}'.", path)
    return f"{kind} of {size} bytes"


def data_url(url, path):
    head, _, data = text(url, path).partition(",")
    if head.startswith("data:"):
        need(head.endswith(";base64"), f"Invalid data URL in '{path}'.", path)
        return media(data, head[5:-7], path)
    need(url.startswith("https://"), f"Invalid URL in '{path}'.", path)
    return f"{url}"
