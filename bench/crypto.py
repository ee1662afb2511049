"""Cryptography: secretmem beside cryptography, PyNaCl and plain AWS-LC."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

from bench import calls, timing, workers
from bench.footprint import LIMITS, NOBODY, fits
from bench.timing import Case
from bench.workers import ROOT, Configuration


if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bench.calls import Calls
    from bench.timing import Effort, Time

TITLES = {
    "ed25519_sign": "Ed25519 sign, 64 bytes",
    "p256_sign": "ECDSA P-256 sign, digest",
    "rsa2048_sign": "RSA-2048 sign, PKCS1 v1.5",
    "rsa3072_sign": "RSA-3072 sign, PKCS1 v1.5",
    "aes256gcm_64": "AES-256-GCM seal, 64 bytes",
    "aes256gcm_1m": "AES-256-GCM seal, 1 MiB",
    "aes256gcm_open_1m": "AES-256-GCM open, 1 MiB, to a buffer",
    "chacha20_64": "ChaCha20-Poly1305 seal, 64 bytes",
    "chacha20_1m": "ChaCha20-Poly1305 seal, 1 MiB",
    "hmac_64": "HMAC-SHA256, 64 bytes",
}
SHORT = ("ed25519_sign", "aes256gcm_64", "hmac_64")
TOGETHER = ("rsa2048_sign", "aes256gcm_1m")
CASES = (
    *(Case(operation) for operation in TITLES),
    *(Case(operation, busy=True) for operation in SHORT),
    *(Case(operation, threads=2) for operation in TOGETHER),
)
PYCA, PYNACL, PLAIN = "pyca", "pynacl", "plain"
GATES = ("pku", "mprotect", "no_gate")


class Locked(NamedTuple):
    """Locked bytes of a program that signs under a limit; see `signer`."""

    key: str
    limit: int
    first_secret: int
    first_signature: int
    second_thread: int | None = None
    worker: int | None = None


class Report(NamedTuple):
    """The figures; ``entry`` is ns into the domain and out, best of many."""

    configurations: list[Configuration]
    effort: Effort
    times: list[Time]
    versions: dict[str, str]
    calls: list[Calls]
    no_calls: str
    locked: list[Locked]
    entry: float | None

    def time(self, case: Case, key: str) -> Time | None:
        """Give the time of one configuration in one case."""
        mine = (t for t in self.times if t.key == key and t.case == case)
        return next(mine, None)

    def rate(self, case: Case, key: str, other: str) -> float | None:
        """Tell how many times ``other``'s rate ``key`` reaches."""
        ours, theirs = self.time(case, key), self.time(case, other)
        if ours is None or theirs is None:
            return None
        return theirs.best / ours.best

    def why_not(self, key: str) -> str:
        """Say why a configuration was not measured."""
        found = (c.why_not for c in self.configurations if c.key == key)
        return next(found, "was not measured")


def measure(*, quick: bool) -> Report:
    """Do everything; a quick run's times are rough."""
    plain, entry = _examples()
    found = configurations(plain)
    effort = timing.QUICK if quick else timing.FULL
    times, versions = timing.measure(found, effort, CASES)
    ours = [each for each in found if each.key in GATES]
    counted, no_calls = calls.measure(ours, TITLES)
    return Report(
        configurations=found,
        effort=effort,
        times=times,
        versions=versions,
        calls=counted,
        no_calls=no_calls,
        locked=_locked(ours),
        entry=_entry(entry),
    )


def _examples() -> tuple[Path | None, Path | None]:
    """Build the two Rust programs; the library is the extension's own."""
    if shutil.which("cargo") is None:
        return None, None
    command = ["cargo", "build", "--quiet", "--locked", "--release"]
    where = ["--manifest-path", "rust/Cargo.toml", "-p", "secretmem-core"]
    what = ["--features", "bench", "--examples"]
    subprocess.run([*command, *where, *what], check=True, cwd=ROOT)
    folder = ROOT / "rust" / "target" / "release" / "examples"
    return folder / "plain", folder / "entry"


def configurations(plain: Path | None) -> list[Configuration]:
    """Say what is compared."""
    command = (str(plain),) if plain else ()
    no_cargo = "" if plain else "no cargo to build it"
    return [
        Configuration(PLAIN, "AWS-LC called plainly", command, {}, no_cargo),
        _python(PYCA, "cryptography", "cryptography"),
        _python(PYNACL, "PyNaCl", "nacl"),
        *map(_for_crypto, workers.ours()),
    ]


def _python(key: str, label: str, module: str) -> Configuration:
    tried = subprocess.run(
        [sys.executable, "-c", f"import {module}"],
        check=False,
        stderr=subprocess.DEVNULL,
    )
    why_not = "not installed" if tried.returncode else ""
    return Configuration(key, label, workers.python(key), {}, why_not)


def _for_crypto(configuration: Configuration) -> Configuration:
    """Let the same gate do cryptography."""
    *start, gate = configuration.command or ("",)
    command = (*start, f"crypto-{gate}") if start else ()
    return configuration._replace(command=command)


def _locked(ours: Sequence[Configuration]) -> list[Locked]:
    return [
        Locked(each.key, limit, **json.loads(answer))
        for each in ours
        if each.command and not each.environment
        for limit in LIMITS
        if fits(limit)
        for answer in [
            workers.run(each.command, "signer", str(limit), str(NOBODY))
        ]
    ]


def _entry(program: Path | None) -> float | None:
    if program is None:
        return None
    return float(workers.run((str(program),)))
