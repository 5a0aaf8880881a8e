# SPDX-License-Identifier: Apache-2.0
"""Anthropic's Messages: Anthropic itself, and Claude on Bedrock and SAP, which take less."""

import json
import re

from .checks import media, members, need, text
from .model import SIGNATURE, Prompt, Tool
from .sse import Event

COMMON = set("""max_tokens messages system stop_sequences temperature top_p top_k tools tool_choice
thinking metadata output_config""".split())
ANTHROPIC_MEMBERS = COMMON | set("""model stream service_tier container mcp_servers
context_management inference_geo""".split())
BEDROCK_MEMBERS = COMMON | {"anthropic_version", "anthropic_beta"}
COUNT_MEMBERS = set("""model messages system tools tool_choice thinking output_config
context_management mcp_servers""".split())
# sap-ai-core.md, section 2.7.
REFUSED_BETAS = set("""prompt-caching-2024-07-31 prompt-caching-scope-2026-01-05
extended-cache-ttl-2025-04-11 redact-thinking-2026-02-12 mcp-servers-2025-12-04 skills-2025-10-02
files-api-2025-04-14 message-batches-2024-09-24 managed-agents-2026-04-01
code-execution-2025-05-22 fast-mode-2026-02-01 output-300k-2026-03-24 user-profiles-2026-03-24
advisor-tool-2026-03-01 cache-diagnosis-2026-04-07 thinking-token-count-2026-05-13
server-side-fallback-2026-06-01 fallback-credit-2026-06-01 advanced-tool-use-2025-11-20""".split())
EXTRA = "{}: Extra inputs are not permitted"
TOOL_MEMBERS = {"name", "description", "input_schema", "cache_control", "type"}
ANTHROPIC_TOOL_MEMBERS = TOOL_MEMBERS | {"input_examples", "defer_loading", "strict",
                                         "allowed_callers", "eager_input_streaming"}
HOSTED = re.compile(r"(web_search|web_fetch|computer|text_editor|bash|code_execution|memory"
                    r"|tool_search_tool_\w+)_\d{8}")
BLOCKS = {
    "text": {"text", "cache_control", "citations"},
    "image": {"source", "cache_control"},
    "document": {"source", "cache_control", "title", "context", "citations"},
    "tool_use": {"id", "name", "input", "cache_control", "caller"},
    "tool_result": {"tool_use_id", "content", "is_error", "cache_control"},
    "thinking": {"thinking", "signature"},
    "redacted_thinking": {"data"},
    "search_result": {"source", "title", "content", "cache_control", "citations"},
}
IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")


def version(model):
    """(4, 5) of any of the ways in which Claude's models are called."""
    digits = re.findall(r"(?<![\d])(\d)(?:[.-](\d)(?!\d))?", model)
    return (int(digits[0][0]), int(digits[0][1] or 0)) if digits else (4, 5)


def read(body, model, is_bedrock=False, allowed=None, betas=()):
    members(body, allowed or (BEDROCK_MEMBERS if is_bedrock else ANTHROPIC_MEMBERS), "", EXTRA)
    if is_bedrock:
        need(body.get("anthropic_version") == "bedrock-2023-05-31",
             "anthropic_version: Field required")
        betas = body.get("anthropic_beta", [])
        need(isinstance(betas, list) and len(betas) == len(set(betas)), "invalid beta flag")
        need(not REFUSED_BETAS & set(betas), "invalid beta flag")
    if allowed is None:
        need(isinstance(body.get("max_tokens"), int) and body["max_tokens"] > 0,
             "max_tokens: Field required")
    prompt = Prompt(stops=body.get("stop_sequences") or [])
    for stop in prompt.stops:
        need(stop.strip(), "stop_sequences: each stop sequence must contain non-whitespace")
    _sampling(body, model, prompt, body.get("anthropic_beta", betas))
    _system(body.get("system"), prompt, is_bedrock)
    _tools(body, prompt, is_bedrock)
    _turns(body.get("messages"), prompt, model, is_bedrock)
    config = body.get("output_config") or {}
    members(config, {"effort", "format", "task_budget"}, "output_config", EXTRA)
    if config.get("format"):
        members(config["format"], {"type", "schema"}, "output_config.format", EXTRA)
        need(version(model) >= (4, 5), "output_config.format: not supported by this model")
        prompt.schema = config["format"]["schema"]
    return prompt


def _sampling(body, model, prompt, betas):
    number = version(model)
    thinking = body.get("thinking") or {"type": "disabled"}
    members(thinking, {"type", "budget_tokens", "display"}, "thinking", EXTRA)
    kind = thinking.get("type")
    need(kind in ("enabled", "disabled", "adaptive"), "thinking.type: Input should be 'enabled'")
    given = [name for name in ("temperature", "top_p", "top_k") if body.get(name) is not None]
    if kind == "enabled":
        need(number < (4, 7), "thinking.type.enabled is not supported by this model")
        need(number >= (3, 7), "thinking: not supported by this model")
        budget = thinking.get("budget_tokens", 0)
        need(budget >= 1024, "thinking.enabled.budget_tokens: Input should be greater than or "
             "equal to 1024")
        # Thoughts between tool calls have a budget of their own.
        is_free = "interleaved-thinking-2025-05-14" in betas
        need(is_free or budget < body.get("max_tokens", 1 << 30),
             "`max_tokens` must be greater than `thinking.budget_tokens`.")
    if kind == "adaptive":
        need(number >= (4, 6), "thinking.type: adaptive is not supported by this model")
    if kind != "disabled":
        need(body.get("temperature") in (None, 1),
             "`temperature` may only be set to 1 when thinking is enabled.")
        need("top_k" not in given, "`top_k` must be unset when thinking is enabled.")
        choice = (body.get("tool_choice") or {}).get("type")
        need(choice in (None, "auto", "none"),
             "Thinking may not be enabled when tool_choice forces tool use.")
        prompt.thinks = True
    if number >= (4, 7):
        need(not given, f"{given}: not supported by this model")
    elif number >= (4, 1):
        need(not {"temperature", "top_p"} <= set(given),
             "`temperature` and `top_p` cannot both be specified for this model.")
    need(0 <= (body.get("temperature") or 0) <= 1, "temperature: range: 0..1")


def _cache(block, path, is_bedrock):
    control = block.get("cache_control")
    if control is not None:
        allowed = {"type", "ttl"} if is_bedrock else {"type", "ttl", "scope"}
        members(control, allowed, f"{path}.cache_control", EXTRA)
        need(control.get("type") == "ephemeral", f"{path}.cache_control.type: Input should be "
             "'ephemeral'")


def _system(system, prompt, is_bedrock):
    if isinstance(system, list):
        for place, block in enumerate(system):
            members(block, {"type", "text", "cache_control", "citations"}, f"system.{place}", EXTRA)
            _cache(block, f"system.{place}", is_bedrock)
            need(block.get("text"), f"system.{place}.text: must be non-empty")
        system = "\n\n".join(block["text"] for block in system)
    prompt.system = system or ""


def _tools(body, prompt, is_bedrock):
    for place, tool in enumerate(body.get("tools") or []):
        path = f"tools.{place}"
        kind = tool.get("type", "custom")
        if kind != "custom":
            need(not is_bedrock and HOSTED.fullmatch(kind),
                 f"{path}: Input tag '{kind}' found using 'type' does not match")
            continue
        members(tool, TOOL_MEMBERS if is_bedrock else ANTHROPIC_TOOL_MEMBERS, path, EXTRA)
        need(re.fullmatch(r"[a-zA-Z0-9_-]{1,128}", tool.get("name", "")), f"{path}.name: invalid")
        need(isinstance(tool.get("description", ""), str), f"{path}.description: invalid")
        schema = tool.get("input_schema")
        need(isinstance(schema, dict), f"{path}.input_schema: Field required")
        need(schema.get("type") == "object", f"{path}.input_schema.type: Field required")
        _cache(tool, path, is_bedrock)
        prompt.tools.append(Tool(tool["name"], schema))
    choice = body.get("tool_choice")
    if choice is not None:
        need(body.get("tools"), "tool_choice: may only be specified while providing tools")
        members(choice, {"type", "name", "disable_parallel_tool_use"}, "tool_choice", EXTRA)
        kind = choice.get("type")
        need(kind in ("auto", "any", "tool", "none"), "tool_choice.type: invalid")
        prompt.choice = "=" + choice["name"] if kind == "tool" else kind
        prompt.is_parallel = not choice.get("disable_parallel_tool_use", False)


def _turns(turns, prompt, model, is_bedrock):
    need(isinstance(turns, list) and turns, "messages: at least one message is required")
    need(turns[0].get("role") == "user", "messages: first message must use the \"user\" role")
    prompt.turns, waiting, has_tools, previous = len(turns), {}, False, None
    for place, turn in enumerate(turns):
        path, role = f"messages.{place}", turn.get("role")
        members(turn, {"role", "content"}, path, EXTRA)
        need(role in ("user", "assistant"), f"{path}.role: Input should be 'user' or 'assistant'")
        need(role != previous, f"{path}: roles must alternate between \"user\" and \"assistant\"")
        previous = role
        content = turn.get("content")
        if isinstance(content, str):
            content = [{"type": "text", "text": content}]
        need(isinstance(content, list) and content, f"{path}: content must be non-empty")
        if role == "user":
            prompt.results, prompt.media, texts = [], [], []
        called = {}
        for number, block in enumerate(content):
            here, kind = f"{path}.content.{number}", block.get("type")
            need(kind in BLOCKS, f"{here}: Input tag '{kind}' found using 'type' does not match")
            members(block, BLOCKS[kind] | {"type"}, f"{here}.{kind}", EXTRA)
            _cache(block, here, is_bedrock)
            if kind == "text":
                need(text(block.get("text"), here).strip(),
                     "messages: text content blocks must contain non-whitespace text")
                if role == "user":
                    texts.append(block["text"])
            elif kind in ("image", "document"):
                need(role == "user", f"{here}: not allowed for the assistant")
                prompt.media.append(_source(block, here, kind, is_bedrock))
            elif kind == "tool_use":
                need(role == "assistant" and isinstance(block.get("input"), dict), f"{here}.input")
                need(re.fullmatch(r"[a-zA-Z0-9_-]+", block.get("id", "")),
                     f"{here}.id: String should match pattern '^[a-zA-Z0-9_-]+$'")
                need(block["id"] not in called, f"{here}: `tool_use` ids must be unique")
                called[block["id"]] = has_tools = True
            elif kind == "tool_result":
                need(role == "user" and block.get("tool_use_id") in waiting,
                     f"{here}: unexpected `tool_use_id` found in `tool_result` blocks: "
                     f"{block.get('tool_use_id')}")
                need(not texts, f"{path}: tool results must come first")
                del waiting[block["tool_use_id"]]
                prompt.results.append(_result(block, here, prompt, is_bedrock))
            elif kind == "thinking":
                need(role == "assistant" and block.get("signature") == SIGNATURE,
                     f"{here}: Invalid `signature` in `thinking` block")
        need(not waiting, f"{path}: `tool_use` ids were found without `tool_result` blocks "
             f"immediately after: {', '.join(waiting)}.")
        waiting = called
        if role == "user":
            prompt.text = "\n".join(texts)
    need(not waiting, "messages: `tool_use` ids were found without `tool_result` blocks")
    need(previous == "user" or version(model) < (4, 6),
         "This model does not support assistant message prefill.")
    need(not (is_bedrock and has_tools) or prompt.tools,
         "tools: Field required, because messages have tool_use blocks")


def _source(block, path, kind, is_bedrock):
    source = block.get("source") or {}
    match source.get("type"):
        case "base64":
            members(source, {"type", "media_type", "data"}, path, EXTRA)
            expected = IMAGES if kind == "image" else ("application/pdf",)
            need(source.get("media_type") in expected, f"{path}.source.media_type: invalid")
            return media(source.get("data"), source["media_type"], path)
        case "url":
            need(not is_bedrock, f"{path}.source.type: URL sources are not supported")
            return source["url"]
        case "text" if kind == "document":
            return f"text of {len(source['data'])}"
    need(False, f"{path}.source: invalid")


def _result(block, path, prompt, is_bedrock):
    content = block.get("content", "")
    if isinstance(content, str):
        return content
    texts = []
    for number, part in enumerate(content):
        here, kind = f"{path}.content.{number}", part.get("type")
        need(kind in ("text", "image", "document", "search_result"),
             f"{here}: Input tag '{kind}' does not match")
        members(part, BLOCKS[kind] | {"type"}, here, EXTRA)
        _cache(part, here, is_bedrock)
        if kind == "text":
            need(part["text"], f"{here}: must be non-empty")
            texts.append(part["text"])
        else:
            prompt.media.append(_source(part, here, kind, is_bedrock))
    return "\n".join(texts)


FINISH = {"stop": "end_turn", "stop_text": "stop_sequence", "length": "max_tokens",
          "tools": "tool_use", "refusal": "refusal"}


def _usage(reply):
    u = reply.usage
    return {"input_tokens": u.input, "cache_creation_input_tokens": u.cache_write,
            "cache_read_input_tokens": u.cached, "output_tokens": u.output}


def _head(model):
    return {"id": "msg_bdrk_01X", "type": "message", "role": "assistant", "model": model}


def _input(call):
    return {"type": "tool_use", "id": f"toolu_bdrk_0{call.number}", "name": call.name}


def whole(reply, model):
    content = []
    if reply.thinking:
        content.append({"type": "thinking", "thinking": "".join(reply.thinking),
                        "signature": SIGNATURE})
    if reply.text:
        content.append({"type": "text", "text": "".join(reply.text)})
    content += [{**_input(call), "input": call.arguments} for call in reply.calls]
    return {**_head(model), "content": content, "stop_reason": FINISH[reply.finish],
            "stop_sequence": reply.stop_text, "usage": _usage(reply)}


def events(reply, model, is_bedrock=False):
    """Named as Anthropic does; SAP leaves the names out, Bedrock packs the data in chunks."""
    index = -1

    def event(kind, is_content=False, **more):
        return Event({"type": kind, **more}, kind, is_content)

    def delta(kind, **more):
        return event("content_block_delta", True, index=index, delta={"type": kind, **more})

    yield event("message_start", message={**_head(model), "content": [], "stop_reason": None,
                                          "stop_sequence": None,
                                          "usage": {**_usage(reply), "output_tokens": 1}})
    yield event("ping")
    if reply.thinking:
        index += 1
        yield event("content_block_start", index=index,
                    content_block={"type": "thinking", "thinking": "", "signature": ""})
        for piece in reply.thinking:
            yield delta("thinking_delta", thinking=piece)
        yield delta("signature_delta", signature=SIGNATURE)
        yield event("content_block_stop", index=index)
    if reply.text:
        index += 1
        yield event("content_block_start", index=index, content_block={"type": "text", "text": ""})
        for piece in reply.text:
            yield delta("text_delta", text=piece)
        yield event("content_block_stop", index=index)
    for call in reply.calls:
        index += 1
        yield event("content_block_start", True, index=index,
                    content_block={**_input(call), "input": {}})
        yield delta("input_json_delta", partial_json="")
        arguments = json.dumps(call.arguments, ensure_ascii=False)
        # A call without arguments has no other piece than the empty one.
        for start in range(0, len(arguments) if call.arguments else 0, 5):
            yield delta("input_json_delta", partial_json=arguments[start:start + 5])
        yield event("content_block_stop", index=index)
    yield event("message_delta", delta={"stop_reason": FINISH[reply.finish],
                                        "stop_sequence": reply.stop_text},
                usage={"output_tokens": reply.usage.output})
    last = {"amazon-bedrock-invocationMetrics": {
        "inputTokenCount": reply.usage.input, "outputTokenCount": reply.usage.output,
        "invocationLatency": 900, "firstByteLatency": 350}} if is_bedrock else {}
    yield event("message_stop", **last)


def error_body(status, message):
    types = {400: "invalid_request_error", 401: "authentication_error", 403: "permission_error",
             404: "not_found_error", 429: "rate_limit_error", 529: "overloaded_error"}
    return {"type": "error", "error": {"type": types.get(status, "api_error"), "message": message},
            "request_id": "req_1"}


ERROR = Event({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
              "error")


def count(prompt):
    return 10 + len(prompt.text) // 4 + len(prompt.system) // 4 + 30 * len(prompt.tools)
