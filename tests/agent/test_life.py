"""How an agent starts, what it is handed, and how it ends."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import shlex
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent import stage
from support import unprivileged
from support.patience import PATIENCE


if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.needs_secretmem,
    pytest.mark.needs_tool("ssh-add", "ssh-keygen"),
]

PROGRAM = [sys.executable, "-m", "secretmem.cli.main", "agent"]


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Make default sockets below the test's folder."""
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("SHELL", "/bin/sh")


def _settings(said: str) -> dict[str, str]:
    """Read what the agent prints as a shell would."""
    words = "SSH_AUTH_SOCK", "SSH_AGENT_PID"
    script = f'{said}\nprintf \'%s\\n\' "$SSH_AUTH_SOCK" "$SSH_AGENT_PID"'
    lines = stage.run("sh", "-c", script).splitlines()
    return dict(zip(words, lines[-2:], strict=True))


@contextlib.contextmanager
def _started(*options: str) -> Iterator[dict[str, str]]:
    """Start one in the background; end it at the end of the block."""
    settings = _settings(stage.run(*PROGRAM, *options))
    pid = int(settings["SSH_AGENT_PID"])
    try:
        yield settings
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        stage.wait_until(lambda: _ended(pid))


def _ended(pid: int) -> bool:
    """Tell whether a process is gone, or only waits to be buried."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return True
    return text.rpartition(")")[2].split()[0] == "Z"


def test_for_a_shell(keys: dict[str, Path]) -> None:
    """In the background, alone in its session, with nothing open."""
    with _started() as settings:
        pid = int(settings["SSH_AGENT_PID"])
        path = Path(settings["SSH_AUTH_SOCK"])
        stage.run("ssh-add", keys["ed25519"], env=settings)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert os.getsid(pid) == pid
        if not os.geteuid():
            process = Path(f"/proc/{pid}")
            links = {(process / f"fd/{fd}").readlink() for fd in range(3)}
            assert links == {Path(os.devnull)}
            assert (process / "cwd").readlink() == Path("/")
        said = stage.run(*PROGRAM, "-k", env=settings)
        assert f"echo Agent pid {pid} killed;" in said
        assert "unset SSH_AUTH_SOCK" in said
        stage.wait_until(lambda: _ended(pid))
        assert not path.parent.exists()


def test_for_a_c_shell() -> None:
    """With -c or by $SHELL; -s says otherwise."""
    for options, env in ((("-c",), {}), ((), {"SHELL": "/bin/tcsh"})):
        said = stage.run(*PROGRAM, *options, env=env)
        found = re.search(r"setenv SSH_AGENT_PID (\d+);", said)
        assert found
        _end(int(found[1]))
    said = stage.run(*PROGRAM, "-s", env={"SHELL": "/bin/csh"})
    _end(int(_settings(said)["SSH_AGENT_PID"]))


def _end(pid: int) -> None:
    os.kill(pid, signal.SIGTERM)
    stage.wait_until(lambda: _ended(pid))


def test_for_a_command(keys: dict[str, Path], tmp_path: Path) -> None:
    """It ends with the command, whose exit code is the program's."""
    key = shlex.quote(str(keys["ed25519"]))
    script = f"ssh-add -q {key}; ssh-add -l; echo $SSH_AGENT_PID; exit 7"
    done = subprocess.run(
        [*PROGRAM, "--", "sh", "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 7
    assert stage.fingerprint(keys["ed25519"]) in done.stdout
    pid = int(done.stdout.split()[-1])
    stage.wait_until(lambda: _ended(pid))
    stage.wait_until(lambda: not list(tmp_path.glob("secretmem-*")))


def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    """The error is said, and nothing stays behind."""
    said = stage.run(*PROGRAM, "--", "/no/such", check=False)
    assert "secretmem: /no/such: No such file" in said
    stage.wait_until(lambda: not list(tmp_path.glob("secretmem-*")))


def test_it_is_hardened(running: stage.Agent, keys: dict[str, Path]) -> None:
    """No core files and not dumpable, before the first key."""
    pid = running.process.pid
    # Connections that come earlier wait; the first answer comes after it.
    assert "no identities" in running.add("-l", check=False)
    assert resource.prlimit(pid, resource.RLIMIT_CORE) == (0, 0)
    # The files of a process that is not dumpable are root's, proc(5).
    assert Path(f"/proc/{pid}/mem").stat().st_uid == 0
    running.add(keys["ed25519"])


@pytest.mark.needs_root
@pytest.mark.needs_unprivileged
def test_another_user_is_turned_away(
    running: stage.Agent, keys: dict[str, Path]
) -> None:
    """Even if the file's mode would let it connect."""
    running.add(keys["ed25519"])
    running.path.chmod(0o666)
    for folder in running.path.parents:
        if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o111)
    code = (
        "import os, socket; os.setresgid(65534, 65534, 65534);"
        "os.setresuid(65534, 65534, 65534);"
        "s = socket.socket(socket.AF_UNIX);"
        f"s.connect({str(running.path)!r})\ntry:\n"
        "    s.sendall(b'\\0\\0\\0\\1\\13'); print(s.recv(100))\n"
        "except (BrokenPipeError, ConnectionResetError):\n    print(b'')"
    )
    assert stage.run(sys.executable, "-I", "-S", "-c", code) == "b''\n"
    _, log = running.end()
    assert "turn away by" in log


def test_sigusr1_drops_all_keys(
    running: stage.Agent, keys: dict[str, Path]
) -> None:
    """The agent goes on without them."""
    running.add(keys["ed25519"])
    running.process.send_signal(signal.SIGUSR1)
    stage.wait_until(lambda: "no id" in running.add("-l", check=False))
    running.add(keys["p256"])


def test_sigterm_leaves_nothing(running: stage.Agent) -> None:
    """The exit code is 0, and the socket is gone."""
    code, _ = running.end()
    assert code == 0
    assert not running.path.exists()


def test_a_socket_of_a_dead_agent_is_replaced(tmp_path: Path) -> None:
    """One that was killed left it behind."""
    with stage.agent(tmp_path) as first:
        first.process.kill()
        first.process.wait()
        assert first.path.exists()
        with stage.agent(tmp_path) as second:
            assert "no identities" in second.add("-l", check=False)
            second.end()


def _refused(path: Path) -> str:
    said = stage.run(*PROGRAM, "-D", "-a", path, check=False)
    assert said.startswith("secretmem: ")
    return said


def test_what_is_in_the_way_is_not_touched(
    running: stage.Agent, tmp_path: Path
) -> None:
    """A living agent, a file, a link, a folder, too long a path."""
    assert "an agent listens" in _refused(running.path)
    file = tmp_path / "file"
    file.write_text("mine", "utf-8")
    assert "is no socket" in _refused(file)
    assert file.read_text("utf-8") == "mine"
    link = tmp_path / "link"
    link.symlink_to(running.path)
    assert "is no socket" in _refused(link)
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "nowhere")
    assert "is no socket" in _refused(dangling)
    assert not (tmp_path / "nowhere").exists()
    assert "is no socket" in _refused(tmp_path)
    assert "at most 107" in _refused(tmp_path / ("x" * 108))
    assert "No such file" in _refused(tmp_path / "no" / "folder")


def test_a_folder_of_others_is_refused(tmp_path: Path) -> None:
    """They could put a socket of their own there."""
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    assert "others may write" in _refused(folder / "sock")
    folder.chmod(0o1777)
    with stage.agent(folder) as agent:
        assert agent.path.exists()


def test_a_socket_that_was_replaced_stays(running: stage.Agent) -> None:
    """At its end the agent removes its own only."""
    running.path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(running.path))
        running.end()
        assert running.path.exists()


def test_keys_at_the_start(keys: dict[str, Path], tmp_path: Path) -> None:
    """--key, of each kind; a file that is none ends the agent."""
    options = [word for key in keys.values() for word in ("--key", key)]
    with stage.agent(tmp_path, *options) as agent:
        listed = agent.add("-l")
        for key in keys.values():
            assert stage.fingerprint(key) in listed
            agent.add("-T", f"{key}.pub")
        agent.end()
    public = f"{keys['ed25519']}.pub"
    path = tmp_path / "agent.sock"
    said = stage.run(*PROGRAM, "-a", path, "--key", public, check=False)
    assert "cannot be read" in said
    assert not path.exists()
    assert "No such" in stage.run(*PROGRAM, "--key", "/no", check=False)


def test_socket_activation(tmp_path: Path, keys: dict[str, Path]) -> None:
    """A socket of systemd's is served and left behind (sd_listen_fds(3))."""
    path = tmp_path / "systemd.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        # systemd itself puts the numbers right: 3, and the own pid.
        code = (
            f"import os; os.dup2({listener.fileno()}, 3);"
            "os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()));"
            f"os.execv({sys.executable!r}, {[*PROGRAM, '-D']!r})"
        )
        command: list[str | Path] = [sys.executable, "-c", code]
        os.set_inheritable(listener.fileno(), True)  # noqa: FBT003 - its only argument
        with _with_fds(command, tmp_path, path, listener.fileno()) as agent:
            agent.add(keys["ed25519"])
            assert stage.fingerprint(keys["ed25519"]) in agent.add("-l")
            agent.end()
    assert path.exists()


@contextlib.contextmanager
def _with_fds(
    command: list[str | Path], folder: Path, path: Path, fd: int
) -> Iterator[stage.Agent]:
    with (folder / "log").open("w", encoding="utf-8") as said:
        process = subprocess.Popen(
            command,
            pass_fds=[fd],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            text=True,
        )
    try:
        yield stage.Agent(process, path, folder / "log")
    finally:
        process.kill()
        process.wait()


def test_what_is_no_socket_is_refused(tmp_path: Path) -> None:
    """LISTEN_FDS that names a file is an error, not a hang."""
    code = (
        "import os; os.dup2(os.open(os.devnull, 0), 3);"
        "os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()));"
        f"os.execv({sys.executable!r}, {[*PROGRAM, '-D']!r})"
    )
    said = stage.run(sys.executable, "-c", code, check=False)
    assert "is no socket" in said
    del tmp_path


def test_the_log_file(tmp_path: Path, keys: dict[str, Path]) -> None:
    """--log: a line for each use, with key, process and user."""
    log = tmp_path / "uses"
    with stage.agent(tmp_path, "--log", log) as agent:
        agent.add(keys["ed25519"])
        agent.add("-T", f"{keys['ed25519']}.pub")
        agent.add("-d", keys["ed25519"])
        agent.end()
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    lines = log.read_text("utf-8").splitlines()
    assert [line.split()[1] for line in lines] == ["add", "sign", "remove"]
    mark = stage.fingerprint(keys["ed25519"])
    end = re.compile(rf"by ssh-add\[\d+\] uid {os.geteuid()}")
    assert all(mark in line and end.search(line) for line in lines)


@pytest.mark.parametrize(
    "options, said",
    [
        (("-t", "soon"), "no time"),
        (("-t", "0"), "lifetime"),
        (("-k",), "SSH_AGENT_PID is not set"),
        (("-D", "--", "true"), "exclude"),
    ],
)
def test_wrong_options(options: tuple[str, ...], said: str) -> None:
    """They are errors that say what is wrong."""
    env = {"SSH_AGENT_PID": ""}
    assert said in stage.run(*PROGRAM, *options, env=env, check=False)


def test_the_wrong_agent_is_not_killed(running: stage.Agent) -> None:
    """-k: SSH_AGENT_PID names a process that does not serve the socket."""
    env = {**running.env, "SSH_AGENT_PID": str(os.getpid())}
    said = stage.run(*PROGRAM, "-k", env=env, check=False)
    assert f"is served by process {running.process.pid}" in said


@pytest.mark.needs_root
@pytest.mark.needs_unprivileged
def test_as_an_ordinary_user(tmp_path: Path) -> None:
    """Without any privilege it works the same."""
    key = stage.make_key(tmp_path, "ed25519")
    script = (
        "umask 077; cat >$HOME/key; ssh-add $HOME/key && ssh-add -l &&"
        " ssh-keygen -y -f $HOME/key >$HOME/key.pub &&"
        " ssh-add -T $HOME/key.pub && id -u"
    )
    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o777)
        done = unprivileged.run(
            *("-m", "secretmem.cli.main", "agent", "--", "sh", "-c", script),
            stdin=key.read_text("utf-8"),
            environment={"HOME": home},
        )
    assert done.returncode == 0, done.stderr
    assert stage.fingerprint(key) in done.stdout
    assert done.stdout.endswith(f"{unprivileged.NOBODY}\n")


@pytest.mark.needs_root
@pytest.mark.needs_unprivileged
def test_with_little_memory_to_lock() -> None:
    """At 64 KiB a key that does not fit is refused; the agent goes on."""
    script = (
        "umask 077; cd $HOME; ssh-keygen -q -t rsa -b 3072 -N '' -f rsa;"
        " ssh-keygen -q -t ed25519 -N '' -f ed; ssh-add rsa; ssh-add rsa;"
        " ssh-add ed && ssh-add -T ed.pub && ssh-add -l"
    )
    code = (
        "import os, resource, sys; limit = 64 << 10;"
        "resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, limit));"
        "os.execv(sys.executable, [sys.executable, '-P', '-m',"
        f"'secretmem.cli.main', 'agent', '--', 'sh', '-c', {script!r}])"
    )
    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o777)
        done = unprivileged.run("-c", code, environment={"HOME": home})
    assert done.returncode == 0, done.stderr
    assert "ED25519" in done.stdout
