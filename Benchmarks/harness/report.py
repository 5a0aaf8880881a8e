# SPDX-License-Identifier: Apache-2.0
"""The table, the machine it was measured on, and how, as Markdown."""

import os
import platform
import re
import subprocess
import time
from pathlib import Path

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"


def _first(text, pattern, otherwise="?"):
    found = re.search(pattern, text, re.M)
    return found[1].strip() if found else otherwise


def _run(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout + done.stderr


def machine(nginx, root):
    memory = int(_first(Path("/proc/meminfo").read_text(), r"^MemTotal:\s+(\d+)", "0"))
    system = Path("/etc/os-release").read_text() if Path("/etc/os-release").exists() else ""
    return {
        "processor": _first(Path("/proc/cpuinfo").read_text(), r"^model name\s*:(.*)$"),
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 1024 / 1024),
        "kernel": platform.release(),
        "system": _first(system, r'^PRETTY_NAME="(.*)"'),
        "swift": _first(_run("swift", "--version"), r"Swift version (\S+)"),
        "nginx": _first(_run(str(nginx), "-v"), r"nginx/(\S+)"),
        "libcurl": _first(_run("pkg-config", "--modversion", "libcurl"), r"^(\S+)"),
        "commit": _first(_run("git", "-C", str(root), "describe", "--always", "--dirty"), r"^(\S+)"),
        "day": time.strftime("%Y-%m-%d", time.gmtime()),
    }


def verdict(result):
    return {True: "met", False: "**missed**", None: "-"}[result.met]


def table(results):
    lines = ["| What | Unit | Target | Apus | nginx | Ratio | Verdict |",
             "|---|---|---|--:|--:|--:|---|"]
    for result in results:
        lines.append(f"| {result.row} | {result.unit} | {result.target} | {result.apus} "
                     f"| {result.nginx or '-'} | {result.ratio or '-'} | {verdict(result)} |")
    notes = [f"* {result.row}: {result.note}" for result in results if result.note]
    return lines + (["", *notes] if notes else [])


def markdown(results, facts, rounds, seconds, foreign):
    about = (
        f"Measured {facts['day']} at commit `{facts['commit']}` on {facts['cores']} cores "
        f"({facts['processor']}), {facts['memory_gib']} GiB, {facts['system']}, Linux "
        f"{facts['kernel']}; Swift {facts['swift']}, nginx {facts['nginx']}, libcurl "
        f"{facts['libcurl']}. {rounds} rounds of {seconds} s per side, alternating; medians, best "
        f"in brackets, the ratio is the median of the rounds' ratios.")
    if foreign is not None:
        about += (f" Other programs used at most {foreign * 100:.0f} % of the machine during a "
                  "counted round.")
    return "\n".join([about, "", *table(results)])


def write_into(path, text):
    """Puts `text` between the markers of the document."""
    document = path.read_text()
    begin, end = document.index(BEGIN) + len(BEGIN), document.index(END)
    path.write_text(document[:begin] + "\n" + text + "\n" + document[end:])
