# SPDX-License-Identifier: Apache-2.0
"""Failures as the SDK shows them to an application: the class, the fields, the retries."""

import time

import httpx2
import openai
import pytest
from servers import CLIENT_KEY, NARROW_KEY, free_port

HELLO = [{"role": "user", "content": "Hello, swift!"}]


def chat(client, model, **more):
    return client.chat.completions.create(model=model, messages=HELLO, **more)


def client_with(apus, **more):
    options = {"base_url": apus.url, "api_key": CLIENT_KEY, "max_retries": 0, "timeout": 20}
    return openai.OpenAI(**{**options, **more})


@pytest.fixture
def counted(apus):
    """A client with two retries, and the list of requests that it really sent."""
    sent = []
    transport = openai.DefaultHttpxClient(event_hooks={"request": [sent.append]})
    with client_with(apus, max_retries=2, http_client=transport) as client:
        yield client, sent


@pytest.mark.parametrize("model, kind, status", [
    ("demo/400", openai.BadRequestError, 400),
    ("demo/404", openai.NotFoundError, 404),
    ("demo/429", openai.RateLimitError, 429),
    ("demo/500", openai.InternalServerError, 500),
    ("demo/503", openai.InternalServerError, 503),
])
def test_status_of_the_upstream(client, model, kind, status):
    for stream in (False, True):
        with pytest.raises(kind) as failure:
            chat(client, model, stream=stream)
        assert failure.value.status_code == status
        assert failure.value.body["message"]
        assert failure.value.request_id


def test_rejected_key_of_the_upstream(client):
    """The gateway's own key is wrong there; whose fault it is must not look like the client's."""
    with pytest.raises(openai.APIStatusError) as failure:
        chat(client, "demo/401")
    assert failure.value.status_code in (401, 500, 502)
    assert failure.value.body["message"]


def test_retry_after_of_the_upstream(client):
    with pytest.raises(openai.RateLimitError) as failure:
        chat(client, "demo/429")
    assert failure.value.response.headers["retry-after"] == "1"


def test_unknown_model(client):
    with pytest.raises(openai.NotFoundError) as failure:
        chat(client, "gpt-none")
    assert failure.value.code == "model_not_found"
    assert failure.value.param == "model"
    assert "gpt-none" in failure.value.message


def test_wrong_key(apus):
    with client_with(apus, api_key="sk-wrong") as client:
        with pytest.raises(openai.AuthenticationError) as failure:
            chat(client, "demo/echo")
    assert failure.value.code == "invalid_api_key"
    assert "sk-wrong" not in str(failure.value)


def test_model_that_the_key_may_not_use(apus):
    with client_with(apus, api_key=NARROW_KEY) as client:
        assert chat(client, "short-name").choices
        with pytest.raises(openai.PermissionDeniedError):
            chat(client, "demo/echo")


@pytest.mark.parametrize("body, param", [
    ({"model": "demo/echo"}, "messages"),
    ({"model": "demo/echo", "messages": "hello"}, "messages"),
    ({"messages": HELLO}, "model"),
    ({"model": 7, "messages": HELLO}, "model"),
    ({"model": "demo/echo", "messages": HELLO, "stream": "yes"}, "stream"),
])
def test_invalid_requests(client, body, param):
    with pytest.raises(openai.BadRequestError) as failure:
        client.post("/chat/completions", body=body, cast_to=object)
    assert failure.value.param == param
    assert failure.value.type == "invalid_request_error"


def test_unknown_path(client):
    with pytest.raises(openai.NotFoundError):
        client.post("/no/such/path", body={}, cast_to=object)


def test_upstream_that_refuses_connections(client):
    with pytest.raises(openai.InternalServerError) as failure:
        chat(client, "nowhere/anything")
    assert failure.value.status_code == 502


def test_upstream_that_never_answers(client):
    begin = time.monotonic()
    with pytest.raises(openai.InternalServerError) as failure:
        chat(client, "demo/hang")
    assert failure.value.status_code == 504
    assert 4 < time.monotonic() - begin < 10  # timeouts.headers is 5 s


@pytest.mark.parametrize("model, code", [
    ("demo/cut", "upstream_cut"), ("demo/stall", "upstream_timeout"), ("demo/error", None),
])
def test_failure_inside_a_stream(client, model, code):
    """Tokens that came stay valid; then the SDK raises, because no [DONE] pretends an end."""
    text = ""
    with pytest.raises(openai.APIError) as failure:
        for chunk in chat(client, model, stream=True):
            text += chunk.choices[0].delta.content or "" if chunk.choices else ""
    assert text
    assert not isinstance(failure.value, openai.APIConnectionError)
    if code:
        assert failure.value.code == code


def test_the_gateway_is_fine_after_failures(client):
    for model in ("demo/cut", "demo/error", "demo/500"):
        with pytest.raises(openai.APIError):
            list(chat(client, model, stream=True))
        assert chat(client, "demo/echo").choices[0].finish_reason == "stop"


def test_client_timeout(apus):
    with client_with(apus, timeout=0.5) as client:
        begin = time.monotonic()
        with pytest.raises(openai.APITimeoutError):
            chat(client, "demo/hang")
        assert time.monotonic() - begin < 3


def test_client_timeout_inside_a_stream(apus):
    """The SDK gives its transport's read timeout as it is once a stream has begun."""
    with client_with(apus, timeout=httpx2.Timeout(20, read=0.7)) as client:
        with pytest.raises((openai.APITimeoutError, httpx2.ReadTimeout)):
            list(chat(client, "demo/stall", stream=True))


def test_connection_refused():
    with openai.OpenAI(base_url=f"http://127.0.0.1:{free_port()}/v1", api_key="sk-none",
                       max_retries=0) as client:
        with pytest.raises(openai.APIConnectionError) as failure:
            chat(client, "demo/echo")
    assert not isinstance(failure.value, openai.APITimeoutError)


@pytest.mark.parametrize("model, kind", [
    ("demo/429", openai.RateLimitError), ("demo/500", openai.InternalServerError),
    ("demo/503", openai.InternalServerError),
])
def test_sdk_retries_what_is_worth_it(counted, model, kind):
    client, sent = counted
    with pytest.raises(kind):
        chat(client, model)
    assert [request.headers["x-stainless-retry-count"] for request in sent] == ["0", "1", "2"]


@pytest.mark.parametrize("model, kind", [
    ("demo/400", openai.BadRequestError), ("demo/404", openai.NotFoundError),
    ("gpt-none", openai.NotFoundError),
])
def test_sdk_does_not_retry_what_stays_wrong(counted, model, kind):
    client, sent = counted
    with pytest.raises(kind):
        chat(client, model)
    assert len(sent) == 1


def test_sdk_waits_as_long_as_the_upstream_asked(counted):
    client, sent = counted
    begin = time.monotonic()
    with pytest.raises(openai.RateLimitError):
        chat(client, "demo/429")
    # Retry-After: 1, twice; the SDK's own backoff would be half of that at most.
    assert time.monotonic() - begin >= 1.9
    assert len(sent) == 3
