# SPDX-License-Identifier: Apache-2.0
"""What OpenAI's SDK shows of upstreams that fail, and what the gateway does about them first."""

import re
import time
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest
from scenes import TARGETS
from servers import CLIENT_KEY

CONVERTED = ["sap-claude", "sap-converse", "sap-gemini", "anthropic", "gemini", "bedrock"]


@pytest.fixture(params=TARGETS)
def model(request):
    return TARGETS[request.param]


def chat(client, model, text, **more):
    return client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": text}], **more)


@pytest.mark.parametrize("stream", [False, True])
def test_rate_limit(gpt, model, stream):
    with pytest.raises(openai.RateLimitError) as failure:
        chat(gpt, model, "[429]", stream=stream)
    assert failure.value.code == "rate_limit_exceeded"
    assert failure.value.response.headers["retry-after"] == "1"
    assert failure.value.request_id


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("word, statuses", [
    ("400", {400}), ("401", {502}), ("403", {502}), ("404", {404}), ("413", {413}),
    ("500", {500, 502}), ("503", {503}), ("529", {503, 529})])
def test_status(gpt, model, word, statuses, stream):
    with pytest.raises(openai.APIStatusError) as failure:
        chat(gpt, model, f"[{word}]", stream=stream)
    assert failure.value.status_code in statuses
    assert failure.value.body["message"]
    assert set(failure.value.body) == {"message", "type", "param", "code"}


def test_key_of_the_gateway_is_not_the_clients(gpt):
    with pytest.raises(openai.InternalServerError) as failure:
        chat(gpt, "locked/gpt-4.1", "Hello")
    assert failure.value.status_code == 502
    assert failure.value.code == "upstream_credentials"
    assert "sk-" not in failure.value.message


def test_unknown_models(gpt):
    for model in ("sap/no-such-model", "no-such-model", "nobody/gpt-4.1", "sap/gpt-stopped"):
        with pytest.raises(openai.NotFoundError) as failure:
            chat(gpt, model, "Hello")
        assert failure.value.code == "model_not_found"
        assert failure.value.param == "model"


@pytest.mark.parametrize("fault", ["cut", "error"])
def test_failure_in_a_stream(gpt, model, fault):
    """What came stays valid, then the SDK raises: no end is pretended."""
    text = ""
    with pytest.raises(openai.APIError) as failure:
        for chunk in chat(gpt, model, f"[{fault}] some more words to say", stream=True):
            text += chunk.choices[0].delta.content or "" if chunk.choices else ""
    assert text.startswith("You said:")
    assert not isinstance(failure.value, openai.APIConnectionError)
    assert failure.value.body["message"]


def test_failure_before_content_is_a_status(gpt, model):
    """Inside of an answer with status 200, but nothing of it was shown to the client."""
    with pytest.raises(openai.APIStatusError) as failure:
        chat(gpt, model, "[early-error]", stream=True)
    assert failure.value.status_code >= 429


def test_whole_answer_that_is_cut(gpt, model):
    with pytest.raises(openai.InternalServerError) as failure:
        chat(gpt, model, "[cut] in the middle of the answer")
    assert failure.value.status_code == 502
    assert failure.value.code == "upstream_cut"


def test_next_account_answers(gpt, providers):
    """The first subaccount is limited; nobody notices."""
    raw = gpt.chat.completions.with_raw_response.create(
        model="two-accounts", messages=[{"role": "user", "content": "Hello"}])
    assert raw.parse().choices[0].message.content == "You said: Hello"
    assert raw.headers["apus-attempts"] == "2"
    assert raw.headers["apus-upstream"] == "sap-b"
    assert providers.last("/chat/completions").headers["ai-resource-group"] == "team-x"


@pytest.mark.parametrize("stream", [False, True])
def test_fallback_model(gpt, stream):
    answer = chat(gpt, "fallback", "Hello", stream=stream)
    if stream:
        text = "".join(chunk.choices[0].delta.content or "" for chunk in answer if chunk.choices)
    else:
        text = answer.choices[0].message.content
    assert text == "You said: Hello"


def test_all_targets_limited(gpt):
    with pytest.raises(openai.RateLimitError) as failure:
        chat(gpt, "sap-broken/gpt-4.1", "Hello")
    assert failure.value.response.headers["retry-after"] == "7"


def test_early_error_moves_on(gpt, providers):
    """The stand-in fails early for everybody, so both are asked before the client hears of it."""
    with pytest.raises(openai.APIStatusError):
        chat(gpt, "retried", "[early-error]", stream=True)
    assert [request.path for request in providers.model_requests()] == [
        "/v1/chat/completions", "/v1/messages"]


def test_bad_requests_are_not_tried_again(gpt, providers):
    with pytest.raises(openai.BadRequestError):
        chat(gpt, "retried", "[400]")
    assert len(providers.model_requests()) == 1


def test_sdk_waits_and_tries_again(gateway, providers):
    with openai.OpenAI(base_url=gateway.url, api_key=CLIENT_KEY, max_retries=1,
                       timeout=20) as client:
        begin = time.monotonic()
        with pytest.raises(openai.RateLimitError):
            chat(client, "sap/anthropic--claude-4.5-sonnet", "[429]")
        assert time.monotonic() - begin > 0.9
    assert len(providers.model_requests()) == 2


@pytest.mark.parametrize("stream", [False, True])
def test_slow_first_byte(gpt, model, stream):
    begin = time.monotonic()
    answer = chat(gpt, model, "[slow]", stream=stream)
    text = ("".join(c.choices[0].delta.content or "" for c in answer if c.choices) if stream
            else answer.choices[0].message.content)
    assert text == "You said: [slow]"
    assert time.monotonic() - begin > 0.35


def test_client_timeout_ends_the_upstream_call(gateway, providers):
    with openai.OpenAI(base_url=gateway.url, api_key=CLIENT_KEY, max_retries=0,
                       timeout=0.2) as client:
        with pytest.raises(openai.APITimeoutError):
            chat(client, "anthropic/claude-sonnet-4-5", "[slow]")
    deadline = time.monotonic() + 2
    while not providers.last("/messages").was_cancelled:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_leaving_a_stream_ends_the_upstream_call(gpt, model, providers):
    stream = chat(gpt, model, "[drip] " + "word " * 200, stream=True)
    for chunk in stream:
        if chunk.choices and chunk.choices[0].delta.content:
            break
    stream.close()
    request = providers.model_requests()[-1]
    deadline = time.monotonic() + 2
    while not request.was_cancelled:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_streams_arrive_as_they_are_made(gpt, model):
    times = []
    for chunk in chat(gpt, model, "[drip] one two three four five six seven", stream=True):
        if chunk.choices and chunk.choices[0].delta.content:
            times.append(time.monotonic())
    assert len(times) >= 5
    # 50 ms each; in heaps they would come all at once.
    assert times[-1] - times[0] > 0.15


@pytest.mark.parametrize("change, param", [
    ({"messages": []}, r"messages"),
    ({"messages": [{"role": "wizard", "content": "x"}]}, r"messages\[0\].role"),
    ({"messages": [{"role": "user"}]}, r"messages\[0\].content"),
    ({"messages": [{"role": "user", "content": 7}]}, r"messages\[0\].content"),
    ({"messages": [{"role": "user", "content": [{"type": "magic"}]}]},
     r"messages\[0\].content\[0\].type"),
    ({"messages": [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,%%%"}}]}]},
     r"messages\[0\].content\[0\].image_url.url"),
    ({"messages": [{"role": "tool", "tool_call_id": "call_9", "content": "x"}]},
     r"messages\[0\].*"),
    ({"temperature": "hot"}, r"temperature"),
    ({"tools": {}}, r"tools"),
    ({"tools": [{"type": "function"}]}, r"tools\[0\].function.*"),
    ({"tool_choice": "sometimes"}, r"tool_choice"),
    ({"stop": 3}, r"stop"),
    ({"max_tokens": -1}, r"max_tokens"),
])
@pytest.mark.parametrize("name", CONVERTED)
def test_bad_requests_name_the_place(gpt, name, change, param):
    body = {"model": TARGETS[name], "messages": [{"role": "user", "content": "x"}], **change}
    with pytest.raises(openai.BadRequestError) as failure:
        gpt.post("/chat/completions", body=body, cast_to=object)
    assert re.fullmatch(param, failure.value.param or ""), failure.value.param
    assert failure.value.type == "invalid_request_error"


def test_strict_models_refuse_what_is_lost(gpt):
    loose = gpt.chat.completions.with_raw_response.create(
        model="anthropic/claude-sonnet-4-5", messages=[{"role": "user", "content": "x"}], seed=7)
    assert "seed" in loose.headers["apus-dropped"]
    with pytest.raises(openai.BadRequestError) as failure:
        chat(gpt, "strict-claude", "Hello", seed=7)
    assert failure.value.param == "seed" or "seed" in failure.value.message


def test_tokens_end_before_their_time(gpt, providers):
    """A refused token is fetched again, and the request goes out once more."""
    providers.routes.sap.revoke("emea-b")
    assert chat(gpt, "sap-b/gpt-4.1", "Hello").choices[0].message.content == "You said: Hello"


def test_one_token_for_all(gateway, providers):
    """Each of three workers asks once, whatever arrives at the same time."""
    with openai.OpenAI(base_url=gateway.url, api_key=CLIENT_KEY, max_retries=0,
                       timeout=20) as client, ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda n: chat(client, "sap-c/gpt-4.1", f"Hello {n}"), range(48)))
    assert {answer.choices[0].message.content for answer in answers} == {
        f"You said: Hello {number}" for number in range(48)}
    assert providers.routes.sap.accounts["emea-c"].token_requests <= 3
