"""The processes that are measured: what they are, starting, asking them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple


if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "bench"

SODIUM = "libsodium"
NO_LIBSODIUM = "not installed (apt-get: libsodium23)"
NO_KEYS = "this machine has no protection keys"


class Configuration(NamedTuple):
    """A way of keeping secrets, or the reason why it is not here."""

    key: str
    label: str
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = {}
    why_not: str = ""

    @property
    def is_ours(self) -> bool:
        """Whether it is secretmem."""
        return self.label.startswith("secretmem")


def compiled(source: str, target: str, *flags: str) -> Path | None:
    """Compile a file of this folder; None without a C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    BUILD.mkdir(parents=True, exist_ok=True)
    path, file = BUILD / target, Path(__file__).with_name(source)
    command = [compiler, "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(
        [*command, *flags, "-o", path, file, "-ldl", "-lpthread"], check=True
    )
    return path


def run(command: tuple[str, ...], *arguments: str) -> str:
    """Run a configuration's program to its end; its output."""
    done = subprocess.run(
        [*command, *arguments],
        check=True,
        capture_output=True,
        cwd=ROOT,
        text=True,
        timeout=120,
    )
    return done.stdout


def python(kind: str) -> tuple[str, ...]:
    """Give the command of a child of that kind."""
    return (sys.executable, "-m", "bench.child", kind)


def _peer(
    program: Path | None, key: str, label: str, missing: str
) -> Configuration:
    if program is None:
        return Configuration(key, label, why_not="no C compiler")
    tried = subprocess.run(
        [program, key, "trace"], check=False, stderr=subprocess.DEVNULL
    )
    if tried.returncode:
        return Configuration(key, label, why_not=missing)
    return Configuration(key, label, (str(program), key))


def ours() -> list[Configuration]:
    """Say how secretmem can be measured here: by each gate, or why not."""
    key = Configuration("pku", "secretmem, protection key", python("auto"))
    pages = Configuration(
        "mprotect", "secretmem, mprotect", python("mprotect")
    )
    with Worker(key) as worker:
        has_keys = worker.version == "pku"
    if has_keys:
        return [key, pages]
    preloaded = compiled("no_gate.c", "no_gate.so", "-shared", "-fPIC")
    absent = key._replace(command=(), why_not=NO_KEYS)
    if preloaded is None:
        return [absent, pages]
    bare = Configuration(
        "no_gate",
        "secretmem, gate left out",
        python("mprotect"),
        {"LD_PRELOAD": str(preloaded)},
    )
    return [absent, pages, bare]


def configurations() -> list[Configuration]:
    """Find out what can be measured here; libsodium comes first."""
    program = compiled("peers.c", "peers")
    openssl = "not installed (apt-get: libssl3)"
    return [
        _peer(program, SODIUM, "libsodium, C", NO_LIBSODIUM),
        _peer(program, "openssl", "OpenSSL secure heap, C", openssl),
        Configuration("bytearray", "bytearray", python("bytearray")),
        *ours(),
    ]


class Worker:
    """A started configuration; ``version`` is what it says it is."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self._process = subprocess.Popen(
            [*configuration.command, "serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | dict(configuration.environment),
            cwd=ROOT,
            text=True,
        )
        self.version = self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            label, code = self.configuration.label, self._process.wait()
            raise RuntimeError(f"{label} ended with exit code {code}")
        return line.strip()

    def time(
        self, operation: str, count: int, threads: int, *, busy: bool
    ) -> int | None:
        """
        Do an operation ``count`` times in each of ``threads`` threads.

        Returns:
            Nanoseconds for all of it; None if it has no such operation.
        """
        assert self._process.stdin is not None
        request = f"{operation} {count} {threads} {int(busy)}\n"
        self._process.stdin.write(request)
        self._process.stdin.flush()
        answer = self._answer()
        return None if answer == "-" else int(answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self._process.stdout.close()
