# SPDX-License-Identifier: Apache-2.0
"""Tests of the installed package under the systemd of the container.

Prints a line per case, `ok NAME` or `not ok NAME`, and leaves the exit code in /test/code.
"""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import traceback

sys.path.insert(0, "/test")
from load import ADDRESS, Load  # noqa: E402  (the directory is the container's)

CONFIG = "/etc/apus/apus.json"
DROP_IN = "/run/systemd/system/apus.service.d"
MEMORY = "/test-memory"


# What the cases are made of


def run(*arguments, patience=60, **options):
    return subprocess.run(arguments, capture_output=True, text=True, timeout=patience,
                          stdin=subprocess.DEVNULL, **options)


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def succeed(*arguments, patience=60):
    done = run(*arguments, patience=patience)
    check(done.returncode == 0, f"{' '.join(arguments)}: {done.returncode}\n{done.stderr}")
    return done.stdout


def show(name):
    return succeed("systemctl", "show", "--value", "--property", name, "apus.service").strip()


def wait_for(what, condition, patience=20):
    end = time.monotonic() + patience
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"in time there was no {what}")


def is_active():
    return show("ActiveState") == "active" and show("SubState") == "running"


def main_pid():
    return int(show("MainPID"))


def workers():
    path = f"/proc/{main_pid()}/task/{main_pid()}/children"
    with open(path, encoding="ascii") as children:
        return {int(pid) for pid in children.read().split()}


def get(path, address=ADDRESS, patience=10):
    connection = http.client.HTTPConnection(*address, timeout=patience)
    connection.request("GET", path)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def chat(model, text, stream=False, patience=60):
    """The answer to a chat request, not read yet."""
    connection = http.client.HTTPConnection(*ADDRESS, timeout=patience)
    body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": text}]}
    connection.request("POST", "/v1/chat/completions", json.dumps(body),
                       {"content-type": "application/json"})
    return connection.getresponse()


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def drop_in(text):
    write(f"{DROP_IN}/test.conf", text)
    succeed("systemctl", "daemon-reload")


def configuration(workers_text="3", more=""):
    write(CONFIG, '{ "listen": ["127.0.0.1:3001"], "status": { "listen": "127.0.0.1:3002" },\n'
          f'  "workers": {workers_text}, "timeouts": {{ "drain": "20s" }},\n'
          f'  "upstreams": {{ "demo": {{ "kind": "demo" }} }}{more} }}\n')
    os.chmod(CONFIG, 0o644)


def in_background(*arguments):
    """Starts a command; the result is asked for later."""
    done = []
    thread = threading.Thread(target=lambda: done.append(run(*arguments)))
    thread.start()

    def result():
        thread.join()
        return done[0]
    return result


# The cases, in this order: each leaves the service running


def install():
    check(not os.path.exists("/usr/bin/apus"), "apus was there before")
    succeed("dpkg", "--install", "/test/apus.deb")
    # The tests start it more often than a gateway in use may.
    write(f"{DROP_IN}/limit.conf", "[Unit]\nStartLimitIntervalSec=0\n")
    succeed("systemctl", "daemon-reload")
    check(os.access("/usr/bin/apus-worker", os.X_OK), "no worker")
    check("apus.json: ok" in succeed("apus", "check", "--config", CONFIG), "bad default config")
    check(show("ActiveState") == "inactive", "the package started it")
    check(run("systemctl", "is-enabled", "apus").stdout.strip() == "disabled", "enabled")


def start():
    begun = time.monotonic()
    succeed("systemctl", "start", "apus")
    taken = time.monotonic() - begun
    check(is_active(), show("ActiveState"))
    check("ready: http://127.0.0.1:3001" in show("StatusText"), show("StatusText"))
    check(get("/health")[0] == 200, "no answer")
    answer = chat("demo/fast", "hello")
    check(answer.status == 200 and b"hello" in answer.read(), "no chat")
    check(len(workers()) >= 1, "no workers")
    check(get("/readyz", ("127.0.0.1", 3002))[0] == 200, "not ready")
    return f"ready after {taken:.2f} s, {len(workers())} workers"


def commands():
    check("scaled: 4 workers" in succeed("apus", "scale", "4"), "scale")
    check(len(workers()) == 4, f"{workers()}")
    check("reloaded: generation" in succeed("apus", "reload"), "reload")
    facts = os.stat("/run/apus/control.sock")
    check(facts.st_mode & 0o777 == 0o600 and facts.st_uid != 0, "socket of root")
    other = run("setpriv", "--reuid=65534", "--clear-groups", "apus", "reload")
    check(other.returncode == 69 and "as root" in other.stderr, other.stderr)


def reload():
    configuration("2")
    before = workers()
    begun = time.monotonic()
    succeed("systemctl", "reload", "apus")
    taken = time.monotonic() - begun
    check(is_active(), "not active")
    wait_for("two new workers", lambda: len(workers()) == 2)
    check(not workers() & before, "old workers")
    return f"{taken:.2f} s"


def bad_reload():
    before = workers()
    configuration('"many"')
    failed = run("systemctl", "reload", "apus")
    check(failed.returncode != 0, "systemctl reload succeeded")
    check(is_active() and workers() == before, "the fleet changed")
    failed = run("apus", "reload")
    check(failed.returncode == 1, f"{failed.returncode}")
    check(f"{CONFIG}:2:" in failed.stderr and "workers" in failed.stderr, failed.stderr)
    status = show("StatusText")
    check("reload failed" in status and f"{CONFIG}:2:" in status, status)
    check(is_active() and workers() == before, "the fleet changed")
    check(get("/health")[0] == 200, "no answer")
    configuration()
    succeed("systemctl", "reload", "apus")


def sandbox():
    drop_in("[Service]\nExecStartPre=/usr/bin/python3 /test/probe.py\n"
            "LoadCredential=test:/etc/hosts\n")
    succeed("systemctl", "restart", "apus")
    with open("/var/lib/private/apus/probe.json", encoding="utf-8") as file:
        found = json.load(file)
    check(found["uid"] >= 61184, f"uid {found['uid']}")
    check(int(found["capabilities"], 16) == 0, found["capabilities"])
    check(found["no_new_privileges"] == "1" and found["seccomp"] == "2", f"{found}")
    check(found["other_processes"] == [], "sees process 1")
    for allowed in ["write runtime", "write state", "read credential", "tcp", "tcp6", "unix"]:
        check(found[allowed] is None, f"{allowed}: {found[allowed]}")
    for refused in ["write /etc", "write /etc/apus", "write /usr", "write /var/lib", "read /root",
                    "raw socket", "netlink", "packet", "namespace", "mount", "trace",
                    "executable memory", "set clock"]:
        check(found[refused] is not None, f"{refused} is allowed")
    # The same for a worker as it runs.
    worker = min(workers())
    done = run("nsenter", "--mount", f"--target={worker}", "touch", "/etc/apus-probe")
    check("Read-only file system" in done.stderr, done.stderr)
    with open(f"/proc/{worker}/status", encoding="ascii") as file:
        status = file.read()
    check(re.search(r"CapEff:\t0+\n", status) and "Seccomp:\t2" in status, status)
    check(f"Uid:\t{found['uid']}" in status, "another user")
    with open(f"/proc/{worker}/environ", encoding="utf-8") as file:
        environment = file.read()
    for name in ["NOTIFY_SOCKET", "LISTEN_FDS", "WATCHDOG_USEC"]:
        check(f"{name}=" not in environment, f"a worker has {name}")
    return f"uid {found['uid']}"


def stop_during_stream():
    answer = chat("demo/slow", "a b c d e f g h i j k l", stream=True)
    check(answer.status == 200, f"{answer.status}")
    first = answer.readline()
    stop = in_background("systemctl", "stop", "apus")
    wait_for("stop", lambda: show("ActiveState") == "deactivating")
    text = first + answer.read()
    check(b"data: [DONE]" in text, f"cut: {text[-200:]}")
    check(stop().returncode == 0, "systemctl stop failed")
    check(show("ActiveState") == "inactive" and show("Result") == "success", show("Result"))
    check(not os.path.exists("/run/apus/control.sock"), "the socket stayed")
    refused = False
    try:
        get("/health")
    except ConnectionRefusedError:
        refused = True
    check(refused, "somebody still listens")
    succeed("systemctl", "start", "apus")


def killed():
    before, restarts = main_pid(), int(show("NRestarts"))
    old = workers()
    load = Load()
    time.sleep(1)
    os.kill(before, signal.SIGKILL)
    wait_for("restart", lambda: main_pid() not in (0, before) and is_active())
    time.sleep(1)
    words = load.stop()
    check(int(show("NRestarts")) == restarts + 1, show("NRestarts"))
    check(not [pid for pid in old if os.path.exists(f"/proc/{pid}")], "old workers run")
    refused = [text for text in load.failures if "refused" in text]
    check(not refused, f"{words}: {refused[:3]}")
    # What a worker had begun dies with it; what waited is served by the next.
    check(len(load.failures) <= 10 and load.served > 200, f"{words}: {load.failures[:5]}")
    return words


def restart_under_load():
    load = Load()
    time.sleep(1)
    for _ in range(3):
        succeed("systemctl", "restart", "apus")
        time.sleep(0.5)
    words = load.stop()
    check(not load.failures, f"{words}: {load.failures[:5]}")
    check(load.served > 200, words)
    return f"3 restarts, {words}"


def watchdog():
    drop_in("[Service]\nWatchdogSec=2\nTimeoutAbortSec=5\n")
    succeed("systemctl", "restart", "apus")
    # Signs of life keep it: three times the interval.
    before = main_pid()
    time.sleep(6)
    check(main_pid() == before and is_active(), "restarted though it was alive")
    old = workers()
    begun = time.monotonic()
    os.kill(before, signal.SIGSTOP)
    wait_for("restart", lambda: main_pid() not in (0, before) and is_active(), 30)
    taken = time.monotonic() - begun
    check(not [pid for pid in old if os.path.exists(f"/proc/{pid}")], "old workers run")
    check(get("/health")[0] == 200, "no answer")
    log = succeed("journalctl", "-u", "apus", "-o", "cat", "--no-pager")
    check("Watchdog timeout" in log, "the journal has no watchdog")
    drop_in("[Service]\n")
    succeed("systemctl", "restart", "apus")
    return f"back after {taken:.2f} s"


def out_of_memory():
    if not os.path.isdir(MEMORY):
        return "# SKIP no memory controller of cgroup version 1 to make a group in"
    group = f"{MEMORY}/apus-test-{os.getpid()}"
    os.mkdir(group)
    before, supervisor = workers(), main_pid()
    victim = max(before)
    try:
        with open(f"{group}/memory.limit_in_bytes", "w", encoding="ascii") as file:
            file.write(str(4 << 20))
        with open(f"{group}/cgroup.procs", "w", encoding="ascii") as file:
            file.write(str(victim))

        def fill():
            try:
                answer = chat("demo/fast", "x " * (6 << 20))
                answer.read()
            except (OSError, http.client.HTTPException):
                pass  # one of them meets the worker that is killed
        clients = [threading.Thread(target=fill) for _ in range(6)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        wait_for("end of the worker", lambda: not os.path.exists(f"/proc/{victim}"))
        with open(f"{group}/memory.oom_control", encoding="ascii") as file:
            kills = int(re.search(r"oom_kill (\d+)", file.read()).group(1))
        check(kills >= 1, "not the kernel's doing")
    finally:
        wait_for("empty group", lambda: not open(
            f"{group}/cgroup.procs", encoding="ascii").read())
        os.rmdir(group)
    after = wait_for("another worker", lambda: len(workers()) == len(before) and workers())
    check(before - after == {victim}, f"{before} -> {after}")
    check(main_pid() == supervisor and is_active(), "the unit went down")
    check(get("/health")[0] == 200, "no answer")
    return f"oom_kill {kills}, the other {len(before) - 1} workers stayed"


def addresses():
    """Stored listeners that the configuration no longer has are closed."""
    configuration()
    with open(CONFIG, encoding="utf-8") as file:
        text = file.read()
    # Overlaps with the stored one, which therefore must be gone first.
    write(CONFIG, text.replace("127.0.0.1:3001", "0.0.0.0:3001").replace(
        '"workers"', '"auth": "off", "workers"'))
    succeed("systemctl", "restart", "apus")
    listening = succeed("ss", "-ltnH")
    check("0.0.0.0:3001" in listening and "127.0.0.1:3001" not in listening, listening)
    check(get("/health")[0] == 200, "no answer")
    configuration()
    succeed("systemctl", "restart", "apus")
    check("0.0.0.0:3001" not in succeed("ss", "-ltnH"), "the old one is still open")
    check(get("/health")[0] == 200, "no answer")


def second():
    done = run("apus", "serve", "--listen", "127.0.0.1:4001", "--status", "127.0.0.1:4002",
               env={**os.environ, "RUNTIME_DIRECTORY": "/run/apus"})
    check(done.returncode == 69, f"{done.returncode} {done.stderr}")
    check(f"pid {main_pid()}" in done.stderr, done.stderr)
    check(is_active() and get("/health")[0] == 200, "the first one suffered")


def bad_start():
    succeed("systemctl", "stop", "apus")
    configuration('"many"')
    check(run("systemctl", "start", "apus").returncode != 0, "started with a bad file")
    time.sleep(2)
    check(show("ActiveState") == "failed" and show("ExecMainStatus") == "78", show("ActiveState"))
    check(int(show("NRestarts")) == 0, "tried again")
    configuration()
    succeed("systemctl", "reset-failed", "apus")
    succeed("systemctl", "start", "apus")


def socket_unit():
    succeed("systemctl", "stop", "apus")
    succeed("systemctl", "start", "apus.socket")
    check(show("ActiveState") == "inactive", "started without need")
    check(get("/health", patience=30)[0] == 200, "no answer")
    check(is_active(), "not active")
    load = Load()
    time.sleep(0.5)
    succeed("systemctl", "stop", "apus.service")
    # Nothing is refused while it is stopped: the next connection starts it.
    wait_for("start by a connection", is_active)
    time.sleep(0.5)
    words = load.stop()
    check(not load.failures, f"{words}: {load.failures[:5]}")
    succeed("systemctl", "stop", "apus.socket", "apus.service")
    succeed("systemctl", "start", "apus")
    return words


def upgrade_in_place():
    before, restarts, old = main_pid(), show("NRestarts"), workers()
    load = Load()
    answer = chat("demo/slow", "a b c d e f g h", stream=True)
    first = answer.readline()
    said = succeed("apus", "upgrade")
    check(main_pid() == before and show("NRestarts") == restarts and is_active(), "restarted")
    check(b"data: [DONE]" in first + answer.read(), "the stream was cut")
    wait_for("new workers", lambda: not workers() & old)
    words = load.stop()
    check(not load.failures, f"{words}: {load.failures[:5]}")
    # The program that took over is watched, reloaded and restarted like the one before.
    succeed("systemctl", "reload", "apus")
    succeed("systemctl", "restart", "apus")
    check(get("/health")[0] == 200, "no answer")
    return f"{said.strip()}; {words}"


def upgrade_package():
    before, restarts, old = main_pid(), show("NRestarts"), workers()
    load = Load()
    time.sleep(0.5)
    succeed("dpkg", "--install", "/test/apus.deb")
    check(main_pid() == before and show("NRestarts") == restarts and is_active(), "restarted")
    wait_for("new workers", lambda: not workers() & old)
    words = load.stop()
    check(not load.failures, f"{words}: {load.failures[:5]}")
    with open(CONFIG, encoding="utf-8") as file:
        check('"drain": "20s"' in file.read(), "the configuration was overwritten")
    return words


def remove():
    succeed("dpkg", "--remove", "apus")
    check(not os.path.exists("/usr/bin/apus") and os.path.exists(CONFIG), "remove")
    check(run("systemctl", "is-active", "apus").stdout.strip() == "inactive", "still active")
    succeed("dpkg", "--purge", "apus")
    check(not os.path.exists(CONFIG) and not os.path.exists("/var/lib/private/apus"), "purge")


CASES = [install, start, commands, reload, bad_reload, sandbox, stop_during_stream, killed,
         restart_under_load, watchdog, out_of_memory, addresses, second, bad_start, socket_unit,
         upgrade_in_place, upgrade_package, remove]


def main():
    with open("/test/cases", encoding="ascii") as file:
        wanted = file.read().split()
    failures = 0
    for case in CASES:
        name = case.__name__.replace("_", "-")
        if wanted and name not in wanted and name not in ("install", "start"):
            continue
        begun = time.monotonic()
        try:
            words = case()
            print(f"ok {name}: {time.monotonic() - begun:.1f} s" + (f", {words}" if words else ""),
                  flush=True)
        except Exception:  # a test that breaks in any way has failed
            failures += 1
            print(f"not ok {name}", flush=True)
            print(re.sub(r"(?m)^", "    ", traceback.format_exc(limit=-2)), flush=True)
    if failures:
        with open("/test/journal", "w", encoding="utf-8") as file:
            file.write(run("journalctl", "--no-pager").stdout)
    write("/test/code", f"{min(failures, 90)}\n")


main()
