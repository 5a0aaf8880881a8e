# SPDX-License-Identifier: Apache-2.0
"""OpenAI's SDK beside chat: embeddings, completions, models, Azure's client, plain routes."""

import json

import httpx2
import openai
import pytest
from providers.embeddings import vector
from scenes import SCHEMA, TARGETS, UNICODE_MARK
from servers import CLIENT_KEY

EMBEDDERS = {
    "sap-openai": "sap/text-embedding-3-small", "sap-ada": "sap/text-embedding-ada-002",
    "sap-titan": "sap/amazon--titan-embed-text", "sap-gemini": "sap/gemini-embedding",
    "sap-nvidia": "sap/nvidia--llama-3.2-nv-embedqa-1b", "openai": "openai/text-embedding-3-small",
    "azure": "azure/text-embedding-3-small", "gemini": "gemini/gemini-embedding-001",
    "bedrock": "bedrock/amazon.titan-embed-text-v2:0",
    "orchestration": "orchestration/text-embedding-3-small",
}
SIZED = [name for name in EMBEDDERS if name not in ("sap-ada", "sap-nvidia")]


@pytest.fixture(params=EMBEDDERS)
def embedder(request):
    return EMBEDDERS[request.param]


@pytest.mark.parametrize("form", [None, "float", "base64"])
def test_embeddings(gpt, embedder, form):
    """The SDK asks for base64 when nobody says otherwise."""
    more = {} if form is None else {"encoding_format": form}
    answer = gpt.embeddings.create(model=embedder, input=["alpha", "beta", UNICODE_MARK], **more)
    assert [item.index for item in answer.data] == [0, 1, 2]
    values = [item.embedding for item in answer.data]
    if form == "base64":
        assert all(isinstance(value, str) for value in values)
    else:
        assert values == [vector(text, 8) for text in ("alpha", "beta", UNICODE_MARK)]
    assert answer.object == "list"
    assert answer.usage.total_tokens >= answer.usage.prompt_tokens >= 0


def test_embedding_of_one_text(gpt, embedder):
    answer = gpt.embeddings.create(model=embedder, input="alpha")
    assert answer.data[0].embedding == vector("alpha", 8)


@pytest.mark.parametrize("name", SIZED)
def test_dimensions(gpt, name):
    answer = gpt.embeddings.create(model=EMBEDDERS[name], input=["a", "b"], dimensions=256)
    assert [len(item.embedding) for item in answer.data] == [256, 256]


def test_embeddings_of_tokens(gpt):
    answer = gpt.embeddings.create(model="sap/text-embedding-3-small", input=[[1, 2], [3]])
    assert answer.data[1].embedding == vector([3], 8)
    with pytest.raises(openai.BadRequestError):
        gpt.embeddings.create(model="sap/amazon--titan-embed-text", input=[[1, 2], [3]])


def test_many_embeddings(gpt, embedder):
    texts = [f"text {number}" for number in range(70)]
    answer = gpt.embeddings.create(model=embedder, input=texts)
    assert [item.embedding for item in answer.data] == [vector(text, 8) for text in texts]


def test_embeddings_of_a_model_without(gpt):
    for model in ("sap/gpt-4.1", "anthropic/claude-sonnet-4-5"):
        with pytest.raises(openai.APIStatusError) as failure:
            gpt.embeddings.create(model=model, input="alpha")
        assert 400 <= failure.value.status_code < 500


def test_bad_embeddings(gpt, embedder):
    for input in ("", []):
        with pytest.raises(openai.BadRequestError):
            gpt.embeddings.create(model=embedder, input=input)


# MARK: Completions


@pytest.mark.parametrize("name", TARGETS)
def test_completions(gpt, name):
    answer = gpt.completions.create(model=TARGETS[name], prompt="Hello", max_tokens=50)
    assert answer.object == "text_completion"
    assert answer.choices[0].text == "You said: Hello"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens > 0


@pytest.mark.parametrize("name", [name for name in TARGETS
                                  if name not in ("openai", "azure", "compatible")])
def test_completions_streamed(gpt, name):
    pieces = list(gpt.completions.create(model=TARGETS[name], prompt="Hello", stream=True))
    assert "".join(piece.choices[0].text for piece in pieces if piece.choices) == "You said: Hello"
    assert len({piece.id for piece in pieces}) == 1


# MARK: Models


def test_models(gpt):
    models = {model.id: model for model in gpt.models.list()}
    for name in ("claude-sonnet-4-5", "fallback", "sap/gpt-4.1", "sap/anthropic--claude-4.5-sonnet",
                 "sap-b/only-here"):
        assert name in models, sorted(models)
        assert models[name].object == "model"
        assert models[name].owned_by
        assert gpt.models.retrieve(name).id == name
    assert "sap/gpt-stopped" not in models
    assert len(models) == len(list(gpt.models.list()))
    with pytest.raises(openai.NotFoundError):
        gpt.models.retrieve("no-such-model")


# MARK: Azure


@pytest.fixture
def azure(gateway, providers):
    with openai.AzureOpenAI(azure_endpoint=gateway.origin, api_key=CLIENT_KEY, max_retries=0,
                            api_version="2024-12-01-preview", timeout=20) as client:
        yield client


@pytest.mark.parametrize("model", ["claude-sonnet-4-5", "sap/gpt-4.1", "gemini/gemini-2.5-flash",
                                   "azure/gpt-4.1"])
def test_azure_client(azure, model):
    """The path names the model, the key comes as `api-key`."""
    hello = [{"role": "user", "content": "Hello"}]
    answer = azure.chat.completions.create(model=model, messages=hello)
    assert answer.choices[0].message.content == "You said: Hello"
    chunks = azure.chat.completions.create(model=model, messages=hello, stream=True)
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == "You said: Hello"


def test_azure_client_elsewhere(azure):
    answer = azure.embeddings.create(model="sap/text-embedding-3-small", input=["alpha"])
    assert answer.data[0].embedding == vector("alpha", 8)
    answer = azure.completions.create(model="claude-sonnet-4-5", prompt="Hello")
    assert answer.choices[0].text == "You said: Hello"
    with pytest.raises(openai.NotFoundError):
        azure.completions.create(model="no-such-model", prompt="Hello")


def test_azure_client_responses(azure):
    answer = azure.responses.create(model="sap/gpt-4.1", input="Hello")
    assert answer.output_text == "You said: Hello"


# MARK: Plain routes and other clients


def lines(gateway, body):
    headers = {"authorization": f"Bearer {CLIENT_KEY}"}
    with httpx2.stream("POST", f"{gateway.origin}/chat/stream", json=body, headers=headers,
                       timeout=20) as answer:
        return answer.status_code, answer.headers, answer.read().decode()


@pytest.mark.parametrize("name", [None, *TARGETS])
def test_plain_stream(gateway, providers, name):
    body = {"messages": [{"role": "user", "content": "Hello"}], "temperature": 0.5,
            "max_tokens": 100}
    if name:
        body["model"] = TARGETS[name]
    status, headers, text = lines(gateway, body)
    assert status == 200
    assert headers["content-type"].startswith("text/event-stream")
    chunks = [json.loads(line[6:]) for line in text.splitlines()
              if line.startswith("data: {")]
    said = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks
                   if chunk["choices"])
    assert said == "You said: Hello"
    assert text.count("[DONE]") == 1 and text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("body, name", [
    ({}, "messages"), ({"messages": "x"}, "messages"),
    ({"messages": [{"role": "user", "content": "x"}], "temperature": "x"}, "temperature"),
    ({"messages": [{"role": "user", "content": "x"}], "max_tokens": "x"}, "max_tokens"),
    ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": "x"}], "model": 5}, "model"),
])
def test_plain_stream_refuses_other_types(gateway, providers, body, name):
    status, _, text = lines(gateway, body)
    assert status == 400
    assert name in json.dumps(json.loads(text), ensure_ascii=False)


# As Cursor writes: extra members of its own, tools without a wrapper of types, text in parts with
# cache marks, an empty assistant text beside calls.
CURSOR = {
    "temperature": 0, "stream": True, "stream_options": {"include_usage": True},
    "user": "cursor|user", "parallel_tool_calls": True,
    "messages": [
        {"role": "system", "content": [{"type": "text", "text": "You are an agent in Cursor.",
                                        "cache_control": {"type": "ephemeral"}}]},
        {"role": "user", "content": [{"type": "text", "text": "<user_info>Linux</user_info>"}]},
        {"role": "user", "content": "Fix it", "name": "ada"},
        {"role": "assistant", "content": "", "tool_calls": [
            {"id": "call_1", "type": "function", "index": 0,
             "function": {"name": "read_file", "arguments": "{\"path\":\"a.py\"}"}}]},
        {"role": "tool", "tool_call_id": "call_1", "name": "read_file", "content": ""},
        {"role": "user", "content": [{"type": "text", "text": "Go on"}]}],
    "tools": [{"type": "function", "function": {
        "name": "read_file", "description": "Reads", "strict": False,
        "parameters": {**SCHEMA, "$schema": "http://json-schema.org/draft-07/schema#"}}}],
    "tool_choice": "auto",
}


@pytest.mark.parametrize("name", ["sap-claude", "sap-gemini", "anthropic", "gemini", "bedrock"])
def test_request_of_cursor(gpt, name):
    stream = gpt.post("/chat/completions", body={**CURSOR, "model": TARGETS[name]}, stream=True,
                      cast_to=object,
                      stream_cls=openai.Stream[openai.types.chat.ChatCompletionChunk])
    chunks = list(stream)
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert "Go on" in text or "The tool said" in text
    assert chunks[-1].usage.total_tokens > 0
