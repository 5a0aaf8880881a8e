# SPDX-License-Identifier: Apache-2.0
"""Google's Gemini: the developer's interface, and Vertex behind SAP, which takes less."""

import re

from .checks import media, members, need, text
from .model import Prompt, Tool
from .sse import Event

TOP = set("""contents systemInstruction tools toolConfig generationConfig safetySettings
cachedContent labels""".split())
CONFIG = set("""stopSequences responseMimeType responseSchema responseJsonSchema
responseModalities candidateCount maxOutputTokens temperature topP topK seed presencePenalty
frequencyPenalty responseLogprobs logprobs thinkingConfig mediaResolution speechConfig
enableEnhancedCivicAnswers""".split())
SCHEMA = set("""type format title description nullable enum maxItems minItems properties required
propertyOrdering minProperties maxProperties minLength maxLength pattern example anyOf items default
minimum maximum""".split())
TYPES = {"STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"}
PART = set("""text thought thoughtSignature inlineData fileData functionCall functionResponse
executableCode codeExecutionResult videoMetadata""".split())
UNKNOWN = 'Invalid JSON payload received. Unknown name "{}": Cannot find field.'
SIGNATURE = "CiQBVKhc7vB+/w=="


# Members whose own members are named by somebody else.
FREE = {"args", "response", "labels", "parametersJsonSchema", "responseJsonSchema", "default",
        "example"}


def _camel(value):
    """Google takes both ways of writing a name; its own SDK writes either."""
    if isinstance(value, list):
        return [_camel(item) for item in value]
    if not isinstance(value, dict):
        return value
    result = {}
    for name, item in value.items():
        name = re.sub(r"_([a-z])", lambda found: found[1].upper(), name)
        if name == "properties":
            item = {key: _camel(schema) for key, schema in item.items()}
        elif name not in FREE:
            item = _camel(item)
        result[name] = item
    return result


def read(body, model, is_vertex=False):
    body = _camel(body)
    members(body, TOP, "", UNKNOWN)
    prompt = Prompt()
    config = body.get("generationConfig") or {}
    members(config, CONFIG, "generationConfig", UNKNOWN)
    prompt.stops = config.get("stopSequences") or []
    need(len(prompt.stops) <= 5, "stopSequences: at most 5")
    thinking = config.get("thinkingConfig") or {}
    members(thinking, {"includeThoughts", "thinkingBudget", "thinkingLevel"},
            "generationConfig.thinkingConfig", UNKNOWN)
    need(not ("thinkingBudget" in thinking and "thinkingLevel" in thinking),
         "You can only set only one of thinking budget and thinking level.")
    need("thinkingLevel" not in thinking or model.startswith("gemini-3"),
         "Thinking level is not supported for this model.")
    prompt.thinks = bool(thinking.get("includeThoughts"))
    if config.get("responseMimeType") == "application/json":
        schema = config.get("responseSchema")
        if schema is not None:
            _schema(schema, "generationConfig.responseSchema")
        prompt.schema = schema or config.get("responseJsonSchema") or {}
    else:
        need("responseSchema" not in config and "responseJsonSchema" not in config,
             "Response schema requires response mime type application/json.")
    _tools(body, prompt)
    system = body.get("systemInstruction") or {}
    members(system, {"role", "parts"}, "systemInstruction", UNKNOWN)
    prompt.system = "\n\n".join(part["text"] for part in system.get("parts", []))
    _contents(body.get("contents"), prompt, model, is_vertex)
    return prompt


def _tools(body, prompt):
    for place, tool in enumerate(body.get("tools") or []):
        members(tool, {"functionDeclarations", "googleSearch", "codeExecution", "urlContext",
                       "googleSearchRetrieval"}, f"tools[{place}]", UNKNOWN)
        for number, item in enumerate(tool.get("functionDeclarations", [])):
            path = f"tools[{place}].function_declarations[{number}]"
            members(item, {"name", "description", "parameters", "parametersJsonSchema", "response",
                           "responseJsonSchema", "behavior"}, path, UNKNOWN)
            need("parameters" not in item or "parametersJsonSchema" not in item, path)
            if "parameters" in item:
                _schema(item["parameters"], f"{path}.parameters")
            prompt.tools.append(Tool(item["name"], item.get("parameters")
                                     or item.get("parametersJsonSchema") or {}))
    config = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    members(body.get("toolConfig") or {}, {"functionCallingConfig", "retrievalConfig"},
            "toolConfig", UNKNOWN)
    members(config, {"mode", "allowedFunctionNames"}, "functionCallingConfig", UNKNOWN)
    mode, names = config.get("mode", "AUTO"), config.get("allowedFunctionNames")
    need(mode in ("AUTO", "ANY", "NONE", "VALIDATED"), f"mode: {mode}")
    need(not names or mode in ("ANY", "VALIDATED"), "allowed_function_names needs mode ANY")
    prompt.choice = "=" + names[0] if names else mode.lower()


def _schema(schema, path):
    members(schema, SCHEMA, path, UNKNOWN)
    kind = schema.get("type")
    need(kind is None or (isinstance(kind, str) and kind.upper() in TYPES), f"{path}.type: {kind}")
    need("anyOf" in schema or kind is not None, f"{path}: no type")
    need(schema.get("format") in (None, "enum", "date-time", "int32", "int64", "float", "double"),
         f"{path}.format: only 'enum' and 'date-time' are supported for STRING type")
    if "enum" in schema:
        need(all(isinstance(x, str) for x in schema["enum"]), f"{path}.enum: strings only")
    for name, value in schema.get("properties", {}).items():
        _schema(value, f"{path}.properties[{name}]")
    for name in schema.get("required", []):
        need(name in schema.get("properties", {}), f"{path}.required: property is not defined")
    if "items" in schema:
        _schema(schema["items"], f"{path}.items")
    need((kind or "").upper() != "ARRAY" or "items" in schema, f"{path}.items: missing field.")
    for choice in schema.get("anyOf", []):
        _schema(choice, f"{path}.any_of")


def _contents(contents, prompt, model, is_vertex):
    need(isinstance(contents, list) and contents, "contents is not specified")
    waiting, prompt.turns = [], len(contents)
    for place, turn in enumerate(contents):
        path = f"contents[{place}]"
        members(turn, {"role", "parts"}, path, UNKNOWN)
        role = turn.get("role", None if is_vertex else "user")
        need(role in ("user", "model"), "Please use a valid role: user, model.")
        parts = turn.get("parts") or []
        need(parts, f"{path}.parts must not be empty.")
        texts, calls, results = [], [], []
        if role == "user":
            prompt.results, prompt.media = results, []
        for number, part in enumerate(parts):
            here = f"{path}.parts[{number}]"
            members(part, PART, here, UNKNOWN)
            kinds = set(part) - {"thought", "thoughtSignature", "videoMetadata"}
            need(len(kinds) == 1, f"{here}.data: required oneof field 'data' must have one "
                 f"initialized field, has {sorted(kinds)}")
            match kinds.pop():
                case "text":
                    texts.append(text(part["text"], here))
                case "inlineData":
                    members(part["inlineData"], {"mimeType", "data", "displayName"}, here, UNKNOWN)
                    # Google takes both alphabets.
                    data = text(part["inlineData"].get("data"), here)
                    data = data.replace("-", "+").replace("_", "/")
                    prompt.media.append(media(data, part["inlineData"].get("mimeType"), here))
                case "fileData":
                    prompt.media.append(part["fileData"]["fileUri"])
                case "functionCall":
                    call = part["functionCall"]
                    members(call, {"name", "args", "id"}, here, UNKNOWN)
                    need(role == "model" and isinstance(call.get("args", {}), dict), here)
                    if model.startswith("gemini-3") and not calls:
                        need(part.get("thoughtSignature"), "Function call is missing a "
                             f"thought_signature in functionCall parts. {here}")
                    calls.append(call["name"])
                case "functionResponse":
                    result = part["functionResponse"]
                    allowed = {"name", "response"} | (set() if is_vertex else
                                                      {"id", "scheduling", "parts", "willContinue"})
                    members(result, allowed, f"{here}.function_response", UNKNOWN)
                    need(isinstance(result.get("response"), dict), f"{here}: response")
                    need(result.get("name") in waiting, f"{here}: no call of {result.get('name')}")
                    results.append(_result(result["response"]))
        need(len(results) == len(waiting), "Please ensure that the number of function response "
             "parts is equal to the number of function call parts of the function call turn.")
        waiting = calls
        if role == "user" and (texts or not results):
            prompt.text = "\n".join(texts)
    need(not waiting, "Please ensure that function call turn is followed by a response turn.")


def _result(value):
    if len(value) == 1:
        (only,) = value.values()
        if isinstance(only, str):
            return only
    return str(value)


FINISH = {"stop": "STOP", "stop_text": "STOP", "length": "MAX_TOKENS", "tools": "STOP",
          "refusal": "SAFETY"}


def _usage(reply):
    u = reply.usage
    input = u.input + u.cached + u.cache_write
    value = {"promptTokenCount": input, "candidatesTokenCount": u.output - u.reasoning,
             "totalTokenCount": input + u.output,
             "promptTokensDetails": [{"modality": "TEXT", "tokenCount": input}]}
    if u.cached:
        value["cachedContentTokenCount"] = u.cached
    if u.reasoning:
        value["thoughtsTokenCount"] = u.reasoning
    return value


def _call(call, model):
    part = {"functionCall": {"name": call.name, "args": call.arguments}}
    if model.startswith("gemini-3") and call.number == 0:
        part["thoughtSignature"] = SIGNATURE
    return part


def _answer(model, parts, finish, usage):
    candidate = {"content": {"role": "model", "parts": parts}, "index": 0}
    if not parts:
        candidate["content"] = {"role": "model"}
    if finish:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": model,
            "responseId": "r1", "createTime": "2026-03-01T08:00:00.000000Z"}


def whole(reply, model):
    parts = []
    if reply.thinking:
        parts.append({"text": "".join(reply.thinking), "thought": True})
    # Two parts, as they come when something stood between them.
    half = len(reply.text) // 2
    parts += [{"text": "".join(some)} for some in (reply.text[:half], reply.text[half:]) if some]
    parts += [_call(call, model) for call in reply.calls]
    if reply.finish == "refusal":
        parts = []
    return _answer(model, parts, FINISH[reply.finish], _usage(reply))


def events(reply, model):
    usage = _usage(reply)
    partial = {**usage, "candidatesTokenCount": 1}
    parts = [{"text": piece, "thought": True} for piece in reply.thinking]
    if reply.finish != "refusal":
        parts += [{"text": piece} for piece in reply.text]
    parts += [_call(call, model) for call in reply.calls]
    for part in parts:
        yield Event(_answer(model, [part], None, partial), is_content=True)
    # The last chunk comes with an empty text where there was any.
    last = [{"text": ""}] if reply.text and reply.finish != "refusal" else []
    yield Event(_answer(model, last, FINISH[reply.finish], usage))


def error_body(status, message):
    names = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED",
             404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}
    return {"error": {"code": status, "message": message,
                      "status": names.get(status, "INTERNAL")}}


ERROR = Event(error_body(503, "The model is overloaded. Please try again later."))
