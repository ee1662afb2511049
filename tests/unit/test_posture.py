"""`posture`, `harden` and `trim`: facts that agree with the kernel's."""

from __future__ import annotations

import json

import pytest

import secretmem
from secretmem import Secret
from support import alone, holdings


pytestmark = pytest.mark.needs_secretmem


def test_the_facts_agree_with_the_kernel() -> None:
    """Bytes and mappings as /proc/self/maps has them."""

    def counted() -> None:
        from pathlib import Path

        import secretmem
        from secretmem import Secret

        def mapped() -> int:
            total = 0
            for line in (
                Path("/proc/self/maps").read_text("utf-8").splitlines()
            ):
                if line.endswith("/secretmem (deleted)"):
                    start, end = line.split()[0].split("-")
                    total += int(end, 16) - int(start, 16)
            return total

        assert secretmem.posture().locked_bytes == mapped() == 0
        secrets = [Secret.random(n) for n in (1, 32, 5000, 100_000)]
        secrets += [Secret.random(32, inherit=True, isolated=True)]
        assert secrets[1] != secrets[4]
        now = secretmem.posture()
        assert now.live == 5
        assert now.live_inherit == 1
        assert now.stacks >= 1
        assert now.stacks_in_use == 0
        # The pages of a read-only window are mapped twice.
        assert mapped() == now.locked_bytes + now.window_bytes
        with secrets[3].reveal(), secrets[1].reveal(writable=True):
            now = secretmem.posture()
            assert now.views_open == 2
            assert now.views_orphaned == 0
            more = mapped() - now.locked_bytes
            assert 4096 <= more <= now.window_bytes
            assert "mappings of /secretmem" in now.evidence["backend"]

    alone.passes(counted)


def test_it_is_a_dictionary_for_json() -> None:
    """Facts can be sent to a monitor."""
    now = secretmem.posture()
    said = json.loads(json.dumps(now.as_dict()))
    assert said["backend"] == now.backend == "memfd_secret"
    assert said["degraded"] is False
    assert set(said) == set(now._fields)


def test_it_is_a_snapshot() -> None:
    """It does not change afterwards, nor can it be changed."""
    before = secretmem.posture()
    with Secret.random(1):
        assert secretmem.posture().live == before.live + 1
    with pytest.raises(AttributeError):
        before.live = 5  # type: ignore[misc]  # what is under test


def test_evidence_is_given() -> None:
    """For each fact that it names."""
    now = secretmem.posture()
    assert set(now.evidence) <= set(now._fields)
    assert all(now.evidence.values())


def test_trim_gives_idle_memory_back() -> None:
    """All of it; what is in use stays."""
    kept = Secret.from_bytes(b"kept")
    assert kept.matches(b"kept")  # a stack stays for the next operation
    with kept[:] as part:
        part.close()
    secretmem.trim()
    before = holdings.secret_bytes()
    secrets = [Secret.random(n) for n in (10, 100, 1000, 10_000) * 50]
    for secret in secrets:
        with secret.reveal():
            pass
        secret.close()
    freed = secretmem.trim()
    assert freed > 0
    assert kept.matches(b"kept")
    assert holdings.secret_bytes() == before
    assert secretmem.trim() == 0
    kept.close()
    # And everything works afterwards.
    with Secret.from_bytes(b"again") as again, again.reveal() as view:
        assert bytes(view) == b"again"


def test_trim_before_the_first_use_is_nothing() -> None:
    """It does not start anything."""

    def early() -> None:
        import secretmem

        assert secretmem.trim() == 0
        assert not secretmem._policy.bind().started()

    alone.passes(early)


def test_harden_says_what_it_did() -> None:
    """Each setting with its effect and what it breaks, and it is so."""

    def hardened() -> None:
        import resource
        from pathlib import Path

        import secretmem

        assert secretmem.posture().dumpable
        done = {each.name: each for each in secretmem.harden()}
        assert set(done) == {"undumpable", "no_core"}
        for each in done.values():
            assert each.done
            assert each.error is None
            assert each.effect
            assert each.breaks
        now = secretmem.posture()
        assert not now.dumpable
        assert now.core_limit == 0
        assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
        status = Path("/proc/self/status").read_text("ascii")
        assert "NoNewPrivs:\t0" in status
        # Again is fine.
        assert all(each.done for each in secretmem.harden())
        # Secrets work as before.
        with secretmem.Secret.from_bytes(b"x") as secret:
            assert secret.matches(b"x")
            with secret.reveal() as view:
                assert bytes(view) == b"x"

    alone.passes(hardened)


def test_each_setting_can_be_left_out() -> None:
    """And the others asked for."""

    def chosen() -> None:
        import resource
        from pathlib import Path

        import secretmem

        resource.setrlimit(resource.RLIMIT_CORE, (4096, 4096))
        nothing = secretmem.harden(undumpable=False, no_core=False)
        assert nothing == []
        assert secretmem.posture().dumpable
        assert secretmem.posture().core_limit == 4096
        (setting,) = secretmem.harden(
            undumpable=False, no_core=False, no_new_privs=True
        )
        assert setting.name == "no_new_privs"
        assert setting.done
        status = Path("/proc/self/status").read_text("ascii")
        assert "NoNewPrivs:\t1" in status
        names = [
            each.name
            for each in secretmem.harden(
                undumpable=False, no_core=False, speculation=True
            )
        ]
        assert names == [
            "speculation_store_bypass",
            "speculation_indirect_branch",
        ]

    alone.passes(chosen)


def test_a_refused_setting_is_reported() -> None:
    """``done`` False with the errno's name; nothing is raised."""

    def refused() -> None:
        import errno

        import secretmem
        from secretmem import _harden

        def fail(*_: object) -> None:
            raise OSError(errno.ENXIO, "not here")

        native = type("N", (), {"disable_speculation": staticmethod(fail)})
        _harden.__dict__["_native"] = native
        for each in secretmem.harden(
            undumpable=False, no_core=False, speculation=True
        ):
            assert each.done is False
            assert each.error == "ENXIO"

    alone.passes(refused)


@pytest.mark.needs_unprivileged
@pytest.mark.needs_root
def test_hardened_processes_keep_their_user_out() -> None:
    """Another process of the same user can no longer open its memory."""

    def hardened() -> None:
        import os
        import subprocess
        import sys

        import secretmem

        code = "import sys; open(f'/proc/{sys.argv[1]}/mem', 'rb')"

        def opens() -> bool:
            done = subprocess.run(
                [sys.executable, "-c", code, str(os.getpid())],
                stderr=subprocess.DEVNULL,
                check=False,
            )
            return done.returncode == 0

        assert opens()
        secretmem.harden()
        assert not opens()
        with secretmem.Secret.random(9) as secret:
            assert secret.matches(bytes(9)) is False

    alone.passes_unprivileged(hardened)
