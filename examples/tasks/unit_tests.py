"""Tests of what reads a key; they run without memfd_secret(2), too."""

from __future__ import annotations

from secretmem import Secret


def test_key(tmp_path):
    path = tmp_path / "key"
    path.write_bytes(b"a key for tests")
    key = Secret.from_file(path)
    assert len(key) == 15
    assert key.matches(b"a key for tests")
