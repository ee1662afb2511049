"""Private keys from and to JSON Web Keys."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwk

from secretmem import InvalidKey, Secret, hazmat, posture
from secretmem.keys import (
    Ed25519PrivateKey,
    EllipticCurvePrivateKey,
    RSAPrivateKey,
    X25519PrivateKey,
    load_file,
    load_jwk,
    load_pem,
)


if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.needs_secretmem

CURVES = (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1())

# RFC 8037, appendix A.1 and A.6; RFC 7517, appendix A.2.
PUBLISHED: tuple[dict[str, str], ...] = (
    {
        "kty": "OKP",
        "crv": "Ed25519",
        "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    },
    {
        "kty": "EC",
        "crv": "P-256",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        "d": "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE",
        "use": "enc",
        "kid": "1",
    },
)


def _document(members: object) -> Secret:
    return Secret.from_bytes(json.dumps(members).encode())


@pytest.fixture(scope="module")
def keys() -> list[Any]:
    """Make a key of each kind."""
    return [
        Ed25519PrivateKey.generate(),
        X25519PrivateKey.generate(),
        *(EllipticCurvePrivateKey.generate(curve) for curve in CURVES),
        RSAPrivateKey.generate(2048),
    ]


@pytest.mark.parametrize("members", PUBLISHED)
def test_published_keys(members: dict[str, str]) -> None:
    """The RFCs' keys are read, and written as they were."""
    key = load_jwk(_document(members))
    text = json.loads(hazmat.export_str(key.jwk()))
    assert text == {k: v for k, v in members.items() if k in text}
    assert set(text) >= {"kty", "crv", "d", "x"}


def test_there_and_back(keys: list[Any]) -> None:
    """Every kind, and joserfc reads the same key from it."""
    for key in keys:
        document = key.jwk()
        assert isinstance(document, Secret)
        again = load_jwk(document)
        assert type(again) is type(key)
        assert again.public_key() == key.public_key()
        theirs: Any = jwk.import_key(json.loads(hazmat.export_str(document)))
        assert theirs.public_key == key.public_key()


def test_joserfcs_keys_are_read(tmp_path: Path) -> None:
    """From a Secret, and from a file, which may have white space."""
    for kind, what in (
        ("OKP", "Ed25519"),
        ("OKP", "X25519"),
        ("EC", "P-256"),
        ("EC", "P-384"),
        ("EC", "P-521"),
        ("RSA", 2048),
    ):
        theirs: Any = jwk.generate_key(kind, what)  # type: ignore[call-overload]  # by kind
        members = theirs.as_dict(private=True)
        path = tmp_path / "key.jwk"
        path.write_text("\n " + json.dumps(members, indent=2), "ascii")
        for key in (load_jwk(_document(members)), load_file(path)):
            assert key.public_key() == theirs.public_key


def test_reading_exports_nothing(keys: list[Any]) -> None:
    """Nor does writing; hazmat does."""
    before = posture().exports
    for key in keys:
        load_jwk(key.jwk()).close()
    assert posture().exports == before


def _changed(**changes: object) -> dict[str, object]:
    """Change the published P-256 key; None leaves a member out."""
    made = {**PUBLISHED[1], **changes}
    return {k: v for k, v in made.items() if v is not None}


@pytest.mark.parametrize(
    "members",
    [
        {},
        _changed(kty=None),
        _changed(kty="oct", k="AAAA"),
        _changed(kty="EC EC EC EC"),
        _changed(crv="P-384"),
        _changed(crv="secp256k1"),
        _changed(crv=None),
        _changed(d=None),
        _changed(x=None),
        _changed(d=""),
        _changed(d="AAAA"),
        _changed(d=PUBLISHED[1]["d"] + "="),
        _changed(d=PUBLISHED[1]["d"].replace("g", "+")),
        _changed(d=577775),
        _changed(d=["a"]),
        _changed(x=PUBLISHED[1]["y"]),
        _changed(d=PUBLISHED[0]["d"]),
        {**PUBLISHED[0], "x": PUBLISHED[0]["d"]},
        {**PUBLISHED[0], "crv": "Ed448"},
        {**PUBLISHED[0], "d": PUBLISHED[0]["d"][:-2]},
    ],
)
def test_wrong_documents(members: dict[str, object]) -> None:
    """Incomplete, of another kind, or parts that do not belong together."""
    with pytest.raises(InvalidKey, match="cannot be read") as caught:
        load_jwk(_document(members))
    assert str(members.get("d") or "nothing") not in str(caught.value)


def test_members_of_rsa(keys: list[Any]) -> None:
    """The primes are needed; a third one, or a wrong one, is refused."""
    whole = json.loads(hazmat.export_str(keys[-1].jwk()))
    load_jwk(_document({**whole, "dp": "AAAA", "alg": "RS256"})).close()
    for name in ("n", "e", "d", "p", "q", "qi"):
        part = {k: v for k, v in whole.items() if k != name}
        for wrong in (part, {**whole, name: whole["dq"]}):
            with pytest.raises(InvalidKey):
                load_jwk(_document(wrong))
    with pytest.raises(InvalidKey):
        load_jwk(_document({**whole, "oth": []}))


def test_a_member_twice_is_refused() -> None:
    """Two readers could take two keys."""
    text = json.dumps(PUBLISHED[0])
    for name in ("kty", "crv", "d", "x"):
        twice = f'{{"{name}":"{PUBLISHED[0][name]}",{text[1:]}'
        with pytest.raises(InvalidKey):
            load_jwk(Secret.from_bytes(twice.encode()))


def test_no_json() -> None:
    """Cut short, with something behind, or an array."""
    text = json.dumps(PUBLISHED[0]).encode()
    for cut in range(len(text)):
        with pytest.raises(InvalidKey):
            load_jwk(Secret.from_bytes(text[:cut]))
    for wrong in (text + b"x", b"[" + text + b"]", b"{" * 500, b"\xff"):
        with pytest.raises(InvalidKey):
            load_jwk(Secret.from_bytes(wrong))


def test_names_may_be_escaped() -> None:
    """JSON has several ways to write a text."""
    text = json.dumps(PUBLISHED[0]).replace('"kty"', '"\\u006bty"')
    text = text.replace("OKP", "\\u004f\\u004bP")
    assert load_pem(Secret.from_bytes(text.encode())).closed is False
