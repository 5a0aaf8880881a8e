# SPDX-License-Identifier: Apache-2.0
"""Starts Apus and LiteLLM's proxy for the tests, and stops exactly them."""

import hashlib
import http.client
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

CLIENT_KEY = "sk-acceptance-client"
# May use one model only.
NARROW_KEY = "sk-acceptance-narrow"
LITELLM_KEY = "sk-acceptance-litellm"
STOP_SECONDS = 15

SENTENCE = "Swifts sleep on the wing."


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def get(port, path, key=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {key}"} if key else {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


class Server:
    """A program in a session of its own, its log, and its end."""

    def __init__(self, arguments, log, environment=None):
        self.log = log
        with open(log, "wb") as output:
            self._process = subprocess.Popen(
                [str(argument) for argument in arguments], stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, start_new_session=True,
                env={**os.environ, **(environment or {})})

    def wait_until(self, port, path, seconds, key=None):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                if get(port, path, key)[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise RuntimeError(f"not ready on port {port}:\n" + self.log.read_text(errors="replace"))

    def stop(self):
        """TERM, and the exit code; KILL for the whole session when that does not help."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        return self._process.returncode


class LiteLLM:
    """LiteLLM's proxy: an OpenAI-compatible server that others wrote, with mocked models."""

    TOOL_CALL = {"id": "call_1", "type": "function",
                 "function": {"name": "weather", "arguments": '{"city": "Cuxhaven"}'}}
    MODELS = {
        "plain": {"mock_response": SENTENCE},
        "vendor/plain": {"mock_response": SENTENCE},
        "json": {"mock_response": '{"answer": 42}'},
        "tools": {"mock_response": "", "mock_tool_calls": [TOOL_CALL]},
        "embed": {"mock_response": [0.25, -0.5, 1.0]},
        "limited": {"mock_response": "litellm.RateLimitError"},
        "broken": {"mock_response": "litellm.InternalServerError"},
        "too-long": {"mock_response": "litellm.ContextWindowExceededError"},
    }

    def __init__(self, directory):
        self.port = free_port()
        models = [{"model_name": name,
                   "litellm_params": {"model": f"openai/{name}", "api_key": "sk-unused", **mock}}
                  for name, mock in self.MODELS.items()]
        path = directory / "litellm.yaml"
        # JSON is YAML.
        path.write_text(json.dumps({
            "model_list": models, "general_settings": {"master_key": LITELLM_KEY},
            "router_settings": {"num_retries": 0, "disable_cooldowns": True}}))
        self._server = Server(
            [Path(os.environ["LITELLM_ENVIRONMENT"]) / "bin/litellm", "--config", path, "--host", "127.0.0.1",
             "--port", self.port, "--telemetry", "False"], directory / "litellm.log",
            {"LITELLM_LOCAL_MODEL_COST_MAP": "True"})

    def wait(self):
        self._server.wait_until(self.port, "/health/liveliness", 120)

    def stop(self):
        self._server.stop()


def key(name, secret, **more):
    digest = hashlib.sha256(secret.encode()).hexdigest()
    return {"name": name, "hash": f"sha256:{digest}", "user": name, **more}


class Apus:
    """The release build with a configuration; addresses and keys are added to it."""

    def __init__(self, directory, config):
        self.port, self.status_port = free_port(), free_port()
        path = directory / "apus.json"
        path.write_text(json.dumps({
            "listen": [f"127.0.0.1:{self.port}"],
            "status": {"listen": f"127.0.0.1:{self.status_port}"},
            "workers": 3,
            "keys": [key("all", CLIENT_KEY), key("narrow", NARROW_KEY, models=["short-name"])],
            "timeouts": {"headers": "5s", "first_content": "5s", "idle": "2s"},
            **config,
        }, indent=2))
        self._start(directory, path)

    def _start(self, directory, path, options=()):
        runtime = directory / "run"
        runtime.mkdir()
        self.log = directory / "apus.log"
        self._server = Server(
            [Path(os.environ["APUS_BINARIES"]) / "apus", "serve", "--config", path, *options],
            self.log,
            {"RUNTIME_DIRECTORY": str(runtime)})
        try:
            self._server.wait_until(self.port, "/health", 20)
        except RuntimeError:
            self._server.stop()
            raise

    @property
    def origin(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self):
        return f"{self.origin}/v1"

    def status(self):
        return json.loads(get(self.status_port, "/status")[1])

    def stop(self):
        return self._server.stop()
