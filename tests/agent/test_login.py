"""Logins, copies and commits by OpenSSH and git, with keys of the agent."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from agent import stage


if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.needs_secretmem,
    pytest.mark.needs_tool("ssh", "ssh-add", "ssh-keygen", "sshd"),
]


@pytest.mark.parametrize("kind", stage.KINDS)
def test_login(
    kind: str,
    running: stage.Agent,
    server: stage.Server,
    keys: dict[str, Path],
) -> None:
    """Each kind of key logs in; without its key in the agent, none does."""
    server.authorise(keys[kind].with_suffix(".pub").read_text("utf-8"))
    assert "denied" in server.ssh(running, "echo", "in", check=False)
    running.add(keys[kind])
    assert server.ssh(running, "echo", "in") == "in\n"
    _, log = running.end()
    assert f"sign {stage.fingerprint(keys[kind])}" in log
    assert "by ssh[" in log


@pytest.mark.parametrize("kind", stage.KINDS)
def test_certificate_login(
    kind: str, running: stage.Agent, server: stage.Server, tmp_path: Path
) -> None:
    """A server that trusts an authority takes a certificate of it."""
    authority = stage.make_key(tmp_path, "p256", "authority")
    key = stage.make_key(tmp_path, kind)
    stage.certify(authority, key, "-n", server.user)
    public = authority.with_suffix(".pub").read_text("utf-8")
    server.authorise(f"cert-authority {public}")
    running.add(key)
    assert server.ssh(running, "echo", "in") == "in\n"


def test_the_agent_is_forwarded(
    running: stage.Agent, server: stage.Server, keys: dict[str, Path]
) -> None:
    """From the server, the agent is seen and used for a further login."""
    key = keys["ed25519"]
    server.authorise(key.with_suffix(".pub").read_text("utf-8"))
    running.add(key)
    further = " ".join(
        ["ssh", *server.options, "-p", str(server.port), "127.0.0.1"]
    )
    said = server.ssh(
        running, f"ssh-add -l && {further} echo further", options=("-A",)
    )
    assert stage.fingerprint(key) in said
    assert said.endswith("further\n")


@pytest.mark.needs_tool("scp", "rsync")
def test_copies(
    running: stage.Agent,
    server: stage.Server,
    keys: dict[str, Path],
    tmp_path: Path,
) -> None:
    """Both scp and rsync copy files over such a login."""
    key = keys["ed25519"]
    server.authorise(key.with_suffix(".pub").read_text("utf-8"))
    running.add(key)
    source = tmp_path / "source"
    source.write_text("content", "utf-8")
    target = f"{server.user}@127.0.0.1:{tmp_path}"
    port = str(server.port)
    scp = ("scp", "-q", *server.options, "-P", port)
    stage.run(*scp, source, f"{target}/by-scp", env=running.env)
    shell = " ".join(["ssh", *server.options, "-p", port])
    stage.run(
        "rsync", "-e", shell, source, f"{target}/by-rsync", env=running.env
    )
    for name in ("by-scp", "by-rsync"):
        assert (tmp_path / name).read_text("utf-8") == "content"


@pytest.mark.needs_tool("git")
@pytest.mark.parametrize("kind", ["ed25519", "p256", "rsa"])
def test_a_commit_is_signed(
    kind: str, running: stage.Agent, keys: dict[str, Path], tmp_path: Path
) -> None:
    """The commands ``git commit -S`` and ``git verify-commit`` agree."""
    private = keys[kind]
    running.add(private)
    # Only the public key is at hand for git.
    public = tmp_path / "signer.pub"
    shutil.copy(private.with_suffix(".pub"), public)
    allowed = tmp_path / "allowed"
    allowed.write_text(f"me@here {public.read_text('utf-8')}", "utf-8")
    git = ["git", "-C", str(tmp_path)]
    for name, value in {
        "user.name": "me",
        "user.email": "me@here",
        "gpg.format": "ssh",
        "user.signingkey": str(public),
        "gpg.ssh.allowedSignersFile": str(allowed),
    }.items():
        git += ["-c", f"{name}={value}"]
    env = {**running.env, "GIT_CONFIG_GLOBAL": "/dev/null", "LC_ALL": "C"}
    stage.run(*git, "init", "-q", env=env)
    commit = ("commit", "-q", "-S", "--allow-empty", "-m", "signed")
    stage.run(*git, *commit, env=env)
    said = stage.run(*git, "verify-commit", "HEAD", env=env)
    assert 'Good "git" signature for me@here' in said
    running.add("-D")
    said = stage.run(*git, *commit, env=env, check=False)
    assert "failed to write commit" in said
