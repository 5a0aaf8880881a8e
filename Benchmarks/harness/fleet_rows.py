# SPDX-License-Identifier: Apache-2.0
"""Rows about the supervisor: handover, replacement, reloads, what it costs and holds."""

import json
import os
import re
import signal
import statistics
import subprocess
import threading
import time
from datetime import datetime, timezone
from pathlib import Path

from .measure import Load, Side, generate, run_once
from .processes import START_SECONDS, BenchError
from .result import Result
from .targets import get

IDLE_SECONDS = 10
# One after the other, nearly: about 6,000 a second, the rate that the target names and some more.
HANDOFF_CONNECTIONS = 2
STREAM_EVENTS = 4
STREAM_INTERVAL_US = 6_000_000


def _status(program):
    return json.loads(get(program.status_port, "/status?full")[1])


def _rss_mb(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


def _pss_mb(pid):
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+)", text, re.M)[1]) / 1024


def handoff(bench):
    """New connections through the handover, and how long each took to be acknowledged."""
    bench.say("  handover")
    for workers in (1, bench.fleet):
        program = bench.workshop.apus(workers)
        load = Load("/health", connections=HANDOFF_CONNECTIONS,
                    options={"new_connections": "yes", "requests": 20_000})
        runs = [run_once(bench.workshop, Side("apus", program), load, bench.seconds)
                for _ in range(bench.rounds)]
        status = _status(program)["handoff"]
        bench.workshop.stop(program)
        rate = statistics.median(run["rate"] for run in runs)
        errors = sum(run["errors"] for run in runs)
        p99 = status["duration"]["p99_ms"]
        bench.say(f"    {workers} workers: {rate:,.0f} connections/s, p99 {p99:.3f} ms")
        text = "1 worker" if workers == 1 else f"{workers} workers"
        yield Result(f"Handover of new connections, {text}", "p99 ms from accept to RECEIVED",
                     "< 1 at 5,000 connections/s", f"{p99:.2f}", "", "",
                     p99 < 1 and rate >= 5_000 and errors == 0 and status["lost"] == 0,
                     status, runs,
                     f"{rate:,.0f} connections/s in one run of the generator on the same cores; "
                     f"p50 {status['duration']['p50_ms']:.2f} ms; {errors} errors, "
                     f"lost {status['lost']}")


def replacement(bench):
    """From SIGKILL of a worker to the READY of its replacement, every slot once."""
    bench.say("  replacement")
    times = []
    for _ in range(1 if bench.quick else 3):
        program = bench.workshop.apus(bench.fleet)
        for process in _status(program)["processes"]:
            seen = len(_ready_lines(program))
            killed = time.time()
            os.kill(process["pid"], signal.SIGKILL)
            deadline = time.monotonic() + START_SECONDS
            while len(lines := _ready_lines(program)) == seen:
                if time.monotonic() > deadline:
                    raise BenchError(f"no replacement:\n{program.log_tail()}")
                time.sleep(0.002)
            times.append((_time(lines[-1]) - killed) * 1000)
        bench.workshop.stop(program)
    bench.say(f"    {statistics.median(times):.1f} ms, worst {max(times):.1f} ms")
    yield Result("SIGKILL of a worker to READY of its replacement", "ms", "< 200",
                 f"{statistics.median(times):.1f} ({min(times):.1f})", "", "", max(times) < 200,
                 {"ms": times}, note=f"worst of {len(times)}: {max(times):.1f} ms")


def _ready_lines(program):
    return [json.loads(line) for line in program.log.read_text().splitlines()
            if '"msg":"worker ready"' in line and line.endswith("}")]


def _time(line):
    return datetime.strptime(line["ts"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(
        tzinfo=timezone.utc).timestamp()


def reloads(bench):
    """Reloads one after the other while requests run; none may fail."""
    count = 10 if bench.quick else 100
    bench.say(f"  {count} reloads under load")
    upstream = bench.workshop.mock(body_bytes=1_024)
    program = bench.workshop.apus(bench.fleet, upstream=upstream)
    environment = {**os.environ, "RUNTIME_DIRECTORY": str(program.runtime)}
    before = {"fds": len(os.listdir(f"/proc/{program.pid}/fd")), "rss": _rss_mb(program.pid)}
    load = Load("/v1/chat/completions", connections=16, options=bench.post())
    results, problems, times = [], [], []
    stop = threading.Event()

    def generate_until_stopped():
        while not stop.is_set():
            results.append(generate(bench.workshop, Side("apus", program), load, 2))

    thread = threading.Thread(target=generate_until_stopped)
    thread.start()
    try:
        for _ in range(count):
            begin = time.monotonic()
            done = subprocess.run([bench.workshop.binaries / "apus", "reload"], env=environment,
                                  capture_output=True, text=True, timeout=60, check=False)
            times.append((time.monotonic() - begin) * 1000)
            if done.returncode != 0:
                problems.append(done.stderr.strip())
    finally:
        stop.set()
        thread.join()
    deadline = time.monotonic() + START_SECONDS
    while len(program.tree()) > bench.fleet + 1 and time.monotonic() < deadline:
        time.sleep(0.1)
    after = {"fds": len(os.listdir(f"/proc/{program.pid}/fd")), "rss": _rss_mb(program.pid)}
    bench.workshop.stop(program)
    requests = sum(result["requests"] for result in results)
    errors = sum(result["errors"] for result in results)
    bench.say(f"    {errors} of {requests} requests failed, {len(problems)} reloads failed, "
              f"{statistics.median(times):.0f} ms each")
    yield Result(f"{count} reloads under load, {bench.fleet} workers", "failed requests", "0",
                 str(errors), "", "", errors == 0 and not problems,
                 {"before": before, "after": after, "ms": times, "loads": results}, [],
                 f"of {requests:,}; a reload takes {statistics.median(times):.0f} ms; "
                 f"supervisor: {before['fds']} descriptors before, {after['fds']} after, "
                 f"{before['rss']:.1f} and {after['rss']:.1f} MB"
                 + (f"; failed: {problems[0]}" if problems else ""))


def footprint(bench):
    """What a fleet that does nothing takes."""
    bench.say("  footprint")
    program = bench.workshop.apus(bench.fleet)
    time.sleep(1)
    workers = [process["pid"] for process in _status(program)["processes"]]
    supervisor, worker = _rss_mb(program.pid), max(_pss_mb(pid) for pid in workers)
    before = _processor_ns(program.pid)
    time.sleep(2 if bench.quick else IDLE_SECONDS)
    used = (_processor_ns(program.pid) - before) / 1e9
    share = used / (2 if bench.quick else IDLE_SECONDS) * 100
    bench.workshop.stop(program)
    bench.say(f"    supervisor {supervisor:.1f} MB, worker {worker:.1f} MB, CPU {share:.2f} %")
    yield Result("Supervisor, idle", "MB (RSS)", "< 12", f"{supervisor:.1f}", "", "",
                 supervisor < 12)
    yield Result(f"Largest of {bench.fleet} idle workers", "MB (PSS)", "< 8", f"{worker:.1f}", "",
                 "", worker < 8)
    yield Result(f"Supervisor of {bench.fleet} idle workers", "% of a CPU", "< 2",
                 f"{share:.2f}", "", "", share < 2)


def _processor_ns(pid):
    return sum(int(task.read_text().split()[0])
               for task in Path(f"/proc/{pid}/task").glob("*/schedstat"))


def held_streams(bench):
    """Streams that say something every few seconds, all at once."""
    count = 1_000 if bench.quick else min(10_000, os.sysconf("SC_OPEN_MAX") - 2_000)
    interval = 1_000_000 if bench.quick else STREAM_INTERVAL_US
    bench.say(f"  {count:,} streams")
    upstream = bench.workshop.mock(stream="yes", chunks=STREAM_EVENTS, chunk_bytes=230,
                                   interval_us=interval)
    program = bench.workshop.apus(bench.fleet, upstream=upstream, upstream_connections=count)
    options = {**bench.stream_post(), "ramp_ms": 5_000, "requests": count}
    options["expect_events"] = STREAM_EVENTS + 3
    result = {}

    def load():
        result.update(generate(bench.workshop, Side("apus", program),
                               Load("/v1/chat/completions", "event", count, options), 60))

    thread = threading.Thread(target=load)
    thread.start()
    most, memory = 0, 0.0
    while thread.is_alive():
        status = _status(program)
        if status["streams"]["open"] >= most:
            most, memory = status["streams"]["open"], program.pss_kb() / 1024
        thread.join(1)
    status = _status(program)
    bench.workshop.stop(program)
    if not result:
        raise BenchError("the generator failed")
    bench.say(f"    {most} at once, {result['errors']} errors ({result['problem']}), "
              f"{memory:.0f} MB")
    yield Result(f"{count:,} slow streams held at once, {bench.fleet} workers", "errors", "0",
                 str(result["errors"]), "", "",
                 result["errors"] == 0 and most >= 0.99 * count and status["handoff"]["lost"] == 0,
                 {"most": most, "load": result}, [],
                 f"{most:,} open at once in {memory:.0f} MB (PSS of the whole fleet)")


FLEET_ROWS = {
    "handoff": handoff, "replacement": replacement, "reloads": reloads, "footprint": footprint,
    "streams": held_streams,
}
