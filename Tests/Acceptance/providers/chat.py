# SPDX-License-Identifier: Apache-2.0
"""OpenAI's chat completions, as OpenAI, Azure and SAP's deployments of them take them."""

import json
import re

from .checks import data_url, members, need, text
from .model import Prompt, Tool
from .sse import Event

# sap-ai-core.md, section 2.6.
SAP_MEMBERS = set("""messages model stream stream_options temperature top_p n stop max_tokens
max_completion_tokens presence_penalty frequency_penalty logit_bias logprobs top_logprobs seed user
tools tool_choice parallel_tool_calls response_format reasoning_effort functions function_call
prediction modalities metadata store verbosity""".split())
OPENAI_MEMBERS = SAP_MEMBERS | set("""audio web_search_options service_tier safety_identifier
prompt_cache_key prompt_cache_retention moderation""".split())
SAMPLING = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "logprobs",
            "top_logprobs", "logit_bias", "stop")
NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
MESSAGE_MEMBERS = {
    "system": {"content", "name"}, "developer": {"content", "name"}, "user": {"content", "name"},
    "assistant": {"content", "name", "refusal", "audio", "tool_calls", "function_call"},
    "tool": {"content", "tool_call_id"}, "function": {"content", "name"},
}


def is_reasoning(model):
    return bool(re.match(r"(o\d|gpt-5)", model)) and "chat" not in model


def read(body, model, allowed=OPENAI_MEMBERS):
    members(body, allowed, "")
    if is_reasoning(model):
        need("max_tokens" not in body, "Unsupported parameter: 'max_tokens' is not supported with "
             "this model. Use 'max_completion_tokens' instead.", "max_tokens")
        for name in SAMPLING:
            need(body.get(name) in (None, 1 if name in ("temperature", "top_p") else None),
                 f"Unsupported parameter: '{name}' is not supported with this model.", name)
    if "stream_options" in body:
        need(body.get("stream") is True, "The 'stream_options' parameter is only allowed when "
             "'stream' is enabled.", "stream_options")
        members(body["stream_options"], {"include_usage", "include_obfuscation"}, "stream_options")
    prompt = Prompt(stops=_stops(body.get("stop")))
    prompt.thinks = body.get("reasoning_effort") not in (None, "none", "minimal")
    _tools(body, prompt)
    _messages(body.get("messages"), prompt)
    _format(body.get("response_format"), prompt)
    return prompt


def _stops(value):
    stops = [value] if isinstance(value, str) else value or []
    need(len(stops) <= 4, "Invalid 'stop': at most 4.", "stop")
    return stops


def _tools(body, prompt):
    for place, tool in enumerate(body.get("tools") or []):
        path = f"tools[{place}]"
        need(tool.get("type") == "function", f"Invalid value: '{tool.get('type')}'.", path)
        members(tool, {"type", "function"}, path)
        function = tool["function"]
        members(function, {"name", "description", "parameters", "strict"}, f"{path}.function")
        need(NAME.fullmatch(function.get("name", "")), "Invalid 'name'.", f"{path}.function.name")
        schema = function.get("parameters", {})
        need(isinstance(schema, dict) and schema.get("type", "object") == "object",
             "Invalid schema for function.", f"{path}.function.parameters")
        prompt.tools.append(Tool(function["name"], schema))
    choice = body.get("tool_choice")
    need(choice is None or prompt.tools or choice == "none",
         "'tool_choice' is only allowed when 'tools' are specified.", "tool_choice")
    need("parallel_tool_calls" not in body or prompt.tools,
         "'parallel_tool_calls' is only allowed when 'tools' are specified.", "parallel_tool_calls")
    prompt.is_parallel = body.get("parallel_tool_calls") is not False
    if isinstance(choice, dict):
        members(choice, {"type", "function"}, "tool_choice")
        prompt.choice = "=" + choice["function"]["name"]
    elif choice is not None:
        need(choice in ("auto", "none", "required"), f"Invalid value: '{choice}'.", "tool_choice")
        prompt.choice = "any" if choice == "required" else choice


def _messages(messages, prompt):
    need(isinstance(messages, list) and messages, "Invalid 'messages': empty array.", "messages")
    waiting, prompt.turns, systems = {}, 0, []
    for place, message in enumerate(messages):
        path = f"messages[{place}]"
        role = message.get("role")
        need(role in MESSAGE_MEMBERS, f"Invalid value: '{role}'.", f"{path}.role")
        members(message, MESSAGE_MEMBERS[role] | {"role"}, path)
        if role == "tool":
            id = message.get("tool_call_id")
            need(id in waiting, "Invalid parameter: messages with role 'tool' must be a response "
                 "to a preceding message with 'tool_calls'.", f"{path}.role")
            del waiting[id]
            prompt.results.append(_content(message.get("content"), path, Prompt()))
            continue
        need(not waiting, "An assistant message with 'tool_calls' must be followed by tool "
             f"messages responding to each 'tool_call_id'. Missing: {list(waiting)}", path)
        content = message.get("content")
        if role == "assistant":
            prompt.results, prompt.turns = [], prompt.turns + 1
            calls = message.get("tool_calls") or []
            need(content is not None or calls or message.get("refusal") is not None
                 or message.get("function_call"), "Invalid value for 'content': null.", path)
            for number, call in enumerate(calls):
                members(call, {"id", "type", "function"}, f"{path}.tool_calls[{number}]")
                members(call["function"], {"name", "arguments"}, f"{path}.tool_calls[{number}]")
                need(call["type"] == "function", "Invalid type", f"{path}.tool_calls[{number}]")
                json.loads(text(call["function"]["arguments"], path))
                waiting[text(call["id"], path)] = True
        elif role in ("system", "developer"):
            systems.append(_content(content, path, Prompt()))
        elif role == "user":
            prompt.media = []
            prompt.text = _content(content, path, prompt)
            prompt.turns += not prompt.results
    need(not waiting, "An assistant message with 'tool_calls' must be followed by tool messages "
         f"responding to each 'tool_call_id'. Missing: {list(waiting)}", "messages")
    prompt.system = "\n\n".join(systems)


def _content(content, path, prompt):
    if isinstance(content, str):
        return content
    need(isinstance(content, list), f"Invalid type for '{path}.content'.", f"{path}.content")
    texts = []
    for place, part in enumerate(content):
        here = f"{path}.content[{place}]"
        kind = part.get("type")
        members(part, {"type", kind}, here)
        if kind in ("text", "refusal"):
            texts.append(text(part.get(kind), here))
        elif kind == "image_url":
            members(part["image_url"], {"url", "detail"}, here)
            prompt.media.append(data_url(part["image_url"].get("url"), here))
        elif kind == "file":
            members(part["file"], {"file_data", "file_id", "filename"}, here)
            prompt.media.append(data_url(part["file"].get("file_data"), here))
        elif kind == "input_audio":
            prompt.media.append("audio")
        else:
            need(False, f"Invalid value: '{kind}'.", here)
    return "\n".join(texts)


def _format(value, prompt):
    if value is None or value.get("type") == "text":
        return
    if value["type"] == "json_object":
        members(value, {"type"}, "response_format")
        prompt.schema = {}
        return
    members(value, {"type", "json_schema"}, "response_format")
    members(value["json_schema"], {"name", "schema", "strict", "description"},
            "response_format.json_schema")
    need(NAME.fullmatch(value["json_schema"].get("name", "")), "Missing name.", "response_format")
    prompt.schema = value["json_schema"]["schema"]


FINISH = {"stop": "stop", "stop_text": "stop", "length": "length", "tools": "tool_calls",
          "refusal": "content_filter"}


def usage(reply):
    u = reply.usage
    input = u.input + u.cached + u.cache_write
    return {"prompt_tokens": input, "completion_tokens": u.output, "total_tokens": input + u.output,
            "prompt_tokens_details": {"cached_tokens": u.cached, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": u.reasoning, "audio_tokens": 0}}


def _head(kind, model):
    return {"id": "chatcmpl-B1", "object": kind, "created": 1772000000,
            "model": f"{model}-2026-02-01", "system_fingerprint": "fp_1"}


def _call(call):
    return {"id": f"call_B{call.number}", "type": "function", "function": {
        "name": call.name, "arguments": json.dumps(call.arguments, ensure_ascii=False)}}


def whole(reply, model, is_azure=False):
    message = {"role": "assistant", "content": "".join(reply.text) or None, "refusal": None}
    if reply.calls:
        message["tool_calls"] = [_call(call) for call in reply.calls]
    if reply.finish == "refusal":
        message["content"], message["refusal"] = None, "".join(reply.text)
    choice = {"index": 0, "finish_reason": FINISH[reply.finish], "message": message,
              "logprobs": None}
    answer = {**_head("chat.completion", model), "choices": [choice], "usage": usage(reply)}
    if is_azure:
        choice["content_filter_results"] = {"hate": {"filtered": False, "severity": "safe"}}
        answer["prompt_filter_results"] = [{"prompt_index": 0, "content_filter_results": {}}]
    return answer


def events(reply, model, with_usage, is_azure=False):
    head = _head("chat.completion.chunk", model)

    def chunk(delta, finish=None, is_content=False):
        return Event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish,
                                           "logprobs": None}]}, is_content=is_content)

    if is_azure:
        yield Event({**head, "id": "", "model": "", "created": 0, "choices": [],
                     "prompt_filter_results": [{"prompt_index": 0}]})
    yield chunk({"role": "assistant", "content": None if reply.calls else "", "refusal": None})
    for piece in reply.text:
        key = "refusal" if reply.finish == "refusal" else "content"
        yield chunk({key: piece}, is_content=True)
    for call in reply.calls:
        full = _call(call)
        arguments = full["function"].pop("arguments")
        yield chunk({"tool_calls": [{"index": call.number, **full, "function": {
            "name": call.name, "arguments": ""}}]}, is_content=True)
        for start in range(0, len(arguments), 5):
            yield chunk({"tool_calls": [{"index": call.number, "function": {
                "arguments": arguments[start:start + 5]}}]}, is_content=True)
    yield chunk({}, FINISH[reply.finish])
    if with_usage:
        yield Event({**head, "choices": [], "usage": usage(reply)})
    yield Event("[DONE]")


ERROR = Event({"error": {"message": "The server had an error.", "type": "server_error",
                         "param": None, "code": None}})


def error_body(status, message, param=None):
    types = {400: "invalid_request_error", 401: "invalid_request_error", 429: "requests"}
    codes = {400: None, 401: "invalid_api_key", 429: "rate_limit_exceeded"}
    return {"error": {"message": message, "type": types.get(status, "server_error"),
                      "param": param, "code": codes.get(status)}}
