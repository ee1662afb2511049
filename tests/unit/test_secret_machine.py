"""Many secrets against bytes objects, by random sequences of operations."""

from __future__ import annotations

import os
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

import secretmem
from secretmem import BorrowError, ClosedError, Secret, hazmat
from support.scale import times


pytestmark = pytest.mark.needs_secretmem

# Sizes around slots and pages are likelier than others.
LENGTHS = st.one_of(
    st.integers(0, 70),
    st.sampled_from(
        [0, 1, 24, 25, 40, 120, 504, 1336, 2040, 4088, 4089, 8184, 16376]
    ),
    st.integers(0, 9000),
)
DATA = st.builds(
    lambda length, seed: bytes((seed + n * 7) % 256 for n in range(length)),
    LENGTHS,
    st.integers(0, 255),
)
PLACES = st.one_of(st.none(), st.integers(-9100, 9100))
STEPS = st.one_of(st.none(), st.integers(-9, 9).filter(bool))


class Pair:
    """A secret, what it should hold, and the views of it that are open."""

    def __init__(self, secret: Secret, data: bytes) -> None:
        self.secret = secret
        self.data = data
        self.views: list[tuple[Any, memoryview]] = []
        self.writable = False


class SecretMachine(RuleBasedStateMachine):
    """Rules are operations; each is compared with what bytes do."""

    pairs = Bundle("pairs")
    views = Bundle("views")

    @initialize()
    def begin(self) -> None:
        """Note what the process had before."""
        self.open: list[Pair] = []
        self.seen: list[Pair] = []
        self.before = secretmem.posture()

    def add(self, secret: Secret, data: bytes) -> Pair:
        """Take a new secret into the books."""
        assert len(secret) == len(data)
        pair = Pair(secret, data)
        self.open.append(pair)
        self.seen.append(pair)
        return pair

    @rule(
        target=pairs,
        data=DATA,
        inherit=st.booleans(),
        isolated=st.sampled_from([False, False, False, True]),
        flush=st.booleans(),
    )
    def make(self, data: bytes, **options: Any) -> Pair:  # noqa: ANN401 - keywords
        """From bytes."""
        return self.add(Secret.from_bytes(data, **options), data)

    @rule(target=pairs, data=DATA)
    def wipe(self, data: bytes) -> Pair:
        """From a buffer that is wiped."""
        buffer = bytearray(data)
        pair = self.add(Secret.from_bytes(buffer, wipe=True), data)
        assert not any(buffer)
        return pair

    @rule(target=pairs, data=DATA, strip=st.booleans())
    def read(self, data: bytes, strip: bool) -> Pair:  # noqa: FBT001 - hypothesis passes it by name
        """From a pipe, or what fits one."""
        reading, writing = os.pipe()
        os.write(writing, data)
        os.close(writing)
        secret = Secret.from_fd(reading, strip=strip)
        os.close(reading)
        return self.add(secret, data.strip() if strip else data)

    @rule(target=pairs, pair=pairs, start=PLACES, stop=PLACES, step=STEPS)
    def slice(
        self, pair: Pair, start: int | None, stop: int | None, step: int | None
    ) -> Any:  # noqa: ANN401 - a pair, or none
        """A part of another."""
        part = slice(start, stop, step)
        if self.refused(pair, lambda secret: secret[part]):
            return multiple()
        return self.add(pair.secret[part], pair.data[part])

    @rule(target=pairs, left=pairs, right=pairs)
    def join(self, left: Pair, right: Pair) -> Any:  # noqa: ANN401 - as above
        """Two in a row."""
        if len(left.data) + len(right.data) > 40_000:
            return multiple()
        if self.refused(left, lambda s: s + b"") or self.refused(
            right, lambda s: b"" + s
        ):
            return multiple()
        return self.add(left.secret + right.secret, left.data + right.data)

    @rule(target=pairs, pair=pairs, data=DATA, before=st.booleans())
    def extend(self, pair: Pair, data: bytes, before: bool) -> Any:  # noqa: ANN401, FBT001 - as above
        """With bytes on either side."""
        if self.refused(pair, lambda secret: secret + b""):
            return multiple()
        if before:
            return self.add(data + pair.secret, data + pair.data)
        return self.add(pair.secret + data, pair.data + data)

    @rule(target=pairs, pair=pairs)
    def strip(self, pair: Pair) -> Any:  # noqa: ANN401 - as above
        """Without white space at the ends."""
        if self.refused(pair, lambda secret: secret.strip()):
            return multiple()
        return self.add(pair.secret.strip(), pair.data.strip())

    @rule(pair=pairs)
    def content(self, pair: Pair) -> None:
        """By export."""
        if not self.refused(pair, hazmat.export_bytes):
            assert hazmat.export_bytes(pair.secret) == pair.data

    @rule(pair=pairs, data=DATA)
    def matches(self, pair: Pair, data: bytes) -> None:
        """Its own bytes and others."""
        if not self.refused(pair, lambda secret: secret.matches(b"")):
            assert pair.secret.matches(pair.data)
            assert pair.secret.matches(data) == (data == pair.data)

    @rule(left=pairs, right=pairs)
    def equal(self, left: Pair, right: Pair) -> None:
        """Any two."""
        if self.refused(left, lambda s: s[:]) or self.refused(
            right, lambda s: s[:]
        ):
            return
        assert (left.secret == right.secret) == (left.data == right.data)

    @rule(target=views, pair=pairs)
    def look(self, pair: Pair) -> Any:  # noqa: ANN401 - as above
        """Open a read-only view."""
        manager = pair.secret.reveal()
        if pair not in self.open or pair.writable:
            error = BorrowError if pair in self.open else ClosedError
            with pytest.raises(error):
                manager.__enter__()
            return multiple()
        pair.views.append((manager, manager.__enter__()))
        return pair

    @rule(target=views, pair=pairs)
    def look_to_write(self, pair: Pair) -> Any:  # noqa: ANN401 - as above
        """Open a writable view."""
        manager = pair.secret.reveal(writable=True)
        if pair not in self.open or pair.views:
            error = BorrowError if pair in self.open else ClosedError
            with pytest.raises(error):
                manager.__enter__()
            return multiple()
        pair.views.append((manager, manager.__enter__()))
        pair.writable = True
        return pair

    @rule(pair=consumes(views), clean=st.booleans(), value=st.integers(0, 255))
    def leave(self, pair: Pair, clean: bool, value: int) -> None:  # noqa: FBT001 - as above
        """Leave the oldest view of a secret, by either way."""
        if not pair.views:
            return
        manager, view = pair.views.pop(0)
        shown = pair.data
        assert view == shown
        if pair.writable and shown:
            view[len(shown) // 2] = value
            changed = bytearray(shown)
            changed[len(shown) // 2] = value
            if clean and pair in self.open:
                pair.data = bytes(changed)
        closed = pair.writable and pair not in self.open
        pair.writable = False
        if not clean:
            error = KeyError("x")
            manager.__exit__(type(error), error, None)
        elif closed:
            with pytest.raises(ClosedError):
                manager.__exit__(None, None, None)
        else:
            manager.__exit__(None, None, None)

    @rule(pair=consumes(pairs))
    def forget(self, pair: Pair) -> None:
        """End it, and never try it again."""
        self.close(pair)

    @rule(pair=pairs)
    def close(self, pair: Pair) -> None:
        """End it; a second time does nothing."""
        pair.secret.close()
        pair.secret.close()
        if pair in self.open:
            self.open.remove(pair)
        with pytest.raises(ClosedError):
            pair.secret.matches(pair.data)

    @rule()
    def trim(self) -> None:
        """Give idle memory back in between."""
        secretmem.trim()

    def refused(self, pair: Pair, use: Any) -> bool:  # noqa: ANN401 - one of many operations
        """Check that a use is refused exactly when it should be."""
        if pair not in self.open:
            error: type[Exception] = ClosedError
        elif pair.writable:
            error = BorrowError
        else:
            return False
        with pytest.raises(error):
            use(pair.secret)
        return True

    @invariant()
    def counts(self) -> None:
        """The books agree with the posture."""
        if not hasattr(self, "open"):
            return
        now = secretmem.posture()
        # A closed one lives on while somebody may still write to it.
        kept = [p for p in self.seen if p.writable and p not in self.open]
        live = len(self.open) + len(kept)
        assert now.live == self.before.live + live
        shown = sum(len(pair.views) for pair in self.seen)
        assert now.views_open == self.before.views_open + shown
        assert now.stacks_in_use == 0
        assert now.unwiped == 0

    @precondition(lambda self: len(self.open) > 60)
    @rule()
    def close_many(self) -> None:
        """Keep the number of secrets in bounds, and free whole pages."""
        for pair in [pair for pair in self.open if not pair.views][::2]:
            self.open.remove(pair)
            pair.secret.close()

    def teardown(self) -> None:
        """Everything that is still open holds what it should."""
        for pair in getattr(self, "seen", []):
            while pair.views:
                self.leave_last(pair)
        for pair in getattr(self, "open", []):
            assert hazmat.export_bytes(pair.secret) == pair.data
            pair.secret.close()

    def leave_last(self, pair: Pair) -> None:
        """Leave a view as an exception would."""
        manager, view = pair.views.pop()
        assert view == pair.data
        error = KeyError("x")
        manager.__exit__(type(error), error, None)
        pair.writable = False


TestSecretMachine = SecretMachine.TestCase
TestSecretMachine.settings = settings(
    max_examples=times(60, least=20),
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
