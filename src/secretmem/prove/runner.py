"""
Running the attacks: each in an attacker process of its own.

The runner judges and shows; it neither attacks nor holds a secret.  An
attacker that does not end in time is killed, its victims with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, Self

from secretmem.prove import kinds, linux
from secretmem.prove.attack import (
    Attack,
    CannotRunError,
    Cell,
    Outcome,
    Row,
)
from secretmem.prove.stage import (
    Nursery,
    Stage,
    VictimDiedError,
    VictimError,
    workspace,
)


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


# Exceptions of the package that say that this machine gives no secret memory.
_NOT_HERE = ("UnavailableError", "LimitError")

# Attackers at a time, as many as a small machine has processors.
_LANES = 2


@dataclass(frozen=True)
class Unavailable:
    """Why there is no secret memory here, and what to do about it."""

    reason: str
    message: str


@dataclass(frozen=True)
class Setting:
    """
    What is compared, by whom, on which machine.

    ``made_of`` says for each kind what it is made of.  ``unavailable`` is
    set where memfd_secret is missing; then the degraded kind stands in.
    """

    made_of: dict[str, str]
    gate: str
    user: str
    kernel: str
    machine: str
    unavailable: Unavailable | None = None

    @property
    def kinds(self) -> tuple[str, ...]:
        """Return the kinds in order."""
        return tuple(self.made_of)


class _Lane:
    """A victim program, used by one attacker at a time."""

    def __init__(self) -> None:
        """Start the victim program."""
        self.nursery = Nursery()

    def renew(self) -> None:
        """Replace the victim program after an attacker was killed."""
        self.nursery.stop()
        self.nursery = Nursery()


@dataclass
class _Job:
    """An attacker at work."""

    attack: Attack
    lane: _Lane
    pid: int
    source: int
    began: float
    end: float
    data: bytes = b""

    @property
    def left(self) -> float:
        """Return the seconds until the attacker is killed."""
        return max(0.0, self.end - time.monotonic())

    def finish(self, *, in_time: bool) -> Row:
        """Collect the attacker and make its row."""
        self.reap(kill=not in_time)
        if not in_time:
            self.lane.renew()
        seconds = time.monotonic() - self.began
        lines = self.data.decode("utf-8").splitlines(keepends=True)
        complete = [line for line in lines if line.endswith("\n")]
        return _row_of(self.attack, complete, seconds, in_time=in_time)

    def reap(self, *, kill: bool) -> None:
        """Wait for the attacker to end, or make it."""
        if kill:
            os.kill(self.pid, signal.SIGKILL)
        os.close(self.source)
        os.waitpid(self.pid, 0)


class Runner:
    """
    Runs attacks, on two processors two at a time.

    A context manager: the victim programs are started at the beginning and
    ended at the end.
    """

    def __init__(self) -> None:
        """Prepare; nothing is started yet."""
        self._exits = contextlib.ExitStack()
        self._lanes: list[_Lane] = []

    def __enter__(self) -> Self:
        """
        Start the victim programs and see what is there to compare.

        Raises CannotRunError or VictimError when there are no victims to be
        had at all.
        """
        try:
            self._directory = self._exits.enter_context(workspace())
            self._exits.callback(self._stop)
            for _ in range(min(_LANES, os.cpu_count() or 1)):
                self._lanes.append(_Lane())
            self.setting = _survey(self.stage())
        except BaseException:
            self._exits.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End the victim programs and remove their files."""
        self._exits.close()

    def rows(
        self,
        attacks: Sequence[Attack],
        begin: Callable[[Attack], None] = lambda _: None,
    ) -> Iterator[Row]:
        """
        Run the attacks and yield the rows in their order.

        A row comes as soon as it and those before it are complete; before
        that, ``begin`` is told what is waited for.
        """
        waiting = list(reversed(attacks))
        jobs: list[_Job] = []
        done: dict[str, Row] = {}
        try:
            for attack in attacks:
                begin(attack)
                while attack.name not in done:
                    self._start(waiting, jobs)
                    for job, in_time in _progress(jobs):
                        jobs.remove(job)
                        done[job.attack.name] = job.finish(in_time=in_time)
                yield done[attack.name]
        finally:
            for job in jobs:
                job.reap(kill=True)

    def stage(self) -> Stage:
        """Return the stage of an attacker, for work in this process."""
        return Stage(self._lanes[0].nursery, self._directory)

    def _stop(self) -> None:
        """End the victim programs."""
        for lane in self._lanes:
            lane.nursery.stop()

    def _start(self, waiting: list[Attack], jobs: list[_Job]) -> None:
        """Give every free lane an attack."""
        busy = [job.lane for job in jobs]
        free = [lane for lane in self._lanes if lane not in busy]
        while waiting and free:
            jobs.append(self._launch(waiting.pop(), free.pop()))

    def _launch(self, attack: Attack, lane: _Lane) -> _Job:
        """Fork an attacker."""
        reader, writer = os.pipe()
        pid = _fork()
        if not pid:
            os.close(reader)
            self._attack(attack, lane, writer)
        os.close(writer)
        began = time.monotonic()
        end = began + attack.seconds * len(self.setting.kinds)
        return _Job(attack, lane, pid, reader, began, end)

    def _attack(self, attack: Attack, lane: _Lane, writer: int) -> NoReturn:
        """Be the attacker: run the attack on each kind and report."""
        stage = Stage(lane.nursery, self._directory)
        try:
            reason = attack.requires()
            if reason is not None:
                _say(writer, {"reason": reason})
                os._exit(0)
            for kind in self.setting.kinds:
                _say(writer, _packet(_cell(attack, stage, kind)))
        except BaseException as error:  # noqa: BLE001 - a forked child must not return
            text = f"{type(error).__name__}: {error}"
            _say(writer, {"broken": text})
            os._exit(1)
        os._exit(0)


def _fork() -> int:
    """
    Fork; the child ends on SIGINT and with its parent.

    The signal waits meanwhile: Python drops a KeyboardInterrupt that comes
    while the hooks of a fork run.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    pid = os.fork()
    if not pid:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return pid


def _progress(jobs: list[_Job]) -> Iterator[tuple[_Job, bool]]:
    """Wait until an attacker ends or is late; yield which, and whether."""
    patience = min(job.left for job in jobs)
    sources = [job.source for job in jobs]
    ready = select.select(sources, [], [], patience)[0]
    for job in list(jobs):
        if job.source in ready:
            part = os.read(job.source, 1 << 16)
            job.data += part
            if not part:
                yield job, True
        elif not job.left:
            yield job, False


def _cell(attack: Attack, stage: Stage, kind: str) -> Cell:
    """Attack one kind; what goes wrong becomes a cell too."""
    try:
        return attack.run(stage, kind)
    except CannotRunError as error:
        return Cell(kind, Outcome.NOT_RUN, str(error))
    except VictimError as error:
        text = f"in the victim: {error}"
        return Cell(kind, Outcome.BROKEN, text, error.name)
    except VictimDiedError as error:
        return Cell(kind, Outcome.BROKEN, str(error))
    except Exception as error:  # noqa: BLE001 - an attack that fails proves nothing
        text = f"{type(error).__name__}: {error}"
        return Cell(kind, Outcome.BROKEN, text, type(error).__name__)


def _row_of(
    attack: Attack, lines: list[str], seconds: float, *, in_time: bool
) -> Row:
    """Make a row of what an attacker reported."""
    cells: list[Cell] = []
    reason = ""
    for line in lines:
        packet = json.loads(line)
        if "reason" in packet:
            reason = packet["reason"]
        elif "broken" in packet:
            cells.append(_broken(packet["broken"]))
        else:
            packet["outcome"] = Outcome(packet["outcome"])
            cells.append(Cell(**packet))
    if not in_time:
        cells.append(_broken(f"not done after {seconds:.0f} s"))
    elif not cells and not reason:
        cells.append(_broken("the attacker ended without a word"))
    return Row(attack, tuple(cells), seconds, reason)


def _broken(text: str) -> Cell:
    """Report an attacker that failed as a whole, in place of a control."""
    return Cell(kinds.ORDINARY, Outcome.BROKEN, text)


def _packet(cell: Cell) -> dict[str, str]:
    """Return a cell for the pipe."""
    return {
        "kind": cell.kind,
        "outcome": cell.outcome,
        "evidence": cell.evidence,
        "code": cell.code,
    }


def _say(writer: int, packet: dict[str, str]) -> None:
    """Report a line to the runner."""
    data = json.dumps(packet).encode("utf-8") + b"\n"
    while data:
        data = data[os.write(writer, data) :]


def _survey(stage: Stage) -> Setting:
    """Make one victim of each kind and ask what it is made of."""
    made_of = {}
    unavailable = None
    for kind in (kinds.ORDINARY, kinds.MLOCKED):
        made_of[kind] = _facts(stage, kind)["made_of"]
    try:
        facts = _facts(stage, kinds.SECRETMEM)
        made_of[kinds.SECRETMEM] = facts["made_of"]
    except VictimError as error:
        if error.name not in _NOT_HERE:
            raise
        reason = str(error.reason or error.name)
        unavailable = Unavailable(reason, error.message)
        facts = _facts(stage, kinds.DEGRADED)
        made_of[kinds.DEGRADED] = facts["made_of"]
    uname = os.uname()
    return Setting(
        made_of,
        facts.get("gate", ""),
        "root" if os.geteuid() == 0 else f"uid {os.geteuid()}",
        f"{uname.sysname} {uname.release}",
        uname.machine,
        unavailable,
    )


def _facts(stage: Stage, kind: str) -> dict[str, str]:
    """Make a victim and return what it says about itself."""
    with stage.victim(kind) as victim:
        return victim.facts
