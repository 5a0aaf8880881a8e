#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`make chaos`: a fleet under load while its workers are killed, stopped, reloaded and scaled.

    chaos.py BINARIES [--seconds 60] [--seed 1] [--clients 24]

The order of events follows from the seed; when each of them comes, and what the clients do at that
moment, does not. What is promised: every exchange ends
in a whole answer or a well-formed error, connections that wait between two requests outlive
everything but their own client, no handover is lost, the supervisor keeps its process id, and at
the end descriptors, children and the table of handovers are back where they were. Loopback only;
the load and the run have an end.
"""

import argparse
import asyncio
import collections
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from clients import DIALECTS, GOOD, Broken, Client, Outcome

START_SECONDS = 30
SETTLE_SECONDS = 30
# A stopped worker that clients wait for is replaced after `fleet.hang`, so stops are shorter.
STOP_SECONDS = 3


class Fleet:
    """The supervisor under test."""

    def __init__(self, binaries, workers):
        self.directory = Path(tempfile.mkdtemp(prefix="apus-chaos-"))
        self.apus = str(binaries / "apus")
        self.config = self.directory / "apus.json"
        self.workers = workers
        self.names = 0
        self.write_config()
        # A worker that leaves does not take its objects apart, so all it has looks leaked, while
        # 70-endurance measures growth; SEGV is what is sent here. Only sanitizers read this.
        self.environment = os.environ | {
            "RUNTIME_DIRECTORY": str(self.directory),
            "ASAN_OPTIONS": "detect_leaks=0:handle_segv=0"}
        self.log = open(self.directory / "log", "wb")
        self.process = subprocess.Popen(
            [self.apus, "serve", "--config", str(self.config)], stdin=subprocess.DEVNULL,
            stdout=self.log, stderr=self.log, env=self.environment, start_new_session=True)
        self.port, self.status_port = self.wait_for_ports()

    def write_config(self, text=None):
        """A configuration that differs from the one before in a name."""
        self.names += 1
        self.config.write_text(text or json.dumps({
            "listen": ["127.0.0.1:0"], "status": {"listen": "127.0.0.1:0"},
            "workers": self.workers, "upstreams": {"demo": {"kind": "demo"}},
            "models": {f"name-{self.names}": {"targets": [
                {"upstream": "demo", "model": "echo"}]}},
            "logs": {"access": False}, "fleet": {"hang": "8s"},
            "timeouts": {"drain": "20s"}}))

    def lines(self):
        for line in (self.directory / "log").read_bytes().splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                continue  # what a runtime says while its process crashes

    def sanitizer_reports(self):
        """What builds with a sanitizer have complained about; others have nothing to say."""
        text = (self.directory / "log").read_text(errors="replace")
        return [line for line in text.splitlines() if "Sanitizer" in line]

    def wait_for_ports(self):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            found = {line["msg"]: int(line["address"].rpartition(":")[2]) for line in self.lines()
                     if line.get("msg") in ("listening", "status listening")}
            if len(found) == 2:
                return found["listening"], found["status listening"]
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise SystemExit("the fleet does not start:\n" + (self.directory / "log").read_text())

    def get(self, path):
        address = f"http://127.0.0.1:{self.status_port}{path}"
        with urllib.request.urlopen(address, timeout=10) as answer:
            return answer.read().decode()

    def status(self):
        return json.loads(self.get("/status?full"))

    def worker_pids(self):
        """Of the workers that serve."""
        return [process["pid"] for process in self.status()["processes"]
                if process["state"] == "ready"]

    def wait_for_workers(self):
        """Until all of them serve."""
        deadline = time.monotonic() + START_SECONDS
        while len(self.worker_pids()) != self.workers:
            if time.monotonic() > deadline:
                raise RuntimeError(f"no {self.workers} workers, log in {self.directory}")
            time.sleep(0.1)

    def children(self):
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    async def command(self, *words):
        """An operator's command; its exit code and what it said."""
        process = await asyncio.create_subprocess_exec(
            self.apus, *words, env=self.environment, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
        output, _ = await asyncio.wait_for(process.communicate(), 90)
        return process.returncode, output.decode().strip()


class Chaos:
    def __init__(self, fleet, random_source, clients):
        self.fleet, self.random = fleet, random_source
        self.clients = clients
        self.outcomes = collections.Counter()
        self.events = collections.Counter()
        self.broken = []
        self.is_over = False

    # Load

    async def load(self, number):
        """One client after the other with a few requests each, some of them impolite."""
        source = random.Random(number)
        while not self.is_over:
            client = Client(self.fleet.port)
            for _ in range(source.randint(1, 12)):
                if self.is_over:
                    break
                await self.request(client, source.choice(DIALECTS))
                if source.random() < 0.05:
                    client.reset()
                await asyncio.sleep(source.random() * 0.05)
            client.close()

    async def request(self, client, dialect):
        try:
            self.outcomes[await client.exchange(dialect)] += 1
        except Broken as broken:
            self.outcomes[broken.outcome] += 1
            self.broken.append(f"{time.strftime('%X')} {broken}")
            client.close()
        except OSError as error:
            self.outcomes[Outcome.RESET] += 1
            self.broken.append(f"{time.strftime('%X')} no connection: {error}")
            client.close()

    async def wait_idle(self, number):
        """Connections that ask rarely: they are moved, never closed."""
        source = random.Random(-number - 1)
        client = Client(self.fleet.port)
        while not self.is_over:
            await self.request(client, DIALECTS[-1])
            end = time.monotonic() + source.uniform(0.5, 6)
            while time.monotonic() < end and not self.is_over:
                await asyncio.sleep(0.1)
        client.close()

    async def leave_early(self):
        """Clients that go in the middle, and some that only connect."""
        source = random.Random(0)
        while not self.is_over:
            client = Client(self.fleet.port)
            try:
                await client.connect()
                if source.random() < 0.5:
                    request = DIALECTS[1].request()
                    client.writer.write(request[:source.randint(1, len(request))])
                    await client.writer.drain()
                await asyncio.sleep(source.random())
            except OSError as error:
                self.broken.append(f"no connection: {error}")
            client.reset()

    # Events

    async def disturb(self, seconds):
        end = time.monotonic() + seconds
        kinds = [(self.kill, 5), (self.crash, 2), (self.stop, 3), (self.reload, 3),
                 (self.bad_reload, 1), (self.scale, 2), (self.step, 1), (self.upgrade, 1),
                 (self.stop_supervisor, 1)]
        weights = [weight for _, weight in kinds]
        while time.monotonic() < end:
            event = self.random.choices([kind for kind, _ in kinds], weights)[0]
            self.events[event.__name__] += 1
            await event()
            await asyncio.sleep(self.random.uniform(0.1, 1.2))

    def victim(self):
        pids = self.fleet.worker_pids()
        return self.random.choice(pids) if pids else None

    def signal(self, pid, number):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass  # it has just ended by itself

    async def kill(self):
        if pid := await asyncio.to_thread(self.victim):
            self.signal(pid, signal.SIGKILL)

    async def crash(self):
        if pid := await asyncio.to_thread(self.victim):
            self.signal(pid, self.random.choice([signal.SIGSEGV, signal.SIGABRT]))

    async def stop(self):
        if pid := await asyncio.to_thread(self.victim):
            self.signal(pid, signal.SIGSTOP)
            await asyncio.sleep(self.random.uniform(0.05, STOP_SECONDS))
            self.signal(pid, signal.SIGCONT)

    async def stop_supervisor(self):
        self.signal(self.fleet.process.pid, signal.SIGSTOP)
        await asyncio.sleep(self.random.uniform(0.05, 1.5))
        self.signal(self.fleet.process.pid, signal.SIGCONT)

    async def expect(self, words, codes):
        code, text = await self.fleet.command(*words)
        if code not in codes:
            self.broken.append(f"{' '.join(words)}: exit code {code}: {text}")

    async def reload(self):
        self.fleet.write_config()
        # A crash can hit the worker that is to prove the configuration: that is told, too.
        await self.expect(["reload"], {0, 1})

    async def bad_reload(self):
        self.fleet.write_config('{ "listen": 3 }')
        await self.expect(["reload"], {1})
        self.fleet.write_config()

    async def scale(self):
        await self.expect(["scale", str(self.random.randint(2, 5))], {0, 1})

    async def step(self):
        self.signal(self.fleet.process.pid, self.random.choice([signal.SIGTTIN, signal.SIGTTOU]))

    async def upgrade(self):
        # Not while workers are being replaced, which it says.
        await self.expect(["upgrade"], {0, 1})

    # The run

    async def run(self, seconds):
        loads = [asyncio.create_task(self.load(number)) for number in range(self.clients)]
        loads += [asyncio.create_task(self.wait_idle(number)) for number in range(12)]
        loads.append(asyncio.create_task(self.leave_early()))
        await self.disturb(seconds)
        # Whoever waits is still answered.
        self.is_over = True
        done, late = await asyncio.wait(loads, timeout=60)
        for task in late:
            task.cancel()
            self.broken.append("a client never came to its end")
        for task in done:
            if task.exception() is not None:
                self.broken.append(f"a client failed: {task.exception()!r}")

    def settle(self, workers, descriptors):
        """Waits until all is as it was; what is not goes to `broken`."""
        deadline = time.monotonic() + SETTLE_SECONDS
        problems = ["never looked"]
        while problems and time.monotonic() < deadline:
            status = self.fleet.status()
            problems = []
            if status["workers"]["ready"] != workers or len(self.fleet.children()) != workers:
                problems.append(f"{status['workers']['ready']} ready workers and "
                                f"{len(self.fleet.children())} children instead of {workers}")
            if status["handoff"]["inflight"] or status["connections"]["pending"]:
                problems.append(f"handovers left: {status['handoff']}")
            if self.fleet.descriptors() > descriptors:
                problems.append(f"{self.fleet.descriptors()} descriptors, {descriptors} before")
            if problems:
                time.sleep(0.2)
        status = self.fleet.status()
        if status["handoff"]["lost"]:
            problems.append(f"lost: {status['handoff']}")
        if self.fleet.process.poll() is not None:
            problems.append("the supervisor has ended")
        self.broken += problems
        return status


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binaries", type=Path)
    parser.add_argument("--seconds", type=float, default=60)
    # The same in every run, so that none fails for what the one before did not try.
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clients", type=int, default=24)
    options = parser.parse_args()
    seed = options.seed
    print(f"chaos: seed {seed}, {options.seconds:.0f} s, {options.clients} clients", flush=True)
    workers = 3
    fleet = Fleet(options.binaries.resolve(), workers)
    chaos = Chaos(fleet, random.Random(seed), options.clients)
    passed = False
    try:
        fleet.wait_for_workers()
        # The status connection that asks is among them, as it is at the end.
        fleet.status()
        descriptors = fleet.descriptors()
        asyncio.run(chaos.run(options.seconds))
        code = subprocess.run([fleet.apus, "scale", str(workers)], env=fleet.environment,
                              capture_output=True, timeout=90).returncode
        if code != 0:
            chaos.broken.append(f"scale back: exit code {code}")
        status = chaos.settle(workers, descriptors)
        fleet.process.terminate()
        if fleet.process.wait(40) != 0:
            chaos.broken.append(f"exit code {fleet.process.returncode}")
        chaos.broken += fleet.sanitizer_reports()
        bad = {outcome: count for outcome, count in chaos.outcomes.items() if outcome not in GOOD}
        passed = not chaos.broken and not bad
        print("events:", dict(chaos.events))
        print("outcomes:", {outcome.value: count for outcome, count in chaos.outcomes.items()})
        print("restarts:", status["workers"]["restarts"], "handoff:", status["handoff"])
    finally:
        if fleet.process.poll() is None:
            fleet.process.kill()
            fleet.process.wait()
        if passed:
            shutil.rmtree(fleet.directory)
    for problem in chaos.broken[:40]:
        print("broken:", problem)
    exchanges = sum(chaos.outcomes.values())
    if not passed:
        print(f"chaos: failed with seed {seed}, log in {fleet.directory}")
    print(f"{exchanges - len(chaos.broken)} passed, {len(chaos.broken)} failed")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
