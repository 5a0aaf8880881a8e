# SPDX-License-Identifier: Apache-2.0
"""The rows of the table: what is loaded, on which sides, and which target it has to meet."""

import json
import os
import statistics
import subprocess
import time
from dataclasses import dataclass

from .fleet_rows import FLEET_ROWS
from .measure import Load, Side, alternate
from .processes import START_SECONDS, BenchError
from .result import Result
from .targets import CLIENT_KEY, get, make_certificates

MARKER = '"system_fingerprint":"fp_bench"'
BODY_BYTES = 2_048
ANSWER_BYTES = 1_024
EVENTS = 100
EVENT_BYTES = 230
# Behind the content events of a stream come finish reason, usage and [DONE].
EVENTS_MORE = 3
# Reading and writing anew what pass-through only copies.
CONVERSION_TARGET = 1.5
LARGE_BODY_BYTES = 1 << 20


@dataclass
class Bench:
    """What every row needs."""

    workshop: object
    rounds: int
    seconds: int
    quick: bool
    fleet: int
    say: object

    def body_file(self, stream):
        """A chat request of `BODY_BYTES` bytes in a file."""
        request = {"model": "bench", "temperature": 0.7,
                   "messages": [{"role": "system", "content": "Answer in one sentence."},
                                {"role": "user", "content": ""}]}
        if stream:
            request |= {"stream": True, "stream_options": {"include_usage": True}}
        room = BODY_BYTES - len(json.dumps(request))
        request["messages"][1]["content"] = ("Is it true that swifts sleep in flight? " * 60)[:room]
        path = self.workshop.directory / f"body-{'stream' if stream else 'plain'}.json"
        path.write_text(json.dumps(request))
        return path

    def large_body_file(self):
        """A chat request of one megabyte in 64 turns."""
        turns = 64
        room = LARGE_BODY_BYTES // turns
        text = ("Is it true that swifts sleep in flight? " * (room // 40 + 1))[:room]
        request = {"model": "bench", "messages": [
            {"role": "assistant" if turn % 2 else "user", "content": text}
            for turn in range(turns - 1)]}
        path = self.workshop.directory / "body-large.json"
        path.write_text(json.dumps(request))
        return path

    def post(self, **options):
        """A POST whose answer is checked; nginx gets the same key, which it ignores."""
        return {"body": self.body_file(False), "header": f"Authorization: Bearer {CLIENT_KEY}",
                "expect_bytes": ANSWER_BYTES, "expect_text": MARKER, **options}

    def stream_post(self):
        return {"body": self.body_file(True), "header": f"Authorization: Bearer {CLIENT_KEY}",
                "stream": "yes", "expect_events": EVENTS + EVENTS_MORE, "ramp_ms": 200}

    def compare(self, row, target, load, workers, make_apus, make_nginx, **more):
        """CPU per unit of Apus, nginx and `more` sides, alternating, and the line of the table."""
        self.say(f"  {row}")
        makers = {"apus": make_apus, "nginx": make_nginx, **more}
        sides = [Side(name, make(workers)) for name, make in makers.items()]
        try:
            alternate(self.workshop, sides, load, self.rounds, self.seconds, self.say)
        finally:
            for side in sides:
                self.workshop.stop(side.program)
        return sides, cost_result(row, load.unit, target, *sides[:2])


def cost_result(row, unit, target, apus, nginx):
    # Of each round its own ratio: neighbours in time met the same machine.
    ratio = statistics.median(ours / theirs for ours, theirs in zip(
        apus.values("cpu_us"), nginx.values("cpu_us")))
    errors = apus.errors()
    return Result(
        row, f"CPU us / {unit}", f"<= {target:g} x nginx",
        f"{apus.median('cpu_us'):.1f} ({apus.best('cpu_us'):.1f})",
        f"{nginx.median('cpu_us'):.1f} ({nginx.best('cpu_us'):.1f})",
        f"{ratio:.2f}", ratio <= target and errors == 0,
        {}, [{"side": side.name, **run} for side in (apus, nginx) for run in side.runs],
        f"{errors} errors: {apus.runs[-1]['problem']}" if errors else "")


def fleets(bench):
    """The numbers of workers that a row is run with: one on each side, then the default fleet."""
    return [(1, "1 worker")] + ([] if bench.quick else [(bench.fleet, f"{bench.fleet} workers")])


def plain_get(bench):
    probe = bench.workshop.apus(1)
    _, health = get(probe.port, "/health")
    bench.workshop.stop(probe)
    for workers, text in fleets(bench):
        yield bench.compare(
            f"Plain GET, 64 connections, {text}", 1.1, Load("/health"), workers,
            bench.workshop.apus,
            lambda n: bench.workshop.nginx(n, health=health.decode().strip()))[1]


def proxied_post(bench):
    upstream = bench.workshop.mock(body_bytes=ANSWER_BYTES)
    for workers, text in fleets(bench):
        sides, result = bench.compare(
            f"Proxied 2 KB POST, 64 connections, {text}", 1.0,
            Load("/v1/chat/completions", options=bench.post()), workers,
            lambda n: bench.workshop.apus(n, upstream=upstream),
            lambda n: bench.workshop.nginx(n, upstream=upstream),
            **{"nginx (log unbuffered)":
               lambda n: bench.workshop.nginx(n, upstream=upstream, access_log="")})
        unbuffered = f"nginx with its access log unbuffered: {sides[2].median('cpu_us'):.1f} us"
        result.note = "; ".join(filter(None, [result.note, unbuffered]))
        yield result


def proxied_post_tls(bench):
    authority, server = make_certificates(bench.workshop.directory)
    answer = json.dumps({"object": "chat.completion", "filler": "x" * 800, "end": 0})
    answer = answer[:-len('"end": 0}')] + MARKER + "}"
    backend = bench.workshop.nginx(1, certificate=server, answer=answer, access_log=None)
    load = Load("/v1/chat/completions", options=bench.post(expect_bytes=len(answer)))
    for workers, text in fleets(bench):
        yield bench.compare(
            f"The same over a TLS upstream, {text}", 1.0, load, workers,
            lambda n: bench.workshop.apus(n, upstream=backend.port, ca=f"{authority}.pem"),
            lambda n: bench.workshop.nginx(n, upstream=backend.port, ca=f"{authority}.pem"))[1]


def stream_relay(bench):
    # The intervals make 16,000 and 33,000 events a second, each a read and a write of its own.
    for streams, interval_us in ((64, 4_000), (400, 12_000)):
        upstream = bench.workshop.mock(stream="yes", chunks=EVENTS, chunk_bytes=EVENT_BYTES,
                                       interval_us=interval_us)
        load = Load("/v1/chat/completions", "event", streams, bench.stream_post())
        for workers, text in fleets(bench):
            yield bench.compare(
                f"SSE relay, {streams} streams, {text}", 1.15, load, workers,
                lambda n: bench.workshop.apus(n, upstream=upstream),
                lambda n: bench.workshop.nginx(n, upstream=upstream, buffering=False))[1]


def conversion(bench):
    """An OpenAI client on Claude behind SAP AI Core, beside the same client on an OpenAI server."""
    filler = "the quick brown fox jumps"
    plain = bench.workshop.mock(body_bytes=ANSWER_BYTES)
    claude = bench.workshop.mock(body_bytes=ANSWER_BYTES, claude="yes")
    options = {key: value for key, value in bench.post().items() if not key.startswith("expect")}
    yield against_pass_through(
        bench, "Conversion: OpenAI to Claude on SAP, 2 KB POST", plain, claude,
        Load("/v1/chat/completions", options={**options, "expect_text": filler}))

    stream = {"stream": "yes", "chunks": EVENTS, "interval_us": 4_000}
    plain = bench.workshop.mock(chunk_bytes=EVENT_BYTES, **stream)
    # As much text per event: the envelope of Claude's events is shorter.
    claude = bench.workshop.mock(chunk_bytes=EVENT_BYTES - 120, claude="yes", **stream)
    options = {key: value for key, value in bench.stream_post().items()
               if key != "expect_events"}
    yield against_pass_through(
        bench, "Conversion: the same streamed, 64 streams", plain, claude,
        Load("/v1/chat/completions", "event", 64, options))

    plain = bench.workshop.mock(body_bytes=ANSWER_BYTES)
    claude = bench.workshop.mock(body_bytes=ANSWER_BYTES, claude="yes")
    options = {**bench.post(), "body": bench.large_body_file(), "expect_text": filler}
    del options["expect_bytes"]
    yield against_pass_through(
        bench, "Conversion: 1 MB request body", plain, claude,
        Load("/v1/chat/completions", connections=8, options=options))
    yield bench.compare(
        "Pass-through: 1 MB request body, 1 worker", 1.5,
        Load("/v1/chat/completions", connections=8, options=options), 1,
        lambda n: bench.workshop.apus(n, upstream=plain),
        lambda n: bench.workshop.nginx(n, upstream=plain))[1]


def against_pass_through(bench, row, plain, claude, load):
    """The cost of a conversion as a multiple of the same worker's pass-through."""
    result = bench.compare(row, CONVERSION_TARGET, load, 1,
                           lambda n: bench.workshop.apus(n, sap=claude),
                           lambda n: bench.workshop.apus(n, upstream=plain))[1]
    result.target = f"<= {CONVERSION_TARGET:g} x pass-through"
    result.note = "; ".join(filter(None, [result.note, "second figure: pass-through of Apus"]))
    return result


def new_connections(bench):
    upstream = bench.workshop.mock(body_bytes=ANSWER_BYTES)
    # Bounded by count too: every connection leaves a port in TIME_WAIT for a minute.
    load = Load("/v1/chat/completions",
                options=bench.post(new_connections="yes", requests=20_000))
    for workers, text in fleets(bench):
        yield bench.compare(
            f"New connection per request, {text}", 2.0, load, workers,
            lambda n: bench.workshop.apus(n, upstream=upstream),
            lambda n: bench.workshop.nginx(n, upstream=upstream))[1]


def thousand(bench):
    upstream = bench.workshop.mock(body_bytes=ANSWER_BYTES, delay_ms=50)
    load = Load("/v1/chat/completions", "request", 1_000, bench.post(ramp_ms=200))
    for workers, text in fleets(bench)[-1:]:
        row = f"1,000 concurrent, upstream 50 ms, {text}"
        (apus, nginx), cost = bench.compare(
            row, 1.2, load, workers,
            lambda n: bench.workshop.apus(n, upstream=upstream),
            lambda n: bench.workshop.nginx(n, upstream=upstream))
        ratio = statistics.median(ours / theirs for ours, theirs in zip(
            apus.values("p99_us"), nginx.values("p99_us")))
        errors = apus.errors()
        note = (f"errors: {errors} of {sum(apus.values('requests'))} (nginx {nginx.errors()}); "
                f"p50 {apus.median('p50_us') / 1000:.1f} / {nginx.median('p50_us') / 1000:.1f} ms; "
                f"CPU {cost.apus} / {cost.nginx} us; "
                f"{apus.median('rate'):,.0f} / {nginx.median('rate'):,.0f} requests/s")
        yield Result(row, "p99 ms", "no error, <= 1.2 x nginx",
                     f"{apus.median('p99_us') / 1000:.1f}", f"{nginx.median('p99_us') / 1000:.1f}",
                     f"{ratio:.2f}", ratio <= 1.2 and errors == 0, cost.details, cost.runs, note)


def idle_connections(bench):
    """Growth of PSS by connections that had one request and wait for the next."""
    limit = min(10_000, os.sysconf("SC_OPEN_MAX") - 1_000)
    count = 1_000 if bench.quick else limit
    bench.say(f"  {count:,} idle connections")
    grown = {}
    for name, start in (("apus", bench.workshop.apus), ("nginx", bench.workshop.nginx)):
        program = start(bench.fleet)
        warm = Side(name, program)
        alternate(bench.workshop, [warm], Load("/health", options={"requests": 2_000}), 0, 1,
                  bench.say)
        before = program.pss_kb()
        holder = subprocess.Popen(
            [bench.workshop.binaries / "BenchTool", "idle", "--url",
             f"http://127.0.0.1:{program.port}/health", "--count", str(count),
             "--hold-seconds", "120"], stdout=subprocess.PIPE, text=True)
        try:
            held = holder.stdout.readline().strip()
            after = program.pss_kb()
        finally:
            holder.terminate()
            rest, _ = holder.communicate(timeout=30)
        if held != f"held {count}":
            raise BenchError(f"{name}: {held or 'nothing'} instead of held {count}; {rest.strip()}")
        grown[name] = (after - before) / count
        bench.workshop.stop(program)
        bench.say(f"    {name} {grown[name]:.2f} KB ({before} -> {after} KB)")
    yield Result(f"{count:,} idle keep-alive connections, {bench.fleet} workers",
                 "KB / connection", "reported", f"{grown['apus']:.2f}", f"{grown['nginx']:.2f}",
                 f"{grown['apus'] / max(grown['nginx'], 0.01):.2f}", None, grown,
                 note="growth of PSS; socket buffers of the kernel are not in it")


def idle_fleet(bench):
    bench.say("  idle fleet")
    memory = {}
    for name, start in (("apus", bench.workshop.apus), ("nginx", bench.workshop.nginx)):
        program = start(bench.fleet)
        time.sleep(1)
        memory[name] = program.pss_kb() / 1024
        processes = len(program.tree())
        bench.workshop.stop(program)
        bench.say(f"    {name} {memory[name]:.1f} MB in {processes} processes")
    yield Result(f"Idle fleet, {bench.fleet} workers and their parent", "MB (sum of PSS)", "< 30",
                 f"{memory['apus']:.1f}", f"{memory['nginx']:.1f}",
                 f"{memory['apus'] / memory['nginx']:.2f}", memory["apus"] < 30, memory)


def spawn_to_ready(bench):
    bench.say("  start")
    for count, target in ((1, "< 20"), (bench.fleet, "reported")):
        answering, booting = [], []
        for _ in range(3 if bench.quick else 11):
            program = bench.workshop.apus(count, wait=False)
            program.wait_for_port(program.port)
            get(program.port, "/health")
            answering.append((time.monotonic() - program.began) * 1000)
            booting += worker_starts(program, count)
            bench.workshop.stop(program)
        boot, answer = statistics.median(booting), statistics.median(answering)
        bench.say(f"    {count} workers: spawn to READY {boot:.1f} ms, first answer {answer:.1f} ms")
        text = "one worker" if count == 1 else f"{count} workers at once"
        yield Result(f"Spawn to READY, {text}", "ms", target, f"{boot:.1f} ({min(booting):.1f})",
                     "", "", boot < 20 if count == 1 else None, {"ms": booting})
        yield Result(f"Start of `apus` to the first answer, {text}", "ms", "reported",
                     f"{answer:.1f} ({min(answering):.1f})", "", "", None, {"ms": answering})


def worker_starts(program, count):
    """Milliseconds from spawn to READY of every worker, from the supervisor's log."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        found = [json.loads(line)["boot_ms"] for line in program.log.read_text().splitlines()
                 if '"boot_ms":' in line and line.endswith("}")]
        if len(found) == count:
            return found
        if time.monotonic() > deadline:
            raise BenchError(f"{len(found)} of {count} workers became ready:\n{program.log_tail()}")
        time.sleep(0.01)


ROWS = {
    "get": plain_get, "post": proxied_post, "tls": proxied_post_tls, "stream": stream_relay,
    "conversion": conversion,
    "connections": new_connections, "thousand": thousand, "idle": idle_connections,
    "fleet": idle_fleet, "start": spawn_to_ready, **FLEET_ROWS,
}
