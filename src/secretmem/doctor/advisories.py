"""
Known kernel bugs that concern secret memory, as data, and their judgement.

``fixed`` names, for every stable branch that got the fix, its first good
release, and last the first mainline release.  Sources: the records of the
kernel's CVE numbering authority, the ChangeLog files of the stable releases
and, for branches that the records leave out, Debian's changelogs of
6.1.192 and 6.12.117.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from secretmem.doctor.release import number_of


if TYPE_CHECKING:
    from secretmem.doctor.release import Version


Verdict = Literal["before", "fixed", "affected"]


@dataclass(frozen=True, slots=True)
class Advisory:
    """
    One bug: from which release on, fixed in which, and what it does.

    ``only`` restricts it: a machine type ("aarch64"), "lsm" (matters where a
    security module labels files) or a configuration option that must be on.
    """

    name: str
    title: str
    introduced: str
    fixed: tuple[str, ...]
    consequence: str
    only: str = ""


ACCOUNTING = Advisory(
    name="CVE-2026-93243",
    title="secretmem pages escape RLIMIT_MEMLOCK",
    introduced="5.14",
    fixed=(
        "6.1.191",
        "6.6.159",
        "6.12.113",
        "6.18.52",
        "7.2.5",
        "7.3",
    ),
    consequence=(
        "Any user can fill memory with pages that cannot be swapped or "
        "reclaimed, by mapping and unmapping or by forking. Secrets stay "
        "hidden. The fix changes the rules: the limit then counts per user "
        "at first touch, root included."
    ),
)

DIRECT_MAP = Advisory(
    name="CVE-2024-50182",
    title="memfd_secret works without hiding pages",
    introduced="5.14",
    fixed=("5.15.169", "6.1.113", "6.6.57", "6.11.4", "6.12"),
    consequence=(
        "Where arm64 maps its direct map in large blocks (rodata not "
        "full) the call succeeds and the pages stay in the direct map: "
        "memory that is called secret is not."
    ),
    only="aarch64",
)

ADVISORIES = (
    ACCOUNTING,
    Advisory(
        name="CVE-2026-23375",
        title="huge pages are tried on secretmem files",
        introduced="6.8",
        fixed=("6.12.78", "6.18.17", "6.19.7", "7.0"),
        consequence=(
            "khugepaged, or MADV_COLLAPSE by any user, can make the kernel "
            "read a secretmem page that its direct map lacks: a crash."
        ),
        only="CONFIG_READ_ONLY_THP_FOR_FS",
    ),
    Advisory(
        name="CVE-2025-40272",
        title="two threads that touch one new page race in the kernel",
        introduced="5.14",
        fixed=(
            "5.15.197",
            "6.1.159",
            "6.6.117",
            "6.12.59",
            "6.17.9",
            "6.18",
        ),
        consequence=(
            "An unprivileged user can crash the kernel. secretmem touches "
            "every new page from one thread and does not trigger it."
        ),
    ),
    Advisory(
        name="CVE-2025-38396",
        title="security modules do not see secretmem files",
        introduced="6.0",
        fixed=("6.1.146", "6.6.97", "6.12.37", "6.15.6", "6.16"),
        consequence=(
            "SELinux and other modules do not check who uses a secretmem "
            "descriptor. After the fix a strict policy may refuse the call."
        ),
        only="lsm",
    ),
    DIRECT_MAP,
    Advisory(
        name="lib/buildid fix 5ac9b4e935df (no CVE number known)",
        title="build-id parsing reads secretmem pages",
        introduced="5.14",
        fixed=("6.1.132", "6.6.84", "6.12"),
        consequence=(
            "perf or BPF that collects build ids of a process with secretmem "
            "mappings can crash the kernel."
        ),
    ),
    Advisory(
        name="CVE-2024-35872",
        title="fast page pinning succeeds on fresh secretmem pages",
        introduced="5.14",
        fixed=("5.15.154", "6.1.85", "6.6.26", "6.8.5", "6.9"),
        consequence=(
            "vmsplice or O_DIRECT on a page that was just touched crashes "
            "the kernel instead of failing with EFAULT."
        ),
    ),
    Advisory(
        name="secretmem truncate fix 84ac013046cc (no CVE number known)",
        title="truncating races with a page fault",
        introduced="5.14",
        fixed=("5.15.59", "5.18.16", "5.19"),
        consequence="An unprivileged user can crash the kernel.",
    ),
    Advisory(
        name="secretmem growth fix f9b141f93659 (no CVE number known)",
        title="growing a secretmem file writes to a hidden page",
        introduced="5.14",
        fixed=("5.15.35", "5.17.4", "5.18"),
        consequence=(
            "An unprivileged user can crash the kernel. secretmem sizes each "
            "file once and does not trigger it."
        ),
    ),
    Advisory(
        name="CVE-2021-47463",
        title="page pinning dereferences a null pointer",
        introduced="5.14",
        fixed=("5.14.15", "5.15"),
        consequence="Page migration beside secretmem can crash the kernel.",
    ),
)


def judge(advisory: Advisory, version: Version) -> Verdict:
    """
    Say what upstream's ``version`` means for ``advisory``.

    A branch that is not in the table and older than the mainline fix counts
    as affected: no fix of it is known.
    """
    if version < _number(advisory.introduced):
        return "before"
    marks = [_number(text) for text in advisory.fixed]
    for mark in marks:
        if mark[:2] == version[:2]:
            return "fixed" if version >= mark else "affected"
    return "fixed" if version >= marks[-1] else "affected"


def _number(text: str) -> Version:
    """Return a version of the table as a tuple."""
    number = number_of(text)
    if number is None:
        raise ValueError(text)
    return number
