"""What a type checker says of users' code: right is right, wrong is named."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import secretmem


SOURCE = Path(secretmem.__file__).resolve().parents[1]

RIGHT = """
import os
from collections.abc import Mapping
from typing import assert_type

from pydantic import BaseModel

import secretmem
from secretmem import Secret, hazmat, sources
from secretmem.contrib.pydantic import SecretStr, SourcedSecret
from secretmem.crypto import Hmac, aead
from secretmem.fernet import Fernet
from secretmem.keys import Ed25519PrivateKey
from secretmem.redact import Redactor

key = Secret.random(32, name="key")
assert_type(key, Secret)
assert_type(key[4:8], Secret)
assert_type(key + b"more", Secret)
assert_type(b"salt" + key, Secret)
assert_type(len(key), int)
assert_type(key.name, str | None)
assert_type(key.matches("guess"), bool)
with key.reveal() as view:
    assert_type(view, memoryview)
with Secret.from_file("token", strip=True) as token:
    assert_type(token, Secret)
assert_type(hazmat.export_str(key), str)
assert_type(hazmat.export_bytes(key), bytes)
assert_type(sources.read("file:token"), Secret)
with sources.File("token").watch() as watch, watch.use() as now:
    assert_type(now, Secret)
assert_type(Hmac(key).digest(b"message"), bytes)
assert_type(Hmac(key).digest_to_secret(b"message"), Secret)
assert_type(aead.AESGCM(key).encrypt(os.urandom(12), b"data", None), bytes)
assert_type(Fernet(key).decrypt_to_secret(b"token"), Secret)
assert_type(Ed25519PrivateKey.generate().sign(b"message"), bytes)
assert_type(secretmem.inherited("NAME"), Secret)
assert_type(Redactor(key).text("text"), str)


class Settings(BaseModel):
    key: Secret
    token: SourcedSecret | None = None
    word: SecretStr | None = None


settings = Settings(key=key)
assert_type(settings.key, Secret)
assert_type(settings.token, Secret | None)
if settings.word:
    assert_type(settings.word.get_secret_value(), str)


def told(held: Mapping[str, Secret]) -> None:
    for name, secret in held.items():
        print(name, secret)


told({"key": key})
"""

WRONG = {
    'Secret.from_bytes("text")': "arg-type",
    "key + 'text'": "operator",
    "key[0]": "call-overload|index|arg-type",
    'key.reveal("x")': "call-arg|misc",
    "key.write_to(None)": "arg-type",
    "hazmat.export_str(b'bytes')": "arg-type",
    "Hmac(b'bytes')": "arg-type",
    "Redactor('text')": "arg-type",
    "key.nothing": "attr-defined",
    "Secret.random()": "call-arg",
    'secretmem.configure(backend="none")': "arg-type",
}

HEAD = """
import secretmem
from secretmem import Secret, hazmat
from secretmem.crypto import Hmac
from secretmem.redact import Redactor

key = Secret.random(32)
"""


def _checked(folder: Path, text: str) -> list[str]:
    """Check a program as its author would; gives what is wrong."""
    path = folder / "program.py"
    path.write_text(text)
    settings = folder / "mypy.ini"
    settings.write_text("[mypy]\n")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--no-error-summary"),
            *("--config-file", settings.name, "--cache-dir", "cache"),
            path.name,
        ],
        cwd=folder,
        env={"MYPYPATH": str(SOURCE), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.stderr, done.stderr
    return done.stdout.splitlines()


def test_right_code(tmp_path: Path) -> None:
    """Strictly checked, each expression has the type that is said."""
    assert _checked(tmp_path, RIGHT) == []


def test_wrong_code(tmp_path: Path) -> None:
    """Each line is an error, of the kind that one expects."""
    text = HEAD + "\n".join(WRONG)
    first = HEAD.count("\n") + 1
    said: dict[int, list[str]] = {}
    for line in _checked(tmp_path, text):
        found = re.match(r"program\.py:(\d+): error: .*\[([a-z-]+)\]$", line)
        if found:
            said.setdefault(int(found[1]) - first, []).append(found[2])
    for number, (code, kinds) in enumerate(WRONG.items()):
        assert said.get(number), f"no error for {code}"
        assert re.fullmatch(kinds, said[number][0]), (code, said[number])
