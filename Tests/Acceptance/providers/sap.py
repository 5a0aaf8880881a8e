# SPDX-License-Identifier: Apache-2.0
"""SAP AI Core: tokens, deployments by resource group, and the models behind them."""

import base64
import itertools
import json
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote

from . import amazon, chat, converse, embeddings, gemini, messages, model, orchestration, responses
from .server import Answer, Stream
from .sse import Event, stream

TENANT = "99999999-8888-7777-6666-555555555555"


@dataclass
class Deployment:
    id: str
    model: str
    executable: str
    # Both spellings of the details occur; `configuration` leaves them out.
    spelling: str = "backendDetails"
    status: str = "RUNNING"
    # Answers with this status whatever is asked.
    broken: int = None
    created: str = "2026-03-01T08:00:00Z"


@dataclass
class Subaccount:
    name: str
    client_id: str
    secret: str
    groups: dict
    tokens: set = field(default_factory=set)
    token_requests: int = 0

    def service_key(self, url):
        return {"serviceurls": {"AI_API_URL": url}, "appname": "app!b1|aicore!b1",
                "clientid": self.client_id, "clientsecret": self.secret,
                "identityzone": self.name, "identityzoneid": TENANT, "url": url,
                "credential-type": "binding-secret"}


def deployments(prefix):
    """What an account runs, with ids of its own."""
    models = [
        ("gpt-4.1", "azure-openai"), ("gpt-5.4", "azure-openai"), ("o3-mini", "azure-openai"),
        ("gpt-5.3-codex", "azure-openai"), ("text-embedding-3-small", "azure-openai"),
        ("text-embedding-ada-002", "azure-openai"),
        ("anthropic--claude-4.5-sonnet", "aws-bedrock"),
        ("anthropic--claude-4.6-sonnet", "aws-bedrock"),
        ("anthropic--claude-4.8-opus", "aws-bedrock"), ("amazon--nova-pro", "aws-bedrock"),
        ("amazon--titan-embed-text", "aws-bedrock"), ("gemini-2.5-pro", "gcp-vertexai"),
        ("gemini-3.5-flash", "gcp-vertexai"), ("gemini-embedding", "gcp-vertexai"),
        ("mistralai--mistral-large-instruct", "aicore-mistralai"),
        ("nvidia--llama-3.2-nv-embedqa-1b", "aicore-nvidia"), ("sonar", "perplexity-ai"),
    ]
    spellings = itertools.cycle(["backendDetails", "backend_details", "configuration"])
    found = [Deployment(f"{prefix}{number:02x}", name, executable, next(spellings))
             for number, (name, executable) in enumerate(models)]
    return [*found, Deployment(f"{prefix}ff", None, "orchestration"),
            Deployment(f"{prefix}f0", "gpt-stopped", "azure-openai", status="STOPPED")]


def subaccounts():
    return [
        # Secrets and ids have what needs encoding, as SAP's really do.
        Subaccount("emea-a", "sb-1111!b1000|aicore!b100", "not-a-real-secret$abc=+&%",
                   {"default": deployments("d0a1b2c3d4e5f6")}),
        Subaccount("emea-b", "sb-2222!b1000|aicore!b100", "other$secret=:",
                   {"team-x": [Deployment("e0a1b2c3d4e5f601", "gpt-4.1", "azure-openai"),
                               Deployment("e0a1b2c3d4e5f602", "only-here", "azure-openai")]}),
        Subaccount("emea-c", "sb-4444!b1000|aicore!b100", "fourth",
                   {"default": [Deployment("a0a1b2c3d4e5f601", "gpt-4.1", "azure-openai")]}),
        # Every deployment of this one is out of order.
        Subaccount("broken", "sb-3333!b1000|aicore!b100", "third",
                   {"default": [Deployment("f0a1b2c3d4e5f601", "gpt-4.1", "azure-openai",
                                           broken=429)]}),
    ]


def api_error(status, message):
    return Answer({"error": {"code": "01041001", "message": message, "requestId": "r",
                             "target": "/v2/lm", "details": {}}}, status)


class AICore:
    def __init__(self, server):
        self._server = server
        self.accounts = {account.name: account for account in subaccounts()}
        self._serial = itertools.count(1)
        self._stored = {}

    # MARK: Tokens

    async def token(self, request):
        form = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
        basic = request.headers.get("authorization", "")
        if basic.startswith("Basic "):
            id, _, secret = base64.b64decode(basic[6:]).decode().partition(":")
        else:
            id, secret = form.get("client_id"), form.get("client_secret")
        grant = form.get("grant_type") or request.query.get("grant_type")
        if form and request.headers.get("content-type") != "application/x-www-form-urlencoded":
            raise Answer({"error": "unsupported media type"}, 415)
        for account in self.accounts.values():
            if (account.client_id, account.secret) == (id, secret):
                if grant != "client_credentials":
                    raise Answer({"error": "invalid_request"}, 400)
                token = f"eyJ.{account.name}.{next(self._serial)}"
                account.tokens.add(token)
                account.token_requests += 1
                return Answer({"access_token": token, "token_type": "bearer", "expires_in": 43199,
                               "scope": "aicore.x", "jti": "0f"})
        raise Answer({"error": "unauthorized", "error_description": "Bad credentials"}, 401)

    def revoke(self, name):
        """All tokens of an account end before their time."""
        self.accounts[name].tokens.clear()

    def _group(self, request):
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        group = request.headers.get("ai-resource-group")
        if not group:
            raise api_error(400, "Missing header AI-Resource-Group")
        for account in self.accounts.values():
            if token in account.tokens:
                if group not in account.groups:
                    raise api_error(403, "The resource group is not accessible")
                return account.groups[group]
        raise Answer({"error": {"message": "Jwt is expired"}}, 401)

    # MARK: Listings

    async def listing(self, request):
        found = self._group(request)
        if request.path.startswith("/v2/lm/configurations/"):
            id = request.path.rsplit("/", 1)[1].removeprefix("c-")
            deployment = next((d for d in found if d.id == id), None)
            if not deployment:
                raise api_error(404, "no such configuration")
            return Answer({"id": f"c-{id}", "name": "name", "executableId": deployment.executable,
                           "scenarioId": "foundation-models", "createdAt": deployment.created,
                           "inputArtifactBindings": [], "parameterBindings": [
                {"key": "modelName", "value": deployment.model},
                {"key": "modelVersion", "value": "latest"}]})
        if request.path != "/v2/lm/deployments":
            raise api_error(404, "not found")
        status = request.query.get("status")
        scenario = request.query.get("scenarioId")
        entries = [self._entry(d) for d in found if status in (None, d.status)]
        entries = [entry for entry in entries if scenario in (None, entry["scenarioId"])]
        return Answer({"count": len(entries), "resources": entries})

    def _entry(self, deployment):
        entry = {"id": deployment.id, "configurationId": f"c-{deployment.id}",
                 "configurationName": "name", "scenarioId": "foundation-models",
                 "executableId": deployment.executable, "status": deployment.status,
                 "targetStatus": "RUNNING", "lastOperation": "CREATE",
                 "createdAt": deployment.created, "modifiedAt": deployment.created,
                 "deploymentUrl": f"{self._server.url}/v2/inference/deployments/{deployment.id}",
                 "details": {}}
        if deployment.model is None:
            entry["scenarioId"] = "orchestration"
        elif deployment.spelling != "configuration":
            entry["details"] = {"resources": {deployment.spelling: {
                "model": {"name": deployment.model, "version": "latest"}}}, "scaling": {}}
        return entry

    # MARK: Models

    async def inference(self, request):
        found = self._group(request)
        id, rest = re.fullmatch(r"/v2/inference/deployments/([^/]+)/(.*)", request.path).groups()
        deployment = next((d for d in found if d.id == id and d.status == "RUNNING"), None)
        if not deployment:
            raise api_error(404, f"no deployment {id}")
        if deployment.broken:
            raise Answer({"errors": {"message": "request was rate limited by AI Core"}},
                         deployment.broken, {"retry-after": "7"})
        style = self._style(deployment, rest)
        try:
            return style(request, deployment, rest)
        except model.Invalid as error:
            raise self._refusal(style, 400, str(error), error.param) from None
        except model.Fault as fault:
            headers = {"retry-after": "1"} if fault.status == 429 else {}
            refusal = self._refusal(style, fault.status, "rate limited or out of order")
            refusal.headers.update(headers)
            raise refusal from None

    def _style(self, deployment, rest):
        if deployment.model is None:
            return self._orchestration
        match deployment.executable:
            case "azure-openai": return self._azure
            case "aws-bedrock": return self._bedrock
            case "gcp-vertexai": return self._vertex
        return self._open_source

    def _refusal(self, style, status, message, param=None):
        if style == self._vertex:
            return Answer(gemini.error_body(status, message), status)
        if style == self._bedrock:
            return Answer({"message": message}, status)
        if style == self._orchestration:
            return Answer(orchestration.error_body(status, message), status)
        return Answer(chat.error_body(status, message, param), status)

    def _azure(self, request, deployment, rest):
        name = deployment.model
        if rest.startswith("responses"):
            return self._responses(request, deployment, rest)
        version = request.query.get("api-version", "")
        if not re.fullmatch(r"20\d\d-\d\d-\d\d(-preview)?", version) or version < "2024-06-01":
            raise Answer({"error": {"code": "404", "message": "Resource not found"}}, 404)
        if rest == "embeddings":
            return Answer(embeddings.openai(request.json, name))
        if rest != "chat/completions" or "codex" in name:
            raise Answer({"error": {"code": "OperationNotSupported", "message":
                                    f"The {rest} operation does not work with {name}"}}, 400)
        body = request.json
        reply = model.reply(chat.read(body, name, chat.SAP_MEMBERS))
        if not body.get("stream"):
            return Answer(chat.whole(reply, name, is_azure=True))
        usage = (body.get("stream_options") or {}).get("include_usage", False)
        return Stream(stream(reply, chat.events(reply, name, usage, is_azure=True), chat.ERROR))

    def _responses(self, request, deployment, rest):
        return stored_responses(self._stored, deployment.id, deployment.model, request,
                                rest.removeprefix("responses").strip("/"), is_sap=True)

    def _open_source(self, request, deployment, rest):
        body = request.json
        if "api-version" in request.query:
            raise Answer({"error": "unexpected api-version"}, 400)
        if rest == "embeddings":
            return Answer(embeddings.nvidia(body, deployment.model))
        if rest != "chat/completions":
            raise api_error(404, "not found")
        if body.get("model") != deployment.model:
            raise Answer({"object": "error", "message": "model: Field required"}, 400)
        reply = model.reply(chat.read(body, deployment.model))
        if not body.get("stream"):
            return Answer(chat.whole(reply, deployment.model))
        usage = (body.get("stream_options") or {}).get("include_usage", False)
        return Stream(stream(reply, chat.events(reply, deployment.model, usage), chat.ERROR))

    def _bedrock(self, request, deployment, rest):
        name, body = deployment.model, request.json
        if "titan-embed" in name:
            if rest != "invoke":
                raise api_error(404, "not found")
            return Answer(embeddings.titan(body))
        if rest in ("invoke", "invoke-with-response-stream"):
            if "claude" not in name:
                raise Answer({"message": "Malformed input request"}, 400)
            reply = model.reply(messages.read(body, name, is_bedrock=True))
            if rest == "invoke":
                return Answer(messages.whole(reply, name))
            if amazon.BINARY in request.headers.get("accept", ""):
                return Stream(stream(reply, messages.events(reply, name, True), converse.ERROR,
                                     amazon.chunk), amazon.BINARY)
            # AI Core unwraps Amazon's framing and leaves no event names.
            events = (Event(event.data, None, event.is_content)
                      for event in messages.events(reply, name, True))
            error = Event({"type": "error", "error": {"type": "overloaded_error",
                                                      "message": "Overloaded"}})
            return Stream(stream(reply, events, error))
        if rest not in ("converse", "converse-stream"):
            raise api_error(404, "not found")
        reply = model.reply(converse.read(body, name))
        if rest == "converse":
            return Answer(converse.whole(reply, name))
        is_binary = amazon.BINARY in request.headers.get("accept", "")
        encode, kind = ((amazon.plain, amazon.BINARY) if is_binary
                        else (converse.as_python, "text/event-stream"))
        return Stream(stream(reply, converse.events(reply, name), converse.ERROR, encode), kind)

    def _vertex(self, request, deployment, rest):
        name, action = re.fullmatch(r"models/([^:]+):(\w+)", unquote(rest)).groups()
        body = request.json
        if deployment.model == "gemini-embedding":
            if name != "gemini-embedding-001":
                raise Answer(gemini.error_body(404, f"no model {name}"), 404)
            if action == "predict":
                return Answer(embeddings.predict(body))
            return Answer(embeddings.gemini(body))
        if name != deployment.model:
            raise Answer(gemini.error_body(404, f"no model {name}"), 404)
        reply = model.reply(gemini.read(body, name, is_vertex=True))
        if action == "generateContent":
            return Answer(gemini.whole(reply, name))
        return gemini_stream(request, reply, name)

    def _orchestration(self, request, deployment, rest):
        if rest == "v2/embeddings":
            return Answer(embeddings.orchestration(request.json))
        if rest != "v2/completion":
            raise api_error(404, "not found")
        prompt, name, is_stream = orchestration.read(request.json)
        reply = model.reply(prompt)
        if not is_stream:
            return Answer(orchestration.whole(reply, name))
        return Stream(stream(reply, orchestration.events(reply, name), orchestration.ERROR))


def gemini_stream(request, reply, name):
    """Events, or one array when `alt=sse` is not there."""
    if request.query.get("alt") == "sse":
        return Stream(stream(reply, gemini.events(reply, name), gemini.ERROR))

    async def array():
        start = b"["
        async for text in stream(reply, gemini.events(reply, name), gemini.ERROR,
                                 lambda event: json.dumps(event.data, indent=1).encode()):
            yield start + text
            start = b",\r\n"
        yield b"]"
    return Stream(array(), "application/json")


_response_ids = itertools.count(1)


def stored_responses(store, place, name, request, id, is_sap=False):
    """Responses that are kept where they were made."""
    if request.method in ("GET", "DELETE"):
        if (place, id) not in store:
            raise Answer(chat.error_body(404, f"Response with id '{id}' not found."), 404)
        if request.method == "DELETE":
            del store[place, id]
            return Answer({"id": id, "object": "response", "deleted": True})
        return Answer(store[place, id])
    body = request.json
    if id == "compact":
        if "max_output_tokens" in body:
            raise Answer(chat.error_body(400, "Unknown parameter: 'max_output_tokens'."), 400)
        return Answer({"id": "resp_c", "object": "response.compaction", "created_at": 1772000000,
                       "output": [{"id": "cmp_1", "type": "compaction", "encrypted_content": "x"}],
                       "usage": {"input_tokens": 9, "output_tokens": 2, "total_tokens": 11}})
    previous = body.get("previous_response_id")
    calls = []
    if previous is not None:
        if (place, previous) not in store:
            raise model.Invalid(f"Previous response with id '{previous}' not found.",
                                "previous_response_id")
        calls = [item["call_id"] for item in store[place, previous]["output"]
                 if item["type"] == "function_call"]
    reply = model.reply(responses.read(body, name, is_sap, calls))
    id = f"resp_{next(_response_ids):08x}"
    response = responses.whole(reply, name, id, body)
    if body.get("store", True):
        store[place, id] = response
    if body.get("stream"):
        return Stream(stream(reply, responses.events(reply, response), responses.ERROR))
    return Answer(response)
