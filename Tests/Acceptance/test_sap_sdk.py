# SPDX-License-Identifier: Apache-2.0
"""SAP's own SDK against the stand-in, and the gateway's requests beside the SDK's.

That SAP's client gets along with the stand-in is what makes the other tests worth something.
"""

import json

import openai
import pytest
from gen_ai_hub.orchestration_v2.models.config import ModuleConfig, OrchestrationConfig
from gen_ai_hub.orchestration_v2.models.llm_model_details import LLMModelDetails
from gen_ai_hub.orchestration_v2.models.message import UserMessage
from gen_ai_hub.orchestration_v2.models.streaming import GlobalStreamOptions
from gen_ai_hub.orchestration_v2.models.template import PromptTemplatingModuleConfig, Template
from gen_ai_hub.orchestration_v2.service import OrchestrationService
from gen_ai_hub.proxy.gen_ai_hub_proxy.client import GenAIHubProxyClient
from gen_ai_hub.proxy.native.amazon.clients import Session
from gen_ai_hub.proxy.native.google_genai.clients import Client as Google
from gen_ai_hub.proxy.native.openai import OpenAI
from providers.embeddings import vector

HELLO = [{"role": "user", "content": "Hello"}]
CLAUDE = json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 100,
                     "messages": HELLO})
SAID = "You said: Hello"


@pytest.fixture(scope="module")
def hub(all_of_them):
    account = all_of_them.routes.sap.accounts["emea-a"]
    return GenAIHubProxyClient(
        base_url=f"{all_of_them.url}/v2", auth_url=f"{all_of_them.url}/oauth/token",
        client_id=account.client_id, client_secret=account.secret, resource_group="default")


def bedrock(hub, model):
    return Session().client(model_name=model, proxy_client=hub)


def chat(hub, stream=False):
    client = OpenAI(proxy_client=hub)
    answer = client.chat.completions.create(model_name="gpt-4.1", messages=HELLO, stream=stream)
    if not stream:
        return answer.choices[0].message.content
    return "".join(c.choices[0].delta.content or "" for c in answer if c.choices)


def responses(hub):
    return OpenAI(proxy_client=hub).responses.create(model="gpt-4.1", input="Hello").output_text


def invoke(hub):
    answer = bedrock(hub, "anthropic--claude-4.5-sonnet").invoke_model(body=CLAUDE)
    return json.loads(answer["body"].read())["content"][0]["text"]


def invoke_stream(hub):
    client = bedrock(hub, "anthropic--claude-4.5-sonnet")
    body = client.invoke_model_with_response_stream(body=CLAUDE)["body"]
    events = [json.loads(event["chunk"]["bytes"]) for event in body]
    return "".join(event["delta"].get("text", "") for event in events
                   if event["type"] == "content_block_delta")


CONVERSE = [{"role": "user", "content": [{"text": "Hello"}]}]


def converse(hub):
    answer = bedrock(hub, "amazon--nova-pro").converse(messages=CONVERSE)
    return answer["output"]["message"]["content"][0]["text"]


def converse_stream(hub):
    answer = bedrock(hub, "amazon--nova-pro").converse_stream(messages=CONVERSE)
    return "".join(event["contentBlockDelta"]["delta"]["text"] for event in answer["stream"]
                   if "contentBlockDelta" in event)


def gemini(hub):
    client = Google(proxy_client=hub)
    return client.models.generate_content(model="gemini-2.5-pro", contents="Hello").text


def gemini_stream(hub):
    client = Google(proxy_client=hub)
    return "".join(chunk.text or "" for chunk in client.models.generate_content_stream(
        model="gemini-2.5-pro", contents="Hello"))


def orchestration(hub, stream=False):
    template = Template(template=[UserMessage(content="Hello")])
    modules = ModuleConfig(prompt_templating=PromptTemplatingModuleConfig(
        prompt=template, model=LLMModelDetails(name="gpt-4.1")))
    config = OrchestrationConfig(modules=modules, stream=GlobalStreamOptions(enabled=stream))
    service = OrchestrationService(proxy_client=hub, config=config)
    if not stream:
        return service.run().final_result.choices[0].message.content
    return "".join(choice.delta.content or "" for chunk in service.stream()
                   for choice in chunk.final_result.choices)


# What the SDK does, and the gateway's model and stream for the same request.
SAME = {
    "chat": (chat, "sap/gpt-4.1", False),
    "chat-stream": (lambda hub: chat(hub, True), "sap/gpt-4.1", True),
    "invoke": (invoke, "sap/anthropic--claude-4.5-sonnet", False),
    "invoke-stream": (invoke_stream, "sap/anthropic--claude-4.5-sonnet", True),
    "converse": (converse, "sap/amazon--nova-pro", False),
    "converse-stream": (converse_stream, "sap/amazon--nova-pro", True),
    "gemini": (gemini, "sap/gemini-2.5-pro", False),
    "gemini-stream": (gemini_stream, "sap/gemini-2.5-pro", True),
    "orchestration": (orchestration, "orchestration/gpt-4.1", False),
    "orchestration-stream": (lambda hub: orchestration(hub, True), "orchestration/gpt-4.1", True),
}


@pytest.mark.parametrize("name", SAME)
def test_same_request_as_the_sdk(hub, gpt, providers, name):
    ask, model, stream = SAME[name]
    assert ask(hub) == SAID
    theirs = providers.model_requests()[-1]
    answer = gpt.chat.completions.create(model=model, messages=HELLO, stream=stream)
    text = ("".join(c.choices[0].delta.content or "" for c in answer if c.choices) if stream
            else answer.choices[0].message.content)
    assert text == SAID
    ours = providers.model_requests()[-1]
    assert (ours.method, ours.path) == (theirs.method, theirs.path)
    assert ours.query.get("alt") == theirs.query.get("alt")
    for field in ("ai-resource-group", "content-type"):
        assert ours.headers[field] == theirs.headers.get(field, ours.headers[field])
    for field in ("ai-client-type", "authorization"):
        assert ours.headers[field] and theirs.headers[field]


def test_responses(hub, gpt, providers):
    assert responses(hub) == SAID
    theirs = providers.last("/responses")
    assert gpt.responses.create(model="sap/gpt-4.1", input="Hello").output_text == SAID
    assert providers.last("/responses").target == theirs.target


def test_embeddings(hub, gpt, providers):
    answer = OpenAI(proxy_client=hub).embeddings.create(model_name="text-embedding-3-small",
                                                        input="alpha")
    assert answer.data[0].embedding == vector("alpha", 8)
    theirs = providers.last("/embeddings")
    answer = gpt.embeddings.create(model="sap/text-embedding-3-small", input="alpha")
    assert answer.data[0].embedding == vector("alpha", 8)
    ours = providers.last("/embeddings")
    assert ours.path == theirs.path
    assert ours.json["encoding_format"] == theirs.json["encoding_format"]


def test_stand_in_refuses_what_sap_refuses(hub, providers):
    with pytest.raises(openai.BadRequestError) as failure:
        OpenAI(proxy_client=hub).chat.completions.create(
            model_name="gpt-4.1", messages=HELLO, extra_body={"beta": True})
    assert "Unknown parameter: 'beta'" in str(failure.value)
