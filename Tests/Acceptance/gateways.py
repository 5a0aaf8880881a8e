# SPDX-License-Identifier: Apache-2.0
"""Configurations of the gateways under test."""

from providers import amazon, routes
from servers import LITELLM_KEY, free_port


def demo(litellm=None):
    """The demo model and, when given, LiteLLM behind it."""
    upstreams = {
        "demo": {"kind": "demo"},
        # Nothing listens there.
        "nowhere": {"kind": "openai", "base_url": f"http://127.0.0.1:{free_port()}/v1",
                    "api_key": "sk-unused"},
    }
    models = {"short-name": {"targets": [{"upstream": "demo", "model": "echo"}]}}
    if litellm:
        upstreams["litellm"] = {"kind": "openai", "api_key": LITELLM_KEY,
                                "base_url": f"http://127.0.0.1:{litellm.port}/v1"}
        models["lite"] = {"targets": [{"upstream": "litellm", "model": "plain"}]}
    # One try each: what the upstream did is seen as it was.
    return {"upstreams": upstreams, "models": models, "retries": {"tries_per_target": 1}}


def upstreams(providers):
    """Every kind of upstream, all of them stand-ins."""
    accounts = providers.routes.sap.accounts
    url = providers.url

    def sap(name, **more):
        return {"kind": "sap-ai-core", "service_key": accounts[name].service_key(url), **more}

    return {
        "openai": {"kind": "openai", "base_url": f"{url}/v1", "api_key": routes.OPENAI_KEY,
                   "responses": "native"},
        "compatible": {"kind": "openai", "base_url": f"{url}/v1", "api_key": routes.OPENAI_KEY},
        "azure": {"kind": "azure-openai", "base_url": url, "api_key": routes.AZURE_KEY},
        "anthropic": {"kind": "anthropic", "base_url": url, "api_key": routes.ANTHROPIC_KEY},
        "gemini": {"kind": "gemini", "base_url": url, "api_key": routes.GEMINI_KEY},
        "bedrock": {"kind": "bedrock", "base_url": url, "region": amazon.REGION,
                    "access_key_id": amazon.ACCESS_KEY,
                    "secret_access_key": amazon.SECRET_KEY,
                    "session_token": amazon.SESSION_TOKEN},
        "sap": sap("emea-a", token_request="basic"),
        "sap-b": sap("emea-b", token_request="form", resource_group="team-x"),
        "sap-c": sap("emea-c"),
        "sap-broken": sap("broken", token_request="query"),
        "orchestration": sap("emea-a", orchestration="on"),
        # The key is another one there.
        "locked": {"kind": "openai", "base_url": f"{url}/v1", "api_key": "sk-wrong-secret"},
        "nowhere": {"kind": "openai", "base_url": f"http://127.0.0.1:{free_port()}/v1"},
    }


def all_providers(providers):
    def targets(*names, **more):
        return {"targets": [dict(zip(("upstream", "model"), name.split("/", 1))) for name in names],
                **more}

    return {
        "upstreams": upstreams(providers),
        "models": {
            "claude-sonnet-4-5": targets("sap/anthropic--claude-4.5-sonnet"),
            "claude-sonnet-4-6": targets("sap/anthropic--claude-4.6-sonnet"),
            "converse-claude": {"targets": [{"upstream": "sap", "api": "converse",
                                             "model": "anthropic--claude-4.5-sonnet"}]},
            "two-accounts": targets("sap-broken/gpt-4.1", "sap-b/gpt-4.1", balance="ordered"),
            "fallback": targets("sap-broken/gpt-4.1", fallbacks=["anthropic/claude-sonnet-4-5"]),
            "strict-claude": targets("anthropic/claude-sonnet-4-5", strict=True),
            "retried": targets("openai/gpt-4.1", "anthropic/claude-sonnet-4-5", balance="ordered"),
        },
        "default_model": "sap/gpt-4.1",
        "retries": {"tries_per_target": 1, "backoff": "10ms"},
    }


def patient(providers):
    """Tries twice, and shows signs of life early."""
    config = all_providers(providers)
    return {**config, "retries": {"tries_per_target": 2, "backoff": "10ms"},
            "streams": {"keepalive": "100ms"}}
