"""
Run a command of this machine under another kernel.

The host's root directory is mounted read-only in the guest (9p) with a
writable layer in the guest's own memory over it, so that any program of the
host runs there, the checkout and its virtual environment included, and
nothing it writes comes back.  ``/tmp`` is a real ext4 disk, since attacks by
``O_DIRECT`` mean nothing on a memory file system.  Only the full kernels have
9p; the cloud flavour has not.

    python3 -m lab.hostroot 6.12 -- .venv/bin/python -m pytest tests/unit
"""

from __future__ import annotations

import argparse
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile

from lab import kernels
from lab.apt import LabError
from lab.guest import Machine, Outcome, run, to_stdout


MOUNT = """
set -e
mkdir -p /low /up /new
mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=1048576,cache=loose \
    host /low
mount -t tmpfs -o size=75% up /up
mkdir /up/upper /up/work
mount -t overlay -o lowerdir=/low,upperdir=/up/upper,workdir=/up/work \
    overlay /new
for part in proc sys dev; do mount --rbind /$part /new/$part; done
mount -t tmpfs tmpfs /new/run
mount -t ext4 /dev/vda /new/tmp
chmod 1777 /new/tmp
if [ -e /dev/vdb ]; then mkswap /dev/vdb > /dev/null; swapon /dev/vdb; fi
set +e
"""
DISK = "file={},format=raw,if=virtio,cache=unsafe"
SHARE_OPTIONS = "security_model=none,readonly=on,multidevs=remap"
SHARE = ("-virtfs", f"local,path=/,mount_tag=host,{SHARE_OPTIONS}")
DISK_BYTES = 4 << 30
SWAP_BYTES = 1 << 30
KEPT = ("PATH", "LANG", "LC_ALL", "TZ")


def _empty(path: pathlib.Path, size: int) -> pathlib.Path:
    with path.open("wb") as disk:
        disk.truncate(size)
    return path


def _disks(work: pathlib.Path, *, swap: bool) -> list[str]:
    """Return the emulator's arguments for /tmp and, if wanted, for swap."""
    scratch = _empty(work / "scratch", DISK_BYTES)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-F", scratch], check=True)
    disks = [scratch]
    if swap:
        disks.append(_empty(work / "swap", SWAP_BYTES))
    return [word for disk in disks for word in ("-drive", DISK.format(disk))]


def _script(
    words: list[str],
    directory: str,
    user: int,
    environment: dict[str, str],
) -> str:
    """Return the job: mount, change root, run *words* as *user*."""
    inner = f"cd {shlex.quote(directory)} && exec {shlex.join(words)}"
    # Full paths: busybox would run its own, smaller commands of these names.
    drop = [
        *("/usr/bin/setpriv", f"--reuid={user}", f"--regid={user}"),
        "--clear-groups",
    ]
    line = [
        *("/usr/bin/env", "-i"),
        *(f"{name}={value}" for name, value in environment.items()),
        *(drop if user else []),
        *("/bin/sh", "-c", inner),
    ]
    # Interpreters may live in the caller's home; only the guest's writable
    # layer is changed.
    home = shlex.quote(f"/new{environment['HOME']}")
    enter = f"chmod o+x {home}\n" if user else ""
    return f"{MOUNT}\n{enter}exec chroot /new {shlex.join(line)}\n"


def run_here(  # noqa: PLR0913 - each is a setting of the guest
    kernel: kernels.Kernel,
    words: list[str],
    *,
    memory: str = "2G",
    processors: int = 2,
    seconds: int = 3600,
    user: int = 0,
    append: str = "",
    environment: dict[str, str] | None = None,
    swap: bool = False,
    quiet: bool = False,
) -> Outcome:
    """
    Run the command *words* in the current directory under *kernel*.

    Args:
        kernel: a full-flavour kernel.
        words: program and arguments.
        memory: size of the guest, in QEMU's notation.
        processors: number of virtual processors.
        seconds: time limit for boot and command together.
        user: numeric user and group to run as.
        append: further words for the kernel's command line.
        environment: further variables.
        swap: give the guest 1 GiB of swap on a disk.
        quiet: do not print the output while it comes.
    """
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    kept |= {"HOME": str(pathlib.Path.home()), "TERM": "dumb"}
    kept |= environment or {}
    with tempfile.TemporaryDirectory(prefix="lab-") as work:
        machine = Machine(
            memory=memory,
            processors=processors,
            append=append,
            arguments=(*SHARE, *_disks(pathlib.Path(work), swap=swap)),
            seconds=seconds,
        )
        script = _script(words, str(pathlib.Path.cwd()), user, kept)
        return run(kernel, script, machine, None if quiet else to_stdout)


def _arguments(argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    own, _, words = argv, None, []
    if "--" in argv:
        at = argv.index("--")
        own, words = argv[:at], argv[at + 1 :]
    parser = argparse.ArgumentParser(
        prog="lab/run-python",
        description="Run a command of this machine under another kernel.",
        usage="%(prog)s [options] KERNEL -- COMMAND...",
    )
    parser.add_argument("kernel", help="SERIES[-oldest], e.g. 6.12, 6.1")
    parser.add_argument("--memory", default="2G")
    parser.add_argument("--processors", type=int, default=2)
    parser.add_argument("--seconds", type=int, default=3600)
    parser.add_argument("--user", type=int, default=0, help="numeric id")
    parser.add_argument("--append", default="", help="kernel command line")
    parser.add_argument("--env", action="append", default=[])
    parser.add_argument("--swap", action="store_true", help="1 GiB of swap")
    options = parser.parse_args(own)
    if not words:
        parser.error("no command after --")
    return options, words


def main(argv: list[str]) -> int:
    """Return the command's exit status; 69 if there is no such guest."""
    options, words = _arguments(argv)
    try:
        outcome = run_here(
            kernels.get(options.kernel),
            words,
            memory=options.memory,
            processors=options.processors,
            seconds=options.seconds,
            user=options.user,
            append=options.append,
            swap=options.swap,
            environment=dict(pair.split("=", 1) for pair in options.env),
        )
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 69
    if outcome.status is None:
        print("lab: the guest did not reach the end", file=sys.stderr)
        print(outcome.console[-3000:], file=sys.stderr)
        return 70
    return outcome.status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
