"""
Holding a word of the reader's, so that he can attack it himself.

Three processes hold it: as a bytes object, in mlocked memory, in a Secret.
What is printed are their process ids and commands for tools that are not
ours.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from secretmem.prove import kinds, maps
from secretmem.prove.stage import Nursery, hear, plant
from secretmem.prove.victim import send


if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from secretmem import Secret


KINDS = (kinds.BYTES, kinds.MLOCKED, kinds.SECRETMEM)


@dataclass(frozen=True)
class Holder:
    """A process that holds the word; ``where`` are places to look at."""

    kind: str
    pid: int
    made_of: str
    where: tuple[kinds.Span, ...]


class Holders:
    """
    The three processes.  A context manager: they end with it.

    Raises `VictimError` where a kind of memory cannot be had.
    """

    def __init__(self, word: Secret) -> None:
        """Start the processes and hand each the word through a pipe."""
        self._exits = contextlib.ExitStack()
        self._channels: list[socket.socket] = []
        try:
            nursery = Nursery()
            self._exits.callback(nursery.stop)
            self.all = tuple(
                self._holder(nursery, kind, word) for kind in KINDS
            )
        except BaseException:
            self._exits.close()
            raise

    def __enter__(self) -> Self:
        """Return the holders."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let the processes end."""
        self._exits.close()

    def _holder(self, nursery: Nursery, kind: str, word: Secret) -> Holder:
        """Start one process; the word never becomes an object here."""
        pid, channel = nursery.spawn(kind)
        self._exits.enter_context(channel)
        facts = plant(channel, len(word), word.write_to)
        send(channel, {"op": "known"})
        known = hear(channel)
        if "address" in known:
            where = [kinds.Span(known["address"], known["size"])]
        else:
            secret = maps.secret_mappings(pid)
            where = [kinds.Span(m.start, m.size) for m in secret]
        return Holder(kind, pid, facts["made_of"], tuple(where))


def commands(holders: tuple[Holder, ...]) -> Iterator[str]:
    """
    Yield shell lines that look for the word with gdb, gcore and grep.

    The word is typed once more, without echo, and never stands in the
    arguments of a program.
    """
    pids = " ".join(str(holder.pid) for holder in holders)
    yield "read -rs WORD   # type the word again; it is not shown"
    yield ""
    yield "# a core file of each process, searched for the word"
    yield "D=$(mktemp -d) && for P in " + pids + "; do"
    yield '  gcore -a -o "$D/core" "$P" >/dev/null 2>&1'
    yield '  printf "%s: found %s times\\n" "$P" "$(grep -a -o -F -f \\'
    yield '    <(printf %s "$WORD") "$D/core.$P" | wc -l)"'
    yield 'done; rm -r "$D"'
    yield ""
    yield "# gdb, at the place itself"
    for holder in holders:
        for span in holder.where:
            size = min(span.size, 64)
            yield (
                f"gdb -nx -batch -p {holder.pid} "
                f"-ex 'x/{size}cb {span.address:#x}' 2>&1 |"
            )
            yield "  grep -E '^0x|Cannot access'"
    yield ""
    yield "# all memory of each process through /proc/PID/mem"
    yield f"for P in {pids}; do"
    yield '  printf "%s: found %s times\\n" "$P" "$('
    yield "    awk '/ r/ && !/vvar|vsyscall/ {print $1}' /proc/$P/maps |"
    yield "    while IFS=- read -r A B; do"
    yield "      dd if=/proc/$P/mem bs=4096 skip=$((0x$A / 4096)) \\"
    yield "        count=$(((0x$B - 0x$A) / 4096)) 2>/dev/null"
    yield '    done | grep -a -o -F -f <(printf %s "$WORD") | wc -l)"'
    yield "done"
