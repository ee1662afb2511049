"""Who does see the secret: the hypervisor, and the crash kernel."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from lab import initramfs, markers
from lab.bench import boot, probe, scratch
from lab.rows import Answers, Row


if TYPE_CHECKING:
    import pathlib
    from collections.abc import Iterator

    from lab.kernels import Kernel
    from lab.markers import Count


PAGES = 64
MEGABYTES = 512
HOLD = """
probe -l -1 hold 64 64 > /tmp/held &
sleep 2
cat /tmp/held
echo "[held]"
sleep 200
"""
CRASH = """
probe kexec /crash/vmlinuz /crash/initrd "console=ttyS0 nr_cpus=1 panic=-1"
probe -l -1 hold 64 64 > /tmp/held &
sleep 2
cat /tmp/held
echo "[crashing]"
sleep 1
echo c > /proc/sysrq-trigger
"""
VMCORE = """
echo "[vmcore]"
probe scan /proc/vmcore
"""


def _row(kernel: Kernel, what: str, found: Count, evidence: str) -> Row:
    return Row(
        row="sees it",
        what=what,
        kernel=kernel.release,
        expected=f"secret {PAGES} pages",
        observed=f"secret {found.secret} pages",
        control=f"ordinary {found.ordinary} of {PAGES} pages",
        control_ok=found.ordinary == PAGES,
        evidence=evidence,
    )


class _Monitor:
    """Have the emulator write the guest's memory to a file, then stop."""

    def __init__(self, place: pathlib.Path) -> None:
        self.address = place / "monitor"
        self.memory = place / "memory"

    def __call__(self, piece: str) -> None:
        if "[held]" not in piece:
            return
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.connect(str(self.address))
            size = MEGABYTES << 20
            line = f'pmemsave 0 {size} "{self.memory}"\nquit\n'
            monitor.sendall(line.encode())
            # Until it hangs up: commands are carried out in turn.
            while monitor.recv(4096):
                pass


def hypervisor(kernel: Kernel) -> Iterator[Row]:
    """Read the running guest's memory from outside, as a hypervisor can."""
    with scratch(0) as place:
        monitor = _Monitor(place)
        outcome = boot(
            kernel,
            HOLD,
            memory=f"{MEGABYTES}M",
            arguments=(
                "-monitor",
                f"unix:{monitor.address},server=on,wait=off",
            ),
            echo=monitor,
        )
        saved = monitor.memory.exists()
        found = (
            markers.count(monitor.memory) if saved else markers.Count(-1, -1)
        )
    ready = Answers(outcome.text).get("", "ready")
    yield _row(
        kernel,
        "the emulator reads the guest's memory",
        found,
        f"{MEGABYTES} MiB saved while held (ready={ready})",
    )


def crash(kernel: Kernel) -> Iterator[Row]:
    """Crash the kernel; a second one looks at the first one's memory."""
    with scratch(0) as place:
        second = place / "initrd"
        second.write_bytes(
            initramfs.base(kernel, (probe(),), modules=())
            + initramfs.job(VMCORE),
        )
        outcome = boot(
            kernel,
            CRASH,
            memory="1G",
            append="crashkernel=256M"
            + ("" if kernel.on_by_default else " secretmem.enable=1"),
            files={"crash/vmlinuz": kernel.image, "crash/initrd": second},
            arguments=("-action", "reboot=reset"),
        )
    answers = Answers(outcome.text)
    found = markers.Count(
        answers.number("vmcore", "ordinary_pages"),
        answers.number("vmcore", "secret_pages"),
    )
    yield _row(
        kernel,
        "the crash kernel reads /proc/vmcore",
        found,
        (
            f"kexec_file_load {answers.get('', 'kexec')}; "
            f"{answers.get('vmcore', 'scan_mb')} MiB of vmcore, "
            f"{answers.get('vmcore', 'secret_hits')} places"
        ),
    )
