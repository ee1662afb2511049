"""
Run one kernel under QEMU and hand back what its job printed.

Software emulation (TCG) only: it needs no privilege and no hardware support,
it is the same on every machine, and its processor model has protection keys
where the real one may not.
"""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from lab import initramfs
from lab.apt import LabError
from lab.kernels import cache


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lab.kernels import Kernel


QEMU = "qemu-system-x86_64"
END = "\036"
CONSOLES = 200


class Machine(NamedTuple):
    """What the guest is made of."""

    memory: str = "1G"
    processors: int = 1
    append: str = ""
    arguments: tuple[str, ...] = ()
    seconds: int = 300
    programs: tuple[pathlib.Path, ...] = ()
    files: dict[str, pathlib.Path] | None = None


class Outcome(NamedTuple):
    """What a run gave: the job's text, its status, the kernel's messages."""

    text: str
    status: int | None
    console: str
    seconds: float


def qemu() -> str:
    """
    Return the path of the emulator.

    Raises:
        LabError: it is not installed.
    """
    found = shutil.which(QEMU)
    if found is None:
        msg = f"{QEMU} is missing: apt-get install qemu-system-x86"
        raise LabError(msg)
    return found


def _initrd(
    kernel: Kernel,
    machine: Machine,
    script: str,
    work: pathlib.Path,
) -> pathlib.Path:
    """Join the kernel's archive, kept between runs, and this run's job."""
    sources = [
        kernel.image,
        *(pathlib.Path(__file__).with_name(n) for n in ("init",)),
        pathlib.Path(initramfs.__file__),
        *machine.programs,
    ]
    newest = max(path.stat().st_mtime for path in sources)
    names = "+".join(program.name for program in machine.programs) or "none"
    kept = cache() / "initramfs" / f"{kernel.release}-{names}.gz"
    if not kept.exists() or kept.stat().st_mtime < newest:
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = work / "base.gz"
        part.write_bytes(initramfs.base(kernel, machine.programs))
        shutil.move(part, kept)
    whole = work / "initrd.gz"
    tail = initramfs.job(script, machine.files)
    whole.write_bytes(kept.read_bytes() + tail)
    return whole


def command(
    kernel: Kernel,
    machine: Machine,
    initrd: pathlib.Path,
    console: pathlib.Path,
) -> list[str]:
    """Return the emulator's command line."""
    append = f"console=ttyS0 panic=-1 loglevel=4 {machine.append}".strip()
    return [
        qemu(),
        *("-accel", "tcg,thread=multi", "-cpu", "max", "-M", "pc"),
        *("-smp", str(machine.processors), "-m", machine.memory),
        *("-nodefaults", "-nographic", "-no-reboot"),
        *("-serial", f"file:{console}", "-serial", "stdio"),
        *("-device", "virtio-rng-pci"),
        *("-kernel", str(kernel.image), "-initrd", str(initrd)),
        *("-append", append),
        *machine.arguments,
    ]


def run(
    kernel: Kernel,
    script: str,
    machine: Machine | None = None,
    echo: Callable[[str], object] | None = None,
) -> Outcome:
    """
    Boot *kernel*, run the shell text *script* as root, power off.

    Args:
        kernel: what to boot.
        script: run by busybox sh in the initramfs.
        machine: memory, disks, boot options and the time limit in seconds.
        echo: called with each piece of the job's output as it arrives.

    Returns:
        The outcome; its status is None when the guest never got to the end
        (panic, time limit, power cut by hibernation).
    """
    machine = machine or Machine()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="lab-") as name:
        work = pathlib.Path(name)
        initrd = _initrd(kernel, machine, script, work)
        console = work / "console"
        line = command(kernel, machine, initrd, console)
        text, status = _watch(line, machine.seconds, echo)
        log = console.read_text("utf-8", "replace") if console.exists() else ""
    _keep(kernel, text, log)
    return Outcome(text, status, log, time.monotonic() - began)


def _keep(kernel: Kernel, text: str, log: str) -> None:
    """Keep what the last guests said, in case one must be understood."""
    folder = cache() / "consoles"
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{time.time_ns()}-{kernel.release}.log"
    (folder / name).write_text(f"{log}\n--- job:\n{text}", "utf-8")
    for old in sorted(folder.iterdir())[:-CONSOLES]:
        old.unlink(missing_ok=True)


def _watch(
    line: Sequence[str],
    seconds: int,
    echo: Callable[[str], object] | None,
) -> tuple[str, int | None]:
    """Run the emulator to its end or the time limit; split off the status."""
    with subprocess.Popen(
        line,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        timer = threading.Timer(seconds, process.kill)
        timer.start()
        text, status = "", None
        try:
            for piece in process.stdout or ():
                body, mark, rest = piece.partition(END)
                text += body
                if echo is not None:
                    echo(body)
                if mark:
                    status = int(rest) if rest.strip().isdigit() else None
        except BaseException:
            process.kill()
            raise
        finally:
            timer.cancel()
    return text, status


def to_stdout(piece: str) -> None:
    """Print a piece of a guest's output at once."""
    sys.stdout.write(piece)
    sys.stdout.flush()
