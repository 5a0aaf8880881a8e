# SPDX-License-Identifier: Apache-2.0
"""`apus import sap-proxy`: an imported configuration serves the same names."""

import json
import os
import subprocess
from pathlib import Path

import anthropic
import httpx2
import openai
import pytest
from servers import Apus, free_port

TOKEN = "local-secret-1"
HELLO = [{"role": "user", "content": "Hello"}]


def deployment(providers, id):
    return f"{providers.url}/v2/inference/deployments/{id}"


def with_subaccounts(providers, port):
    """The later format: several accounts, ids beside URLs, filters."""
    return {
        "subAccounts": {
            "emea-a": {
                "resource_group": "default", "service_key_json": "keys/emea-a.json",
                "deployment_models": {
                    "gpt-4.1": [deployment(providers, "d0a1b2c3d4e5f600") + "/"],
                    "4.5-sonnet": [deployment(providers, "d0a1b2c3d4e5f606")],
                    "gemini-2.5-pro": [deployment(providers, "d0a1b2c3d4e5f60b")],
                    "left-out-test": [deployment(providers, "d0a1b2c3d4e5f600")]},
                "deployment_ids": {"gpt-5": ["d0a1b2c3d4e5f601"]}},
            "emea-b": {"resource_group": "team-x", "service_key_json": "keys/emea-b.json",
                       "deployment_models": {"gpt-4.1": [deployment(providers,
                                                                    "e0a1b2c3d4e5f601")]}}},
        "model_filters": {"exclude_filters": ["-test$"]},
        "secret_authentication_tokens": [TOKEN, "local-secret-2"],
        "host": "127.0.0.1", "port": port}


def flat(providers, port):
    """The first format: one account at the top."""
    return {
        "service_key_json": "keys/emea-a.json", "resource_group": "default",
        "deployment_models": {
            "gpt-4.1": [deployment(providers, "d0a1b2c3d4e5f600")],
            "gpt-5": [deployment(providers, "d0a1b2c3d4e5f601")],
            "4.5-sonnet": [deployment(providers, "d0a1b2c3d4e5f606") + "?x=1#y"],
            "gemini-2.5-pro": [deployment(providers, "d0a1b2c3d4e5f60b")]},
        "secret_authentication_tokens": [TOKEN], "host": "127.0.0.1", "port": port}


class Imported(Apus):
    """A gateway that runs on what `apus import` wrote."""

    def __init__(self, directory, providers, form):
        self.port, self.status_port = free_port(), free_port()
        keys = directory / "keys"
        keys.mkdir()
        for account in providers.routes.sap.accounts.values():
            key = json.dumps(account.service_key(providers.url))
            (keys / f"{account.name}.json").write_text(key)
        source = directory / "config.json"
        source.write_text(json.dumps(form(providers, self.port)))
        program = Path(os.environ["APUS_BINARIES"]) / "apus"
        done = subprocess.run([program, "import", "sap-proxy", source], cwd=directory, timeout=10,
                              capture_output=True, text=True)
        self.warnings = done.stderr
        assert done.returncode == 0, done.stderr
        assert TOKEN not in done.stdout
        path = directory / "apus.json"
        path.write_text(done.stdout)
        checked = subprocess.run([program, "check", "--config", path], cwd=directory, timeout=10,
                                 capture_output=True, text=True)
        assert checked.returncode == 0, checked.stderr
        # The status address alone is changed: other gateways run beside this one.
        self._start(directory, path, ["--status", f"127.0.0.1:{self.status_port}"])


@pytest.fixture(scope="module", params=[with_subaccounts, flat],
                ids=["subaccounts", "flat"])
def imported(request, tmp_path_factory, all_of_them):
    server = Imported(tmp_path_factory.mktemp("imported"), all_of_them, request.param)
    yield server
    assert server.stop() == 0


@pytest.fixture
def client(imported, providers):
    with openai.OpenAI(base_url=imported.url, api_key=TOKEN, max_retries=0,
                       timeout=20) as client:
        yield client


# Pinned names, and one that only discovery finds.
@pytest.mark.parametrize("name", ["gpt-4.1", "gpt-5", "4.5-sonnet", "gemini-2.5-pro",
                                  "anthropic--claude-4.6-sonnet"])
def test_names_answer(client, name):
    answer = client.chat.completions.create(model=name, messages=HELLO)
    assert answer.choices[0].message.content == "You said: Hello"
    assert name in {model.id for model in client.models.list()}


def test_messages_with_the_same_names(imported, providers):
    with anthropic.Anthropic(base_url=imported.origin, auth_token=TOKEN, api_key=None,
                             max_retries=0, timeout=20) as client:
        for name in ("4.5-sonnet", "claude-sonnet-4-5-20250929", "gpt-4.1"):
            answer = client.messages.create(model=name, max_tokens=100, messages=HELLO)
            assert answer.content[0].text == "You said: Hello"


def test_pinned_deployments_are_asked(client, providers):
    client.chat.completions.create(model="4.5-sonnet", messages=HELLO)
    assert "/deployments/d0a1b2c3d4e5f606/invoke" in providers.last().path


def test_accounts_take_turns(client, imported, providers):
    groups = set()
    for _ in range(20):
        client.chat.completions.create(model="gpt-4.1", messages=HELLO)
        groups.add(providers.last().headers["ai-resource-group"])
    several = "emea-b" in (imported.log.parent / "apus.json").read_text()
    assert groups == ({"default", "team-x"} if several else {"default"})


def test_filtered_names_do_not_answer(client):
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="left-out-test", messages=HELLO)


def test_tokens(imported, providers):
    """The whole token counts: one inside of a longer text opens nothing."""
    for header in ({"authorization": f"Bearer {TOKEN}"}, {"x-api-key": TOKEN},
                   {"api-key": TOKEN}):
        assert httpx2.get(f"{imported.url}/models", headers=header).status_code == 200
    for wrong in (f"x{TOKEN}", f"{TOKEN}x", "local"):
        answer = httpx2.get(f"{imported.url}/models", headers={"authorization": f"Bearer {wrong}"})
        assert answer.status_code == 401
    assert httpx2.get(f"{imported.origin}/health").status_code == 200
