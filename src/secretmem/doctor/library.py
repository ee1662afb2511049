"""The cryptographic library inside: which, how built, and what it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secretmem.doctor.finding import Finding


if TYPE_CHECKING:
    from collections.abc import Iterator

    from secretmem.doctor.system import System


def library(system: System) -> Iterator[Finding]:
    """Name the library that this installation carries."""
    built = system.extension
    if built is None:
        return
    name = "process.library"
    if "crypto_library" not in built:
        yield Finding(
            name, "unknown", "no cryptographic library here", "build_info()"
        )
        return
    flags = ", ".join(map(str, built["crypto_flags"])) or "none"
    yield Finding(
        name,
        "ok",
        f"cryptography by {built['crypto_library']}, "
        f"{built['crypto_validation']}",
        f"secretmem.build_info(): commit {built['crypto_commit']}, "
        f"flags {flags}",
    )


CHECKS = (library,)
