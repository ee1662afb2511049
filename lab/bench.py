"""What the checks share: the built probe, disks, and one call to boot."""

from __future__ import annotations

import contextlib
import pathlib
import shutil
import subprocess
import tempfile
from typing import TYPE_CHECKING

from lab.apt import LabError
from lab.guest import Machine, run
from lab.kernels import cache


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lab.guest import Outcome
    from lab.kernels import Kernel


SOURCE = pathlib.Path(__file__).with_name("probe.c")
FLAGS = ("-O1", "-static", "-Wall", "-Wextra", "-Werror")
SWITCH_ON = "secretmem.enable=1"


def probe() -> pathlib.Path:
    """
    Build the probe if its source changed and return the program.

    Raises:
        LabError: there is no C compiler, or it found a fault.
    """
    program = cache() / "bin" / "probe"
    if program.exists() and program.stat().st_mtime >= SOURCE.stat().st_mtime:
        return program
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        msg = "no C compiler: apt-get install gcc libc6-dev"
        raise LabError(msg)
    program.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [compiler, *FLAGS, "-o", program, SOURCE],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        msg = f"probe.c does not compile: {done.stderr.strip()}"
        raise LabError(msg)
    return program


def boot(
    kernel: Kernel,
    script: str,
    *,
    append: str | None = None,
    memory: str = "512M",
    arguments: tuple[str, ...] = (),
    files: dict[str, pathlib.Path] | None = None,
    seconds: int = 300,
    echo: Callable[[str], object] | None = None,
) -> Outcome:
    """
    Run *script* under *kernel* with the probe on its path.

    The call is switched on where it is off by default, unless *append* says
    otherwise.
    """
    if append is None:
        append = "" if kernel.on_by_default else SWITCH_ON
    machine = Machine(
        memory=memory,
        append=append,
        arguments=arguments,
        seconds=seconds,
        programs=(probe(),),
        files=files,
    )
    return run(kernel, script, machine, echo)


@contextlib.contextmanager
def scratch(size: int) -> Iterator[pathlib.Path]:
    """Yield a directory with an empty file ``disk`` of *size* bytes."""
    with tempfile.TemporaryDirectory(prefix="lab-") as name:
        disk = pathlib.Path(name) / "disk"
        with disk.open("wb") as out:
            out.truncate(size)
        yield pathlib.Path(name)


def drive(disk: pathlib.Path) -> tuple[str, str]:
    """Return the emulator's arguments that make *disk* the guest's vda."""
    return ("-drive", f"file={disk},format=raw,if=virtio,cache=unsafe")
