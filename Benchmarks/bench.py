#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`make bench`: Apus beside nginx on the same upstream and load, in one run.

Needs release builds of apus, apus-worker and BenchTool. Writes the table into
docs/BENCHMARKS.md and everything measured into bench-results/. Loopback only; every load is
bounded; what was started is stopped.
"""

import argparse
import dataclasses
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness import report
from harness.processes import BenchError
from harness.rows import ROWS, Bench
from harness.targets import DESCRIPTORS, Workshop, find_nginx

ROOT = Path(__file__).resolve().parent.parent


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true",
                        help="one short round of every row; writes no document")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="length of a load")
    parser.add_argument("--row", action="append", choices=list(ROWS), help="only these rows")
    parser.add_argument("--keep", action="store_true", help="keep the directory with all logs")
    parser.add_argument("--binaries", type=Path, help="directory of the release build")
    return parser.parse_args()


def raise_descriptor_limit():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def build_directory():
    done = subprocess.run(["swift", "build", "-c", "release", "--show-bin-path"], cwd=ROOT,
                          check=True, capture_output=True, text=True)
    return Path(done.stdout.strip())


def say(text):
    print(text, flush=True)


def measure(options, workshop):
    cores = len(os.sched_getaffinity(0))
    bench = Bench(workshop, 1 if options.quick else options.rounds,
                  1 if options.quick else options.seconds, options.quick, 2 * cores + 1, say)
    results, failed = [], []
    for name in options.row or ROWS:
        try:
            results += ROWS[name](bench)
        except BenchError as error:
            # The other rows still say something.
            say(f"  {name} could not be measured: {error}")
            failed.append(name)
        finally:
            workshop.stop_all()
    return bench, results, failed


def main():
    options = arguments()
    raise_descriptor_limit()
    os.environ["SWIFT_BACKTRACE"] = "enable=no"
    nginx = find_nginx(ROOT / ".build")
    facts = report.machine(nginx, ROOT)
    directory = tempfile.mkdtemp(prefix="apus-bench-")
    workshop = Workshop(directory, options.binaries or build_directory(), nginx)
    say(f"bench: {facts['cores']} cores, logs in {directory}")
    try:
        bench, results, failed = measure(options, workshop)
    finally:
        workshop.stop_all()
    foreign = max((run["foreign_share"] for result in results for run in result.runs),
                  default=None)
    text = report.markdown(results, facts, bench.rounds, bench.seconds, foreign)
    say("\n" + text)
    record = ROOT / "bench-results" / time.strftime("%Y%m%d-%H%M%S.json", time.gmtime())
    record.parent.mkdir(exist_ok=True)
    record.write_text(json.dumps(
        {"facts": facts, "failed": failed,
         "results": [dataclasses.asdict(result) for result in results]}, indent=1))
    if not options.quick and not options.row and not failed:
        report.write_into(ROOT / "docs" / "BENCHMARKS.md", text)
        say("\nWritten to docs/BENCHMARKS.md")
    if not options.keep and not failed:
        subprocess.run(["rm", "-rf", "--", directory], check=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
