"""`secretmem.sources`: files of age, and who can decrypt them."""

from __future__ import annotations

from pathlib import Path

import pytest

from secretmem import SourceError, age, hazmat, sources


pytestmark = pytest.mark.needs_secretmem


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have an encrypted file, its identity, and another one."""
    monkeypatch.chdir(tmp_path)
    with age.Identity.generate() as identity, age.Identity.generate() as other:
        Path("token.age").write_bytes(
            age.encrypt(b"776f7264", [identity.recipient])
        )
        for name, each in (("key", identity), ("other", other)):
            with each.text() as text:
                Path(name).write_bytes(hazmat.export_bytes(text))
    Path("with:colon").write_bytes(Path("key").read_bytes())


@pytest.mark.parametrize(
    "identity", ["key", "./with:colon", "file:key?strip=yes", "cmd:cat key"]
)
def test_a_file_is_decrypted(identity: str) -> None:
    """The identity is a path or another source."""
    text = f"age:token.age?identity={identity}"
    for each in (text, str(sources.parse(text))):
        with sources.read(each) as secret:
            assert secret.matches("776f7264")
            assert secret.name == "token"
    assert sources.parse(str(sources.parse(text))) == sources.parse(text)
    with sources.read(f"{text}&encoding=hex", inherit=True) as secret:
        assert secret.matches("word")
        assert secret.inherit
    assert sources.parse(text).stamp() == sources.File("token.age").stamp()


@pytest.mark.parametrize(
    "text, reason",
    [
        ("age:token.age?identity=other", "content"),
        ("age:token.age?identity=nothing", "missing"),
        ("age:nothing?identity=key", "missing"),
        ("age:key?identity=key", "content"),
        ("age:token.age?identity=token.age", "content"),
        ("json:age:token.age?identity=key#a", "content"),
    ],
)
def test_what_cannot_be_decrypted(text: str, reason: str) -> None:
    """No identity that fits, none at all, no such file."""
    with pytest.raises(SourceError) as caught:
        sources.read(text)
    assert caught.value.reason == reason
