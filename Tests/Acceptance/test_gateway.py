# SPDX-License-Identifier: Apache-2.0
"""What holds for clients of all vendors: retries, signs of life, bad input, many at once."""

import base64
import itertools
import json
import time
from concurrent.futures import ThreadPoolExecutor

import anthropic
import httpx2
import openai
import pytest
from scenes import TARGETS
from servers import CLIENT_KEY

# Path and body of a request in each format; `{}` is the model.
FORMATS = {
    "chat": ("/v1/chat/completions", lambda model, text, stream: {
        "model": model, "stream": stream, "messages": [{"role": "user", "content": text}]}),
    "responses": ("/v1/responses", lambda model, text, stream: {
        "model": model, "stream": stream, "input": text}),
    "messages": ("/v1/messages", lambda model, text, stream: {
        "model": model, "stream": stream, "max_tokens": 100,
        "messages": [{"role": "user", "content": text}]}),
    "gemini": ("/v1beta/models/{}:generateContent", lambda model, text, stream: {
        "contents": [{"role": "user", "parts": [{"text": text}]}]}),
}
_numbers = itertools.count()


def post(gateway, name, model, text, stream=False, content=None):
    path, body = FORMATS[name]
    path = path.format(model)
    if stream and name == "gemini":
        path = path.replace(":generateContent", ":streamGenerateContent?alt=sse")
    body = json.dumps(body(model, text, stream)).encode() if content is None else content
    return httpx2.post(gateway.origin + path, content=body, timeout=20, headers={
        "authorization": f"Bearer {CLIENT_KEY}", "content-type": "application/json"})


def once(word):
    """Fails at the first sight of this text only."""
    return f"[once] [{word}] number {next(_numbers)}"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("word", ["500", "503"])
@pytest.mark.parametrize("name", FORMATS)
def test_second_try_at_the_same_target(patient_gateway, providers, name, word, stream):
    answer = post(patient_gateway, name, "sap/gpt-4.1", once(word), stream)
    assert answer.status_code == 200, answer.text
    assert answer.headers["apus-attempts"] == "2"
    assert [request.status for request in providers.model_requests()] == [int(word), 200]
    one, two = providers.model_requests()
    assert one.body == two.body


def test_second_try_waits_as_long_as_asked(patient_gateway, providers):
    begin = time.monotonic()
    answer = post(patient_gateway, "chat", "anthropic/claude-sonnet-4-5", once("429"))
    assert answer.status_code == 200
    assert 0.9 < time.monotonic() - begin < 3


@pytest.mark.parametrize("model", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize("name", FORMATS)
def test_failure_before_content_is_tried_again(patient_gateway, providers, name, model):
    """Inside of a stream with status 200; the client sees one whole answer."""
    answer = post(patient_gateway, name, model, once("early-error"), stream=True)
    assert answer.status_code == 200, answer.text
    assert answer.headers["apus-attempts"] == "2"
    assert "error" not in answer.text.replace("early-error", "").replace('"error":null', "")


LIFE = {"chat": ": ping\n\n", "messages": "event: ping\n", "responses": ":", "gemini": ":"}


@pytest.mark.parametrize("model", ["sap/anthropic--claude-4.5-sonnet", "sap/gpt-4.1"])
@pytest.mark.parametrize("name", FORMATS)
def test_signs_of_life(patient_gateway, providers, name, model):
    text = post(patient_gateway, name, model, "[slow] Hello", stream=True).text
    assert LIFE[name] in text
    quiet = "".join(line for line in text.splitlines(True) if not line.startswith(":"))
    assert quiet.lstrip("\n").startswith(("data: {", "event: "))


def test_signs_of_life_do_no_harm(patient_gateway, providers):
    with openai.OpenAI(base_url=patient_gateway.url, api_key=CLIENT_KEY, max_retries=0,
                       timeout=20) as client:
        chunks = client.chat.completions.create(
            model="sap/gpt-4.1", stream=True, messages=[{"role": "user", "content": "[slow]"}])
        text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
        assert text == "You said: [slow]"
        with client.responses.stream(model="sap/gpt-4.1", input="[slow]") as stream:
            list(stream)
            assert stream.get_final_response().output_text == "You said: [slow]"
    with anthropic.Anthropic(base_url=patient_gateway.origin, api_key=CLIENT_KEY, max_retries=0,
                             timeout=20) as client:
        with client.messages.stream(model="sap/gpt-4.1", max_tokens=100, messages=[
                {"role": "user", "content": "[slow]"}]) as stream:
            assert stream.get_final_text() == "You said: [slow]"


@pytest.mark.parametrize("model", ["sap/anthropic--claude-4.5-sonnet", "openai/gpt-4.1",
                                   "gemini/gemini-2.5-pro"])
@pytest.mark.parametrize("content", [
    b"", b"{", b"[]", b"null", b"7", b'{"model": "x"', b'{"a": \xff\xfe}',
    b'{"messages": ' + b"[" * 100_000, b'{"input": "\\ud800"}', b"{}" * 3,
], ids=["empty", "cut", "array", "null", "number", "open", "utf8", "deep", "surrogate", "twice"])
@pytest.mark.parametrize("name", FORMATS)
def test_broken_bodies(gateway, providers, name, content, model):
    begin = time.monotonic()
    answer = post(gateway, name, model, "", content=content)
    assert answer.status_code in (400, 404), answer.text
    error = answer.json()["error"]
    assert error["message"]
    if name == "messages":
        assert answer.json()["type"] == "error"
    elif name == "gemini":
        assert error["status"] in ("INVALID_ARGUMENT", "NOT_FOUND")
    else:
        assert {"message", "type", "param", "code"} == set(error)
    assert not providers.model_requests()
    assert time.monotonic() - begin < 2


@pytest.mark.parametrize("model", ["sap/anthropic--claude-4.5-sonnet", "sap/gpt-4.1",
                                   "gemini/gemini-2.5-pro"])
def test_large_images(gpt, model):
    size = 6 << 20
    url = "data:image/png;base64," + base64.b64encode(bytes(range(256)) * (size // 256)).decode()
    answer = gpt.chat.completions.create(model=model, messages=[{"role": "user", "content": [
        {"type": "text", "text": "Look"}, {"type": "image_url", "image_url": {"url": url}}]}])
    assert f"image/png of {size} bytes" in answer.choices[0].message.content


def test_many_streams_at_once(gpt):
    """Everybody gets their own words, whoever answers."""
    def ask(number):
        model = list(TARGETS.values())[number % len(TARGETS)]
        text = f"[drip] My number is {number}, and only {number}."
        chunks = gpt.chat.completions.create(
            model=model, stream=True, messages=[{"role": "user", "content": text}])
        return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices), text

    with ThreadPoolExecutor(24) as pool:
        for said, text in pool.map(ask, range(72)):
            assert said == f"You said: {text}"


def test_secrets_stay_out_of_the_log(gateway, gpt, providers):
    gpt.chat.completions.create(model="sap/gpt-4.1", messages=[
        {"role": "user", "content": "my private words"}])
    log = gateway.log.read_text(errors="replace")
    secrets = [CLIENT_KEY, "my private words", "eyJ.", *(
        account.secret for account in providers.routes.sap.accounts.values())]
    assert log
    assert not [secret for secret in secrets if secret in log]
