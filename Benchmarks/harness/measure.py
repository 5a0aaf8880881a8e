# SPDX-License-Identifier: Apache-2.0
"""One load against one side, and the alternation of two sides."""

import json
import os
import resource
import statistics
import subprocess
import time
from dataclasses import dataclass, field

from .processes import BenchError, machine_busy_ns

# A round during which other programs used more than this share of the machine is repeated.
FOREIGN_SHARE_MAX = 0.08
ATTEMPTS = 3
# The generator ends by itself: its time, 15 s for stragglers, and some more.
GENERATOR_SECONDS_MORE = 30


@dataclass
class Load:
    """What the generator does; `unit` is what the cost is divided by: requests or events."""

    path: str
    unit: str = "request"
    connections: int = 64
    options: dict = field(default_factory=dict)

    def arguments(self, port, seconds):
        options = {"url": f"http://127.0.0.1:{port}{self.path}", "seconds": seconds,
                   "connections": self.connections, **self.options}
        arguments = ["load"]
        for name, value in options.items():
            for one in value if isinstance(value, list) else [value]:
                arguments += [f"--{name.replace('_', '-')}", str(one)]
        return arguments


@dataclass
class Side:
    """Apus or nginx in one row, with what was measured of it."""

    name: str
    program: object
    runs: list = field(default_factory=list)

    def values(self, key):
        return [run[key] for run in self.runs]

    def median(self, key):
        return statistics.median(self.values(key))

    def best(self, key):
        return min(self.values(key))

    def errors(self):
        return sum(self.values("errors"))


def run_once(workshop, side, load, seconds):
    """One load; what it cost per unit and how the answers came."""
    program = side.program
    tree = program.tree()
    user_before, system_before = program.ticks()
    machine = MachineUse(workshop)
    before = program.processor_ns()
    result = generate(workshop, side, load, seconds)
    used = program.processor_ns() - before
    foreign = machine.foreign_share()
    user, system = program.ticks()
    if program.tree() != tree:
        raise BenchError(f"{side.name} changed its processes during a load:\n{program.log_tail()}")
    units = result["events" if load.unit == "event" else "requests"]
    if units == 0:
        raise BenchError(f"no good answer from {side.name}: {result['problem']}\n"
                         f"{program.log_tail()}")
    ticks = (user - user_before) + (system - system_before)
    return {**result, "cpu_us": used / 1000 / units, "rate": units / result["seconds"],
            "user_share": (user - user_before) / ticks if ticks else 0.0,
            "foreign_share": foreign}


def generate(workshop, side, load, seconds):
    """Runs the generator to its end; the one line it prints, as a dictionary."""
    with open(workshop.directory / "load.err", "w+", encoding="utf-8") as problems:
        generator = subprocess.Popen(
            [workshop.binaries / "BenchTool", *load.arguments(side.program.port, seconds)],
            stdout=subprocess.PIPE, stderr=problems, text=True)
        try:
            output, _ = generator.communicate(timeout=seconds + GENERATOR_SECONDS_MORE)
        except subprocess.TimeoutExpired:
            generator.kill()
            generator.wait()
            raise BenchError(f"the generator did not end against {side.name}") from None
        if generator.returncode != 0:
            problems.seek(0)
            raise BenchError(f"the generator failed against {side.name}: {problems.read()}")
    return json.loads(output)


def alternate(workshop, sides, load, rounds, seconds, say):
    """A B A B ... so that a change of the machine's speed meets every side.

    A round in which strangers worked is repeated; of the attempts the quietest counts.
    """
    for side in sides:
        run_once(workshop, side, load, 1)  # warms caches and connection pools
    for number in range(rounds):
        attempts = []
        for _ in range(ATTEMPTS):
            attempts.append([run_once(workshop, side, load, seconds) for side in sides])
            if max(run["foreign_share"] for run in attempts[-1]) <= FOREIGN_SHARE_MAX:
                break
        quietest = min(attempts, key=lambda runs: max(run["foreign_share"] for run in runs))
        for side, run in zip(sides, quietest):
            side.runs.append(run)
        say(f"    round {number + 1}: " + "  ".join(
            f"{side.name} {side.runs[-1]['cpu_us']:.1f} us" for side in sides))


class MachineUse:
    """How much of the machine programs that are not ours use while a round runs."""

    def __init__(self, workshop):
        self._workshop = workshop
        self._begin = time.monotonic()
        self._before = self._foreign_ns()

    def _foreign_ns(self):
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        this = resource.getrusage(resource.RUSAGE_SELF)
        ours = sum(usage.ru_utime + usage.ru_stime for usage in (ended, this)) * 1e9
        return machine_busy_ns() - ours - self._workshop.processor_ns()

    def foreign_share(self):
        available = (time.monotonic() - self._begin) * 1e9 * (os.cpu_count() or 1)
        return max(0.0, (self._foreign_ns() - self._before) / available)
