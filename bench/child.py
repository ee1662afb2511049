"""
A process that does the operations of one configuration, on request.

``python -m bench.child KIND REQUEST ...``, where KIND is ``bytearray`` or the
gate that secretmem is told to use (``auto``, ``mprotect``); for cryptography
``pyca``, ``pynacl``, ``crypto-auto`` or ``crypto-mprotect``:

    serve            answer each line "OPERATION COUNT THREADS BUSY" by ns
    trace            each operation between marks, for strace
    memory COUNT     locked and resident bytes, as JSON
    live LIMIT UID   how many secrets fit under a limit, as JSON
    signer LIMIT UID locked bytes of a program that signs, as JSON
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import resource
import sys
import threading
from contextlib import contextmanager, nullcontext
from pathlib import Path
from time import perf_counter_ns
from typing import TYPE_CHECKING

from bench import crypto_operations, operations, signer
from bench.operations import DATA


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.operations import Operation

# How often `trace` does each operation, here and in peers.c.
TRACED = 50
KIB = 1024


# Of an operation that a configuration has not.
NONE = "-"


def _operations(kind: str) -> dict[str, Operation]:
    makers = {
        "bytearray": operations.of_bytearray,
        "pyca": crypto_operations.of_pyca,
        "pynacl": crypto_operations.of_pynacl,
        "crypto-auto": crypto_operations.of_secretmem,
        "crypto-mprotect": crypto_operations.of_secretmem,
    }
    return makers.get(kind, operations.of_secretmem)()


def _choose_gate(kind: str) -> None:
    import secretmem

    if kind.endswith("mprotect"):
        secretmem.configure(gate="mprotect")


def _version(kind: str) -> str:
    """Say what answers: the interpreter, or the gate that is in use."""
    if kind == "bytearray":
        return f"Python {sys.version.split()[0]}"
    if kind in ("pyca", "pynacl"):
        name = {"pyca": "cryptography", "pynacl": "pynacl"}[kind]
        return f"{name} {importlib.metadata.version(name)}"
    import secretmem

    return secretmem.posture().gate


@contextmanager
def _busy_thread() -> Iterator[None]:
    """Keep one other thread of this interpreter at work."""
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            sum(range(100))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _alone(operation: Operation, n: int) -> int:
    start = perf_counter_ns()
    operation(n)
    return perf_counter_ns() - start


def _in_threads(operation: Operation, n: int, threads: int) -> int:
    """Time from "all are ready" to "all are done"."""
    ready = threading.Barrier(threads + 1)

    def work() -> None:
        ready.wait()
        operation(n)

    others = [threading.Thread(target=work) for _ in range(threads)]
    for thread in others:
        thread.start()
    ready.wait()
    start = perf_counter_ns()
    for thread in others:
        thread.join()
    return perf_counter_ns() - start


def serve(kind: str) -> None:
    """Say who answers, then answer requests until the input ends."""
    known = _operations(kind)
    print(_version(kind), flush=True)
    for line in sys.stdin:
        name, n, threads, busy = line.split()
        if name not in known:
            print(NONE, flush=True)
            continue
        known[name](0)  # makes what it needs
        with _busy_thread() if int(busy) else nullcontext():
            if int(threads) > 1:
                took = _in_threads(known[name], int(n), int(threads))
            else:
                took = _alone(known[name], int(n))
        print(took, flush=True)


def trace(kind: str) -> None:
    """Do each operation between calls of getppid(2), which nothing makes."""
    for operation in _operations(kind).values():
        operation(TRACED)
        os.getppid()
        operation(TRACED)
        os.getppid()


def _field(file: str, name: str) -> int:
    """Read one size of a file of ``/proc/self``, in bytes."""
    for line in Path("/proc/self", file).read_text("ascii").splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * KIB
    raise LookupError(f"/proc/self/{file} has no {name}")


def _maker(kind: str) -> Callable[[], object]:
    if kind == "bytearray":
        return lambda: bytearray(DATA)
    from secretmem import Secret

    return lambda: Secret.from_bytes(DATA)


def memory(kind: str, count: int) -> dict[str, int]:
    """
    Count the bytes of the first secret, and of ``count`` more.

    ``locked`` is what the allocator says: some kernels count secret memory
    per user and show nothing in VmLck, which is given beside it.
    """
    make = _maker(kind)
    kept: list[object] = [None] * (count + 1)
    vmlck, rss = _field("status", "VmLck:"), _field("smaps_rollup", "Rss:")
    kept[0] = make()
    first = {
        "first_vmlck": _field("status", "VmLck:") - vmlck,
        "first_resident": _field("smaps_rollup", "Rss:") - rss,
        "first_locked": _allocated(kind),
    }
    vmlck, rss = _field("status", "VmLck:"), _field("smaps_rollup", "Rss:")
    for i in range(count):
        kept[i + 1] = make()
    return first | {
        "count": count,
        "vmlck": _field("status", "VmLck:") - vmlck,
        "resident": _field("smaps_rollup", "Rss:") - rss,
        "locked": _allocated(kind) - first["first_locked"],
    }


def _allocated(kind: str) -> int:
    if kind == "bytearray":
        return 0
    import secretmem

    return secretmem.posture().locked_bytes


def become_unprivileged(limit: int, uid: int) -> None:
    """Lower the limit for good, and let root become ``uid``."""
    # That user may not be able to read this interpreter's folder, so what
    # an error needs is loaded before.
    from secretmem import _errors, _limits, _posture, _secret

    assert {_errors, _posture, _secret} <= set(sys.modules.values())
    _limits.regime()
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, limit))
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)


def live(limit: int, uid: int) -> dict[str, int]:
    """
    Fill the limit with 32-byte secrets; the last and the first are used.

    One window is out all the time, and one stack was made by a comparison.
    """
    import secretmem
    from secretmem import LimitError, Secret

    become_unprivileged(limit, uid)
    kept = [Secret.from_bytes(DATA)]
    assert kept[0] == kept[0][:]
    with kept[0].reveal() as view:
        try:
            while True:
                kept.append(Secret.from_bytes(DATA))
        except LimitError:
            pass
        assert view == DATA
        assert kept[0] == kept[-1]
        locked = secretmem.posture().locked_bytes
    return {"live": len(kept), "locked": locked}


def main() -> None:
    """Do what the command line asks."""
    kind, request, *numbers = sys.argv[1:]
    if kind not in ("bytearray", "pyca", "pynacl"):
        _choose_gate(kind)
    if request == "serve":
        serve(kind)
    elif request == "trace":
        trace(kind)
    elif request == "memory":
        print(json.dumps(memory(kind, int(numbers[0]))))
    elif request == "live":
        print(json.dumps(live(int(numbers[0]), int(numbers[1]))))
    elif request == "signer":
        print(json.dumps(signer.run(int(numbers[0]), int(numbers[1]))))
    else:
        raise SystemExit(f"no such request: {request}")


if __name__ == "__main__":
    main()
