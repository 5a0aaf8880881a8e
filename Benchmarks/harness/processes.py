# SPDX-License-Identifier: Apache-2.0
"""Programs that the benchmark starts, what they cost, and their orderly end."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

# How long a program may take to start, and to end after SIGTERM, before the run fails or kills it.
START_SECONDS = 15
STOP_SECONDS = 15


class BenchError(Exception):
    """The run cannot go on; the text says why."""


def _read(path):
    try:
        return Path(path).read_text()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return ""  # a process that has just ended


def _children(pid):
    tasks = Path(f"/proc/{pid}/task")
    try:
        names = [task.name for task in tasks.iterdir()]
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [int(child) for task in names for child in _read(tasks / task / "children").split()]


class Program:
    """One started program and the tree of processes below it."""

    def __init__(self, name, arguments, log, environment=None):
        self.name = name
        self.log = Path(log)
        with open(self.log, "wb") as output:
            self._process = subprocess.Popen(
                [str(argument) for argument in arguments], stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, env=environment, start_new_session=True)
        self.pid = self._process.pid

    def tree(self):
        """Ids of all living processes, this one first."""
        found, queue = [], [self.pid]
        while queue:
            pid = queue.pop(0)
            found.append(pid)
            queue += _children(pid)
        return found

    def processor_ns(self):
        """Run time so far of all threads in the tree, in nanoseconds.

        The scheduler's own count, because utime and stime have ticks of 10 ms. Threads that have
        ended are missing, so the set of processes must be the same at both ends of a measurement.
        """
        total = 0
        for pid in self.tree():
            for task in Path(f"/proc/{pid}/task").glob("*"):
                fields = _read(task / "schedstat").split()
                total += int(fields[0]) if fields else 0
        return total

    def ticks(self):
        """User and system ticks of the tree, ended children included."""
        user = system = 0
        for pid in self.tree():
            fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
            if fields:
                user += int(fields[11]) + int(fields[13])
                system += int(fields[12]) + int(fields[14])
        return user, system

    def pss_kb(self):
        """Memory of the tree in KiB; pages shared by several processes count once."""
        total = 0
        for pid in self.tree():
            for line in _read(f"/proc/{pid}/smaps_rollup").splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        return total

    def wait_for_port(self, port):
        """Waits until a connection is accepted; returns the monotonic time of that."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return time.monotonic()
            except OSError:
                time.sleep(0.0005)
        raise BenchError(f"{self.name} does not listen on port {port}:\n{self.log_tail()}")

    def wait_for_processes(self, count):
        """Waits until the tree has `count` processes: a parent may listen before it has workers."""
        deadline = time.monotonic() + START_SECONDS
        while len(self.tree()) != count:
            if time.monotonic() > deadline or not self.is_running():
                raise BenchError(f"{self.name} has {len(self.tree())} processes instead of "
                                 f"{count}:\n{self.log_tail()}")
            time.sleep(0.01)

    def log_tail(self):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])

    def is_running(self):
        return self._process.poll() is None

    def stop(self):
        """Ends the program and, should it have failed to, the processes it left behind."""
        tree = self.tree()
        if self.is_running():
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for pid in tree[1:]:
            # Orphans of a killed parent: still in the session that was made for this program.
            try:
                if os.getsid(pid) == self.pid:
                    os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def free_ports(count):
    """Ports that nothing listens on at present."""
    sockets = []
    try:
        for _ in range(count):
            listener = socket.socket()
            listener.bind(("127.0.0.1", 0))
            sockets.append(listener)
        return [listener.getsockname()[1] for listener in sockets]
    finally:
        for listener in sockets:
            listener.close()


def machine_busy_ns():
    """Time that all processors together were busy since the start of the machine."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    idle = fields[3] + fields[4]
    return (sum(fields) - idle) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
