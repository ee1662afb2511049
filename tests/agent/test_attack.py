"""
What a process of the same user can take from a running agent: nothing.

OpenSSH's regress/agent-ptrace.sh asks the same of its agent by gdb. The
control is a process of the same user that is not hardened.
"""

from __future__ import annotations

import json

import pytest

from support import unprivileged


pytestmark = [
    pytest.mark.needs_secretmem,
    pytest.mark.needs_root,
    pytest.mark.needs_unprivileged,
]

# Each attack prints the errno that it gets, or "worked".
ATTACKS = """
import ctypes, errno, json, os, signal, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
zero = ctypes.c_void_p(0)

def tried(result):
    if result < 0:
        return errno.errorcode[ctypes.get_errno()]
    return "worked"

def opened(path):
    try:
        os.close(os.open(path, os.O_RDONLY))
    except OSError as error:
        return errno.errorcode[error.errno]
    return "worked"

def taken(pid):
    pidfd = os.pidfd_open(pid)
    return tried(libc.syscall(438, pidfd, 0, 0))

def read(pid):
    class Span(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]
    buffer = ctypes.create_string_buffer(16)
    here = Span(ctypes.addressof(buffer), 16)
    # Any mapped address of the control; the right is looked at first.
    maps = open(f"/proc/{os.getpid()}/maps").read().split("-")[0]
    there = Span(int(maps, 16), 16)
    got = libc.process_vm_readv(
        pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
    name = tried(got)
    return "worked" if name == "EFAULT" else name

def attacks(pid):
    found = {
        "mem": opened(f"/proc/{pid}/mem"),
        "maps": opened(f"/proc/{pid}/maps"),
        "environ": opened(f"/proc/{pid}/environ"),
        "pidfd_getfd": taken(pid),
        "process_vm_readv": read(pid),
        "ptrace": tried(libc.ptrace(0x4206, pid, zero, zero)),
    }
    return found

agent = int(os.environ["SSH_AGENT_PID"])
plain = subprocess.Popen(["sleep", "600"])
# It is dumpable only after its execve(2).
while open(f"/proc/{plain.pid}/comm").read() != "sleep\\n":
    pass
print(json.dumps({"agent": attacks(agent), "control": attacks(plain.pid)}))
plain.kill()
"""


def test_the_agent_is_closed_to_its_own_user() -> None:
    """Each route is refused, and works on an ordinary process."""
    program = ("-m", "secretmem.cli.main", "agent", "--")
    interpreter = unprivileged.interpreter()
    assert interpreter is not None
    done = unprivileged.run(*program, interpreter, "-I", "-c", ATTACKS)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found["control"].values()) == {"worked"}, found
    assert set(found["agent"].values()) == {"EPERM", "EACCES"}, found
