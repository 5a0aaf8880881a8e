# SPDX-License-Identifier: Apache-2.0
"""Servers and clients that the tests share."""

import anthropic
import openai
import pytest
from google import genai

from gateways import all_providers, demo, patient
from providers import ProviderServer
from servers import CLIENT_KEY, Apus, LiteLLM


@pytest.fixture(scope="session")
def litellm(tmp_path_factory):
    server = LiteLLM(tmp_path_factory.mktemp("litellm"))
    try:
        server.wait()
        yield server
    finally:
        server.stop()


def serve(directory, config):
    """Apus for a session; that it ends well after TERM is part of every run."""
    server = Apus(directory, config)
    try:
        yield server
    finally:
        code = server.stop()
    assert code == 0, f"apus ended with {code}:\n{server.log.read_text(errors='replace')[-3000:]}"


@pytest.fixture(scope="session")
def apus(tmp_path_factory):
    yield from serve(tmp_path_factory.mktemp("apus"), demo())


@pytest.fixture(scope="session")
def apus_before_litellm(tmp_path_factory, litellm):
    yield from serve(tmp_path_factory.mktemp("apus-litellm"), demo(litellm))


@pytest.fixture
def client(apus):
    """The SDK, without retries: a failure is seen as it is."""
    with openai.OpenAI(base_url=apus.url, api_key=CLIENT_KEY, max_retries=0, timeout=20) as client:
        yield client


@pytest.fixture
def lite(apus_before_litellm):
    with openai.OpenAI(base_url=apus_before_litellm.url, api_key=CLIENT_KEY, max_retries=0,
                       timeout=20) as client:
        yield client


@pytest.fixture(scope="session")
def all_of_them():
    server = ProviderServer()
    yield server
    server.stop()


@pytest.fixture
def providers(all_of_them):
    """The stand-ins, with what this test sends only."""
    all_of_them.clear()
    return all_of_them


@pytest.fixture(scope="session")
def gateway(tmp_path_factory, all_of_them):
    yield from serve(tmp_path_factory.mktemp("gateway"), all_providers(all_of_them))


@pytest.fixture(scope="session")
def patient_gateway(tmp_path_factory, all_of_them):
    yield from serve(tmp_path_factory.mktemp("patient"), patient(all_of_them))


@pytest.fixture(scope="session")
def sdks(gateway):
    """The clients; making one takes as long as several requests."""
    with openai.OpenAI(base_url=gateway.url, api_key=CLIENT_KEY, max_retries=0,
                       timeout=20) as gpt, \
            anthropic.Anthropic(base_url=gateway.origin, api_key=CLIENT_KEY, max_retries=0,
                                timeout=20) as claude, \
            genai.Client(api_key=CLIENT_KEY, http_options=genai.types.HttpOptions(
                base_url=gateway.origin, timeout=20_000)) as google:
        yield gpt, claude, google


@pytest.fixture
def gpt(sdks, providers):
    """OpenAI's SDK."""
    return sdks[0]


@pytest.fixture
def claude(sdks, providers):
    """Anthropic's SDK."""
    return sdks[1]


@pytest.fixture
def google(sdks, providers):
    """Google's SDK."""
    return sdks[2]


def pytest_unconfigure(config):
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter:
        passed = len(reporter.stats.get("passed", []))
        failed = len(reporter.stats.get("failed", [])) + len(reporter.stats.get("error", []))
        reporter.write_line(f"{passed} passed, {failed} failed")
