# SPDX-License-Identifier: Apache-2.0
"""SAP's orchestration service: chat completions in an envelope."""

import re

from . import chat
from .checks import members, need
from .model import Invalid
from .sse import Event


def read(body):
    """The prompt, the model, and whether a stream is wanted."""
    members(body, {"config", "placeholder_values", "messages_history"}, "")
    config = body["config"]
    members(config, {"modules", "stream"}, "config")
    modules = config["modules"]
    members(modules, {"prompt_templating", "filtering", "masking", "grounding", "translation"},
            "config.modules")
    templating = modules["prompt_templating"]
    members(templating, {"prompt", "model"}, "config.modules.prompt_templating")
    model, prompt = templating["model"], templating["prompt"]
    members(model, {"name", "version", "params", "timeout", "max_retries"}, "model")
    members(prompt, {"template", "defaults", "tools", "response_format"}, "prompt")
    need(isinstance(prompt.get("template"), list), "prompt.template is a required property")
    for message in prompt["template"]:
        if re.search(r"\{\{\s*\?", str(message.get("content"))):
            raise Invalid("Unused parameters: a placeholder has no value")
    messages = [*body.get("messages_history", []), *prompt["template"]]
    need(messages, "no messages")
    for name in ("model", "messages", "stream", "tools", "response_format"):
        need(name not in model.get("params", {}), f"Unknown parameter: '{name}'.")
    request = {**model.get("params", {}), "messages": messages}
    for name in ("tools", "response_format"):
        if prompt.get(name):
            request[name] = prompt[name]
    streams = config.get("stream") or {}
    members(streams, {"enabled", "chunk_size", "delimiters"}, "config.stream")
    if "stream_options" in request:
        request["stream"] = True
    result = chat.read(request, model["name"], chat.SAP_MEMBERS)
    return result, model["name"], bool(streams.get("enabled"))


def _envelope(final, module=None):
    return {"request_id": "req-1", "intermediate_results": module or {}, "final_result": final}


def whole(reply, model):
    final = chat.whole(reply, model)
    return _envelope(final, {"templating": [], "llm": final})


def events(reply, model):
    yield Event(_envelope({"id": "", "object": "", "created": 0, "model": "", "choices": [
        {"index": 0, "delta": {"content": ""}}]}, {"templating": []}))
    *chunks, usage, done = chat.events(reply, model, True)
    for chunk in chunks:
        if chunk.data["choices"][0]["finish_reason"]:
            chunk.data["usage"] = usage.data["usage"]
        delta = chunk.data["choices"][0]["delta"]
        # Here `content` is always there.
        delta["content"] = delta.get("content") or ""
        yield Event(_envelope(chunk.data), is_content=chunk.is_content)
    yield done


def error_body(status, message):
    return {"error": {"request_id": "req-1", "code": status, "message": message,
                      "location": "LLM Module", "intermediate_results": {}}}


ERROR = Event(error_body(500, "LLM Module: the model failed."))
