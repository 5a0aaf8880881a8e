# SPDX-License-Identifier: Apache-2.0
"""OpenAI's Responses, as OpenAI, Azure and SAP's deployments take them."""

import json
import re

from .chat import SAMPLING, error_body, is_reasoning
from .checks import data_url, members, need, text
from .model import Prompt, Tool
from .sse import Event

MEMBERS = set("""background conversation include input instructions max_output_tokens max_tool_calls
metadata model parallel_tool_calls previous_response_id prompt prompt_cache_key
prompt_cache_retention reasoning safety_identifier service_tier store stream stream_options
temperature text tool_choice tools top_logprobs top_p truncation user context_management""".split())
PARTS = {"input_text": {"text"}, "output_text": {"text", "annotations", "logprobs"},
         "input_image": {"image_url", "detail", "file_id"}, "refusal": {"refusal"},
         "input_file": {"file_data", "file_id", "filename", "file_url", "detail"}}
ITEMS = {
    "message": {"role", "content", "id", "status", "phase"},
    "function_call": {"call_id", "name", "arguments", "id", "status", "namespace"},
    "function_call_output": {"call_id", "output", "id", "status"},
    "reasoning": {"id", "summary", "content", "encrypted_content", "status"},
}


def read(body, model, is_sap=False, previous=()):
    """`previous` are the ids of calls in the response that this one goes on from."""
    members(body, MEMBERS, "")
    if is_reasoning(model):
        for name in SAMPLING:
            need(body.get(name) in (None, 1 if name in ("temperature", "top_p") else None),
                 f"Unsupported parameter: '{name}' is not supported with this model.", name)
    need(body.get("max_output_tokens") is None or body["max_output_tokens"] >= 16,
         "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16.",
         "max_output_tokens")
    prompt = Prompt(system=body.get("instructions") or "")
    prompt.thinks = (body.get("reasoning") or {}).get("effort") not in (None, "none", "minimal")
    members(body.get("reasoning") or {}, {"effort", "summary", "generate_summary", "context"},
            "reasoning")
    _tools(body, prompt, is_sap, model)
    _input(body.get("input"), prompt, set(previous))
    config = body.get("text") or {}
    members(config, {"format", "verbosity"}, "text")
    form = config.get("format") or {"type": "text"}
    if form["type"] == "json_object":
        prompt.schema = {}
    elif form["type"] == "json_schema":
        members(form, {"type", "name", "schema", "strict", "description"}, "text.format")
        need(form.get("name"), "Missing required parameter: 'text.format.name'.")
        prompt.schema = form["schema"]
    return prompt


def _tools(body, prompt, is_sap, model):
    for place, tool in enumerate(body.get("tools") or []):
        path = f"tools[{place}]"
        if tool.get("type") != "function":
            need(not is_sap, f"The following tools are not allowed for model {model}: "
                 f"{tool.get('type')}", path)
            continue
        members(tool, {"type", "name", "description", "parameters", "strict", "defer_loading"},
                path)
        need(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", tool.get("name", "")), "Invalid name.", path)
        prompt.tools.append(Tool(tool["name"], tool.get("parameters") or {}))
    choice = body.get("tool_choice")
    prompt.is_parallel = body.get("parallel_tool_calls") is not False
    if isinstance(choice, dict):
        need(choice.get("type") == "function", "Tool choice not found in 'tools'.", "tool_choice")
        prompt.choice = "=" + choice["name"]
    elif choice is not None:
        need(choice in ("auto", "none", "required"), f"Invalid value: '{choice}'.", "tool_choice")
        prompt.choice = "any" if choice == "required" else choice


def _input(items, prompt, known):
    if isinstance(items, str):
        prompt.text = items
        return
    need(isinstance(items, list) and items, "Missing required parameter: 'input'.", "input")
    waiting, prompt.turns, systems = set(known), 0, [prompt.system] if prompt.system else []
    for place, item in enumerate(items):
        path, kind = f"input[{place}]", item.get("type", "message")
        need(kind in ITEMS, f"Invalid value: '{kind}'.", f"{path}.type")
        members(item, ITEMS[kind] | {"type"}, path)
        if kind == "message":
            role = item.get("role")
            need(role in ("user", "assistant", "system", "developer"), f"Invalid value: '{role}'.")
            if role == "user":
                prompt.media, prompt.turns = [], prompt.turns + 1
                prompt.text = _content(item.get("content"), role, path, prompt)
            elif role == "assistant":
                prompt.turns += 1
                prompt.results = []
                _content(item.get("content"), role, path, prompt)
            else:
                systems.append(_content(item.get("content"), role, path, prompt))
        elif kind == "function_call":
            need(item.get("id", "fc_").startswith("fc_"), f"Invalid '{path}.id': '{item.get('id')}'"
                 ". Expected an ID that begins with 'fc'.", f"{path}.id")
            json.loads(text(item.get("arguments"), path))
            need(item.get("name"), "Missing required parameter.", f"{path}.name")
            waiting.add(text(item.get("call_id"), path))
            prompt.results = []
        elif kind == "function_call_output":
            need(item.get("call_id") in waiting, "No tool call found for function call output with "
                 f"call_id {item.get('call_id')}.", path)
            waiting.discard(item["call_id"])
            output = item.get("output")
            prompt.results.append(output if isinstance(output, str)
                                  else _content(output, "user", path, prompt))
        else:
            need(item.get("id", "rs_").startswith("rs_"), f"Invalid '{path}.id'.", path)
            need(isinstance(item.get("summary"), list), f"Missing '{path}.summary'.", path)
    need(not waiting, f"No tool output found for function call {', '.join(waiting)}.", "input")
    prompt.system = "\n\n".join(systems)


def _content(content, role, path, prompt):
    if isinstance(content, str):
        return content
    texts = []
    for place, part in enumerate(content or []):
        here, kind = f"{path}.content[{place}]", part.get("type")
        need(kind in PARTS and (kind in ("output_text", "refusal")) == (role == "assistant"),
             f"Invalid value: '{kind}'.", here)
        members(part, PARTS[kind] | {"type"}, here)
        if kind == "input_image":
            prompt.media.append(data_url(part.get("image_url"), here))
        elif kind == "input_file":
            prompt.media.append(data_url(part.get("file_data"), here))
        else:
            texts.append(text(part.get("text", part.get("refusal")), here))
    return "\n".join(texts)


def usage(reply):
    u = reply.usage
    input = u.input + u.cached + u.cache_write
    return {"input_tokens": input, "input_tokens_details": {"cached_tokens": u.cached},
            "output_tokens": u.output, "total_tokens": input + u.output,
            "output_tokens_details": {"reasoning_tokens": u.reasoning}}


def _items(reply):
    items = []
    if reply.thinking:
        items.append({"id": "rs_1", "type": "reasoning", "summary": [
            {"type": "summary_text", "text": "".join(reply.thinking)}]})
    if reply.text:
        part = {"type": "output_text", "text": "".join(reply.text), "annotations": [],
                "logprobs": []}
        if reply.finish == "refusal":
            part = {"type": "refusal", "refusal": "".join(reply.text)}
        items.append({"id": "msg_1", "type": "message", "role": "assistant",
                      "status": "completed", "content": [part]})
    for call in reply.calls:
        items.append({"id": f"fc_{call.number}", "type": "function_call", "status": "completed",
                      "call_id": f"call_B{call.number}", "name": call.name,
                      "arguments": json.dumps(call.arguments, ensure_ascii=False)})
    return items


def whole(reply, model, id, body, **more):
    is_short = reply.finish == "length"
    return {"id": id, "object": "response", "created_at": 1772000000, "model": model,
            "status": "incomplete" if is_short else "completed", "error": None,
            "incomplete_details": {"reason": "max_output_tokens"} if is_short else None,
            "instructions": body.get("instructions"), "metadata": body.get("metadata") or {},
            "output": _items(reply), "parallel_tool_calls": True, "tools": body.get("tools") or [],
            "tool_choice": body.get("tool_choice") or "auto", "temperature": 1.0, "top_p": 1.0,
            "previous_response_id": body.get("previous_response_id"),
            "store": body.get("store", True), "text": {"format": {"type": "text"}},
            "usage": usage(reply), **more}


def events(reply, response):
    number = -1

    def event(kind, is_content=False, **more):
        nonlocal number
        number += 1
        return Event({"type": kind, "sequence_number": number, **more}, kind, is_content)

    begun = {**response, "status": "in_progress", "output": [], "usage": None,
             "incomplete_details": None}
    yield event("response.created", response=begun)
    yield event("response.in_progress", response=begun)
    for index, item in enumerate(response["output"]):
        place = {"output_index": index, "item_id": item["id"]}
        added = {**item}
        for key in ("content", "summary"):
            if key in added:
                added[key] = []
        if "arguments" in added:
            added["arguments"] = ""
        if "status" in added:
            added["status"] = "in_progress"
        yield event("response.output_item.added", output_index=index, item=added)
        if item["type"] == "reasoning":
            where = {**place, "summary_index": 0}
            yield event("response.reasoning_summary_part.added", **where,
                        part={"type": "summary_text", "text": ""})
            for piece in reply.thinking:
                yield event("response.reasoning_summary_text.delta", True, **where, delta=piece)
            yield event("response.reasoning_summary_text.done", **where,
                        text="".join(reply.thinking))
            yield event("response.reasoning_summary_part.done", **where, part=item["summary"][0])
        elif item["type"] == "message":
            where, (part,) = {**place, "content_index": 0}, item["content"]
            key = "text" if part["type"] == "output_text" else "refusal"
            kind = "response.output_text" if key == "text" else "response.refusal"
            yield event("response.content_part.added", **where, part={**part, key: ""})
            for piece in reply.text:
                yield event(f"{kind}.delta", True, **where, delta=piece)
            yield event(f"{kind}.done", **where, **{key: part[key]})
            yield event("response.content_part.done", **where, part=part)
        else:
            for start in range(0, len(item["arguments"]), 5):
                yield event("response.function_call_arguments.delta", True, **place,
                            delta=item["arguments"][start:start + 5])
            yield event("response.function_call_arguments.done", **place, name=item["name"],
                        arguments=item["arguments"])
        yield event("response.output_item.done", output_index=index, item=item)
    yield event(f"response.{response['status']}", response=response)


# As AI Core throttles in the middle of a stream (sap-ai-core.md, section 2.6).
ERROR = Event({"type": "error", "error": {"type": "server_error", "code": "server_error",
                                          "message": "The server had an error.", "param": None},
               "sequence_number": 3}, "error")

__all__ = ["ERROR", "error_body", "events", "read", "whole"]
