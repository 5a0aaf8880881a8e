# SPDX-License-Identifier: Apache-2.0
"""Amazon's Converse: the binary events of Bedrock, and SAP's text in Python's notation."""

import json
import re

from .checks import media, members, need, text
from .model import SIGNATURE, Prompt, Tool
from .sse import Event

MEMBERS = set("""messages system inferenceConfig toolConfig additionalModelRequestFields
additionalModelResponseFieldPaths guardrailConfig promptVariables requestMetadata
performanceConfig outputConfig serviceTier""".split())
UNKNOWN = "The model returned the following errors: {}: extraneous key is not permitted"
IMAGES = ("png", "jpeg", "gif", "webp")


def read(body, model):
    members(body, MEMBERS, "", UNKNOWN)
    config = body.get("inferenceConfig") or {}
    members(config, {"maxTokens", "temperature", "topP", "stopSequences"}, "inferenceConfig",
            UNKNOWN)
    prompt = Prompt(stops=config.get("stopSequences") or [])
    need(0 <= config.get("temperature", 0) <= 1, "temperature: 0..1")
    extra = body.get("additionalModelRequestFields") or {}
    need(not extra or "claude" in model, "Malformed input request: extraneous key")
    prompt.thinks = (extra.get("thinking") or {}).get("type") in ("enabled", "adaptive")
    form = (extra.get("output_config") or {}).get("format")
    prompt.schema = form["schema"] if form else None
    systems = []
    for block in body.get("system") or []:
        need(len(block) == 1, "system: one member a block")
        members(block, {"text", "cachePoint", "guardContent"}, "system", UNKNOWN)
        if "text" in block:
            need(block["text"], "system: The text field in the ContentBlock object is blank.")
            systems.append(block["text"])
    prompt.system = "\n\n".join(systems)
    # An obedient model: whoever asks for JSON in words gets it.
    found = re.search(r"JSON.*?(\{.*\})", prompt.system, re.DOTALL)
    if found:
        prompt.schema = json.loads(found[1])
    _tools(body.get("toolConfig"), prompt)
    _turns(body.get("messages"), prompt, body.get("toolConfig"))
    return prompt


def _tools(config, prompt):
    if config is None:
        return
    members(config, {"tools", "toolChoice"}, "toolConfig", UNKNOWN)
    need(config.get("tools"), "toolConfig.tools: Member must have length greater than 0")
    for tool in config["tools"]:
        members(tool, {"toolSpec", "cachePoint"}, "toolConfig.tools", UNKNOWN)
        if "toolSpec" in tool:
            spec = tool["toolSpec"]
            members(spec, {"name", "description", "inputSchema", "strict"}, "toolSpec", UNKNOWN)
            need(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", spec.get("name", "")), "toolSpec.name")
            need(spec.get("description") != "", "toolSpec.description: at least 1 character")
            members(spec["inputSchema"], {"json"}, "inputSchema", UNKNOWN)
            need(spec["inputSchema"]["json"].get("type") == "object", "inputSchema.json.type")
            prompt.tools.append(Tool(spec["name"], spec["inputSchema"]["json"]))
    choice = config.get("toolChoice")
    if choice:
        members(choice, {"auto", "any", "tool"}, "toolChoice", UNKNOWN)
        (kind, value), = choice.items()
        prompt.choice = "=" + value["name"] if kind == "tool" else kind


def _turns(turns, prompt, config):
    need(isinstance(turns, list) and turns, "A conversation must start with a user message.")
    prompt.turns, waiting, previous = len(turns), set(), None
    for place, turn in enumerate(turns):
        path, role = f"messages.{place}", turn.get("role")
        members(turn, {"role", "content"}, path, UNKNOWN)
        need(role == ("user" if place % 2 == 0 else "assistant"),
             "A conversation must alternate between user and assistant roles.")
        blocks = turn.get("content")
        need(isinstance(blocks, list) and blocks, f"The content field at {path} is empty.")
        texts, called = [], set()
        if role == "user":
            prompt.results, prompt.media = [], []
        for number, block in enumerate(blocks):
            here = f"{path}.content.{number}"
            need(len(block) == 1, f"{here}: one member a block, not {sorted(block)}")
            (kind, value), = block.items()
            match kind:
                case "text":
                    need(text(value, here).strip(), "The text field in the ContentBlock is blank.")
                    texts.append(value)
                case "image":
                    members(value, {"format", "source"}, here, UNKNOWN)
                    need(value.get("format") in IMAGES, f"{here}.image.format")
                    prompt.media.append(media(value["source"].get("bytes"),
                                              f"image/{value['format']}", here))
                case "document":
                    members(value, {"format", "name", "source", "context", "citations"}, here,
                            UNKNOWN)
                    need(re.fullmatch(r"[a-zA-Z0-9\s\-()\[\]]{1,200}", value.get("name", "")),
                         f"{here}.document.name")
                    prompt.media.append(media(value["source"].get("bytes"),
                                              f"application/{value['format']}", here))
                case "toolUse":
                    members(value, {"toolUseId", "name", "input", "type"}, here, UNKNOWN)
                    need(role == "assistant" and isinstance(value.get("input"), dict), here)
                    need(config, "The toolConfig field must be defined when using toolUse.")
                    called.add(value["toolUseId"])
                case "toolResult":
                    members(value, {"toolUseId", "content", "status", "type"}, here, UNKNOWN)
                    need(value["toolUseId"] in waiting, "toolResult without toolUse")
                    waiting.discard(value["toolUseId"])
                    need(isinstance(value.get("content"), list), f"{here}.toolResult.content")
                    prompt.results.append("\n".join(
                        part["text"] if "text" in part else str(part)
                        for part in value["content"]))
                case "reasoningContent":
                    inner = value.get("reasoningText")
                    need(inner is None or inner.get("signature") == SIGNATURE, "signature")
                case "cachePoint":
                    members(value, {"type", "ttl"}, here, UNKNOWN)
                case _:
                    need(False, UNKNOWN.format(f"{here}.{kind}"))
        need(not waiting, "Expected toolResult blocks for: " + ", ".join(waiting))
        waiting = called
        if role == "user" and (texts or not prompt.results):
            prompt.text = "\n".join(texts)
        previous = role
    need(not waiting and previous == "user", "The conversation must end with a user message.")


FINISH = {"stop": "end_turn", "stop_text": "stop_sequence", "length": "max_tokens",
          "tools": "tool_use", "refusal": "content_filtered"}


def _usage(reply):
    u = reply.usage
    return {"inputTokens": u.input, "outputTokens": u.output,
            "totalTokens": u.input + u.output + u.cached + u.cache_write,
            "cacheReadInputTokens": u.cached, "cacheWriteInputTokens": u.cache_write}


def _id(call):
    return f"tooluse_{call.number}"


def whole(reply, model):
    content = []
    if reply.thinking:
        content.append({"reasoningContent": {"reasoningText": {
            "text": "".join(reply.thinking), "signature": SIGNATURE}}})
    if reply.text:
        content.append({"text": "".join(reply.text)})
    content += [{"toolUse": {"toolUseId": _id(call), "name": call.name, "input": call.arguments}}
                for call in reply.calls]
    return {"output": {"message": {"role": "assistant", "content": content}},
            "stopReason": FINISH[reply.finish], "usage": _usage(reply),
            "metrics": {"latencyMs": 700}}


def events(reply, model):
    index = -1

    def delta(value):
        return Event({"delta": value, "contentBlockIndex": index}, "contentBlockDelta", True)

    def stop():
        return Event({"contentBlockIndex": index}, "contentBlockStop")

    yield Event({"role": "assistant"}, "messageStart")
    if reply.thinking:
        index += 1
        for piece in reply.thinking:
            yield delta({"reasoningContent": {"text": piece}})
        yield delta({"reasoningContent": {"signature": SIGNATURE}})
        yield stop()
    if reply.text:
        index += 1
        for piece in reply.text:
            yield delta({"text": piece})
        yield stop()
    for call in reply.calls:
        index += 1
        yield Event({"start": {"toolUse": {"toolUseId": _id(call), "name": call.name}},
                     "contentBlockIndex": index}, "contentBlockStart", True)
        arguments = json.dumps(call.arguments, ensure_ascii=False) if call.arguments else ""
        for start in range(0, len(arguments), 5):
            yield delta({"toolUse": {"input": arguments[start:start + 5]}})
        yield stop()
    yield Event({"stopReason": FINISH[reply.finish]}, "messageStop")
    yield Event({"usage": _usage(reply), "metrics": {"latencyMs": 700}}, "metadata")


def as_python(event):
    """As SAP sends it: `str()` of a dictionary."""
    return f"data: {({event.name: event.data})}\n\n".encode()


ERROR = Event({"message": "Too many tokens, please wait before trying again."},
              "throttlingException")
