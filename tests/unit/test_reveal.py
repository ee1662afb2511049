"""`Secret.reveal`: what a view shows, and every way of leaving it."""

from __future__ import annotations

import gc
import struct
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest

import secretmem
from secretmem import BorrowError, ClosedError, Secret, hazmat


if TYPE_CHECKING:
    from collections.abc import Callable


pytestmark = pytest.mark.needs_secretmem

SIZES = (0, 1, 31, 32, 4087, 4096, 4097, 8192, 8193, 65536, (1 << 20) + 1)


def content(size: int) -> bytes:
    """Make bytes in which places differ."""
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def views() -> tuple[int, int]:
    """Count open and orphaned views."""
    now = secretmem.posture()
    return now.views_open, now.views_orphaned


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("writable", [False, True])
def test_a_view_shows_the_secret(size: int, writable: bool) -> None:  # noqa: FBT001 - pytest passes it by name
    """As a memoryview of bytes; outside of the block there is none."""
    data = content(size)
    with Secret.from_bytes(data) as secret:
        before = views()
        with secret.reveal(writable=writable) as view:
            assert isinstance(view, memoryview)
            assert view.format == "B"
            assert view.ndim == 1
            assert view.shape == (size,)
            assert view.c_contiguous
            assert view.readonly is not writable
            assert view == data
            assert views() == (before[0] + 1, before[1])
        assert views() == before
        with pytest.raises(ValueError, match="released"):
            view[0:1]


def test_a_read_only_view_is_read_only() -> None:
    """For Python and for what asks for a writable buffer."""
    with Secret.from_bytes(b"fixed") as secret:
        with secret.reveal() as view:
            wrong: Any = view
            with pytest.raises(TypeError, match="read-only"):
                wrong[0] = 1
            with pytest.raises((TypeError, BufferError)):
                struct.pack_into("B", wrong, 0, 1)
            with pytest.raises((TypeError, BufferError)):
                Secret.from_bytes(wrong, wipe=True)
        assert secret.matches(b"fixed")


@pytest.mark.parametrize("size", [1, 32, 4096, 70001])
def test_a_clean_exit_writes_back(size: int) -> None:
    """What was written is the secret then."""
    data = content(size)
    with Secret.from_bytes(data) as secret:
        with secret.reveal(writable=True) as view:
            view[:] = data[::-1]
            view[0] = 7
        expected = bytearray(data[::-1])
        expected[0] = 7
        assert secret.matches(expected)


@pytest.mark.parametrize(
    "error", [ValueError("x"), KeyboardInterrupt(), GeneratorExit()]
)
def test_an_exception_does_not_write_back(error: BaseException) -> None:
    """Half a change is no change; the exception passes as it is."""
    with Secret.from_bytes(b"before") as secret:

        def change() -> None:
            with secret.reveal(writable=True) as view:
                view[:] = b"-half-"
                raise error

        with pytest.raises(type(error)) as caught:
            change()
        assert caught.value is error
        assert not hasattr(error, "__notes__")
        assert secret.matches(b"before")
        with secret.reveal(writable=True) as view:
            view[:] = b"-after"
        assert secret.matches(b"-after")


def test_views_nest() -> None:
    """Read-only ones, of one secret and of several."""
    with Secret.from_bytes(b"one") as one, Secret.from_bytes(b"two") as two:
        with one.reveal() as a, one.reveal() as b, two.reveal() as c:
            assert list(map(bytes, (a, b, c))) == [b"one", b"one", b"two"]
            assert one.matches(a)
            assert (one + a).matches(b"oneone")
        with one.reveal() as a:
            with one.reveal() as b:
                pass
            assert bytes(a) == b"one"


def test_many_views_at_once() -> None:
    """More than any pool keeps."""
    with Secret.from_bytes(b"shown") as secret:
        opened = [secret.reveal() for _ in range(40)]
        shown = [view.__enter__() for view in opened]
        assert all(bytes(each) == b"shown" for each in shown)
        for view in opened:
            view.__exit__(None, None, None)


def test_a_writable_view_excludes_every_other_use() -> None:
    """Until it is left; the error says what is in the way."""
    with Secret.from_bytes(b"alone") as secret, Secret.random(5) as other:
        uses = {
            "reveal": lambda: secret.reveal().__enter__(),
            "writable": lambda: secret.reveal(writable=True).__enter__(),
            "matches": lambda: secret.matches(b"alone"),
            "equals": lambda: secret == other,
            "equals, other side": lambda: other == secret,
            "slice": lambda: secret[1:],
            "sum": lambda: secret + b"x",
            "sum, other side": lambda: other + secret,
            "strip": secret.strip,
            "decode": lambda: Secret.from_hex(secret),
            "export": lambda: hazmat.export_bytes(secret),
            "write": lambda: secret.write_to(1),
        }
        with secret.reveal(writable=True):
            for name, use in uses.items():
                with pytest.raises(BorrowError, match="writable view"):
                    pytest.fail(f"{name}: {use()!r}")  # type: ignore[no-untyped-call]
        assert secret.matches(b"alone")


def test_a_read_only_view_excludes_writable_ones() -> None:
    """A view does not change under its reader."""
    with Secret.from_bytes(b"quiet") as secret, secret.reveal() as view:
        with pytest.raises(BorrowError), secret.reveal(writable=True):
            pass
        assert bytes(view) == b"quiet"
        assert secret.matches(b"quiet")


def test_a_refused_view_leaves_no_trace() -> None:
    """The same secret can be seen afterwards."""
    with Secret.from_bytes(b"x") as secret:
        before = views()
        with secret.reveal():
            for _ in range(20):
                with pytest.raises(BorrowError):
                    secret.reveal(writable=True).__enter__()
        assert views() == before
        with secret.reveal(writable=True) as view:
            view[0] = 0


LEAKS: dict[str, Any] = {
    "slice": lambda view: view[1:3],
    "memoryview": memoryview,
    "cast": lambda view: view.cast("c"),
    "iterator": lambda view: iter(view[:]),
}


def leak(
    secret: Secret,
    make: Callable[[memoryview], object],
    kept: list[Any],
    error: BaseException | None = None,
    writable: bool = False,  # noqa: FBT001, FBT002 - as reveal has it
) -> None:
    """Leave a view while something that was made from it is in use."""
    with secret.reveal(writable=writable) as view:
        kept.append(make(view))
        if error is not None:
            raise error


@pytest.mark.parametrize("kind", LEAKS)
def test_a_leaked_buffer_is_an_error(kind: str) -> None:
    """BorrowError; the window lives as long as the leak, and is counted."""
    with Secret.from_bytes(b"leaked") as secret:
        before = views()
        kept: list[Any] = []
        with pytest.raises(BorrowError, match="still in use"):
            leak(secret, LEAKS[kind], kept)
        assert views() == (before[0] + 1, before[1] + 1)
        if kind == "slice":
            assert kept == [b"ea"]
        kept.clear()
        gc.collect()
        assert views() == before
        assert secret.matches(b"leaked")


def test_a_note_when_an_exception_is_leaving_already() -> None:
    """The exception is the program's; the note tells of the leak."""
    with Secret.from_bytes(b"leaked") as secret:
        before = views()
        error = ValueError("of the program")
        kept: list[Any] = []
        with pytest.raises(ValueError, match="of the program") as caught:
            leak(secret, LEAKS["slice"], kept, error)
        assert caught.value is error
        assert error.__context__ is None
        (note,) = error.__notes__
        assert "still in use" in note
        assert views() == (before[0] + 1, before[1] + 1)
        kept[0].release()
        assert views() == before


def test_an_orphan_is_not_written_back() -> None:
    """Leaving was not clean; what the leak changes later counts neither."""
    with Secret.from_bytes(b"before") as secret:

        def change(view: memoryview) -> memoryview:
            view[:] = b"inside"
            return view[:]

        kept: list[Any] = []
        with pytest.raises(BorrowError):
            leak(secret, change, kept, writable=True)
        # It may still change, so that nobody else has the secret meanwhile.
        with pytest.raises(BorrowError):
            secret.matches(b"before")
        kept[0][:] = b"-late-"
        kept[0].release()
        assert secret.matches(b"before")


def test_the_window_of_an_orphan_is_wiped() -> None:
    """At the last release; until then it shows the secret."""
    with Secret.from_bytes(b"w" * 64) as secret:
        kept: list[Any] = []
        with pytest.raises(BorrowError):
            leak(secret, lambda view: (view[:32], view[8:16]), kept)
        one, two = kept.pop()
        one.release()
        assert two == b"w" * 8
        two.release()
    assert views() == (0, 0)


def test_a_view_that_was_released_early() -> None:
    """The program may be quicker than the block."""
    with Secret.from_bytes(b"early") as secret:
        with secret.reveal(writable=True) as view:
            view[0] = ord("E")
            view.release()
        assert secret.matches(b"Early")


def test_a_view_is_entered_once() -> None:
    """Its window is gone afterwards."""
    with Secret.from_bytes(b"once") as secret:
        manager = secret.reveal()
        with manager as view:
            with pytest.raises(RuntimeError, match="once"):
                manager.__enter__()
            assert bytes(view) == b"once"
        with pytest.raises(RuntimeError, match="once"), manager:
            pass


def test_a_view_is_a_buffer_only_while_it_is_open() -> None:
    """The manager itself shows nothing before and after."""
    with Secret.from_bytes(b"open") as secret:
        manager: Any = secret.reveal()
        with pytest.raises(BufferError, match="not open"):
            memoryview(manager)
        with manager, memoryview(manager) as second:
            assert bytes(second) == b"open"
        with pytest.raises(BufferError, match="not open"):
            memoryview(manager)


def test_leaving_without_entering_is_nothing() -> None:
    """As for other context managers of C."""
    with Secret.from_bytes(b"x") as secret:
        secret.reveal().__exit__(None, None, None)
        assert secret.matches(b"x")


@pytest.mark.parametrize("writable", [False, True])
def test_an_abandoned_view_is_collected(writable: bool) -> None:  # noqa: FBT001 - pytest passes it by name
    """A generator that never ran on, a manager without a block."""
    with Secret.from_bytes(b"lost") as secret:
        before = views()

        def shown() -> Any:  # noqa: ANN401 - a generator of views
            with secret.reveal(writable=writable) as view:
                view[0:1] if not writable else view.__setitem__(0, 1)
                yield view

        generator = shown()
        next(generator)
        manager: Any = secret.reveal() if not writable else None
        entered = manager and manager.__enter__()
        assert views()[0] > before[0]
        del generator, manager, entered
        gc.collect()
        assert views() == before
        if not writable:
            assert secret.matches(b"lost")
        with secret.reveal(writable=True) as view:
            view[:] = b"here"
        assert secret.matches(b"here")


def test_an_abandoned_writable_view_changes_nothing() -> None:
    """It was never left cleanly."""
    with Secret.from_bytes(b"kept") as secret:
        manager: Any = secret.reveal(writable=True)
        view = manager.__enter__()
        view[:] = b"lost"
        del view, manager
        gc.collect()
        assert secret.matches(b"kept")


def test_closing_while_a_view_is_open() -> None:
    """
    New uses fail at once; the view shows the secret to its end.

    What was written to it is not lost in silence: leaving says so.
    """
    for writable in (False, True):
        secret = Secret.from_bytes(b"closing")
        live = secretmem.posture().live
        lost = pytest.raises(ClosedError) if writable else nullcontext()
        with lost, secret.reveal(writable=writable) as view:
            secret.close()
            assert secret.closed
            assert bytes(view) == b"closing"
            with pytest.raises(ClosedError):
                secret.matches(b"closing")
            with pytest.raises(ClosedError):
                secret.reveal().__enter__()
            if writable:
                view[:] = b"changed"
        assert secretmem.posture().live == live - 1
        with pytest.raises(ClosedError):
            secret.matches(b"changed")


def test_no_view_of_a_closed_secret() -> None:
    """Neither kind."""
    secret = Secret.from_bytes(b"x")
    manager = secret.reveal()
    secret.close()
    for each in (manager, secret.reveal(), secret.reveal(writable=True)):
        with pytest.raises(ClosedError):
            each.__enter__()


def test_a_view_keeps_its_secret() -> None:
    """The handle may go out of scope inside the block."""
    with Secret.from_bytes(b"no name").reveal() as view:
        gc.collect()
        assert bytes(view) == b"no name"


def test_windows_come_back_empty() -> None:
    """A shorter secret's window shows nothing of a longer one's."""
    for size in (64, 3, 40, 1, 4096, 2):
        data = content(size)
        for _ in range(6):
            with Secret.from_bytes(data) as secret, secret.reveal() as view:
                assert bytes(view) == data
            with (
                Secret.from_bytes(data) as secret,
                secret.reveal(writable=True) as view,
            ):
                assert bytes(view) == data


@pytest.mark.parametrize("size", [100, 100_000, (1 << 20) + 1])
def test_windows_at_rest_are_few(size: int) -> None:
    """They are kept for use again, up to a bound, and given back by trim."""
    secretmem.trim()
    with Secret.random(size) as secret:
        # A few large ones fit what an ordinary user may lock.
        opened = [secret.reveal() for _ in range(12 if size < 1000 else 2)]
        for view in opened:
            view.__enter__()
        for view in opened:
            view.__exit__(None, None, None)
    assert secretmem.posture().window_bytes <= 64 * 4096
    if size == 100:
        assert secretmem.posture().window_bytes <= 8 * 4096
    secretmem.trim()
    assert secretmem.posture().window_bytes == 0


def test_a_view_cannot_be_pickled_or_copied() -> None:
    """Nor can the manager."""
    import copy
    import pickle

    with Secret.from_bytes(b"x") as secret, secret.reveal() as view:
        for each in (view, secret.reveal()):
            with pytest.raises(TypeError):
                pickle.dumps(each)
            with pytest.raises(TypeError):
                copy.deepcopy(each)
