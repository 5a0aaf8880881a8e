# SPDX-License-Identifier: Apache-2.0
"""Runs in the sandbox of apus.service, as a command of the unit, and writes what it may do."""

import ctypes
import errno
import json
import mmap
import os
import socket
import sys


def error(action):
    """Name of the error that an action fails with, None when it succeeds."""
    try:
        action()
    except OSError as problem:
        return errno.errorcode.get(problem.errno, str(problem.errno))
    return None


def write(path):
    def action():
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    return action


def call(function, *arguments):
    """A call of libc that reports through errno."""
    libc = ctypes.CDLL(None, use_errno=True)

    def action():
        if getattr(libc, function)(*arguments) < 0:
            raise OSError(ctypes.get_errno(), function)
    return action


def socket_of(family, kind=socket.SOCK_STREAM):
    return lambda: socket.socket(family, kind).close()


def status_field(name):
    with open("/proc/self/status", encoding="ascii") as status:
        return next(line.split(":")[1].strip() for line in status if line.startswith(name + ":"))


CLONE_NEWUSER = 0x10000000
PTRACE_ATTACH = 16

RESULT = {
    "uid": os.getuid(),
    "capabilities": status_field("CapEff"),
    "no_new_privileges": status_field("NoNewPrivs"),
    "seccomp": status_field("Seccomp"),
    "other_processes": sorted(name for name in os.listdir("/proc") if name == "1"),
    "write /etc": error(write("/etc/apus-probe")),
    "write /etc/apus": error(write("/etc/apus/apus-probe")),
    "write /usr": error(write("/usr/bin/apus-probe")),
    "write /var/lib": error(write("/var/lib/apus-probe")),
    "write runtime": error(write(os.environ["RUNTIME_DIRECTORY"] + "/probe")),
    "write state": error(write(os.environ["STATE_DIRECTORY"] + "/probe")),
    "read /root": error(lambda: os.listdir("/root")),
    "read credential": error(lambda: os.listdir(os.environ["CREDENTIALS_DIRECTORY"])),
    "raw socket": error(socket_of(socket.AF_INET, socket.SOCK_RAW)),
    "netlink": error(socket_of(socket.AF_NETLINK, socket.SOCK_RAW)),
    "packet": error(socket_of(socket.AF_PACKET, socket.SOCK_RAW)),
    "tcp": error(socket_of(socket.AF_INET)),
    "tcp6": error(socket_of(socket.AF_INET6)),
    "unix": error(socket_of(socket.AF_UNIX)),
    "namespace": error(call("unshare", CLONE_NEWUSER)),
    "mount": error(call("mount", b"none", b"/tmp", b"tmpfs", 0, None)),
    "trace": error(call("ptrace", PTRACE_ATTACH, os.getppid(), None, None)),
    "executable memory": error(lambda: mmap.mmap(
        -1, 4096, prot=mmap.PROT_WRITE | mmap.PROT_EXEC)),
    "set clock": error(call("settimeofday", ctypes.byref(ctypes.create_string_buffer(16)), None)),
}
with open(os.path.join(os.environ["STATE_DIRECTORY"], "probe.json"), "w", encoding="utf-8") as file:
    json.dump(RESULT, file, indent=1)
sys.exit(0)
