"""
Start a program, stop it where it asks for it, and scan it from outside.

The value reaches the target through pipes that are filled before it starts;
never by argument, and by environment only where that is what is tested.
"""

from __future__ import annotations

import json
import os
import platform
import pty
import select
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from leak import sampler, stepper
from leak.memory import SECRET_NAME, Memory, Scan
from leak.needle import Needle
from leak.tracer import RegisterHit, register_hits, stopped
from support import filters


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from leak.memory import Hit
    from leak.stage import Program


TARGET = Path(__file__).with_name("target.py")
PATIENCE = 300
"""Seconds to wait for a target."""

# The numbers of read(2), poll(2) and ppoll(2).
_WAITING = {"x86_64": ("0", "7", "271"), "aarch64": ("63", "73")}

# What `Secret.prompt` asks, the second time to confirm.
_PROMPTS = (b"Password: ", b"Password: (again) ")


@dataclass
class Look:
    """What one stop of a program showed."""

    verb: str
    label: str
    hits: set[Hit]
    registers: set[RegisterHit]
    refused: dict[str, int]

    @property
    def found(self) -> bool:
        """Whether any piece of the value was readable."""
        return bool(self.hits or self.registers)

    def __str__(self) -> str:
        lines = [f"{self.label}: {len(self.hits)} in memory"]
        lines += sorted(f"  {hit}" for hit in self.hits)[:20]
        lines += sorted(f"  register: {each}" for each in self.registers)
        return "\n".join(lines)


def looked(
    pid: int, needles: Sequence[Needle], *, whole: bool = True
) -> tuple[Scan, set[RegisterHit]]:
    """Stop a process and look at all that it has."""
    memory = Memory(pid)
    registers: set[RegisterHit] = set()
    try:
        with stopped(pid) as threads:
            for thread in threads:
                registers |= register_hits(thread, needles)
            return memory.scan(needles, whole=whole), registers
    finally:
        memory.close()


def only_secret_refused(refused: Mapping[str, int]) -> bool:
    """Tell whether nothing but secret memory was left out of a scan."""
    return set(refused) <= {SECRET_NAME}


@dataclass
class Setting:
    """How to run a program."""

    folder: Path
    ordinary: bool = False
    many: int = 1000
    environment: Mapping[str, str] = field(default_factory=dict)
    samples: int = 50
    """Samples inside the domain, of programs that are sampled."""
    abort: bool = False
    """Let a program end by abort(3), with a core file, if it can."""
    also: Callable[[int], None] | None = None
    """Called with the process id at each stop for a look."""


@dataclass
class Run:
    """A running target."""

    program: Program
    setting: Setting
    needle: Needle
    child: subprocess.Popen[bytes]
    asked: int
    answer: int
    learned: int
    terminal: int | None = None
    needles: list[Needle] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    steps: list[stepper.Steps] = field(default_factory=list)
    samples: sampler.Samples = field(default_factory=sampler.Samples)
    every: list[sampler.Samples] = field(default_factory=list)
    """The samples of the last loop, and of all loops."""
    _before: Scan = field(default_factory=Scan)
    _registers: set[RegisterHit] = field(default_factory=set)

    def message(self) -> tuple[str, int, str] | None:
        """Wait for the next message; None at the end."""
        text = b""
        while not text.endswith(b"\0"):
            if not select.select([self.asked], [], [], PATIENCE)[0]:
                raise TimeoutError(f"{self.program.name} says nothing")
            part = os.read(self.asked, 4096)
            if not part:
                return None
            text += part
        verb, pid, label = text[:-1].decode().split("\t")
        return verb, int(pid), label

    def go(self) -> None:
        """Let the target go on."""
        os.write(self.answer, b"g")

    def follow(self) -> None:
        """Look at each stop until the program ends."""
        while (message := self.message()) is not None:
            self.handle(*message)
            if message[0] != "step":
                self.go()

    def handle(self, verb: str, pid: int, label: str) -> None:
        """Do what the target asks for."""
        if verb == "learn":
            value = os.read(self.learned, int(label))
            self.needles.append(self._learned(value))
        elif verb == "type":
            self._type(label)
        elif verb == "baseline":
            self._before, self._registers = self._looked(pid)
        elif verb == "step":
            self.steps.append(stepper.step(self, pid, self.needles))
        elif verb == "loop":
            self.go()
            self.samples = sampler.take(
                pid,
                self.needles,
                self.setting.samples // int(label),
                everywhere=self.setting.ordinary,
            )
            self.every.append(self.samples)
        elif verb == "stepped":
            pass
        elif verb == "forget":
            self._before, self._registers = Scan(), set()
        else:
            scan, registers = self._looked(pid)
            self.looks.append(
                Look(
                    verb,
                    label,
                    scan.since(self._before),
                    registers - self._registers,
                    scan.refused,
                )
            )
            if self.setting.also is not None:
                self.setting.also(pid)

    def _learned(self, value: bytes) -> Needle:
        if self.program.material is None:
            return Needle(value, self.needle.forms)
        from leak.material import learned

        return learned(self.program.material, value)

    def _looked(self, pid: int) -> tuple[Scan, set[RegisterHit]]:
        return looked(pid, self.needles, whole=self.program.whole)

    def _type(self, payloads: str) -> None:
        """Type at the next prompts, while the target goes on."""
        texts = [
            filled(payload, self.needle) for payload in payloads.split("\v")
        ]
        typist = threading.Thread(target=self._answer_prompts, args=(texts,))
        typist.start()

    def _answer_prompts(self, texts: Sequence[bytes]) -> None:
        assert self.terminal is not None
        for text, prompt in zip(texts, _PROMPTS, strict=False):
            seen = b""
            while not seen.endswith(prompt):
                seen += os.read(self.terminal, 1024)
            # A signal that comes before the target waits is handled when it
            # wakes up, which would be never.
            while not self._waits():
                time.sleep(0.001)
            os.write(self.terminal, text)

    def _waits(self) -> bool:
        """Tell whether the target waits for input (proc_pid_syscall(5))."""
        now = Path(f"/proc/{self.child.pid}/syscall").read_text("ascii")
        return now.split()[0] in _WAITING[platform.machine()]


def filled(payload: str, needle: Needle, times: int = 1) -> bytes:
    """Put a needle into a payload."""
    texts = {
        name: text.decode("latin-1") for name, text in needle.texts().items()
    }
    return (payload.format(**texts) * times).encode("latin-1")


def filled_pipe(content: bytes) -> int:
    """Make a pipe that holds the content and its end; gives the read end."""
    source, target = os.pipe()
    written = os.write(target, content)
    assert written == len(content), "more than a pipe takes"
    os.close(target)
    return source


def _inherited(program: Program) -> dict[str, str]:
    """Give what the target has of this process's environment."""
    needed = ("PYTHONPATH",) if program.bare else tuple(os.environ)
    return {name: os.environ[name] for name in needed if name in os.environ}


def start(program: Program, setting: Setting, needle: Needle) -> Run:
    """Start the target."""
    sources = [
        filled_pipe(filled(payload, needle, program.times))
        for payload in program.payloads
    ]
    for name, payload in program.files.items():
        (setting.folder / name).write_bytes(filled(payload, needle))
    variables = {
        name: filled(payload, needle).decode("latin-1")
        for name, payload in program.variables.items()
    }
    asked, ask = os.pipe()
    answer, reply = os.pipe()
    learned, learn = os.pipe()
    order = {
        "module": program.module,
        "name": program.name,
        "ordinary": setting.ordinary,
        "many": setting.many,
        "pipes": (ask, answer, learn),
        "sources": sources,
        "folder": str(setting.folder),
        "abort": setting.abort,
    }
    command = [sys.executable, "-P", str(TARGET), json.dumps(order)]
    if program.confined:
        command = filters.command("EPERM", command)
    keep = [ask, answer, learn, *sources]
    terminal, tty = pty.openpty() if program.terminal else (None, None)
    with (setting.folder / "stderr").open("wb") as said:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL if tty is None else tty,
            stdout=subprocess.DEVNULL,
            stderr=said,
            cwd=setting.folder,
            env={**_inherited(program), **variables, **setting.environment},
            pass_fds=keep,
            start_new_session=True,
        )
    for fd in (*keep, tty):
        if fd is not None:
            os.close(fd)
    return Run(
        program,
        setting,
        needle,
        child,
        asked,
        reply,
        learned,
        terminal,
        [needle],
    )


def finish(run: Run) -> None:
    """Wait for the end of a target and check how it ended."""
    for fd in (run.asked, run.answer, run.learned, run.terminal):
        if fd is not None:
            os.close(fd)
    code = run.child.wait(PATIENCE)
    if code != (-signal.SIGABRT if run.setting.abort else run.program.code):
        said = (run.setting.folder / "stderr").read_text("utf-8", "replace")
        raise AssertionError(f"{run.program.name} ended with {code}:\n{said}")


def _planted(program: Program) -> Needle:
    if program.material is None:
        repeated = program.repeated
        return Needle.random(*program.forms, size=24, repeated=repeated)
    # Loads cryptography, which only these programs need.
    from leak.material import KINDS

    return KINDS[program.material]()


def run(program: Program, setting: Setting) -> Run:
    """Run a program to its end; what each stop showed is in the result."""
    needle = _planted(program)
    run = start(program, setting, needle)
    try:
        run.follow()
    except BaseException:
        run.child.kill()
        run.child.wait()
        raise
    finish(run)
    return run


def problems(looks: Sequence[Look], *, ordinary: bool) -> Iterator[str]:
    """Say what is wrong with the looks of a run."""
    if not looks:
        yield "the program never stopped for a look"
    for look in looks:
        if not only_secret_refused(look.refused):
            yield f"unread: {look.refused}"
        if look.verb == "shows":
            continue
        must = look.verb == "copied" or (ordinary and look.verb == "check")
        if must and not look.found:
            yield f"the scanner found nothing: {look}"
        elif not must and not ordinary and look.found:
            yield f"residue: {look}"
