"""S13: hibernation is refused while an area exists, and works without."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab import markers
from lab.bench import boot, drive, scratch
from lab.rows import Answers, Row


if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.kernels import Kernel


DISK_BYTES = 1 << 30
SWAP = "mkswap /dev/vda > /dev/null && swapon /dev/vda\n"
REFUSED = (
    SWAP
    + """
state() {
    echo "[$1]"
    echo "state=$(cat /sys/power/state)"
    echo "disk=$(cat /sys/power/disk)"
}
state before
for kind in descriptor mapping; do
    probe keep $kind > /tmp/$kind & holder=$!
    sleep 1
    state $kind
    cat /tmp/$kind
    probe put disk /sys/power/state
    kill $holder; wait $holder
    state after-$kind
done
"""
)
# A secret is held and released first: the image must hold nothing of it.
SLEEP = (
    SWAP
    + """
probe hold 64 0 > /tmp/secret & holder=$!
sleep 1
kill $holder; wait $holder
probe hold 0 64 > /tmp/ordinary &
sleep 1
echo "[held]"; cat /tmp/secret /tmp/ordinary
echo shutdown > /sys/power/disk
echo "[asleep]"
probe put disk /sys/power/state
echo "[awake]"
echo "boot=$(cat /proc/sys/kernel/random/boot_id)"
"""
)
WAKE = """
cat /sys/class/block/vda/dev > /sys/power/resume
echo "[no image]"
"""


def _offered(answers: Answers, section: str) -> str:
    words = answers.get(section, "state").split()
    return "offered" if "disk" in words else "not offered"


def refused(kernel: Kernel) -> Iterator[Row]:
    """Ask for hibernation with a descriptor open, and with a mapping."""
    with scratch(DISK_BYTES) as place:
        outcome = boot(kernel, REFUSED, arguments=drive(place / "disk"))
    answers = Answers(outcome.text)
    before = _offered(answers, "before")
    kinds = {
        "descriptor": "one descriptor open, nothing mapped",
        "mapping": "one page mapped, descriptor closed",
    }
    for kind, what in kinds.items():
        ready = answers.get(kind, "ready") == "1"
        offered = _offered(answers, kind)
        yield Row(
            row="S13",
            what=f"hibernation with {what}",
            kernel=kernel.release,
            expected="not offered, EPERM",
            observed=f"{offered}, {answers.get(kind, 'write')}",
            control=f"before: {before}",
            control_ok=before == "offered" and ready,
            evidence=(
                f"/sys/power/state: {answers.get(kind, 'state')}; "
                f"/sys/power/disk: {answers.get(kind, 'disk')}"
            ),
        )
        after = f"after-{kind}"
        yield Row(
            row="S13",
            what=f"hibernation after release ({kind})",
            kernel=kernel.release,
            expected="offered",
            observed=_offered(answers, after),
            control=f"before: {before}",
            control_ok=before == "offered",
            evidence=f"/sys/power/state: {answers.get(after, 'state')}",
        )


def resumed(kernel: Kernel) -> Iterator[Row]:
    """Hibernate for real, scan the image on the disk, and wake up."""
    with scratch(DISK_BYTES) as place:
        disk = drive(place / "disk")
        words = "hibernate=nocompress"
        if not kernel.on_by_default:
            words += " secretmem.enable=1"
        before = boot(kernel, SLEEP, append=words, arguments=disk)
        image = markers.count(place / "disk")
        after = boot(kernel, WAKE, append=words, arguments=disk)
    asleep, awake = Answers(before.text), Answers(after.text)
    held = asleep.get("held", "ready") == "1"
    powered_off = before.status is None and "[asleep]" in before.text
    woke = awake.get("", "write")
    yield Row(
        row="S13",
        what="hibernate and resume with no area left",
        kernel=kernel.release,
        expected="resumed",
        observed="resumed" if woke == "ok" else f"not resumed: {woke}",
        control="powered off while asleep" if powered_off else "stayed on",
        control_ok=powered_off,
        evidence=(
            f"the second guest went on where the first stopped: write {woke}"
        ),
    )
    yield Row(
        row="S13",
        what="the image on the disk: a secret held and released before",
        kernel=kernel.release,
        expected="secret 0 pages",
        observed=f"secret {image.secret} pages",
        control=f"ordinary {image.ordinary} of 64 pages",
        control_ok=held and image.ordinary > 0,
        evidence=f"markers in the image: {image}",
    )
