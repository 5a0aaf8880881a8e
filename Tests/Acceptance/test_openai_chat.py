# SPDX-License-Identifier: Apache-2.0
"""OpenAI's SDK, chat completions, over every upstream."""

import json

import openai
import pydantic
import pytest
from scenes import (ARGUMENTS, EMPTY, PDF_BASE64, PNG_BASE64, PNG_SEEN, SCHEMA, SECOND, TARGETS,
                    THINKERS, UNICODE_MARK)

WEATHER = {"type": "function", "function": {"name": "weather", "description": "Weather",
                                            "parameters": SCHEMA}}
CLOCK = {"type": "function", "function": {"name": "clock", "parameters": SECOND}}
BARE = {"type": "function", "function": {"name": "ping", "parameters": EMPTY}}


@pytest.fixture(params=TARGETS)
def model(request):
    return TARGETS[request.param]


def user(text):
    return [{"role": "user", "content": text}]


def chat(client, model, messages, **more):
    if isinstance(messages, str):
        messages = user(messages)
    return client.chat.completions.create(model=model, messages=messages, **more)


class Streamed:
    """What the chunks of a stream come to, with the rules that hold for each."""

    def __init__(self, chunks):
        self.text, self.reasoning, self.refusal, self.calls = "", "", "", {}
        self.finish, self.usage, self.count = None, None, 0
        ids, models = set(), set()
        for chunk in chunks:
            assert chunk.object == "chat.completion.chunk"
            ids.add(chunk.id)
            models.add(chunk.model)
            if chunk.usage:
                assert self.usage is None
                self.usage = chunk.usage
            if not chunk.choices:
                continue
            assert self.finish is None, "something came after the finish reason"
            (choice,) = chunk.choices
            delta = choice.delta
            if self.count == 0:
                assert delta.role == "assistant"
            self.count += 1
            self.text += delta.content or ""
            self.refusal += delta.refusal or ""
            self.reasoning += getattr(delta, "reasoning_content", None) or ""
            for call in delta.tool_calls or []:
                known = self.calls.setdefault(call.index, {"arguments": ""})
                if call.id:
                    assert "id" not in known
                    known["id"], known["name"] = call.id, call.function.name
                known["arguments"] += call.function.arguments or ""
            self.finish = choice.finish_reason
        assert len(ids - {""}) == 1
        assert len(models - {""}) == 1


def streamed(client, model, messages, **more):
    return Streamed(chat(client, model, messages, stream=True, **more))


def test_text(gpt, model):
    answer = chat(gpt, model, [{"role": "system", "content": "Be brief."}, *user("Hello, swift!")])
    (choice,) = answer.choices
    assert choice.message.content == "You said: Hello, swift! | System: Be brief."
    assert choice.message.role == "assistant"
    assert choice.finish_reason == "stop"
    assert choice.message.tool_calls is None
    assert answer.object == "chat.completion"
    assert answer.usage.prompt_tokens == 20
    assert answer.usage.completion_tokens > 5
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_stream(gpt, model):
    whole = chat(gpt, model, "Hello, swift!")
    parts = streamed(gpt, model, "Hello, swift!")
    assert parts.text == whole.choices[0].message.content == "You said: Hello, swift!"
    assert parts.finish == "stop"
    assert parts.usage is None


def test_stream_with_usage(gpt, model):
    whole = chat(gpt, model, "Hello, swift!")
    parts = streamed(gpt, model, "Hello, swift!", stream_options={"include_usage": True})
    assert parts.usage.prompt_tokens == whole.usage.prompt_tokens
    assert parts.usage.completion_tokens == whole.usage.completion_tokens
    assert parts.usage.total_tokens == whole.usage.total_tokens


def test_unicode(gpt, model):
    """Multi-byte characters are split over packets; nothing is lost on either way."""
    text = f"{UNICODE_MARK} é\u00ad\u202e"
    answer = chat(gpt, model, text)
    assert answer.choices[0].message.content == f"You said: {text}"
    whole = chat(gpt, model, "[unicode]").choices[0].message.content
    assert whole.count(UNICODE_MARK) == 20
    assert streamed(gpt, model, "[unicode]").text == whole


def test_conversation(gpt, model):
    answer = chat(gpt, model, [
        {"role": "developer", "content": "One."}, *user("First"),
        {"role": "assistant", "content": "Answer"}, {"role": "system", "content": "Two."},
        *user("Second")])
    text = answer.choices[0].message.content
    assert text.startswith("You said: Second")
    assert "One." in text and "Two." in text and "Turns: 3" in text


def test_consecutive_turns_of_one_role(gpt, model):
    answer = chat(gpt, model, [*user("First"), *user("Second"), {"role": "assistant",
                  "content": "A"}, {"role": "assistant", "content": "B"}, *user("Third")])
    assert "Third" in answer.choices[0].message.content


def test_image(gpt, model):
    part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG_BASE64}"}}
    answer = chat(gpt, model, [{"role": "user", "content": [{"type": "text", "text": "Look"},
                                                            part]}])
    assert PNG_SEEN in answer.choices[0].message.content


@pytest.mark.parametrize("name", ["sap-claude", "sap-gemini", "sap-gpt", "openai", "anthropic",
                                  "gemini", "bedrock", "bedrock-nova"])
def test_document(gpt, name):
    part = {"type": "file", "file": {"filename": "a.pdf",
                                     "file_data": f"data:application/pdf;base64,{PDF_BASE64}"}}
    answer = chat(gpt, TARGETS[name], [{"role": "user", "content": [
        {"type": "text", "text": "Read"}, part]}])
    assert "application/pdf of 15 bytes" in answer.choices[0].message.content


def test_image_by_url(gpt, model):
    """Passed on where the upstream fetches it, and a clear refusal elsewhere; never lost."""
    part = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    messages = [{"role": "user", "content": [{"type": "text", "text": "Look"}, part]}]
    try:
        text = chat(gpt, model, messages).choices[0].message.content
        assert "I see https://example.com/a.png" in text
    except openai.BadRequestError as error:
        assert error.param == "messages[0].content[1].image_url.url"
        assert "openai" not in model and "gpt" not in model


def test_tool_call(gpt, model):
    answer = chat(gpt, model, "[tool]", tools=[WEATHER, CLOCK])
    (choice,) = answer.choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    (call,) = choice.message.tool_calls
    assert call.type == "function" and call.id
    assert call.function.name == "weather"
    assert json.loads(call.function.arguments) == ARGUMENTS


def test_tool_call_with_text_before(gpt, model):
    (choice,) = chat(gpt, model, "[tool] [talk]", tools=[WEATHER]).choices
    assert choice.message.content == "Let me look."
    assert choice.message.tool_calls[0].function.name == "weather"


def test_tool_call_streamed(gpt, model):
    parts = streamed(gpt, model, "[tool] [talk]", tools=[WEATHER, CLOCK])
    assert parts.finish == "tool_calls"
    assert parts.text == "Let me look."
    assert parts.calls[0]["name"] == "weather" and parts.calls[0]["id"]
    assert json.loads(parts.calls[0]["arguments"]) == ARGUMENTS


def test_parallel_calls(gpt, model):
    answer = chat(gpt, model, "[tools]", tools=[WEATHER, CLOCK])
    first, second = answer.choices[0].message.tool_calls
    assert (first.function.name, second.function.name) == ("weather", "clock")
    assert first.id != second.id
    parts = streamed(gpt, model, "[tools]", tools=[WEATHER, CLOCK])
    assert sorted(parts.calls) == [0, 1]
    assert [call["name"] for call in parts.calls.values()] == ["weather", "clock"]
    assert json.loads(parts.calls[1]["arguments"]) == {"zone": "Köln \"1\""}
    assert parts.calls[0]["id"] != parts.calls[1]["id"]


def test_tool_without_arguments(gpt, model):
    (call,) = chat(gpt, model, "[tool]", tools=[BARE]).choices[0].message.tool_calls
    assert json.loads(call.function.arguments) == {}
    parts = streamed(gpt, model, "[tool]", tools=[BARE])
    assert json.loads(parts.calls[0]["arguments"]) == {}


def test_tool_results(gpt, model):
    """The answer of the SDK goes back as it is, with both results."""
    begin = user("[tools]")
    message = chat(gpt, model, begin, tools=[WEATHER, CLOCK]).choices[0].message
    one, two = message.tool_calls
    again = [*begin, message.model_dump(exclude_none=True),
             {"role": "tool", "tool_call_id": one.id, "content": "Rain"},
             {"role": "tool", "tool_call_id": two.id, "content": [
                 {"type": "text", "text": "Noon"}]}]
    answer = chat(gpt, model, again, tools=[WEATHER, CLOCK])
    assert answer.choices[0].message.content == "The tool said: Rain, Noon"
    answer = chat(gpt, model, [*again, *user("And now?")], tools=[WEATHER, CLOCK])
    assert answer.choices[0].finish_reason == "stop"
    assert "Rain" in answer.choices[0].message.content or "now" in answer.choices[0].message.content


def test_tool_history_without_tools(gpt, model):
    """Agents send a last request without tools; Bedrock wants them all the same."""
    answer = chat(gpt, model, [
        *user("Weather?"),
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "call_1", "type": "function", "function": {
                "name": "weather", "arguments": "{\"city\":\"Köln\"}"}}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "Rain"}])
    assert answer.choices[0].message.content == "The tool said: Rain"


@pytest.mark.parametrize("choice, name", [
    ("required", "weather"), ("none", None),
    ({"type": "function", "function": {"name": "clock"}}, "clock")])
def test_tool_choice(gpt, model, choice, name):
    answer = chat(gpt, model, "Hello", tools=[WEATHER, CLOCK], tool_choice=choice)
    calls = answer.choices[0].message.tool_calls
    assert [call.function.name for call in calls or []] == ([name] if name else [])


def test_stop(gpt, model):
    """Where a model takes no stop texts they are dropped by name."""
    raw = gpt.chat.completions.with_raw_response.create(
        model=model, messages=user("one END two"), stop=["END"])
    (choice,) = raw.parse().choices
    assert choice.finish_reason == "stop"
    if "stop" in raw.headers.get("apus-dropped", ""):
        assert "gpt-5" in model
    else:
        assert choice.message.content == "You said: one "


def test_length(gpt, model):
    answer = chat(gpt, model, "[length]", max_tokens=40)
    assert answer.choices[0].finish_reason == "length"
    parts = streamed(gpt, model, "[length]", max_completion_tokens=40)
    assert parts.finish == "length"


def test_refusal(gpt, model):
    (choice,) = chat(gpt, model, "[refusal]").choices
    assert choice.finish_reason == "content_filter"
    parts = streamed(gpt, model, "[refusal]")
    assert parts.finish == "content_filter"


def test_empty_answer(gpt, model):
    """No text at all is an answer, or an error of the upstream's; never nothing."""
    try:
        answer = chat(gpt, model, "[empty]")
    except openai.InternalServerError as error:
        assert error.status_code == 502
    else:
        assert not answer.choices[0].message.content
        assert answer.choices[0].finish_reason == "stop"


@pytest.mark.parametrize("name", THINKERS)
def test_reasoning(gpt, name):
    model = TARGETS[name]
    answer = chat(gpt, model, "Hello", reasoning_effort="medium")
    assert answer.choices[0].message.reasoning_content == "Swifts sleep while they fly."
    assert answer.choices[0].message.content == "You said: Hello"
    parts = streamed(gpt, model, "Hello", reasoning_effort="medium")
    assert parts.reasoning == "Swifts sleep while they fly."
    assert parts.text == "You said: Hello"


@pytest.mark.parametrize("name", ["sap-gpt5", "sap-gemini", "gemini"])
def test_reasoning_tokens(gpt, name):
    answer = chat(gpt, TARGETS[name], "Hello", reasoning_effort="high")
    assert answer.usage.completion_tokens_details.reasoning_tokens == 11


@pytest.mark.parametrize("effort", ["none", "minimal", "low", "medium", "high", "xhigh"])
def test_every_effort_is_taken(gpt, model, effort):
    assert chat(gpt, model, "Hello", reasoning_effort=effort).choices[0].message.content


def test_reasoning_with_tools(gpt, model):
    begin = user("[tools]")
    message = chat(gpt, model, begin, tools=[WEATHER, CLOCK],
                   reasoning_effort="low").choices[0].message
    history = [*begin, message.model_dump(exclude_none=True),
               *({"role": "tool", "tool_call_id": call.id, "content": "Rain"}
                 for call in message.tool_calls)]
    answer = chat(gpt, model, history, tools=[WEATHER, CLOCK], reasoning_effort="low")
    assert answer.choices[0].message.content == "The tool said: Rain, Rain"


def test_sampling(gpt, model):
    """What a model refuses is dropped and named; the rest arrives."""
    raw = gpt.chat.completions.with_raw_response.create(
        model=model, messages=user("Hello"), temperature=0.5, top_p=0.9, presence_penalty=0.1,
        frequency_penalty=0.2, seed=7, user="ada", max_tokens=100, n=1)
    assert raw.parse().choices[0].message.content == "You said: Hello"


def test_unknown_members(gpt, model):
    """A fail-closed upstream would refuse them; elsewhere they are passed on or dropped."""
    try:
        raw = gpt.chat.completions.with_raw_response.create(
            model=model, messages=user("Hello"), extra_body={"beta": True})
    except openai.BadRequestError as error:
        # The upstream's own refusal of what the client's own format had.
        assert "beta" in error.message
        assert model.split("/")[0] in ("openai", "azure", "compatible") or "mistral" in model
    else:
        assert "beta" in raw.headers["apus-dropped"]


class Bird(pydantic.BaseModel):
    name: str
    legs: int
    tags: list[str]


def test_structured_output(gpt, model):
    answer = gpt.chat.completions.parse(model=model, messages=user("A bird"), response_format=Bird)
    bird = answer.choices[0].message.parsed
    assert bird.legs == 40 and bird.name.startswith("Köln") and len(bird.tags) == 1
    with gpt.chat.completions.stream(model=model, messages=user("A bird"),
                                     response_format=Bird) as stream:
        for _ in stream:
            pass
        assert stream.get_final_completion().choices[0].message.parsed == bird


def test_json_mode(gpt, model):
    answer = chat(gpt, model, "JSON, please", response_format={"type": "json_object"})
    # Without a mode of its own an upstream gets an instruction, and the stand-in obeys none.
    if answer.choices[0].message.content.startswith("{"):
        assert json.loads(answer.choices[0].message.content) == {"answer": 42}
    else:
        assert "JSON" in answer.choices[0].message.content


def test_name_of_the_model(gpt, model):
    """The client's where the answer is converted, what the upstream says where it is passed on."""
    own = {model, "gpt-4.1-2026-02-01", "gpt-5.4-2026-02-01", "llama-4-2026-02-01",
           "mistralai--mistral-large-instruct-2026-02-01"}
    if not any(part in model for part in ("gpt", "llama", "mistral")):
        own = {model}
    assert chat(gpt, model, "Hello").model in own
    chunks = list(chat(gpt, model, "Hello", stream=True))
    assert {chunk.model for chunk in chunks} <= own | {""}


@pytest.mark.parametrize("name", ["sap-claude", "sap-converse", "anthropic", "bedrock",
                                  "sap-gemini", "sap-gpt"])
def test_cached_tokens(gpt, name):
    answer = chat(gpt, TARGETS[name], "[cached] [cache-write]")
    assert answer.usage.prompt_tokens == 32
    assert answer.usage.prompt_tokens_details.cached_tokens == 8
    parts = streamed(gpt, TARGETS[name], "[cached] [cache-write]",
                     stream_options={"include_usage": True})
    assert parts.usage.prompt_tokens == 32
    assert parts.usage.prompt_tokens_details.cached_tokens == 8


def test_several_answers(gpt, model):
    try:
        chat(gpt, model, "Hello", n=2)
    except openai.BadRequestError as error:
        assert error.param == "n"
        assert not model.startswith(("openai/", "azure/"))


def test_apus_headers(gpt, model):
    raw = gpt.chat.completions.with_raw_response.create(model=model, messages=user("Hello"))
    assert raw.headers["x-request-id"]
    assert raw.headers["apus-attempts"] == "1"
    assert raw.headers["apus-upstream"]
    assert "server-timing" in raw.headers
