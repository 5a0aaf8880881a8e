# SPDX-License-Identifier: Apache-2.0
"""Which provider a path belongs to."""

import re
from urllib.parse import unquote

from . import amazon, chat, embeddings, gemini, messages, model
from .sap import AICore, gemini_stream, stored_responses
from .server import Answer, Stream
from .sse import stream

OPENAI_KEY = "sk-provider-openai"
AZURE_KEY = "azure-provider-key"
ANTHROPIC_KEY = "sk-ant-provider"
GEMINI_KEY = "AIza-provider"


class Routes:
    def __init__(self, server):
        self.sap = AICore(server)
        self._stored = {}

    async def answer(self, request):
        path = request.path
        if path == "/oauth/token":
            return await self.sap.token(request)
        if path.startswith("/v2/lm/"):
            return await self.sap.listing(request)
        if path.startswith("/v2/inference/"):
            return await self.sap.inference(request)
        if path.startswith("/model/"):
            return amazon.answer(request)
        if path.startswith("/v1beta/"):
            return self._gemini(request)
        if path.startswith("/openai/deployments/") or path.startswith("/openai/responses"):
            return self._azure(request)
        if path.startswith("/v1/messages"):
            return self._anthropic(request)
        if path.startswith("/v1/"):
            return self._openai(request)
        raise Answer({"error": {"message": f"no route: {request.target}"}}, 404)

    # MARK: OpenAI

    def _openai(self, request):
        if request.headers.get("authorization") != f"Bearer {OPENAI_KEY}":
            raise Answer(chat.error_body(401, "Incorrect API key provided: sk-pro**nai"), 401)
        return self._openai_like(request, request.path.removeprefix("/v1/"), "openai", None)

    def _azure(self, request):
        if request.headers.get("api-key") != AZURE_KEY:
            raise Answer({"error": {"code": "401", "message": "Access denied"}}, 401)
        if not request.query.get("api-version"):
            raise Answer({"error": {"code": "404", "message": "Resource not found"}}, 404)
        found = re.fullmatch(r"/openai/(?:deployments/([^/]+)/)?(.*)", request.path)
        return self._openai_like(request, found[2], "azure", found[1] and unquote(found[1]))

    def _openai_like(self, request, rest, place, deployment):
        is_azure = place == "azure"
        try:
            body = request.json if request.method == "POST" else {}
            name = deployment or body.get("model", "")
            if rest.startswith("responses"):
                return stored_responses(self._stored, place, name, request,
                                        rest.removeprefix("responses").strip("/"))
            if rest == "embeddings":
                return Answer(embeddings.openai(body, name))
            if rest == "completions":
                return self._completions(body, name)
            if rest != "chat/completions":
                raise Answer(chat.error_body(404, f"Unknown request URL: {rest}"), 404)
            if not name:
                raise model.Invalid("you must provide a model parameter", "model")
            reply = model.reply(chat.read(body, name))
        except model.Invalid as error:
            raise Answer(chat.error_body(400, str(error), error.param), 400) from None
        except model.Fault as fault:
            headers = {"retry-after": "1"} if fault.status == 429 else {}
            raise Answer(chat.error_body(fault.status, "limited or out of order"),
                         fault.status, headers) from None
        if not body.get("stream"):
            return Answer(chat.whole(reply, name, is_azure))
        usage = (body.get("stream_options") or {}).get("include_usage", False)
        return Stream(stream(reply, chat.events(reply, name, usage, is_azure), chat.ERROR))

    def _completions(self, body, name):
        text = f"You said: {body['prompt']}"
        choice = {"index": 0, "text": text, "finish_reason": "stop", "logprobs": None}
        return Answer({"id": "cmpl-1", "object": "text_completion", "created": 1, "model": name,
                       "choices": [choice], "usage": {"prompt_tokens": 3, "completion_tokens": 4,
                                                      "total_tokens": 7}})

    # MARK: Anthropic

    def _anthropic(self, request):
        # Anthropic's own SDK may send a key as Bearer.
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        if ANTHROPIC_KEY not in (request.headers.get("x-api-key"), bearer):
            raise Answer(messages.error_body(401, "invalid x-api-key"), 401)
        if request.headers.get("anthropic-version") != "2023-06-01":
            raise Answer(messages.error_body(400, "anthropic-version: header is required"), 400)
        try:
            body = request.json
            name = body.get("model")
            if not name:
                raise model.Invalid("model: Field required")
            if request.path == "/v1/messages/count_tokens":
                prompt = messages.read(body, name, allowed=messages.COUNT_MEMBERS)
                return Answer({"input_tokens": messages.count(prompt)})
            betas = request.headers.get("anthropic-beta", "").split(",")
            reply = model.reply(messages.read(body, name, betas=betas))
        except model.Invalid as error:
            raise Answer(messages.error_body(400, str(error)), 400) from None
        except model.Fault as fault:
            headers = {"retry-after": "1"} if fault.status == 429 else {}
            message = "Overloaded" if fault.status == 529 else "limited or out of order"
            raise Answer(messages.error_body(fault.status, message), fault.status,
                         headers) from None
        if not body.get("stream"):
            return Answer(messages.whole(reply, name), headers={"request-id": "req_upstream"})
        return Stream(stream(reply, messages.events(reply, name), messages.ERROR))

    # MARK: Gemini

    def _gemini(self, request):
        if request.headers.get("x-goog-api-key") != GEMINI_KEY:
            raise Answer(gemini.error_body(400, "API key not valid."), 400)
        found = re.fullmatch(r"/v1beta/models/([^:/]+):(\w+)", unquote(request.path))
        if not found:
            raise Answer(gemini.error_body(404, "not found"), 404)
        name, action = found.groups()
        try:
            body = request.json
            match action:
                case "embedContent":
                    return Answer(embeddings.gemini(body))
                case "batchEmbedContents":
                    return Answer(embeddings.gemini_batch(body, name))
                case "countTokens":
                    return Answer({"totalTokens": 12})
            reply = model.reply(gemini.read(body, name))
        except model.Invalid as error:
            raise Answer(gemini.error_body(400, str(error)), 400) from None
        except model.Fault as fault:
            status = 503 if fault.status == 529 else fault.status
            answer = Answer(gemini.error_body(status, "limited or out of order"), status)
            if status == 429:
                answer.headers["retry-after"] = "1"
            raise answer from None
        if action == "generateContent":
            return Answer(gemini.whole(reply, name))
        return gemini_stream(request, reply, name)
