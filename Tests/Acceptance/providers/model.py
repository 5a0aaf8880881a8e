# SPDX-License-Identifier: Apache-2.0
"""The model behind all providers: what it says to a prompt, whoever's words it came in.

Words in brackets in the last user message tell it how to behave.
"""

import base64
import json
import re
from dataclasses import dataclass, field

UNICODE = ("Grüße aus Köln, 世界 🐦‍⬛ naïve \u2028 \"quoted\" 'it's' back\\slash \t tab "
           "{'a': None} <b>&amp;</b> 👩‍👩‍👧 ﷽ ")
THOUGHT = ["Swifts ", "sleep while ", "they fly."]
# Base64 with every character that encodings differ in.
SIGNATURE = base64.b64encode(b"signature of thoughts \xfb\xff\xfe").decode()


class Invalid(Exception):
    """The request breaks the provider's rules."""

    def __init__(self, message, param=None):
        super().__init__(message)
        self.param = param


class Fault(Exception):
    """The provider fails with this status."""

    def __init__(self, status):
        super().__init__(status)
        self.status = status


@dataclass
class Tool:
    name: str
    schema: dict


@dataclass
class Call:
    number: int
    name: str
    arguments: dict


@dataclass
class Prompt:
    text: str = ""
    system: str = ""
    tools: list = field(default_factory=list)
    # auto, none, any, or a name behind `=`.
    choice: str = "auto"
    is_parallel: bool = True
    results: list = field(default_factory=list)
    media: list = field(default_factory=list)
    thinks: bool = False
    stops: list = field(default_factory=list)
    # A schema, {} for any object, None for text.
    schema: dict = None
    turns: int = 1


@dataclass
class Usage:
    input: int = 20
    cached: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0


@dataclass
class Reply:
    text: list
    thinking: list = field(default_factory=list)
    calls: list = field(default_factory=list)
    # stop, stop_text, length, tools, refusal
    finish: str = "stop"
    stop_text: str = None
    usage: Usage = field(default_factory=Usage)
    # cut, error, early-error
    fault: str = None
    is_slow: bool = False
    drips: bool = False


# Texts with `[once]` that have failed already.
_failed = set()


def reply(prompt):
    words = set(re.findall(r"\[([a-z0-9-]+)\]", prompt.text))
    if "once" in words:
        if prompt.text in _failed:
            words = set()
        _failed.add(prompt.text)
    for word in words:
        if re.fullmatch(r"[45]\d\d", word):
            raise Fault(int(word))
    answer = Reply(_say(prompt, words))
    if prompt.thinks:
        answer.thinking = THOUGHT
    if not prompt.results or "again" in words:
        answer.calls = _calls(prompt, words)
    if answer.calls:
        answer.finish = "tools"
        answer.text = ["Let me ", "look."] if "talk" in words else []
    elif "length" in words:
        answer.finish = "length"
    elif "refusal" in words:
        answer.finish, answer.text = "refusal", ["I cannot."]
    else:
        _stop(answer, prompt.stops)
    answer.fault = next((word for word in ("cut", "error", "early-error") if word in words), None)
    answer.is_slow = "slow" in words
    answer.drips = "drip" in words
    usage = answer.usage
    usage.output = 5 + len(answer.text) + 7 * len(answer.calls)
    if answer.thinking:
        usage.reasoning = 11
        usage.output += 11
    if "cached" in words:
        usage.cached, usage.cache_write = 8, 0
    if "cache-write" in words:
        usage.cache_write = 4
    return answer


def _say(prompt, words):
    if prompt.schema is not None:
        return _pieces(_json(prompt.schema))
    if "unicode" in words:
        return _pieces(UNICODE * 20)
    if "empty" in words:
        return []
    if prompt.results:
        return _pieces("The tool said: " + ", ".join(prompt.results))
    parts = [f"You said: {prompt.text}"]
    if prompt.system:
        parts.append(f"System: {prompt.system}")
    parts += [f"I see {item}" for item in prompt.media]
    if prompt.turns > 1:
        parts.append(f"Turns: {prompt.turns}")
    return _pieces(" | ".join(parts))


def _pieces(text):
    return [text[start:start + 9] for start in range(0, len(text), 9)]


def _stop(answer, stops):
    text = "".join(answer.text)
    found = [(text.find(stop), stop) for stop in stops if stop in text]
    if found:
        place, answer.stop_text = min(found)
        answer.text, answer.finish = _pieces(text[:place]), "stop_text"


def _calls(prompt, words):
    if not prompt.tools or prompt.choice == "none":
        return []
    chosen = []
    if prompt.choice.startswith("="):
        name = prompt.choice[1:]
        chosen = [tool for tool in prompt.tools if tool.name == name]
        if not chosen:
            raise Invalid(f"tool_choice names an unknown tool: {name}")
    elif "tools" in words and prompt.is_parallel:
        chosen = [prompt.tools[0], prompt.tools[-1]]
    elif "tool" in words or "tools" in words or prompt.choice == "any":
        chosen = [prompt.tools[0]]
    return [Call(number, tool.name, instance({"type": "object", **(tool.schema or {})}, number))
            for number, tool in enumerate(chosen)]


def instance(schema, number=0):
    """A value that a JSON schema allows."""
    kind = schema.get("type", "object" if "properties" in schema else None)
    if isinstance(kind, list):
        kind = next(x for x in kind if x != "null")
    if "enum" in schema:
        return schema["enum"][0]
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return instance(schema[choice][0], number)
    match (kind or "").lower():
        case "object":
            return {name: instance(value, number)
                    for name, value in schema.get("properties", {}).items()}
        case "array":
            return [instance(schema.get("items", {}), number)]
        case "integer" | "number":
            return 40 + number
        case "boolean":
            return True
        case "null":
            return None
    return f"Köln \"{number}\""


def _json(schema):
    return json.dumps(instance(schema) if schema else {"answer": 42}, ensure_ascii=False)
