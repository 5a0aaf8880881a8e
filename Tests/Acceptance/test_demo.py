# SPDX-License-Identifier: Apache-2.0
"""What an application does with the SDK, against the demo model inside the workers."""

import json
import time

import httpx2
import openai
import pytest
from servers import CLIENT_KEY, get

HELLO = [{"role": "user", "content": "Hello, swift!"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather", "description": "Weather of a city",
        "parameters": {"type": "object", "required": ["city", "days"],
                       "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}},
}


def text_of(stream):
    return "".join(choice.delta.content or "" for chunk in stream for choice in chunk.choices)


def test_chat(client):
    answer = client.chat.completions.create(model="demo/echo", messages=HELLO)
    assert answer.object == "chat.completion"
    assert answer.choices[0].message.role == "assistant"
    assert "Hello, swift!" in answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.usage.completion_tokens > 0


def test_chat_is_deterministic(client):
    one = client.chat.completions.create(model="demo/echo", messages=HELLO)
    two = client.chat.completions.create(model="demo/echo", messages=HELLO)
    assert one.choices[0].message.content == two.choices[0].message.content


def test_model_name_from_the_configuration(client):
    answer = client.chat.completions.create(model="short-name", messages=HELLO)
    assert "Hello, swift!" in answer.choices[0].message.content


def test_content_parts_and_unicode(client):
    text = "Grüße, 世界 🐦 \"quoted\" \\ \u2028 end"
    answer = client.chat.completions.create(model="demo/echo", messages=[
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": text}]}])
    assert text in answer.choices[0].message.content


def test_stream_equals_the_whole_answer(client):
    whole = client.chat.completions.create(model="demo/echo", messages=HELLO)
    chunks = list(client.chat.completions.create(model="demo/echo", messages=HELLO, stream=True))
    assert text_of(chunks) == whole.choices[0].message.content
    assert len(chunks) > 3
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(chunk.object == "chat.completion.chunk" for chunk in chunks)
    assert len({chunk.id for chunk in chunks}) == 1
    assert all(chunk.usage is None for chunk in chunks)


def test_stream_with_usage(client):
    chunks = list(client.chat.completions.create(
        model="demo/echo", messages=HELLO, stream=True, stream_options={"include_usage": True}))
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens > 0
    assert all(chunk.usage is None for chunk in chunks[:-1])


def test_stream_arrives_token_by_token(client):
    times = []
    for chunk in client.chat.completions.create(model="demo/slow", messages=HELLO, stream=True):
        if chunk.choices and chunk.choices[0].delta.content:
            times.append(time.monotonic())
    gaps = [after - before for before, after in zip(times, times[1:])]
    assert len(gaps) >= 3
    # A token each 200 ms: buffering would bring them in heaps.
    assert max(gaps) < 1.0 and sum(gap > 0.1 for gap in gaps) >= len(gaps) - 1


def test_long_stream(client):
    chunks = list(client.chat.completions.create(model="demo/long", messages=HELLO, stream=True))
    assert sum(bool(c.choices and c.choices[0].delta.content) for c in chunks) == 1_000


def test_tools(client):
    answer = client.chat.completions.create(model="demo/echo", messages=HELLO, tools=[WEATHER])
    assert answer.choices[0].finish_reason == "tool_calls"
    (call,) = answer.choices[0].message.tool_calls
    assert call.function.name == "weather"
    arguments = json.loads(call.function.arguments)
    assert isinstance(arguments["city"], str) and isinstance(arguments["days"], int)
    result = client.chat.completions.create(model="demo/echo", tools=[WEATHER], messages=[
        *HELLO, answer.choices[0].message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": "Rain"}])
    assert "Rain" in result.choices[0].message.content


def test_tools_streamed(client):
    name, arguments, index = "", "", None
    for chunk in client.chat.completions.create(model="demo/echo", messages=HELLO,
                                                tools=[WEATHER], stream=True):
        for call in chunk.choices[0].delta.tool_calls or [] if chunk.choices else []:
            index = call.index
            name += call.function.name or ""
            arguments += call.function.arguments or ""
    assert (index, name) == (0, "weather")
    assert set(json.loads(arguments)) == {"city", "days"}


def test_tools_forbidden(client):
    answer = client.chat.completions.create(model="demo/echo", messages=HELLO, tools=[WEATHER],
                                            tool_choice="none")
    assert answer.choices[0].finish_reason == "stop"
    assert not answer.choices[0].message.tool_calls


def test_stream_helper(client):
    """The SDK's own accumulator finds nothing odd in our chunks."""
    with client.chat.completions.stream(model="demo/echo", messages=HELLO) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert "content.done" in kinds
    assert "Hello, swift!" in final.choices[0].message.content


def test_json_object(client):
    answer = client.chat.completions.create(model="demo/echo", messages=HELLO,
                                            response_format={"type": "json_object"})
    assert isinstance(json.loads(answer.choices[0].message.content), dict)


def test_json_schema(client):
    schema = {"type": "object", "additionalProperties": False, "required": ["name", "legs"],
              "properties": {"name": {"type": "string"}, "legs": {"type": "integer"}}}
    answer = client.chat.completions.create(
        model="demo/echo", messages=HELLO,
        response_format={"type": "json_schema", "json_schema": {"name": "bird", "schema": schema}})
    bird = json.loads(answer.choices[0].message.content)
    assert isinstance(bird["name"], str) and isinstance(bird["legs"], int)


def test_completions(client):
    answer = client.completions.create(model="demo/echo", prompt="Hello, swift!")
    assert answer.object == "text_completion"
    assert "Hello, swift!" in answer.choices[0].text
    pieces = list(client.completions.create(model="demo/echo", prompt="Hello, swift!", stream=True))
    assert "".join(p.choices[0].text for p in pieces if p.choices) == answer.choices[0].text


def test_embeddings_default_encoding(client):
    """The SDK asks for base64 by itself and decodes it."""
    answer = client.embeddings.create(model="demo/embed", input=["one", "two"])
    assert [item.index for item in answer.data] == [0, 1]
    assert len(answer.data[0].embedding) == 256
    assert answer.data[0].embedding != answer.data[1].embedding
    assert answer.usage.prompt_tokens > 0


def test_embeddings_as_floats(client):
    base64 = client.embeddings.create(model="demo/embed", input="one")
    floats = client.embeddings.create(model="demo/embed", input="one", encoding_format="float")
    assert floats.data[0].embedding == pytest.approx(base64.data[0].embedding, abs=1e-6)


def test_embeddings_dimensions(client):
    answer = client.embeddings.create(model="demo/embed", input="one", dimensions=32)
    assert len(answer.data[0].embedding) == 32


def test_models(client):
    ids = [model.id for model in client.models.list()]
    assert "short-name" in ids and "demo/echo" in ids
    for name in ("short-name", "demo/echo"):
        assert client.models.retrieve(name).id == name
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("no/such/model")


def test_model_with_a_plain_slash_in_its_path(apus):
    """The SDK encodes the slash; others do not."""
    status, body = get(apus.port, "/v1/models/demo/echo", CLIENT_KEY)
    assert status == 200 and json.loads(body)["id"] == "demo/echo"


def test_request_id_and_correlation_id(client):
    raw = client.chat.completions.with_raw_response.create(
        model="demo/echo", messages=HELLO, extra_headers={"x-correlation-id": "order-66"})
    assert raw.headers["x-request-id"]
    assert raw.headers["x-correlation-id"] == "order-66"
    other = client.chat.completions.with_raw_response.create(model="demo/echo", messages=HELLO)
    assert other.headers["x-request-id"] != raw.headers["x-request-id"]
    assert raw.parse()._request_id == raw.headers["x-request-id"]


def test_unicode_of_a_long_conversation(client):
    """A body of a quarter of a megabyte in one request."""
    messages = [{"role": "user", "content": "Vogel " * 200} for _ in range(200)]
    answer = client.chat.completions.create(model="demo/echo", messages=[*messages, *HELLO])
    assert "Hello, swift!" in answer.choices[0].message.content


def test_abort_of_a_stream(apus, client):
    """The gateway notices at once; its numbers follow with the workers' next report."""
    def wait_for_open_streams(expected):
        deadline = time.monotonic() + 5
        while (count := apus.status()["streams"]["open"]) != expected:
            assert time.monotonic() < deadline, f"{count} open streams instead of {expected}"
            time.sleep(0.05)

    # Twenty seconds, if nobody aborted it.
    words = [{"role": "user", "content": "word " * 100}]
    stream = client.chat.completions.create(model="demo/slow", messages=words, stream=True)
    next(stream)
    wait_for_open_streams(1)
    stream.close()
    wait_for_open_streams(0)
    answer = client.chat.completions.create(model="demo/echo", messages=HELLO)
    assert answer.choices[0].finish_reason == "stop"


def test_concurrent_streams(apus):
    """Fifty streams at a time over the fleet, each whole and each its own."""
    import asyncio

    async def one(client, number):
        stream = await client.chat.completions.create(
            model="demo/echo", stream=True,
            messages=[{"role": "user", "content": f"stream number {number}."}])
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream
                        if chunk.choices])
        assert f"stream number {number}." in text

    async def all_of_them():
        async with openai.AsyncOpenAI(base_url=apus.url, api_key=CLIENT_KEY, max_retries=0,
                                      timeout=httpx2.Timeout(20)) as client:
            await asyncio.gather(*(one(client, number) for number in range(50)))

    asyncio.run(all_of_them())
