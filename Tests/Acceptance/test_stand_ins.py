# SPDX-License-Identifier: Apache-2.0
"""The vendors' SDKs straight at the stand-ins, without a gateway.

What a vendor's own client takes for its vendor is good enough to test a gateway with.
"""

import json

import anthropic
import boto3
import openai
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from google import genai
from providers import amazon, routes
from providers.model import SIGNATURE, THOUGHT

HELLO = [{"role": "user", "content": "Hello"}]
SAID = "You said: Hello"
CLAUDE = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
NOVA = "eu.amazon.nova-pro-v1:0"


def openai_client(providers):
    return openai.OpenAI(base_url=f"{providers.url}/v1", api_key=routes.OPENAI_KEY, max_retries=0)


def azure_client(providers):
    return openai.AzureOpenAI(azure_endpoint=providers.url, api_key=routes.AZURE_KEY,
                              api_version="2025-04-01-preview", max_retries=0)


@pytest.mark.parametrize("make", [openai_client, azure_client])
def test_openai(providers, make):
    with make(providers) as client:
        answer = client.chat.completions.create(model="gpt-4.1", messages=HELLO)
        assert answer.choices[0].message.content == SAID
        with client.chat.completions.stream(model="gpt-4.1", messages=HELLO) as stream:
            list(stream)
            assert stream.get_final_completion().choices[0].message.content == SAID
        assert client.responses.create(model="gpt-4.1", input="Hello").output_text == SAID
        with client.responses.stream(model="gpt-4.1", input="Hello") as stream:
            list(stream)
            assert stream.get_final_response().output_text == SAID
        with pytest.raises(openai.BadRequestError):
            client.chat.completions.create(model="gpt-5.4", messages=HELLO, max_tokens=5)


def test_anthropic(providers):
    with anthropic.Anthropic(base_url=providers.url, api_key=routes.ANTHROPIC_KEY,
                             max_retries=0) as client:
        more = {"model": "claude-sonnet-4-5", "max_tokens": 3000, "messages": HELLO,
                "thinking": {"type": "enabled", "budget_tokens": 2000}}
        with client.messages.stream(**more) as stream:
            final = stream.get_final_message()
        for answer in (client.messages.create(**more), final):
            thought, text = answer.content
            assert (thought.thinking, thought.signature) == ("".join(THOUGHT), SIGNATURE)
            assert text.text == SAID
        with pytest.raises(anthropic.BadRequestError):
            client.messages.create(**more, temperature=0.5)


def test_google(providers):
    options = genai.types.HttpOptions(base_url=providers.url, api_version="v1beta")
    with genai.Client(api_key=routes.GEMINI_KEY, http_options=options) as client:
        answer = client.models.generate_content(model="gemini-2.5-pro", contents="Hello")
        assert answer.text == SAID
        chunks = client.models.generate_content_stream(model="gemini-2.5-pro", contents="Hello")
        assert "".join(chunk.text or "" for chunk in chunks) == SAID


@pytest.fixture
def bedrock(providers):
    """Amazon's SDK signs as the gateway has to, and reads the binary events."""
    def client(secret=amazon.SECRET_KEY):
        return boto3.client(
            "bedrock-runtime", endpoint_url=providers.url, region_name=amazon.REGION,
            aws_access_key_id=amazon.ACCESS_KEY, aws_secret_access_key=secret,
            aws_session_token=amazon.SESSION_TOKEN, config=Config(retries={"max_attempts": 1}))
    return client


def test_bedrock_invoke(bedrock):
    body = json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 100,
                       "messages": HELLO})
    answer = bedrock().invoke_model(modelId=CLAUDE, body=body)
    assert json.loads(answer["body"].read())["content"][0]["text"] == SAID
    answer = bedrock().invoke_model_with_response_stream(modelId=CLAUDE, body=body)
    events = [json.loads(event["chunk"]["bytes"]) for event in answer["body"]]
    assert [events[0]["type"], events[-1]["type"]] == ["message_start", "message_stop"]


def test_bedrock_converse(bedrock):
    messages = [{"role": "user", "content": [{"text": "Hello"}]}]
    answer = bedrock().converse(modelId=NOVA, messages=messages)
    assert answer["output"]["message"]["content"][0]["text"] == SAID
    stream = bedrock().converse_stream(modelId=NOVA, messages=messages)["stream"]
    assert "".join(event["contentBlockDelta"]["delta"]["text"] for event in stream
                   if "contentBlockDelta" in event) == SAID


def test_bedrock_refuses_another_secret(bedrock):
    with pytest.raises(ClientError) as failure:
        bedrock("another").converse(modelId=NOVA, messages=[
            {"role": "user", "content": [{"text": "Hello"}]}])
    assert failure.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
