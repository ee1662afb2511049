"""RLIMIT_MEMLOCK as an ordinary user meets it, from 0 to 8 MiB."""

from __future__ import annotations

import pytest

from support import alone


pytestmark = [
    pytest.mark.needs_secretmem,
    pytest.mark.needs_root,
    pytest.mark.needs_unprivileged,
]


def fill(limit: int, least: int, gate: str) -> None:
    """Fill a limit with 32-byte secrets, then use every kind of memory."""
    import resource

    hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, max(limit, hard)))
    import secretmem
    from secretmem import LimitError, Secret, hazmat

    secretmem.configure(gate=gate)  # type: ignore[arg-type]  # one of two
    secrets: list[Secret] = []
    error = None
    try:
        while True:
            data = b"%032d" % len(secrets)
            secrets.append(Secret.from_bytes(data))
    except LimitError as caught:
        error = caught
    assert len(secrets) > least, len(secrets)
    # The error tells what would help.
    assert isinstance(error, MemoryError)
    assert error.need >= 4096
    assert error.have is not None
    assert error.have < error.need
    assert "ulimit -l" in str(error)
    assert str(limit) in str(error)
    # With the limit used up: one window and one operation on a stack.
    before = secretmem.posture()
    assert before.live == len(secrets)
    assert before.locked_bytes <= limit
    with secrets[7].reveal() as view:
        assert bytes(view) == b"%032d" % 7
        assert secrets[9].matches(b"%032d" % 9)
        assert secrets[1] != secrets[2]
    for number in (0, len(secrets) // 2, len(secrets) - 1):
        assert hazmat.export_bytes(secrets[number]) == b"%032d" % number
    # Every attempt is refused alike, none of them takes anything.
    for _ in range(20):
        for size in (32, 5000, 100_000):
            try:
                Secret.random(size)
            except LimitError:
                continue
            assert size == 32
    assert secretmem.posture().live == len(secrets)
    # Closing makes room, for other sizes too.
    del secrets[: len(secrets) - 5]
    with Secret.from_bytes(b"w" * 3000) as large:
        assert large.matches(b"w" * 3000)
        with large.reveal() as view:
            assert bytes(view) == b"w" * 3000
    again = [Secret.from_bytes(b"%032d" % n) for n in range(least)]
    assert all(s.matches(b"%032d" % n) for n, s in enumerate(again))
    print(least)  # noqa: T201 - the program's output


@pytest.mark.parametrize("gate", ["auto", "mprotect"])
@pytest.mark.parametrize(
    "limit, least",
    [
        (64 << 10, 500),
        (128 << 10, 1500),
        (1 << 20, 11_000),
        (8 << 20, 100_000),
    ],
)
def test_so_many_secrets_fit(limit: int, least: int, gate: str) -> None:
    """With one window out and one operation on a stack."""
    said = alone.passes_unprivileged(fill, limit, least, gate, timeout=300)
    assert said.strip() == str(least)


@pytest.mark.parametrize("limit", [0, 4096, 8192, 16384, 32768])
def test_limits_that_are_too_small(limit: int) -> None:
    """LimitError, at once or at the first operation; no crash, no hang."""

    def tiny(limit: int) -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, limit))
        from secretmem import LimitError, Secret, posture

        secrets = []
        needs = []
        for number in range(2000):
            try:
                secret = Secret.from_bytes(b"%d" % number)
                secrets.append((number, secret))
                assert secret.matches(b"%d" % number)
                with secret.reveal() as view:
                    assert bytes(view) == b"%d" % number
            except LimitError as error:
                needs.append(error.need)
                if len(needs) > 5:
                    break
        assert needs
        assert all(need > 0 for need in needs)
        if limit == 0:
            assert not secrets
        now = posture()
        assert now.live == len(secrets)
        assert now.views_open == 0
        assert now.locked_bytes <= limit

    alone.passes_unprivileged(tiny, limit)


def test_large_windows_do_not_starve_the_arena() -> None:
    """What only rests is given back before a limit is an error."""

    def starve() -> None:
        import resource

        limit = 8 << 20
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, limit))
        from secretmem import Secret

        for size in (1 << 20, 300_000, 100_000, 20_000, 5000, 100):
            with Secret.from_bytes(b"w" * size) as secret:
                views = [secret.reveal() for _ in range(3)]
                shown = [view.__enter__() for view in views]
                assert all(bytes(view[:3]) == b"www" for view in shown)
                for view in shown:
                    view.release()
                for each in views:
                    each.__exit__(None, None, None)
                for _ in range(10):
                    with secret.reveal(writable=True) as view:
                        view[0] = 1
        secrets = [Secret.random(32) for _ in range(100_000)]
        assert len(secrets) == 100_000
        del secrets
        with Secret.random(4 << 20) as half:
            assert len(half) == 4 << 20
        # And the other way round: areas that idle make room for windows.
        secrets = [Secret.random(32) for _ in range(100_000)]
        del secrets
        with Secret.random(2 << 20) as large, large.reveal() as view:
            assert view.nbytes == 2 << 20

    alone.passes_unprivileged(starve)


def test_trim_does_not_take_the_reserve_for_good() -> None:
    """After it a full arena can still be looked at."""

    def trimmed() -> None:
        import resource

        limit = 64 << 10
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, limit))
        import secretmem
        from secretmem import LimitError, Secret

        with Secret.random(32) as secret, secret.reveal():
            pass
        secretmem.trim()
        secrets = []
        try:
            while True:
                secrets.append(Secret.random(32))
        except LimitError:
            pass
        assert len(secrets) > 500
        with secrets[0].reveal() as view:
            assert secrets[0].matches(bytes(view))

    alone.passes_unprivileged(trimmed)


def test_a_key_is_loaded_and_signs_at_the_usual_small_limit() -> None:
    """64 KiB hold a secret, a key in PEM text, its object and a stack."""

    def signs() -> None:
        import resource

        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519

        import secretmem
        from secretmem import Secret, keys

        plain = ed25519.Ed25519PrivateKey.generate()
        pem = plain.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        limit = 64 << 10
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, limit))
        with Secret.random(32), Secret.from_bytes(pem) as text:
            key = keys.load_pem(text)
            assert isinstance(key, ed25519.Ed25519PrivateKey)
            plain.public_key().verify(key.sign(b"message"), b"message")
        assert secretmem.posture().locked_bytes <= limit

    alone.passes_unprivileged(signs)


def test_isolated_and_inherited_secrets_at_the_limit() -> None:
    """They too leave room for one window and one stack, or say LimitError."""

    def mixed() -> None:
        import itertools
        import resource

        limit = 256 << 10
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, limit))
        from typing import Any

        from secretmem import LimitError, Secret

        choices: list[dict[str, Any]] = [
            {},
            {"isolated": True},
            {"inherit": True},
            {"flush": True},
        ]
        kinds = itertools.cycle(choices)
        secrets: list[Secret] = []
        try:
            while True:
                data = b"%032d" % len(secrets)
                secrets.append(Secret.from_bytes(data, **next(kinds)))
        except LimitError:
            pass
        assert len(secrets) > 100
        for number, secret in enumerate(secrets):
            assert secret.matches(b"%032d" % number)
        with secrets[0].reveal() as view:
            assert bytes(view) == b"%032d" % 0

    alone.passes_unprivileged(mixed)


def test_every_operation_at_the_limit() -> None:
    """With nothing left, each works or says LimitError; nothing is lost."""

    def full() -> None:
        import os
        import resource
        from typing import Any

        limit = 128 << 10
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, limit))
        import secretmem
        from secretmem import LimitError, Secret, SecretArea, hazmat

        secrets: list[Secret] = []
        try:
            while True:
                secrets.append(Secret.from_bytes(b"%064d" % len(secrets)))
        except LimitError:
            pass
        one = secrets[0]
        data = b"%064d" % 0
        null = os.open("/dev/null", os.O_RDWR)

        def reveal() -> bool:
            with one.reveal() as view:
                return bytes(view) == data

        def write() -> bool:
            one.write_to(null)
            return True

        uses: dict[str, Any] = {
            "export": lambda: hazmat.export_bytes(one) == data,
            "matches": lambda: one.matches(data),
            "equal": lambda: one == one,  # noqa: PLR0124 - two pins
            "reveal": reveal,
            "write": write,
            "slice": lambda: one[:].matches(data),
            "sum": lambda: (one + one).matches(data * 2),
            "strip": lambda: one.strip().matches(data),
            "hex": lambda: len(Secret.from_hex(one)) == 32,
            "base64": lambda: len(Secret.from_base64(one)) == 48,
            "random": lambda: len(Secret.random(5000)) == 5000,
            "read": lambda: len(Secret.from_fd(null)) == 0,
            "area": lambda: len(SecretArea(1 << 20)) == 1 << 20,
        }
        works = set()
        for name, use in uses.items():
            for _ in range(3):
                try:
                    assert use() is True, name
                    works.add(name)
                except LimitError:
                    pass
        # These need no memory of their own but stack and window.
        assert {"export", "matches", "equal", "reveal"} <= works, works
        assert secretmem.posture().live == len(secrets)
        assert all(s.matches(b"%064d" % n) for n, s in enumerate(secrets))

    alone.passes_unprivileged(full)


def test_root_without_privilege_over_memory_is_limited_too() -> None:
    """The error is the same for whoever meets the limit."""

    def whoever() -> None:
        import os
        import resource

        from secretmem import LimitError, Secret

        resource.setrlimit(resource.RLIMIT_MEMLOCK, (8192, 8192))
        try:
            secret = Secret.random(1 << 20)
        except LimitError as error:
            need = error.need
        else:
            need = 1 << 20
            secret.close()
        assert need >= 1 << 20
        # CAP_IPC_LOCK is exempt where the limit is per process.
        assert os.geteuid() == 0

    alone.passes(whoever)
