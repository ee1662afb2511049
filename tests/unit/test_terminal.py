"""`Secret.prompt` on real terminals, with somebody typing."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from support import terminal


pytestmark = pytest.mark.needs_secretmem


def ask(options: str) -> None:
    """Ask, and tell what came of it."""
    import sys

    from secretmem import Secret, hazmat

    print("ready", flush=True)  # noqa: T201 - the program's output
    try:
        secret = Secret.prompt("Word? ", **eval(options))  # noqa: S307 - the test's own
    except BaseException as error:  # noqa: BLE001 - told to the test
        print(f"{type(error).__name__}: {error}.")  # noqa: T201 - as above
        sys.exit(3)
    print(f"got {hazmat.export_bytes(secret)!r} {secret!r}.")  # noqa: T201 - as above


def hidden(person: terminal.Session, prompt: str = "Word? ") -> None:
    """Wait until the program asks with echo off."""
    person.expect(prompt)
    person.silent(lambda: not person.echoes())


@pytest.mark.parametrize(
    "answer", ["open sesame", "", "  blanks  ", "pässwörd", "x" * 4000, "a\tb"]
)
def test_an_answer_is_taken_without_echo(answer: str) -> None:
    """Up to Enter, which is not part of it; echo is on again afterwards."""
    with terminal.session(ask, "{'name': 'login'}") as person:
        hidden(person)
        person.type(f"{answer}\n")
        expected = f"got {answer.encode()!r} <Secret 'login' memfd_secret>."
        shown = person.expect(expected)
        assert person.end() == 0
        # The newline that was typed is shown, so output starts on a new line.
        assert shown == b"\r\n"
        assert person.settings_are_as_before()
        assert person.echoes()


def test_editing_keys_work() -> None:
    """Backspace and kill-line are the terminal's."""
    with terminal.session(ask, "{}") as person:
        hidden(person)
        person.type("wrong\x15ripe\x7fht\n")
        person.expect("got b'ripht'")
        assert person.end() == 0


def test_what_was_typed_before_is_dropped() -> None:
    """It was echoed: it is not taken for the answer."""

    def waits() -> None:
        import signal

        from secretmem import Secret, hazmat

        told = {signal.SIGUSR1}
        signal.pthread_sigmask(signal.SIG_BLOCK, told)
        print("ready", flush=True)  # noqa: T201 - the program's output
        signal.sigwait(told)
        secret = Secret.prompt("Word? ")
        print(f"got {hazmat.export_bytes(secret)!r}.")  # noqa: T201 - as above

    with terminal.session(waits) as person:
        person.expect("ready")
        person.type("typed too early\n")
        person.signal(signal.SIGUSR1)
        hidden(person)
        person.type("now\n")
        person.expect("got b'now'")


def test_ctrl_c_restores_the_terminal() -> None:
    """KeyboardInterrupt, echo on, nothing of the half answer left behind."""
    with terminal.session(ask, "{}") as person:
        hidden(person)
        person.type("half an ans\x03")
        person.expect("KeyboardInterrupt: .")
        assert person.end() == 3
        assert person.settings_are_as_before()


def test_a_handler_that_raises_restores_the_terminal() -> None:
    """As every other exception."""

    def alarmed() -> None:
        import signal

        from secretmem import Secret

        def ring(*_: object) -> None:
            raise TimeoutError("too slow")

        signal.signal(signal.SIGALRM, ring)
        try:
            Secret.prompt("Word? ")
        except TimeoutError as error:
            print(f"{error}.")  # noqa: T201 - the program's output

    with terminal.session(alarmed) as person:
        hidden(person)
        person.signal(signal.SIGALRM)
        person.expect("too slow.")
        assert person.end() == 0
        assert person.settings_are_as_before()


def test_signals_do_not_end_the_prompt() -> None:
    """Handlers run and the typing goes on."""

    def disturbed() -> None:
        import os
        import signal

        from secretmem import Secret, hazmat

        seen = []

        def handle(*_: object) -> None:
            seen.append(1)
            if len(seen) == 4:
                os.write(1, b"four signals")

        signal.signal(signal.SIGALRM, handle)
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
        secret = Secret.prompt("Word? ")
        print(f"{hazmat.export_str(secret)}.")  # noqa: T201 - the program's output

    with terminal.session(disturbed) as person:
        hidden(person)
        person.type("pati")
        person.expect("four signals")
        person.type("ence\n")
        person.expect("patience.")


@pytest.mark.parametrize(
    "typed, said",
    [
        ("\x04", "EOFError: the terminal's input ended."),
        ("some\x04\x04", "got b'some'"),
        ("some\x04more\n", "got b'somemore'"),
    ],
)
def test_ctrl_d(typed: str, said: str) -> None:
    """At once it is the end; after some characters it is their end."""
    with terminal.session(ask, "{}") as person:
        hidden(person)
        person.type(typed)
        person.expect(said)
        assert person.settings_are_as_before()


def test_confirm_takes_equal_answers() -> None:
    """Both are asked without echo."""
    with terminal.session(ask, "{'confirm': True}") as person:
        hidden(person)
        person.type("twice\n")
        hidden(person, "(again) ")
        person.type("twice\n")
        person.expect("got b'twice'")
        assert person.echoes()


@pytest.mark.parametrize("second", ["other", "", "twic", "twice "])
def test_confirm_refuses_different_answers(second: str) -> None:
    """ValueError; neither answer is shown."""
    with terminal.session(ask, "{'confirm': True}") as person:
        hidden(person)
        person.type("twice\n")
        hidden(person, "(again) ")
        person.type(f"{second}\n")
        shown = person.expect("ValueError: the two answers differ.")
        assert b"twice" not in shown
        assert person.end() == 3
        assert person.echoes()


@pytest.mark.parametrize("size", [0, 1, 10])
def test_max_size(size: int) -> None:
    """A longer answer is refused, and nothing of it is left to read."""
    for answer, fits in (("x" * size, True), ("x" * (size + 1), False)):
        with terminal.session(ask, f"{{'max_size': {size}}}") as person:
            hidden(person)
            person.type(f"{answer}\n")
            if fits:
                person.expect(f"got {answer.encode()!r}")
            else:
                person.expect(f"more than max_size = {size} bytes")
            assert person.echoes()


def test_an_answer_of_many_bytes() -> None:
    """Longer than the first room for it."""
    with terminal.session(ask, "{'max_size': 100_000}") as person:
        hidden(person)
        # The terminal's own line holds 4095 bytes; Ctrl-D passes them on.
        person.type("a" * 4000 + "\x04")
        person.type("b" * 4000 + "\n")
        shown = person.expect("<Secret")
        assert b"a" * 4000 + b"b" * 4000 in shown


@pytest.mark.parametrize(
    "typed, taken",
    [
        ("x" * 4094 + "\n", 4094),
        # The kernel drops what does not fit, and nobody could tell.
        ("x" * 4095 + "\n", None),
        ("x" * 5000 + "\n", None),
        ("x" * 4094 + "\x04" + "x" * 4094 + "\n", 8188),
        ("short\x04" + "x" * 5000 + "\n", None),
    ],
    ids=["longest", "maybe cut", "cut", "in parts", "a part cut"],
)
def test_a_line_that_the_terminal_may_have_cut(
    typed: str, taken: int | None
) -> None:
    """ValueError that says what to do; nothing of it is left to read."""
    with terminal.session(ask, "{'max_size': 10_000}") as person:
        hidden(person)
        person.type(typed)
        if taken is None:
            person.expect("ValueError: the terminal cuts a line at 4095 bytes")
            person.expect("take a longer secret from a file or a pipe.")
            assert person.end() == 3
        else:
            shown = person.expect("<Secret")
            assert shown.count(b"x") == taken
        assert person.settings_are_as_before()


def test_the_prompt_goes_to_the_terminal_when_output_is_elsewhere() -> None:
    """As for ssh and sudo: standard streams may be pipes."""

    def redirected() -> None:
        import os

        from secretmem import Secret, hazmat

        told = os.dup(1)
        null = os.open("/dev/null", os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        secret = Secret.prompt("Word? ")
        os.write(told, b"got " + hazmat.export_bytes(secret) + b".\n")

    with terminal.session(redirected) as person:
        hidden(person)
        person.type("by tty\n")
        person.expect("got by tty.")


def test_standard_input_serves_without_a_controlling_terminal() -> None:
    """If it is a terminal."""
    with terminal.session(ask, "{}", control=False) as person:
        hidden(person)
        person.type("by stdin\n")
        person.expect("got b'by stdin'")
        assert person.echoes()


def test_without_a_terminal_there_is_no_prompt() -> None:
    """OSError; a pipe is not read in its place."""
    code = "from secretmem import Secret; Secret.prompt()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        input="piped\n",
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    assert done.returncode == 1
    assert "OSError: [Errno 6]" in done.stderr
    assert "Password" not in done.stdout


def test_the_machine_is_asked_before_the_person() -> None:
    """Nobody types a password that then cannot be kept."""

    def unavailable() -> None:
        import sys

        sys.modules["secretmem._native"] = None  # type: ignore[assignment]  # makes the import fail
        from secretmem import Secret, UnavailableError

        try:
            Secret.prompt("Word? ")
        except UnavailableError:
            print("unavailable.")  # noqa: T201 - the program's output

    with terminal.session(unavailable) as person:
        shown = person.expect("unavailable.")
        assert b"Word" not in shown
