"""Private keys leave encrypted only, and other programs read them."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, x25519

from secretmem import InvalidKey, Secret, hazmat, posture
from secretmem.keys import (
    Ed25519PrivateKey,
    EllipticCurvePrivateKey,
    PassphraseEncryption,
    RSAPrivateKey,
    X25519PrivateKey,
    load_der,
    load_file,
    load_pem,
)


if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.needs_secretmem

WORDS = b"correct horse"
PEM, DER = forms.Encoding.PEM, forms.Encoding.DER
PKCS8 = forms.PrivateFormat.PKCS8
OPENSSH = forms.PrivateFormat.OpenSSH
CURVES = (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1())


@pytest.fixture(scope="module")
def words() -> Secret:
    """Give a passphrase."""
    return Secret.from_bytes(WORDS)


@pytest.fixture(scope="module")
def keys() -> list[Any]:
    """Make a key of each kind."""
    return [
        Ed25519PrivateKey.generate(),
        X25519PrivateKey.generate(),
        *(EllipticCurvePrivateKey.generate(curve) for curve in CURVES),
        RSAPrivateKey.generate(2048),
    ]


def _ways(words: Secret) -> list[PassphraseEncryption]:
    """Derive quickly, by scrypt and by PBKDF2."""
    scrypt = PassphraseEncryption(words)
    scrypt.cost = (1 << 10, 8, 1)
    return [scrypt, PassphraseEncryption(words, kdf="pbkdf2", rounds=1000)]


def test_usual_costs(words: Secret) -> None:
    """What a guess costs is in the file, and cryptography reads it."""
    key = Ed25519PrivateKey.generate()
    for how, cost in (
        (PassphraseEncryption(words), bytes.fromhex("02024000020108020105")),
        (PassphraseEncryption(words, kdf="pbkdf2"), b"\x02\x03\x09\x27\xc0"),
        (forms.BestAvailableEncryption(WORDS), b"\x02\x03\x09\x27\xc0"),
    ):
        der = key.private_bytes(DER, PKCS8, how)
        assert cost in der
        theirs: Any = forms.load_der_private_key(der, WORDS)
        assert theirs.public_key() == key.public_key()


def test_read_again_and_by_cryptography(
    keys: list[Any], words: Secret
) -> None:
    """PEM and DER, by scrypt and PBKDF2; nothing is exported on the way."""
    before = posture().exports
    for key in keys:
        for how in _ways(words):
            pem = key.private_bytes(PEM, PKCS8, how)
            der = key.private_bytes(DER, PKCS8, how)
            assert pem.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
            assert pem != key.private_bytes(PEM, PKCS8, how)
            public = key.public_key()
            theirs: Any = forms.load_pem_private_key(pem, WORDS)
            assert theirs.public_key() == public
            theirs = forms.load_der_private_key(der, WORDS)
            assert theirs.public_key() == public
            ours: Any = load_pem(Secret.from_bytes(pem), words)
            assert ours.public_key() == public
            ours = load_der(Secret.from_bytes(der), words)
            assert ours.public_key() == public
    assert posture().exports == before


@pytest.mark.needs_tool("openssl")
def test_read_by_openssl(
    keys: list[Any], words: Secret, tmp_path: Path
) -> None:
    """Its program gives the same PKCS#8 form."""
    for key in keys:
        plain = hazmat.export_bytes(key.pkcs8())
        for number, how in enumerate(_ways(words)):
            path = tmp_path / f"{number}.pem"
            path.write_bytes(key.private_bytes(PEM, PKCS8, how))
            command = ["openssl", "pkcs8", "-in", str(path)]
            command += ["-outform", "DER"]
            done = subprocess.run(
                [*command, "-passin", f"pass:{WORDS.decode()}"],
                capture_output=True,
                check=True,
            )
            theirs: Any = forms.load_der_private_key(done.stdout, None)
            ours: Any = forms.load_der_private_key(plain, None)
            assert theirs.private_bytes(
                DER, PKCS8, forms.NoEncryption()
            ) == ours.private_bytes(DER, PKCS8, forms.NoEncryption())


@pytest.mark.needs_tool("openssl")
@pytest.mark.parametrize("cipher", ["aes-128-cbc", "aes-192-cbc", "aes256"])
def test_scrypt_files_of_openssl(
    cipher: str, tmp_path: Path, words: Secret
) -> None:
    """Ed25519, X25519 and a curve, in PEM and in DER."""
    for theirs in (
        ed25519.Ed25519PrivateKey.generate(),
        x25519.X25519PrivateKey.generate(),
        ec.generate_private_key(CURVES[0]),
    ):
        path, made = tmp_path / "plain.pem", tmp_path / "made"
        path.write_bytes(
            theirs.private_bytes(PEM, PKCS8, forms.NoEncryption())
        )
        for form, load in (("PEM", load_pem), ("DER", load_der)):
            command = ["openssl", "pkcs8", "-topk8", "-scrypt", "-v2", cipher]
            command += ["-in", str(path), "-out", str(made), "-outform", form]
            command += ["-passout", f"pass:{WORDS.decode()}"]
            subprocess.run(command, check=True)
            text = Secret.from_file(made)
            assert load(text, words).public_key() == theirs.public_key()
            for wrong in (Secret.from_bytes(b"wrong"), None):
                with pytest.raises(InvalidKey, match="cannot be read"):
                    load(text, wrong)


def _tlv(tag: int, *parts: bytes) -> bytes:
    """Encode by DER."""
    body = b"".join(parts)
    size = len(body)
    short = size < 0x80
    return bytes([tag, size] if short else [tag, 0x81, size]) + body


@pytest.mark.needs_tool("ssh-keygen")
def test_openssh_files(keys: list[Any], words: Secret, tmp_path: Path) -> None:
    """ssh-keygen, cryptography and we read them, with the right words."""
    path = tmp_path / "key"
    ours = PassphraseEncryption(words, kdf="bcrypt", rounds=1)
    for key in (each for each in keys if type(each) is not X25519PrivateKey):
        line = key.public_key().public_bytes(
            forms.Encoding.OpenSSH, forms.PublicFormat.OpenSSH
        )
        for how in (ours, forms.BestAvailableEncryption(WORDS)):
            path.touch(0o600)
            path.write_bytes(key.private_bytes(PEM, OPENSSH, how))
            done = subprocess.run(
                ["ssh-keygen", "-y", "-P", WORDS.decode(), "-f", str(path)],
                capture_output=True,
                check=True,
            )
            assert done.stdout.split()[:2] == line.split()
            assert load_file(path, words).public_key() == key.public_key()
            for wrong in (Secret.from_bytes(b"wrong"), None):
                with pytest.raises(InvalidKey, match="cannot be read"):
                    load_file(path, wrong)


def test_many_keys_in_openssh_files(words: Secret) -> None:
    """Numbers with and without a leading zero, short ones too."""
    ours = PassphraseEncryption(words, kdf="bcrypt", rounds=1)
    numbers = [1, 0x7F, 0x80, 0xFF, 0x100, (1 << 255) - 1, 1 << 255]
    for curve in CURVES:
        for number in numbers:
            theirs = ec.derive_private_key(number, curve)
            der = theirs.private_bytes(DER, PKCS8, forms.NoEncryption())
            key = load_der(Secret.from_bytes(der))
            text = key.private_bytes(PEM, OPENSSH, ours)
            again = load_pem(Secret.from_bytes(text), words)
            assert again.public_key() == theirs.public_key()


def test_a_hostile_scrypt_file_costs_little(words: Secret) -> None:
    """One that asks for more than 256 MiB of work memory is refused."""
    costs = [(1 << 22).to_bytes(3), b"\x08", b"\x01"]
    derive = [_tlv(4, bytes(16)), *(_tlv(2, cost) for cost in costs)]
    scrypt = bytes.fromhex("2b06010401da47040b")
    aes256 = bytes.fromhex("60864801650304012a")
    pbes2 = bytes.fromhex("2a864886f70d01050d")
    params = _tlv(
        0x30,
        _tlv(0x30, _tlv(6, scrypt), _tlv(0x30, *derive)),
        _tlv(0x30, _tlv(6, aes256), _tlv(4, bytes(16))),
    )
    der = _tlv(0x30, _tlv(0x30, _tlv(6, pbes2), params), _tlv(4, bytes(32)))
    with pytest.raises(InvalidKey, match="max_memory"):
        load_der(Secret.from_bytes(der), words)


def test_damaged_scrypt_files(words: Secret) -> None:
    """An error, or a key: AES-CBC authenticates nothing (RFC 8018)."""
    key = Ed25519PrivateKey.generate()
    der = key.private_bytes(DER, PKCS8, _ways(words)[0])
    errors = 0
    for at in range(0, len(der), 9):
        bent = bytearray(der)
        bent[at] ^= 4
        try:
            load_der(Secret.from_bytes(bytes(bent)), words).close()
        except InvalidKey:
            errors += 1
    assert errors > 10
    for cut in range(0, len(der), 9):
        with pytest.raises(InvalidKey):
            load_der(Secret.from_bytes(der[:cut]), words)


def test_without_encryption_is_refused(keys: list[Any]) -> None:
    """The error names the way out."""
    for key in keys:
        with pytest.raises(TypeError, match=r"hazmat\.export_bytes\(key\.p"):
            key.private_bytes(PEM, PKCS8, forms.NoEncryption())


def test_other_forms_are_refused(keys: list[Any], words: Secret) -> None:
    """Each error says what there is."""
    key, ours = keys[0], PassphraseEncryption(words)
    for encoding in (forms.Encoding.Raw, forms.Encoding.OpenSSH):
        with pytest.raises(UnsupportedAlgorithm, match="PEM or DER"):
            key.private_bytes(encoding, PKCS8, ours)
    for form in (
        forms.PrivateFormat.Raw,
        forms.PrivateFormat.TraditionalOpenSSL,
    ):
        with pytest.raises(UnsupportedAlgorithm, match="PKCS8 or OpenSSH"):
            key.private_bytes(PEM, form, ours)
    for encoding, kdf, text in (
        (DER, None, "is PEM"),
        (PEM, "scrypt", "has bcrypt"),
        (PEM, "pbkdf2", "has bcrypt"),
    ):
        with pytest.raises(UnsupportedAlgorithm, match=text):
            key.private_bytes(
                encoding, OPENSSH, PassphraseEncryption(words, kdf=kdf)
            )
    bcrypt = PassphraseEncryption(words, kdf="bcrypt")
    with pytest.raises(UnsupportedAlgorithm, match="scrypt and pbkdf2"):
        key.private_bytes(PEM, PKCS8, bcrypt)
    with pytest.raises(UnsupportedAlgorithm, match="no X25519"):
        keys[1].private_bytes(PEM, OPENSSH, bcrypt)
    many = PassphraseEncryption(words, kdf="bcrypt", rounds=4097)
    with pytest.raises(InvalidKey, match="4096 rounds"):
        key.private_bytes(PEM, OPENSSH, many)
    openssh = forms.PrivateFormat.OpenSSH.encryption_builder().build(WORDS)
    for wrong in (openssh, None):
        with pytest.raises(TypeError, match="is a PassphraseEncryption"):
            key.private_bytes(PEM, PKCS8, wrong)


def test_bad_passphrases(words: Secret) -> None:
    """Said when the object is made."""
    with pytest.raises(TypeError, match="is a Secret, not bytes"):
        PassphraseEncryption(WORDS)  # type: ignore[arg-type]  # the mistake
    with pytest.raises(ValueError, match="is empty"):
        PassphraseEncryption(Secret.from_bytes(b""))
    with pytest.raises(ValueError, match="'pbkdf2' or 'bcrypt', not 'md5'"):
        PassphraseEncryption(words, kdf="md5")
    for wrong in ({"rounds": 5}, {"kdf": "pbkdf2", "rounds": 0}):
        with pytest.raises(ValueError, match="go with kdf"):
            PassphraseEncryption(words, **wrong)


def test_sec1_without_its_public_key() -> None:
    """RFC 5915 has it optional, in PEM and in DER."""
    for curve in CURVES:
        theirs = ec.generate_private_key(curve)
        size = (curve.key_size + 7) // 8
        number = theirs.private_numbers().private_value.to_bytes(size)
        oid = {
            256: "06082a8648ce3d030107",
            384: "06052b81040022",
            521: "06052b81040023",
        }[curve.key_size]
        named = bytes.fromhex(oid)
        body = b"\x02\x01\x01\x04" + bytes([size]) + number
        body += b"\xa0" + bytes([len(named)]) + named
        der = b"\x30" + bytes([len(body)]) + body
        key = load_der(Secret.from_bytes(der))
        assert key.public_key() == theirs.public_key()
        for cut in range(len(der)):
            with pytest.raises(InvalidKey):
                load_der(Secret.from_bytes(der[:cut]))
        with pytest.raises(InvalidKey):
            load_der(Secret.from_bytes(der + b"\0"))
