# SPDX-License-Identifier: Apache-2.0
"""Embeddings of OpenAI, Titan, NVIDIA, Google and SAP's orchestration service."""

import base64
import re
import struct

from .checks import members, need


def vector(text, dimensions):
    """The same for the same text; exact as a 32-bit float."""
    seed = sum(text.encode()) if isinstance(text, str) else sum(text)
    return [((seed * (place + 1)) % 511 - 255) / 256 for place in range(dimensions)]


def _tokens(text):
    return len(text.split()) + 1 if isinstance(text, str) else len(text)


def openai(body, model, extra=()):
    members(body, {"input", "model", "dimensions", "encoding_format", "user", *extra}, "")
    value = body.get("input")
    need(value not in (None, "", []), "Missing required parameter: 'input'.", "input")
    inputs = value if isinstance(value, list) and not isinstance(value[0], int) else [value]
    need(len(inputs) <= 2048 and all(inputs), "Invalid 'input'.", "input")
    need("dimensions" not in body or re.search("embedding-3", model),
         "This model does not support specifying dimensions.", "dimensions")
    size = body.get("dimensions") or 8
    form = body.get("encoding_format", "float")
    need(form in ("float", "base64"), "Invalid 'encoding_format'.", "encoding_format")
    data = []
    for index, text in enumerate(inputs):
        numbers = vector(text, size)
        if form == "base64":
            numbers = base64.b64encode(struct.pack(f"<{size}f", *numbers)).decode()
        data.append({"object": "embedding", "index": index, "embedding": numbers})
    tokens = sum(_tokens(text) for text in inputs)
    return {"object": "list", "model": model, "data": data,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}


def nvidia(body, model):
    need(body.get("input_type") in ("query", "passage"), "input_type: Field required")
    need(body.get("model") == model, "model: Field required")
    return openai(body, model, ("input_type", "truncate"))


def titan(body):
    members(body, {"inputText", "dimensions", "normalize", "embeddingTypes"}, "",
            "Malformed input request: extraneous key [{}] is not permitted")
    text = body.get("inputText")
    need(isinstance(text, str) and text, "inputText: expected a string")
    return {"embedding": vector(text, body.get("dimensions") or 8),
            "inputTextTokenCount": _tokens(text)}


UNKNOWN = 'Invalid JSON payload received. Unknown name "{}": Cannot find field.'


def _google(body, path):
    members(body, {"model", "content", "taskType", "title", "outputDimensionality"}, path, UNKNOWN)
    text = "\n".join(part["text"] for part in body["content"]["parts"])
    return text, vector(text, body.get("outputDimensionality") or 8)


def gemini(body):
    return {"embedding": {"values": _google(body, "")[1]}}


def gemini_batch(body, model):
    members(body, {"requests"}, "", UNKNOWN)
    for item in body["requests"]:
        need(item.get("model") == f"models/{model}", "requests[].model: must match the path")
    return {"embeddings": [{"values": _google(item, "requests")[1]} for item in body["requests"]]}


def predict(body):
    members(body, {"instances", "parameters"}, "", UNKNOWN)
    members(body.get("parameters") or {}, {"outputDimensionality", "autoTruncate"}, "parameters",
            UNKNOWN)
    size = (body.get("parameters") or {}).get("outputDimensionality") or 8
    # gemini-embedding takes one text a request.
    need(len(body["instances"]) == 1, "only one instance is supported")
    texts = [item["content"] for item in body["instances"]]
    return {"predictions": [{"embeddings": {
        "values": vector(text, size),
        "statistics": {"truncated": False, "token_count": _tokens(text)}}} for text in texts]}


def orchestration(body):
    members(body, {"config", "input"}, "")
    model = body["config"]["modules"]["embeddings"]["model"]
    members(model, {"name", "version", "params", "timeout", "max_retries"}, "model")
    members(body["input"], {"text", "type"}, "input")
    request = {"input": body["input"]["text"], **model.get("params", {})}
    return {"request_id": "req-1", "final_result": openai(request, model["name"])}
