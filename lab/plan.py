"""Which check runs on which kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lab.checks import (
    accounting,
    directmap,
    hibernate,
    history,
    image,
    kcore,
    outside,
    package,
    swap,
    switch,
)


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lab.kernels import Kernel
    from lab.rows import Row


class Step(NamedTuple):
    """A check by name, and the kernels it is for."""

    name: str
    check: Callable[[Kernel], Iterator[Row]]
    kernels: tuple[str, ...]


# Without these the table is not complete; the others are run if the archive
# has them.
REQUIRED = ("5.10", "6.1", "6.12")

BOTH_6_1 = ("6.1-oldest-cloud", "6.1-cloud")
WITH_CALL = (*BOTH_6_1, "6.12-cloud", "newest-cloud")

FULL = (
    Step("switch", switch.check, ("5.10-cloud", *WITH_CALL)),
    Step("history", history.check, WITH_CALL),
    Step("kcore", kcore.check, WITH_CALL),
    Step("image", image.check, ("6.1-cloud", "6.12-cloud", "newest-cloud")),
    Step(
        "accounting",
        accounting.check,
        (*BOTH_6_1, "6.12-oldest-cloud", *WITH_CALL[2:]),
    ),
    Step("hibernate", hibernate.refused, WITH_CALL),
    Step("resume", hibernate.resumed, ("6.1-cloud", "6.12-cloud")),
    Step("swap", swap.disk, (*BOTH_6_1, "6.12-cloud")),
    Step("zram", swap.zram, ("6.1-cloud", "6.12-cloud")),
    Step("hypervisor", outside.hypervisor, ("6.12-cloud",)),
    Step("crash", outside.crash, ("6.1-cloud", "6.12-cloud")),
    Step("directmap", directmap.check, ("6.12-cloud", "newest-cloud")),
    Step("unavailable", package.unavailable, ("5.10", "6.1")),
    Step("package", package.check, ("6.1-oldest", "6.1", "6.12", "newest")),
    Step("prove", package.prove, ("6.12",)),
)

# About two minutes: two small kernels, the static probe alone.
SHORT_KERNELS = ("6.1-oldest-cloud", "6.12-cloud")
SHORT = (
    Step("switch", switch.check, SHORT_KERNELS),
    Step("kcore", kcore.check, SHORT_KERNELS),
    Step("accounting", accounting.check, SHORT_KERNELS),
    Step("hibernate", hibernate.refused, SHORT_KERNELS),
    Step("swap", swap.disk, SHORT_KERNELS),
)


def required(kernel: str) -> bool:
    """Tell whether the table needs this kernel."""
    return kernel.split("-", 1)[0] in REQUIRED
