# SPDX-License-Identifier: Apache-2.0
"""OpenAI's SDK, Responses, over every upstream, and what Codex sends."""

import json

import openai
import pydantic
import pytest
from scenes import (ARGUMENTS, EMPTY, PDF_BASE64, PNG_BASE64, PNG_SEEN, SCHEMA, SECOND, TARGETS,
                    THINKERS, UNICODE_MARK)

WEATHER = {"type": "function", "name": "weather", "description": "Weather", "parameters": SCHEMA,
           "strict": False}
CLOCK = {"type": "function", "name": "clock", "parameters": SECOND, "strict": False}
BARE = {"type": "function", "name": "ping", "parameters": EMPTY, "strict": False}
# Upstreams that have the interface themselves; `sap-codex` has nothing else.
NATIVE = ["sap-gpt", "sap-gpt5", "openai", "azure"]
MODELS = {**TARGETS, "sap-codex": "sap/gpt-5.3-codex"}


@pytest.fixture(params=MODELS)
def model(request):
    return MODELS[request.param]


def ask(client, model, input, **more):
    return client.responses.create(model=model, input=input, **more)


def streamed(client, model, input, **more):
    """The final response, after every event was looked at."""
    number, items, texts, arguments, final = 0, {}, {}, {}, None
    for event in ask(client, model, input, stream=True, **more):
        assert event.sequence_number == number
        number += 1
        assert final is None, "something came after the end"
        if number == 1:
            assert event.type == "response.created"
            assert event.response.status == "in_progress"
        match event.type:
            case "response.output_item.added":
                assert event.output_index == len(items)
                items[event.item.id] = event.item.type
            case "response.output_text.delta":
                assert items[event.item_id] == "message"
                texts[event.item_id] = texts.get(event.item_id, "") + event.delta
            case "response.output_text.done":
                assert event.text == texts[event.item_id]
            case "response.function_call_arguments.delta":
                arguments[event.item_id] = arguments.get(event.item_id, "") + event.delta
            case "response.function_call_arguments.done":
                assert event.arguments == arguments.get(event.item_id, event.arguments)
            case "response.output_item.done":
                assert event.item.id in items
            case "response.completed" | "response.incomplete" | "response.failed":
                final = event.response
    assert final is not None
    assert [item.id for item in final.output] == list(items)
    return final


def calls_of(response):
    return [item for item in response.output if item.type == "function_call"]


def test_text(gpt, model):
    answer = ask(gpt, model, "Hello, swift!", instructions="Be brief.")
    assert answer.output_text == "You said: Hello, swift! | System: Be brief."
    assert answer.object == "response" and answer.status == "completed"
    assert answer.error is None and answer.incomplete_details is None
    assert answer.usage.input_tokens == 20
    assert answer.usage.output_tokens > 5
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens
    assert answer.id.startswith("resp_")
    (message,) = answer.output
    assert message.role == "assistant" and message.id


def test_stream(gpt, model):
    whole = ask(gpt, model, "Hello, swift!")
    parts = streamed(gpt, model, "Hello, swift!")
    assert parts.output_text == whole.output_text == "You said: Hello, swift!"
    assert parts.status == "completed"
    assert parts.usage.output_tokens == whole.usage.output_tokens
    assert parts.usage.input_tokens == whole.usage.input_tokens


def test_unicode(gpt, model):
    text = f"{UNICODE_MARK} é\u00ad\u202e"
    assert ask(gpt, model, text).output_text == f"You said: {text}"
    whole = ask(gpt, model, "[unicode]").output_text
    assert whole.count(UNICODE_MARK) == 20
    assert streamed(gpt, model, "[unicode]").output_text == whole


def test_items(gpt, model):
    answer = ask(gpt, model, [
        {"role": "developer", "content": "One."},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "First"}]},
        {"type": "message", "role": "assistant", "id": "msg_0", "status": "completed", "content": [
            {"type": "output_text", "text": "Answer", "annotations": []}]},
        {"role": "user", "content": "Second"}])
    text = answer.output_text
    assert text.startswith("You said: Second") and "One." in text and "Turns: 3" in text


def test_media(gpt, model):
    answer = ask(gpt, model, [{"role": "user", "content": [
        {"type": "input_text", "text": "Look"},
        {"type": "input_image", "image_url": f"data:image/png;base64,{PNG_BASE64}",
         "detail": "auto"}]}])
    assert PNG_SEEN in answer.output_text


@pytest.mark.parametrize("name", ["sap-claude", "sap-converse", "sap-gemini", "sap-gpt", "openai",
                                  "anthropic", "gemini", "bedrock"])
def test_document(gpt, name):
    answer = ask(gpt, TARGETS[name], [{"role": "user", "content": [
        {"type": "input_file", "filename": "a.pdf",
         "file_data": f"data:application/pdf;base64,{PDF_BASE64}"},
        {"type": "input_text", "text": "Read"}]}])
    assert "application/pdf of 15 bytes" in answer.output_text


def test_function_call(gpt, model):
    for answer in (ask(gpt, model, "[tool]", tools=[WEATHER, CLOCK]),
                   streamed(gpt, model, "[tool]", tools=[WEATHER, CLOCK])):
        (call,) = calls_of(answer)
        assert call.name == "weather" and call.call_id
        assert json.loads(call.arguments) == ARGUMENTS
        assert answer.status == "completed"


def test_parallel_calls(gpt, model):
    for answer in (ask(gpt, model, "[tools]", tools=[WEATHER, CLOCK]),
                   streamed(gpt, model, "[tools]", tools=[WEATHER, CLOCK])):
        one, two = calls_of(answer)
        assert (one.name, two.name) == ("weather", "clock")
        assert one.call_id != two.call_id and one.id != two.id


def test_call_without_arguments(gpt, model):
    for answer in (ask(gpt, model, "[tool]", tools=[BARE]),
                   streamed(gpt, model, "[tool]", tools=[BARE])):
        assert json.loads(calls_of(answer)[0].arguments) == {}


def test_results(gpt, model):
    """The items of the SDK go back as they are."""
    begin = [{"role": "user", "content": "[tools]"}]
    answer = ask(gpt, model, begin, tools=[WEATHER, CLOCK])
    one, two = calls_of(answer)
    items = [*begin, *(item.model_dump(exclude_none=True) for item in answer.output),
             {"type": "function_call_output", "call_id": one.call_id, "output": "Rain"},
             {"type": "function_call_output", "call_id": two.call_id, "output": "Noon"}]
    answer = ask(gpt, model, items, tools=[WEATHER, CLOCK])
    assert answer.output_text == "The tool said: Rain, Noon"


@pytest.mark.parametrize("choice, name", [
    ("required", "weather"), ("none", None), ({"type": "function", "name": "clock"}, "clock")])
def test_tool_choice(gpt, model, choice, name):
    answer = ask(gpt, model, "Hello", tools=[WEATHER, CLOCK], tool_choice=choice)
    assert [call.name for call in calls_of(answer)] == ([name] if name else [])


class Bird(pydantic.BaseModel):
    name: str
    legs: int


def test_structured_output(gpt, model):
    answer = gpt.responses.parse(model=model, input="A bird", text_format=Bird)
    assert answer.output_parsed == Bird(name="Köln \"0\"", legs=40)


@pytest.mark.parametrize("name", THINKERS)
def test_reasoning(gpt, name):
    for answer in (ask(gpt, TARGETS[name], "Hello", reasoning={"effort": "medium"}),
                   streamed(gpt, TARGETS[name], "Hello", reasoning={"effort": "medium"})):
        thought = answer.output[0]
        assert thought.type == "reasoning" and thought.id.startswith("rs_")
        said = "".join(part.text for part in [*thought.summary, *(thought.content or [])])
        assert said == "Swifts sleep while they fly."
        assert answer.output_text == "You said: Hello"


@pytest.mark.parametrize("name", THINKERS)
def test_reasoning_goes_back(gpt, name):
    more = {"reasoning": {"effort": "medium"}, "tools": [WEATHER],
            "include": ["reasoning.encrypted_content"], "store": False}
    begin = [{"role": "user", "content": "[tool]"}]
    answer = ask(gpt, TARGETS[name], begin, **more)
    (call,) = calls_of(answer)
    answer = ask(gpt, TARGETS[name], [
        *begin, *(item.model_dump(exclude_none=True) for item in answer.output),
        {"type": "function_call_output", "call_id": call.call_id, "output": "Rain"}], **more)
    assert answer.output_text == "The tool said: Rain"


def test_incomplete(gpt, model):
    for answer in (ask(gpt, model, "[length]", max_output_tokens=40),
                   streamed(gpt, model, "[length]", max_output_tokens=40)):
        assert answer.status == "incomplete"
        assert answer.incomplete_details.reason == "max_output_tokens"


def test_small_limit(gpt, model):
    """OpenAI takes no limit below 16."""
    assert ask(gpt, model, "Hello", max_output_tokens=16).output_text


def test_refusal(gpt, model):
    answer = ask(gpt, model, "[refusal]")
    kinds = [part.type for item in answer.output if item.type == "message"
             for part in item.content]
    assert "refusal" in kinds or answer.status == "incomplete", answer


# MARK: Stored responses


@pytest.mark.parametrize("name", [*NATIVE, "sap-codex"])
def test_stored_response(gpt, providers, name):
    for made in (ask(gpt, MODELS[name], "Hello"), streamed(gpt, MODELS[name], "Hello")):
        found = gpt.responses.retrieve(made.id)
        assert found.id == made.id
        assert found.output_text == "You said: Hello"
        follow = ask(gpt, MODELS[name], "And?", previous_response_id=made.id)
        assert follow.output_text == "You said: And?"
        gpt.responses.delete(made.id)
        with pytest.raises(openai.NotFoundError):
            gpt.responses.retrieve(made.id)


def test_stored_response_of_nobody(gpt):
    with pytest.raises(openai.NotFoundError):
        gpt.responses.retrieve("resp_unknown")
    with pytest.raises(openai.NotFoundError):
        gpt.responses.delete("resp_unknown")


@pytest.mark.parametrize("name", ["sap-claude", "sap-gemini", "anthropic", "gemini", "bedrock",
                                  "compatible"])
def test_nothing_is_stored_elsewhere(gpt, name):
    """Said clearly, before a conversation goes on without its beginning."""
    with pytest.raises(openai.APIStatusError) as failure:
        ask(gpt, TARGETS[name], "And?", previous_response_id="resp_1")
    assert failure.value.status_code in (400, 404)
    made = ask(gpt, TARGETS[name], "Hello")
    with pytest.raises(openai.NotFoundError):
        gpt.responses.retrieve(made.id)


@pytest.mark.parametrize("name", ["sap-gpt", "sap-codex", "openai", "azure"])
def test_compact(gpt, name):
    answer = gpt.post("/responses/compact", cast_to=object, body={
        "model": MODELS[name], "input": [{"role": "user", "content": "Hello"}]})
    assert answer["object"] == "response.compaction"


# MARK: Failures


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("word, kind", [
    ("400", openai.BadRequestError), ("401", openai.InternalServerError),
    ("404", openai.NotFoundError), ("429", openai.RateLimitError),
    ("500", openai.InternalServerError), ("503", openai.InternalServerError)])
def test_status(gpt, model, word, kind, stream):
    with pytest.raises(kind) as failure:
        ask(gpt, model, f"[{word}]", stream=stream)
    assert failure.value.body["message"]
    if word == "429":
        assert failure.value.response.headers["retry-after"] == "1"


@pytest.mark.parametrize("fault", ["cut", "error"])
def test_failure_in_a_stream(gpt, model, fault):
    """Agents wait for a terminal event: there is one, or the SDK raises."""
    text, failed = "", None
    try:
        for event in ask(gpt, model, f"[{fault}] some more words to say", stream=True):
            if event.type == "response.output_text.delta":
                text += event.delta
            if event.type == "response.failed":
                failed = event.response.error
            assert event.type != "response.completed"
    except openai.APIError as error:
        failed = error
    assert text.startswith("You said:")
    assert failed and failed.message


# MARK: Codex

CODEX_TOOLS = [
    {"type": "function", "name": "shell", "description": "Runs", "strict": False, "parameters": {
        "type": "object", "properties": {"command": {"type": "array", "items": {
            "type": "string"}}}, "required": ["command"], "additionalProperties": False}},
    {"type": "custom", "name": "apply_patch", "description": "Patches",
     "format": {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"}},
    {"type": "web_search", "external_web_access": False}, {"type": "local_shell"}]


def codex(model, **more):
    """A request in the manner of Codex, with a developer's message between call and output."""
    return {
        "model": model, "instructions": "You are Codex.", "stream": True, "store": False,
        "tools": CODEX_TOOLS, "tool_choice": "auto", "parallel_tool_calls": False,
        "reasoning": {"effort": "medium", "summary": "auto"},
        "include": ["reasoning.encrypted_content"], "prompt_cache_key": "0199",
        "text": {"verbosity": "low"},
        "input": [
            {"type": "message", "role": "developer", "content": [
                {"type": "input_text", "text": "<permissions>"}]},
            {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "<environment_context>"}]},
            {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "Fix it"}]},
            {"type": "function_call", "name": "shell", "arguments": "{\"command\":[\"ls\"]}",
             "call_id": "call_1"},
            {"type": "function_call", "name": "shell", "arguments": "{\"command\":[\"pwd\"]}",
             "call_id": "call_2"},
            {"type": "message", "role": "developer", "content": [
                {"type": "input_text", "text": "Approved."}]},
            {"type": "function_call_output", "call_id": "call_1", "output": "a.py"},
            {"type": "function_call_output", "call_id": "call_2", "output": "/src"}],
        **more}


@pytest.mark.parametrize("name", [name for name in MODELS if name not in ("openai", "azure")])
def test_codex(gpt, name):
    stream = gpt.post("/responses", body=codex(MODELS[name]), cast_to=object, stream=True,
                      stream_cls=openai.Stream[openai.types.responses.ResponseStreamEvent])
    final = list(stream)[-1]
    assert final.type == "response.completed"
    assert final.response.output_text == "The tool said: a.py, /src"


@pytest.mark.parametrize("name", ["sap-gpt5", "sap-codex"])
def test_tools_that_sap_refuses(gpt, providers, name):
    raw = gpt.responses.with_raw_response.create(**codex(MODELS[name], stream=False, tool_choice={
        "type": "custom", "name": "apply_patch"}))
    assert raw.parse().output_text == "The tool said: a.py, /src"
    body = providers.last("/responses").json
    assert [tool["name"] for tool in body["tools"]] == ["shell"]
    assert body.get("tool_choice", "auto") == "auto"
    assert "tools" in raw.headers["apus-dropped"]
