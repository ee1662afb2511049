"""The keys with all their forms, in secret memory, ready to be looked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

from secretmem import _policy
from secretmem.audit.errors import AuditError, UnfitKeyError
from secretmem.exceptions import InvalidKey


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from secretmem import _native
    from secretmem.audit.planted import Planted
else:
    _native = _policy.bind()


# Bytes between two looks at signals and two steps of a progress bar.
_STEP = 16 << 20

# As in the compiled part: what two reads have in common, and the bytes in a
# row that make a hit.
_OVERLAP = 64
WINDOW = 8


class Form(NamedTuple):
    """One thing to look for, without its bytes."""

    number: int
    key: str
    part: str
    shape: str
    size: int

    def __str__(self) -> str:
        """Say it in a table."""
        return f"{self.part}, {self.shape}"


class Hit(NamedTuple):
    """A form, or a piece of one, at an address or a place in a file."""

    form: Form
    address: int
    size: int


class Search:
    """
    All forms of some keys.

    A context manager: at its end the forms are wiped.  The Secrets that it
    was made of may be closed before.

    Raises:
        AuditError: No key, or one that is not what its kind says.
    """

    def __init__(self, keys: Sequence[Planted]) -> None:
        if not keys:
            raise AuditError("there is no key to look for")
        pairs = [(key.kind, key.secret) for key in keys]
        try:
            self._base = _native.SearchBase(*pairs)
        except InvalidKey as error:
            labels = ", ".join(key.label for key in keys)
            raise UnfitKeyError(f"{labels}: {error}") from error
        self.forms = tuple(
            Form(index, keys[key].label, part, shape, size)
            for index, (key, part, shape, size, _) in enumerate(
                self._base.forms()
            )
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Wipe the forms."""
        self._base.close()

    def scan(
        self,
        fd: int,
        start: int,
        stop: int,
        searched: Callable[[int], None] = lambda _: None,
    ) -> tuple[list[Hit], list[range]]:
        """
        Look in a part of a file, such as ``/proc/PID/mem``.

        Args:
            fd: The file.
            start: Where the part begins.
            stop: Where it ends.
            searched: Told now and then how many bytes more are done.

        Returns:
            What was found, in order, and what the kernel refused.

        Raises:
            OSError: The file cannot be read at all.
        """
        found, refused = [], []
        at = start
        while at < stop:
            begin = max(start, at - _OVERLAP)
            hits, unread, end = self._base.scan(
                fd, begin, min(_STEP, stop - begin)
            )
            found += [Hit(self.forms[f], place, n) for f, place, n in hits]
            # What two reads have in common counts once.
            refused += [range(max(a, at), a + n) for a, n in unread]
            if end <= at:
                break  # the end of the file, or of the process
            searched(end - at)
            at = end
        return merged(found), refused

    def registers(self, thread: int) -> tuple[int, list[tuple[str, Hit]]]:
        """
        Look in the registers of a stopped thread.

        Returns:
            The stack pointer, and hits with the name of their set.
        """
        pointer, seen = self._base.registers(thread)
        found = []
        for name in dict.fromkeys(name for name, _ in seen):
            hits = [
                Hit(self.forms[form], at, size)
                for own, (form, at, size) in seen
                if own == name
            ]
            found += [(name, hit) for hit in merged(hits)]
        return pointer, found


def merged(hits: Sequence[Hit]) -> list[Hit]:
    """
    Give each place once for each key.

    Overlapping pieces of one form are one.  A hit that adds fewer bytes to
    those before it than make a hit is left out: a text in base64 is often
    the same in both alphabets, and an AES key begins its round keys.
    """
    joined: list[Hit] = []
    for hit in sorted(hits, key=lambda h: (h.form.number, h.address, -h.size)):
        last = joined[-1] if joined else None
        if last and last.form == hit.form and hit.address < _end(last):
            size = max(_end(last), _end(hit)) - last.address
            joined[-1] = last._replace(size=size)
        else:
            joined.append(hit)
    kept: list[Hit] = []
    ends: dict[str, int] = {}
    # Of equal ones the first is the plainest.
    for hit in sorted(joined, key=lambda h: (h.address, -h.size)):
        if _end(hit) - ends.get(hit.form.key, 0) >= WINDOW:
            kept.append(hit)
            ends[hit.form.key] = _end(hit)
    return kept


def _end(hit: Hit) -> int:
    return hit.address + hit.size
