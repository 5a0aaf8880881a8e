# SPDX-License-Identifier: Apache-2.0
"""The same client, with LiteLLM's proxy as an upstream of kind `openai` behind Apus."""

import time

import openai
import pytest
from servers import LITELLM_KEY, SENTENCE, LiteLLM

HELLO = [{"role": "user", "content": "Do swifts sleep?"}]
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]


def chat(client, model, **more):
    return client.chat.completions.create(model=model, messages=HELLO, **more)


@pytest.mark.parametrize("model", ["lite", "litellm/plain", "litellm/vendor/plain"])
def test_chat(lite, model):
    answer = chat(lite, model)
    assert answer.choices[0].message.content == SENTENCE
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens > 0


@pytest.mark.parametrize("usage", [False, True])
def test_stream(lite, usage):
    more = {"stream_options": {"include_usage": True}} if usage else {}
    chunks = list(chat(lite, "lite", stream=True, **more))
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == SENTENCE
    reported = [chunk.usage for chunk in chunks if chunk.usage]
    # The gateway asks upstream for usage in any case; only who wants it may see it.
    assert len(reported) == (1 if usage else 0)


def test_tokens_of_a_stream_are_counted(lite, apus_before_litellm):
    before = apus_before_litellm.status()["tokens"]
    list(chat(lite, "lite", stream=True))
    deadline = time.monotonic() + 5
    while apus_before_litellm.status()["tokens"] == before:
        assert time.monotonic() < deadline, "no tokens were counted"
        time.sleep(0.05)


def test_tools(lite):
    answer = chat(lite, "litellm/tools", tools=TOOLS)
    (call,) = answer.choices[0].message.tool_calls
    assert call.function.name == "weather"
    assert call.function.arguments == LiteLLM.TOOL_CALL["function"]["arguments"]


def test_json_mode(lite):
    answer = chat(lite, "litellm/json", response_format={"type": "json_object"})
    assert answer.choices[0].message.content == '{"answer": 42}'


def test_embeddings(lite):
    floats = lite.embeddings.create(model="litellm/embed", input="x", encoding_format="float")
    assert floats.data[0].embedding == [0.25, -0.5, 1.0]
    # The SDK asks for base64 by itself; LiteLLM's mock sends floats all the same.
    default = lite.embeddings.create(model="litellm/embed", input="x")
    assert default.data[0].embedding == [0.25, -0.5, 1.0]


def test_same_answer_as_without_the_gateway(lite, litellm):
    """Fields that LiteLLM adds and the gateway does not know come through as well."""
    with openai.OpenAI(base_url=f"http://127.0.0.1:{litellm.port}/v1", api_key=LITELLM_KEY) as own:
        direct = chat(own, "plain").model_dump()
    through = chat(lite, "litellm/plain").model_dump()
    for answer in (direct, through):
        for changing in ("id", "created"):
            answer.pop(changing)
    assert through == direct


@pytest.mark.parametrize("model, kind", [
    ("litellm/limited", openai.RateLimitError),
    ("litellm/broken", openai.InternalServerError),
    ("litellm/too-long", openai.BadRequestError),
])
def test_errors(lite, model, kind):
    with pytest.raises(kind) as failure:
        chat(lite, model)
    assert "mock" in failure.value.message


def test_model_that_only_the_upstream_can_refuse(lite):
    with pytest.raises(openai.APIStatusError) as failure:
        chat(lite, "litellm/no-such-model")
    assert failure.value.status_code in (400, 404)
    assert "no-such-model" in failure.value.message


def test_requests_on_kept_connections(lite):
    """LiteLLM's uvicorn closes idle connections when it likes; nobody notices."""
    for _ in range(30):
        assert chat(lite, "lite").choices[0].message.content == SENTENCE
