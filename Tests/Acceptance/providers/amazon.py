# SPDX-License-Identifier: Apache-2.0
"""What Amazon Bedrock adds to its formats: SigV4, binary events, errors in a header."""

import base64
import json
import re
import struct
import zlib
from urllib.parse import unquote, urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from . import converse, embeddings, messages, model
from .server import Answer, Stream
from .sse import stream

REGION = "eu-central-1"
ACCESS_KEY = "AKIAEXAMPLE7ACCEPTED"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
SESSION_TOKEN = "IQoJb3JpZ2luX2VjE//example+session=="
BINARY = "application/vnd.amazon.eventstream"
ERRORS = {400: "ValidationException", 403: "AccessDeniedException", 404: "ResourceNotFoundException",
          424: "ModelErrorException", 429: "ThrottlingException", 500: "InternalServerException",
          503: "ServiceUnavailableException"}


def refusal(status, message, headers=None):
    return Answer({"message": message}, status,
                  {"x-amzn-errortype": ERRORS.get(status, "InternalServerException"),
                   **(headers or {})})


def check_signature(request):
    """Signs what was received once more with Amazon's own code."""
    given = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/bedrock/aws4_request, "
        r"SignedHeaders=([^,]+), Signature=([0-9a-f]{64})", request.headers.get("authorization", ""))
    if not given:
        raise refusal(403, "Missing or incomplete authorization.")
    access, _, region, names, signature = given.groups()
    if access != ACCESS_KEY or region != REGION:
        raise refusal(403, "The security token included in the request is invalid.")
    names = names.split(";")
    for name in ("host", "x-amz-date", "x-amz-security-token"):
        if name not in names:
            raise refusal(403, f"'{name}' must be a 'SignedHeader'.")
    if request.headers["x-amz-security-token"] != SESSION_TOKEN:
        raise refusal(403, "The security token included in the request is expired.")
    again = AWSRequest(request.method, f"http://{request.headers['host']}{request.target}",
                       {name: request.headers[name] for name in names}, request.body)
    again.context["timestamp"] = request.headers["x-amz-date"]
    signer = SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "bedrock", region)
    text = signer.string_to_sign(again, signer.canonical_request(again))
    if signer.signature(text, again) != signature:
        raise refusal(403, "The request signature we calculated does not match the signature you "
                      "provided.")


def message(kind, name, payload, content_type="application/json"):
    """One message of an event stream."""
    headers = b""
    for key, value in ((f":{'exception' if kind == 'exception' else 'event'}-type", name),
                       (":content-type", content_type), (":message-type", kind)):
        headers += struct.pack(">B", len(key)) + key.encode() + b"\x07"
        headers += struct.pack(">H", len(value)) + value.encode()
    prelude = struct.pack(">II", len(headers) + len(payload) + 16, len(headers))
    text = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + payload
    return text + struct.pack(">I", zlib.crc32(text))


def chunk(event):
    """An event of a model inside of a `chunk`, as invoke-with-response-stream sends it."""
    if event.name == "throttlingException":
        return exception(event)
    data = json.dumps(event.data).encode()
    return message("event", "chunk", json.dumps(
        {"bytes": base64.b64encode(data).decode(), "p": "abcdefgh"}).encode())


def plain(event):
    """An event of Converse."""
    if event.name == "throttlingException":
        return exception(event)
    return message("event", event.name, json.dumps({**event.data, "p": "abc"}).encode())


def exception(event):
    return message("exception", event.name, json.dumps(event.data).encode())


def answer(request):
    check_signature(request)
    id, operation = re.fullmatch(r"/model/([^/]+)/([a-z-]+)", urlsplit(request.target).path).groups()
    id, body = unquote(id), request.json
    try:
        if operation == "invoke" and "titan-embed" in id:
            return Answer(embeddings.titan(body))
        if operation.startswith("invoke"):
            reply = model.reply(messages.read(body, id, is_bedrock=True))
            if operation == "invoke":
                return Answer(messages.whole(reply, id))
            _accepts_binary(request)
            return Stream(stream(reply, messages.events(reply, id, True), converse.ERROR, chunk),
                          BINARY)
        reply = model.reply(converse.read(body, id))
        if operation == "converse":
            return Answer(converse.whole(reply, id))
        _accepts_binary(request)
        return Stream(stream(reply, converse.events(reply, id), converse.ERROR, plain), BINARY)
    except model.Invalid as error:
        raise refusal(400, str(error)) from None
    except model.Fault as fault:
        status = 503 if fault.status == 529 else fault.status
        raise refusal(status, "Too many tokens, please wait before trying again.",
                      {"retry-after": "1"} if status == 429 else None) from None


def _accepts_binary(request):
    if BINARY not in request.headers.get("accept", BINARY):
        raise refusal(400, "accept")
