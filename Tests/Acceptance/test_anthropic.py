# SPDX-License-Identifier: Apache-2.0
"""Anthropic's SDK, and what Claude Code sends, over every upstream."""

import json
import time

import anthropic
import httpx2
import pytest
from scenes import (ARGUMENTS, EMPTY, PDF_BASE64, PNG_BASE64, PNG_SEEN, SCHEMA, SECOND, SIGNING,
                    TARGETS, THINKERS, UNICODE_MARK)
from servers import CLIENT_KEY

WEATHER = {"name": "weather", "description": "Weather", "input_schema": SCHEMA}
CLOCK = {"name": "clock", "input_schema": SECOND}
BARE = {"name": "ping", "input_schema": EMPTY}
FROM_CLAUDE = ["sap-claude", "sap-opus", "sap-converse", "anthropic", "bedrock"]


@pytest.fixture(params=TARGETS)
def model(request):
    return TARGETS[request.param]


def user(content):
    return [{"role": "user", "content": content}]


def ask(client, model, messages, **more):
    if isinstance(messages, str):
        messages = user(messages)
    return client.messages.create(model=model, messages=messages,
                                  **{"max_tokens": 4000, **more})


def text_of(message):
    return "".join(block.text for block in message.content if block.type == "text")


def streamed(client, model, messages, **more):
    """The SDK's own accumulation, after the order of events was looked at."""
    if isinstance(messages, str):
        messages = user(messages)
    with client.messages.stream(model=model, messages=messages,
                                **{"max_tokens": 4000, **more}) as stream:
        open_block, blocks, kinds = None, 0, []
        for event in stream:
            kinds.append(event.type)
            if event.type == "content_block_start":
                assert open_block is None and event.index == blocks
                open_block, blocks = event.index, blocks + 1
            elif event.type == "content_block_delta":
                assert event.index == open_block
            elif event.type == "content_block_stop":
                assert event.index == open_block
                open_block = None
        own = [kind for kind in kinds if kind in ("message_start", "message_delta", "message_stop")]
        assert own[0] == "message_start" and own[-2:] == ["message_delta", "message_stop"]
        assert open_block is None
        return stream.get_final_message()


def test_message(claude, model):
    answer = ask(claude, model, "Hello, swift!", system="Be brief.")
    assert text_of(answer) == "You said: Hello, swift! | System: Be brief."
    assert answer.type == "message" and answer.role == "assistant"
    assert answer.stop_reason == "end_turn"
    assert answer.stop_sequence is None
    assert answer.usage.input_tokens == 20
    assert answer.usage.output_tokens > 5
    assert answer.id.startswith("msg_")


def test_stream(claude, model):
    whole = ask(claude, model, "Hello, swift!")
    parts = streamed(claude, model, "Hello, swift!")
    assert text_of(parts) == text_of(whole) == "You said: Hello, swift!"
    assert parts.stop_reason == "end_turn"
    assert parts.usage.output_tokens == whole.usage.output_tokens
    assert parts.usage.input_tokens in (whole.usage.input_tokens, 0)


def test_bytes_of_a_stream(gateway, providers, model):
    """Each event has a name and data; there is no [DONE], and `stream` is off by default."""
    headers = {"x-api-key": CLIENT_KEY, "anthropic-version": "2023-06-01"}
    body = {"model": model, "max_tokens": 100, "messages": user("Hello")}
    answer = httpx2.post(f"{gateway.url}/messages", headers=headers, json=body, timeout=20)
    assert answer.headers["content-type"].startswith("application/json")
    answer = httpx2.post(f"{gateway.url}/messages", headers=headers, timeout=20,
                         json={**body, "stream": True})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "[DONE]" not in answer.text
    for frame in answer.text.strip().split("\n\n"):
        name, data = frame.split("\n")
        assert name.startswith("event: ") and data.startswith("data: {")
        assert f'"type":"{name[7:]}"' in data.replace(": ", ":")


def test_unicode(claude, model):
    text = f"{UNICODE_MARK} é\u00ad\u202e"
    assert text_of(ask(claude, model, text)) == f"You said: {text}"
    whole = text_of(ask(claude, model, "[unicode]"))
    assert whole.count(UNICODE_MARK) == 20
    assert text_of(streamed(claude, model, "[unicode]")) == whole


def test_system_blocks(claude, model):
    answer = ask(claude, model, user([{"type": "text", "text": "Hello"}]), system=[
        {"type": "text", "text": "One."},
        {"type": "text", "text": "Two.", "cache_control": {"type": "ephemeral"}}])
    assert "One." in text_of(answer) and "Two." in text_of(answer)


def test_image(claude, model):
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png",
                                         "data": PNG_BASE64}}
    answer = ask(claude, model, user([image, {"type": "text", "text": "Look"}]))
    assert PNG_SEEN in text_of(answer)


@pytest.mark.parametrize("name", ["sap-claude", "sap-converse", "sap-gemini", "sap-gpt", "openai",
                                  "anthropic", "gemini", "bedrock", "bedrock-nova"])
def test_document(claude, name):
    document = {"type": "document", "title": "a", "source": {
        "type": "base64", "media_type": "application/pdf", "data": PDF_BASE64}}
    answer = ask(claude, TARGETS[name], user([document, {"type": "text", "text": "Read"}]))
    assert "application/pdf of 15 bytes" in text_of(answer)


def test_tool_use(claude, model):
    answer = ask(claude, model, "[tool] [talk]", tools=[WEATHER, CLOCK])
    assert answer.stop_reason == "tool_use"
    *_, call = answer.content
    assert text_of(answer) == "Let me look."
    assert (call.type, call.name, call.input) == ("tool_use", "weather", ARGUMENTS)
    assert call.id


def test_tool_use_streamed(claude, model):
    answer = streamed(claude, model, "[tool] [talk]", tools=[WEATHER, CLOCK])
    assert answer.stop_reason == "tool_use"
    *_, call = answer.content
    assert (text_of(answer), call.name, call.input) == ("Let me look.", "weather", ARGUMENTS)


def test_parallel_tool_use(claude, model):
    for answer in (ask(claude, model, "[tools]", tools=[WEATHER, CLOCK]),
                   streamed(claude, model, "[tools]", tools=[WEATHER, CLOCK])):
        one, two = answer.content
        assert (one.name, two.name) == ("weather", "clock")
        assert one.id != two.id
        assert two.input == {"zone": "Köln \"1\""}


def test_tool_without_input(claude, model):
    for answer in (ask(claude, model, "[tool]", tools=[BARE]),
                   streamed(claude, model, "[tool]", tools=[BARE])):
        assert answer.content[0].input == {}


def test_tool_results(claude, model):
    """The blocks of the SDK go back as they are; results may be text, blocks, images, errors."""
    begin = user("[tools]")
    answer = ask(claude, model, begin, tools=[WEATHER, CLOCK])
    one, two = answer.content
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png",
                                         "data": PNG_BASE64}}
    history = [*begin, {"role": "assistant", "content": answer.content}, {"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": one.id, "content": "Rain"},
        {"type": "tool_result", "tool_use_id": two.id, "content": [
            {"type": "text", "text": "Noon"}], "cache_control": {"type": "ephemeral"}}]}]
    answer = ask(claude, model, history, tools=[WEATHER, CLOCK])
    assert text_of(answer) == "The tool said: Rain, Noon"
    history[-1]["content"][1]["is_error"] = True
    history[-1]["content"][0]["content"] = [{"type": "text", "text": "Snow"}, image]
    history[-1]["content"].append({"type": "text", "text": "And now?"})
    answer = ask(claude, model, history, tools=[WEATHER, CLOCK])
    assert "Snow" in text_of(answer) or "now" in text_of(answer)


@pytest.mark.parametrize("choice, name", [
    ({"type": "auto"}, None), ({"type": "any"}, "weather"), ({"type": "none"}, None),
    ({"type": "tool", "name": "clock"}, "clock"),
    ({"type": "any", "disable_parallel_tool_use": True}, "weather")])
def test_tool_choice(claude, model, choice, name):
    answer = ask(claude, model, "Hello", tools=[WEATHER, CLOCK], tool_choice=choice)
    called = [block.name for block in answer.content if block.type == "tool_use"]
    assert called == ([name] if name else [])


def test_one_call_at_a_time(claude, model):
    raw = claude.messages.with_raw_response.create(
        model=model, max_tokens=100, messages=user("[tools]"), tools=[WEATHER, CLOCK],
        tool_choice={"type": "auto", "disable_parallel_tool_use": True})
    calls = [block for block in raw.parse().content if block.type == "tool_use"]
    assert len(calls) == 1 or "disable_parallel" in raw.headers["apus-dropped"]


@pytest.mark.parametrize("name", THINKERS)
def test_thinking(claude, name):
    thinking = {"type": "enabled", "budget_tokens": 2000}
    for answer in (ask(claude, TARGETS[name], "Hello", thinking=thinking),
                   streamed(claude, TARGETS[name], "Hello", thinking=thinking)):
        # Gemini's answer may have several parts of text.
        kinds = [block.type for block in answer.content]
        assert kinds[0] == "thinking" and set(kinds[1:]) == {"text"}
        assert answer.content[0].thinking == "Swifts sleep while they fly."
        assert text_of(answer) == "You said: Hello"


@pytest.mark.parametrize("name", SIGNING)
def test_thinking_goes_back_with_tool_results(claude, name):
    thinking = {"type": "enabled", "budget_tokens": 2000}
    begin = user("[tool]")
    answer = ask(claude, TARGETS[name], begin, tools=[WEATHER], thinking=thinking)
    thought, call = answer.content
    assert thought.signature
    answer = ask(claude, TARGETS[name], [
        *begin, {"role": "assistant", "content": answer.content},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id,
                                      "content": "Rain"}]}], tools=[WEATHER], thinking=thinking)
    assert text_of(answer) == "The tool said: Rain"


def test_thinking_with_a_small_limit(claude, model):
    """The budget must be below `max_tokens`: one of them is bent, nothing fails."""
    answer = ask(claude, model, "Hello", max_tokens=1500,
                 thinking={"type": "enabled", "budget_tokens": 1024})
    assert text_of(answer) == "You said: Hello"


def test_adaptive_thinking(claude, model):
    """Models without it get a budget; what Anthropic is sent in its own format stays as it is."""
    if model.startswith("anthropic/"):
        model = "anthropic/claude-opus-4-8"
    answer = ask(claude, model, "Hello", thinking={"type": "adaptive"},
                 extra_body={"output_config": {"effort": "medium"}})
    assert text_of(answer) == "You said: Hello"


def test_stop_sequence(claude, model):
    raw = claude.messages.with_raw_response.create(
        model=model, max_tokens=100, messages=user("one END two"), stop_sequences=["END"])
    answer = raw.parse()
    if "stop_sequences" in raw.headers.get("apus-dropped", ""):
        assert "gpt-5" in model
        return
    assert text_of(answer) == "You said: one "
    assert answer.stop_reason in ("stop_sequence", "end_turn")


def test_max_tokens(claude, model):
    assert ask(claude, model, "[length]").stop_reason == "max_tokens"
    assert streamed(claude, model, "[length]").stop_reason == "max_tokens"


def test_refusal(claude, model):
    assert ask(claude, model, "[refusal]").stop_reason == "refusal"
    assert streamed(claude, model, "[refusal]").stop_reason == "refusal"


def test_sampling(claude, model):
    answer = ask(claude, model, "Hello", extra_body={"temperature": 0.5, "top_k": 5},
                 metadata={"user_id": "ada"})
    assert text_of(answer) == "You said: Hello"


@pytest.mark.parametrize("name", FROM_CLAUDE + ["sap-gemini", "sap-gpt"])
def test_cached_tokens(claude, name):
    answer = ask(claude, TARGETS[name], "[cached] [cache-write]")
    usage = answer.usage
    assert usage.cache_read_input_tokens == 8
    assert usage.input_tokens + (usage.cache_creation_input_tokens or 0) == 24
    if name in FROM_CLAUDE:
        assert usage.cache_creation_input_tokens == 4


def test_count_tokens(claude, model, providers):
    small = claude.messages.count_tokens(model=model, messages=user("Hello")).input_tokens
    large = claude.messages.count_tokens(model=model, messages=user("Hello " * 500), tools=[WEATHER],
                                         system="Be brief.").input_tokens
    assert 0 < small < large
    if "sap" in model or "claude" not in model:
        assert not providers.model_requests()


# MARK: Failures


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("word, kind, type, statuses", [
    ("400", anthropic.BadRequestError, "invalid_request_error", {400}),
    ("401", anthropic.InternalServerError, "api_error", {502}),
    ("403", anthropic.InternalServerError, "api_error", {502}),
    ("404", anthropic.NotFoundError, "not_found_error", {404}),
    ("429", anthropic.RateLimitError, "rate_limit_error", {429}),
    ("500", anthropic.InternalServerError, "api_error", {500, 502}),
    ("529", anthropic.InternalServerError, "overloaded_error", {529}),
    ("503", anthropic.InternalServerError, "overloaded_error", {503, 529}),
])
def test_status(claude, model, word, kind, type, statuses, stream):
    with pytest.raises(kind) as failure:
        ask(claude, model, f"[{word}]", stream=stream)
    assert failure.value.status_code in statuses
    assert failure.value.body["type"] == "error"
    if word != "503" or failure.value.status_code == 529:
        assert failure.value.body["error"]["type"] == type
    assert failure.value.body["error"]["message"]
    assert failure.value.request_id
    if word == "429":
        assert failure.value.response.headers["retry-after"] == "1"


@pytest.mark.parametrize("fault", ["cut", "error"])
def test_failure_in_a_stream(claude, model, fault):
    text = ""
    with pytest.raises(anthropic.APIStatusError) as failure:
        with claude.messages.stream(model=model, max_tokens=100,
                                    messages=user(f"[{fault}] some more words to say")) as stream:
            for piece in stream.text_stream:
                text += piece
    assert text.startswith("You said:")
    assert failure.value.body["type"] == "error"


def test_failure_before_content_is_a_status(claude, model):
    with pytest.raises(anthropic.APIStatusError) as failure:
        with claude.messages.stream(model=model, max_tokens=100,
                                    messages=user("[early-error]")) as stream:
            list(stream)
    assert failure.value.status_code >= 429


def test_keys(gateway, providers):
    """Anthropic's SDK sends a key as `x-api-key`, and a token as Bearer, as Claude Code does."""
    with anthropic.Anthropic(base_url=gateway.origin, auth_token=CLIENT_KEY, api_key=None,
                             max_retries=0, timeout=20) as client:
        assert text_of(ask(client, "claude-sonnet-4-5", "Hello")) == "You said: Hello"
    with anthropic.Anthropic(base_url=gateway.origin, api_key="sk-wrong", max_retries=0,
                             timeout=20) as client:
        with pytest.raises(anthropic.AuthenticationError) as failure:
            ask(client, "claude-sonnet-4-5", "Hello")
    assert failure.value.body["error"]["type"] == "authentication_error"
    assert failure.value.request_id


def test_unknown_model(claude):
    with pytest.raises(anthropic.NotFoundError) as failure:
        ask(claude, "claude-none", "Hello")
    assert failure.value.body["error"]["type"] == "not_found_error"


def test_sdk_tries_again(gateway, providers):
    with anthropic.Anthropic(base_url=gateway.origin, api_key=CLIENT_KEY, max_retries=1,
                             timeout=20) as client:
        begin = time.monotonic()
        with pytest.raises(anthropic.RateLimitError):
            ask(client, "claude-sonnet-4-5", "[429]")
    assert time.monotonic() - begin > 0.9
    assert len(providers.model_requests()) == 2


@pytest.mark.parametrize("change", [
    {"messages": []}, {"messages": [{"role": "wizard", "content": "x"}]},
    {"messages": user([{"type": "magic"}])}, {"messages": user(5)},
    {"messages": user([{"type": "tool_result", "tool_use_id": "toolu_9", "content": "x"}])},
    {"max_tokens": "many"}, {"tool_choice": {"type": "perhaps"}},
])
@pytest.mark.parametrize("name", TARGETS)
def test_bad_requests(claude, name, change):
    body = {"model": TARGETS[name], "max_tokens": 10, "messages": user("x"), **change}
    with pytest.raises(anthropic.BadRequestError) as failure:
        claude.post("/v1/messages", body=body, cast_to=object)
    assert failure.value.body["error"]["type"] == "invalid_request_error"
    assert next(iter(change)) in failure.value.body["error"]["message"]


# MARK: Claude Code

BETAS = ("claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,"
         "prompt-caching-scope-2026-01-05,advanced-tool-use-2025-11-20,effort-2025-11-24")


def claude_code(model, **more):
    """A request in the manner of Claude Code 2.1."""
    cached = {"type": "ephemeral", "scope": "global"}
    return {
        "model": model, "max_tokens": 32000, "stream": True, "temperature": 1,
        "system": [
            {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.88"},
            {"type": "text", "text": "You are Claude Code.", "cache_control": cached},
            {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral",
                                                                   "ttl": "1h"}}],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "<system-reminder>\nx\n</system-reminder>"},
                {"type": "text", "text": ""}, {"type": "text", "text": "Fix it",
                                               "cache_control": cached}]},
            {"role": "assistant", "content": [
                {"type": "text", "text": "Reading."},
                {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"path": "a.py"},
                 "caller": {"type": "direct"}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": [
                    {"type": "tool_reference", "tool_name": "Read"},
                    {"type": "text", "text": "print(1)"}], "is_error": False,
                 "cache_control": cached},
                {"type": "text", "text": "Go on"}]}],
        "tools": [
            {"name": "Read", "description": "Reads a file", "input_schema": {
                "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
                "properties": {"path": {"type": "string"}, "limit": {
                    "type": "integer", "exclusiveMinimum": 0}},
                "required": ["path"], "additionalProperties": False},
             "input_examples": [{"path": "a.py"}], "defer_loading": False,
             "eager_input_streaming": True, "cache_control": cached},
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}],
        "metadata": {"user_id": "user_1_account__session_2"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "thinking": {"type": "enabled", "budget_tokens": 31999},
        **more,
    }


def said(answer):
    """The text of a stream."""
    assert answer.status_code == 200, answer.text
    assert "event: message_stop" in answer.text
    events = [json.loads(line[6:]) for line in answer.text.splitlines()
              if line.startswith("data: ")]
    return "".join(event["delta"].get("text", "") for event in events
                   if event["type"] == "content_block_delta")


def send_as_claude_code(gateway, body):
    headers = {"authorization": f"Bearer {CLIENT_KEY}", "anthropic-version": "2023-06-01",
               "anthropic-beta": BETAS, "x-app": "cli", "x-stainless-lang": "js",
               "anthropic-dangerous-direct-browser-access": "true",
               "user-agent": "claude-cli/2.1.88 (external, cli)"}
    return httpx2.post(f"{gateway.url}/messages?beta=true", json=body, headers=headers, timeout=20)


# Anthropic itself takes everything, so that nothing is repaired there: empty text is not its own.
@pytest.mark.parametrize("name", [name for name in TARGETS if name != "anthropic"])
def test_claude_code(gateway, providers, name):
    text = said(send_as_claude_code(gateway, claude_code(TARGETS[name])))
    assert "Go on" in text or "print(1)" in text


def test_claude_code_with_anthropic(gateway, providers):
    body = claude_code(TARGETS["anthropic"])
    body["messages"][0]["content"].pop(1)
    body["messages"][2]["content"][0]["content"].pop(0)
    answer = send_as_claude_code(gateway, body)
    assert answer.status_code == 200, answer.text
    request = providers.last("/v1/messages")
    assert request.headers["anthropic-beta"] == BETAS
    assert request.json["context_management"] == body["context_management"]
    assert request.json["tools"] == body["tools"]


def test_claude_code_on_sap(gateway, providers):
    """Every repair of sap-ai-core.md, section 2.7, in what arrived."""
    answer = send_as_claude_code(gateway, claude_code("sap/anthropic--claude-4.5-sonnet"))
    assert answer.status_code == 200, answer.text
    request = providers.last("invoke-with-response-stream")
    assert "anthropic-beta" not in request.headers and "anthropic-version" not in request.headers
    body = request.json
    assert body["anthropic_version"] == "bedrock-2023-05-31"
    assert "interleaved-thinking-2025-05-14" in body["anthropic_beta"]
    assert "tool-search-tool-2025-10-19" in body["anthropic_beta"]
    assert "prompt-caching-scope-2026-01-05" not in body["anthropic_beta"]
    assert not {"model", "stream", "context_management"} & set(body)
    assert b'"scope"' not in request.body
    assert body["system"][2]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    assert [tool["name"] for tool in body["tools"]] == ["Read"]
    assert body["metadata"] == {"user_id": "user_1_account__session_2"}
    assert body["thinking"]["budget_tokens"] < body["max_tokens"]


@pytest.mark.parametrize("model", ["claude-sonnet-4-5[1m]", "claude-sonnet-4-5-20250929",
                                   "sap/claude-sonnet-4-5-20250929[1m]"])
def test_names_of_claude_code(gateway, providers, model):
    if model == "claude-sonnet-4-5-20250929":
        model = "sap/" + model
    answer = send_as_claude_code(gateway, claude_code(model))
    assert answer.status_code == 200, answer.text
    betas = providers.last("invoke").json["anthropic_beta"]
    assert ("context-1m-2025-08-07" in betas) == ("[1m]" in model)


@pytest.mark.parametrize("thinking, tokens", [
    ({"type": "enabled", "budget_tokens": 5000}, 4000), ({"type": "enabled", "budget_tokens": 100},
                                                         4000),
    ({"type": "enabled", "budget_tokens": 5000}, 500), ({"type": "adaptive"}, 4000),
    ({"type": "disabled"}, 4000)])
@pytest.mark.parametrize("name", ["sap-claude", "sap-opus", "bedrock"])
def test_thinking_budgets(gateway, providers, name, thinking, tokens):
    answer = send_as_claude_code(gateway, claude_code(TARGETS[name], thinking=thinking,
                                                      max_tokens=tokens))
    assert answer.status_code == 200, answer.text


def test_hosted_tools_alone(gateway, providers):
    """The only tool is refused, so its choice goes as well."""
    body = claude_code("sap/anthropic--claude-4.5-sonnet", thinking={"type": "disabled"},
                       tool_choice={"type": "tool", "name": "web_search"},
                       messages=user("Search"))
    body["tools"] = body["tools"][1:]
    answer = send_as_claude_code(gateway, body)
    assert answer.status_code == 200, answer.text
    assert "tool_choice" not in providers.last("invoke").json
    assert "tools" in answer.headers["apus-dropped"]


def test_system_role_among_messages(gateway, providers):
    body = claude_code("sap/anthropic--claude-4.5-sonnet")
    body["messages"].insert(0, {"role": "system", "content": "Lifted."})
    answer = send_as_claude_code(gateway, body)
    assert answer.status_code == 200, answer.text
    assert "Lifted." in str(providers.last("invoke").json["system"])


def test_models(claude):
    names = {model.id for model in claude.models.list()}
    assert {"claude-sonnet-4-5", "sap/gpt-4.1"} <= names
    assert claude.models.retrieve("claude-sonnet-4-5").id == "claude-sonnet-4-5"
