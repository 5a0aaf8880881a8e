# SPDX-License-Identifier: Apache-2.0
"""The programs that are compared, and what they need: Apus, nginx, the mock upstream."""

import hashlib
import http.client
import http.server
import json
import os
import shutil
import subprocess
import threading
import time
from pathlib import Path

from .processes import BenchError, Program, free_ports

CLIENT_KEY = "sk-bench-client"
DESCRIPTORS = 20_000

NGINX = """
daemon off;
{user}
pid {dir}/pid;
error_log {dir}/error.log error;
worker_processes {workers};
worker_rlimit_nofile {descriptors};
events {{ worker_connections {descriptors}; }}
http {{
    access_log {access_log};
    default_type application/json;
    keepalive_timeout 600s;
    keepalive_requests 1000000000;
    client_body_buffer_size 64k;
    client_max_body_size 32m;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    {upstream}
    server {{
        listen 127.0.0.1:{port} backlog=4096 {listen};
        {tls}
        location = /health {{ return 200 '{health}'; }}
        {location}
    }}
}}
"""

UPSTREAM = """
    upstream backend {{
        server 127.0.0.1:{port};
        keepalive 1024;
        keepalive_requests 1000000000;
        keepalive_timeout 600s;
    }}
"""

PROXY = """
        location / {{
            proxy_pass {scheme}://backend;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering {buffering};
            {tls}
        }}
"""

PROXY_TLS = """
            proxy_ssl_verify on;
            proxy_ssl_trusted_certificate {ca};
            proxy_ssl_name localhost;
            proxy_ssl_protocols TLSv1.2 TLSv1.3;
"""


class TokenHandler(http.server.BaseHTTPRequestHandler):
    """OAuth's token endpoint; asked once per worker, so it costs no measurement anything."""

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = json.dumps({"access_token": "bench-token", "token_type": "bearer",
                           "expires_in": 43_199}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


class Workshop:
    """A temporary directory, and everything that was started in it."""

    def __init__(self, directory, binaries, nginx):
        self.directory = Path(directory)
        self.binaries = Path(binaries)
        self.nginx_path = nginx
        self._programs = []
        self._count = 0
        self._tokens = None

    def start(self, name, arguments, environment=None):
        self._count += 1
        log = self.directory / f"{self._count}-{name}.log"
        program = Program(name, arguments, log, environment)
        self._programs.append(program)
        return program

    def stop(self, program):
        program.stop()
        self._programs.remove(program)

    def stop_all(self):
        for program in reversed(list(self._programs)):
            self.stop(program)

    def processor_ns(self):
        """Run time so far of everything that runs in the workshop."""
        return sum(program.processor_ns() for program in self._programs)

    def tool(self, *arguments):
        return [self.binaries / "BenchTool", *arguments]

    def mock(self, **options):
        """The upstream. Returns its port."""
        (port,) = free_ports(1)
        arguments = self.tool("mock", "--listen", f"127.0.0.1:{port}")
        for name, value in options.items():
            arguments += [f"--{name.replace('_', '-')}", value]
        program = self.start("mock", arguments)
        program.wait_for_port(port)
        return port

    def nginx(self, workers, *, upstream=None, ca=None, buffering=True, certificate=None,
              health="ok", answer=None, access_log="buffer=32k flush=1s"):
        """nginx as a proxy of `upstream`, or as a TLS server that always says `answer`.

        `access_log` holds the options of its access log, None for no log at all. Apus writes the
        lines of one turn of its loop together, so nginx may gather lines as well.
        """
        (port,) = free_ports(1)
        self._count += 1
        directory = self.directory / f"{self._count}-nginx"
        directory.mkdir()
        location = tls = ""
        if upstream:
            verify = PROXY_TLS.format(ca=ca) if ca else ""
            location = PROXY.format(scheme="https" if ca else "http", tls=verify,
                                    buffering="on" if buffering else "off")
        if answer:
            (directory / "answer").write_text(answer)
            location = f"location / {{ return 200 '{answer}'; }}"
        if certificate:
            tls = (f"ssl_certificate {certificate}.pem; ssl_certificate_key {certificate}.key;"
                   "ssl_protocols TLSv1.2 TLSv1.3;")
        text = NGINX.format(
            dir=directory, workers=workers, port=port, health=health, location=location, tls=tls,
            user="user root;" if os.geteuid() == 0 else "", descriptors=DESCRIPTORS,
            access_log="off" if access_log is None else
            f"{directory}/access.log combined {access_log}",
            listen="reuseport" + (" ssl" if certificate else ""),
            upstream=UPSTREAM.format(port=upstream) if upstream else "")
        (directory / "nginx.conf").write_text(text)
        program = self.start("nginx", [self.nginx_path, "-p", directory, "-c",
                                       directory / "nginx.conf", "-e", directory / "error.log"])
        program.wait_for_port(port)
        program.wait_for_processes(workers + 1)
        program.port = port
        return program

    def tokens(self):
        """A server that gives everybody the same token of SAP AI Core. Returns its port."""
        if not self._tokens:
            self._tokens = http.server.HTTPServer(("127.0.0.1", 0), TokenHandler)
            threading.Thread(target=self._tokens.serve_forever, daemon=True).start()
        return self._tokens.server_port

    def sap(self, upstream):
        """An upstream whose deployment of Claude is the mock on port `upstream`."""
        base = f"http://127.0.0.1:{upstream}"
        return {"kind": "sap-ai-core", "base_url": base, "discover": False,
                "deployments": {"anthropic--claude-4.5-sonnet": ["d0bench"]},
                "service_key": {"clientid": "bench", "clientsecret": "bench",
                                "url": f"http://127.0.0.1:{self.tokens()}",
                                "serviceurls": {"AI_API_URL": base}}}

    def apus(self, workers, *, upstream=None, ca=None, wait=True, sap=None,
             upstream_connections=None):
        """Apus in release, with a client key, the access log and metrics on."""
        port, status = free_ports(2)
        digest = hashlib.sha256(CLIENT_KEY.encode()).hexdigest()
        upstreams = {"demo": {"kind": "demo"}}
        models = {}
        if upstream:
            host = f"https://127.0.0.1:{upstream}" if ca else f"http://127.0.0.1:{upstream}"
            upstreams["mock"] = {"kind": "openai", "base_url": f"{host}/v1", "api_key": "sk-mock"}
            if ca:
                upstreams["mock"]["ca_file"] = str(ca)
            if upstream_connections:
                upstreams["mock"]["connections_max"] = upstream_connections
            models["bench"] = {"targets": [{"upstream": "mock"}]}
        if sap:
            upstreams["sap"] = self.sap(sap)
            models["bench"] = {"targets": [{"upstream": "sap",
                                            "model": "anthropic--claude-4.5-sonnet"}]}
        config = {
            "listen": [f"127.0.0.1:{port}"], "status": {"listen": f"127.0.0.1:{status}"},
            "workers": workers, "upstreams": upstreams, "models": models,
            "keys": [{"name": "bench", "hash": f"sha256:{digest}", "user": "bench"}],
            "logs": {"access": True},
        }
        self._count += 1
        path = self.directory / f"{self._count}-apus.json"
        path.write_text(json.dumps(config, indent=2))
        runtime = self.directory / f"{self._count}-run"
        runtime.mkdir()
        begin = time.monotonic()
        program = self.start("apus", [self.binaries / "apus", "serve", "--config", path],
                             {**os.environ, "RUNTIME_DIRECTORY": str(runtime)})
        program.began, program.port, program.status_port = begin, port, status
        program.runtime = runtime
        if wait:
            program.wait_for_port(port)
            program.wait_for_processes(workers + 1)
            get(port, "/health")  # answered as soon as a worker is ready
        return program


def get(port, path, timeout=10):
    """Status and body of a GET on the loopback."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def find_nginx(build_directory):
    """nginx from PATH or, when there is none, Debian's package unpacked below `build_directory`.

    Unpacked and not installed: installing it would start it as a service of the machine.
    """
    for place in (shutil.which("nginx"), "/usr/sbin/nginx", build_directory / "nginx/usr/sbin/nginx"):
        if place and Path(place).exists():
            return Path(place)
    directory = build_directory / "nginx"
    directory.mkdir(parents=True, exist_ok=True)
    print("Unpacking nginx from Debian")
    for attempt in range(2):
        done = subprocess.run(["apt-get", "download", "-q", "nginx"], cwd=directory,
                              capture_output=True, text=True)
        if done.returncode == 0 or os.geteuid() != 0 or attempt:
            break
        subprocess.run(["apt-get", "update", "-q"], capture_output=True, check=False)
    packages = list(directory.glob("nginx_*.deb"))
    if not packages:
        raise BenchError(f"no nginx in PATH, and apt-get download nginx said:\n{done.stderr}")
    subprocess.run(["dpkg", "-x", packages[0], directory], check=True)
    return directory / "usr/sbin/nginx"


def make_certificates(directory):
    """A certificate authority and a certificate for localhost. Returns both path stems."""
    authority, server = directory / "authority", directory / "server"

    def openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *curve, "-days", 2, "-subj", "/CN=Bench authority",
            "-keyout", f"{authority}.key", "-out", f"{authority}.pem")
    openssl("req", *curve, "-subj", "/CN=localhost",
            "-keyout", f"{server}.key", "-out", f"{server}.csr")
    extensions = directory / "extensions"
    extensions.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", f"{server}.csr", "-CA", f"{authority}.pem",
            "-CAkey", f"{authority}.key", "-CAcreateserial", "-days", 2,
            "-extfile", extensions, "-out", f"{server}.pem")
    return authority, server
