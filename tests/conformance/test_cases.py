"""
The 36 cases, the kernel's selftest and the accounting's change.

Each is played on the live kernel, in a process of its own, and in the model
with each set of traits. What the live kernel shows must be what its profile
expects; if it is what another profile expects, the failure says which.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from conformance.expected_more import CASES
from conformance.model_stage import ModelStage
from conformance.profiles import Profile
from secretmem.model import Config, Kernel


if TYPE_CHECKING:
    from conformance.conftest import RecordLack
    from conformance.expected import Case
    from conformance.stage import Seen
    from conformance.world import Nursery


PROFILES = (
    Profile((6, 18), per_user=False),
    Profile((6, 18), per_user=True),
    Profile((6, 18), per_user=False, mremap_fixed=True),
    Profile((7, 3), per_user=True, mem_forces=False),
)


def wanted(case: Case, traits: tuple[str, ...]) -> Seen:
    """Give what a kernel with these traits must show."""
    for trait in reversed(traits):
        if trait in case.expected:
            return case.expected[trait]
    return case.expected["any"]


def lacks(case: Case, seen: Seen, profile: Profile) -> list[str]:
    """Name what is missing on a kernel that shows this, if that is all."""
    names = []
    for name in case.verdict(seen):
        trait, _, rest = name.rpartition(", ")
        if rest.startswith("no-") and trait in ("", *profile.traits):
            names.append(rest)
    return names


@pytest.mark.needs_secretmem
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_live_kernel_follows_its_profile(
    nursery: Nursery,
    profile: Profile,
    record_lack: RecordLack,
    case: Case,
) -> None:
    """What is seen is what the kernel's profile expects."""
    seen = nursery.play(case.play.__module__, case.play.__name__)
    missing = lacks(case, seen, profile)
    if missing:
        record_lack(case.name, missing[0])
        return
    matches = case.verdict(seen) or ["no known profile"]
    assert seen == wanted(case, profile.traits), (
        f"{case.name}: this kernel is {profile.name}, but shows what "
        f"{matches[0]} expects; {case.play.__doc__}"
    )


@pytest.mark.parametrize("kind", PROFILES, ids=lambda kind: kind.name)
@pytest.mark.parametrize(
    "case", [c for c in CASES if c.model], ids=lambda case: case.name
)
def test_the_model_follows_each_profile(case: Case, kind: Profile) -> None:
    """The model with these traits shows what they expect."""
    kernel = Kernel(kind.config)
    stage = ModelStage(kernel, kernel.spawn(0))
    assert case.play(stage) == wanted(case, kind.traits)


def test_every_case_of_the_list_is_here() -> None:
    """C01 to C36, six of the selftest, seven changes."""
    names = [case.name for case in CASES]
    numbers = [re.match(r"[a-z]\d+", name) for name in names]
    assert sorted(n[0] for n in numbers if n) == [
        *(f"c{n:02}" for n in range(1, 37)),
        *(f"l{n}" for n in range(1, 8)),
        *(f"s{n}" for n in range(1, 7)),
    ]


def test_a_strange_kernel_is_named() -> None:
    """A result is reported with the profile that it belongs to."""
    case = next(case for case in CASES if case.name == "c15_flags")
    assert case.verdict({"VmFlags": ["dd"]}) == ["per-user-accounting"]
    assert case.verdict({"VmFlags": ["lo"]}) == []


def test_traits_make_the_model() -> None:
    """A profile's machine has the profile's traits."""
    strange = Profile((6, 1), per_user=True, mremap_fixed=True)
    assert strange.name == "per-user-accounting+mremap-bypass-fixed"
    assert strange.config == Config(
        version=(6, 1),
        cmdline="secretmem.enable=1",
        accounting="user",
        mremap_fixed=True,
    )
