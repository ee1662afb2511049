"""What cryptography and the standard library do with private keys of ours."""

from __future__ import annotations

import datetime as dt
import ssl
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID

from secretmem import Secret, keys


pytestmark = pytest.mark.needs_secretmem

NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
SHA256 = hashes.SHA256()


@pytest.fixture(scope="module", params=["ed25519", "p256", "rsa"])
def key(request: pytest.FixtureRequest) -> Any:  # noqa: ANN401 - one of three classes
    """Make a key of each kind."""
    if request.param == "ed25519":
        return keys.Ed25519PrivateKey.generate()
    if request.param == "p256":
        return keys.EllipticCurvePrivateKey.generate(ec.SECP256R1())
    return keys.RSAPrivateKey.generate(2048)


def _hash(key: object) -> hashes.SHA256 | None:
    return None if isinstance(key, keys.Ed25519PrivateKey) else SHA256


def _certificate(key: Any) -> x509.Certificate:  # noqa: ANN401 - as above
    return (
        x509.CertificateBuilder()
        .subject_name(NAME)
        .issuer_name(NAME)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + DAY)
        .sign(key, _hash(key))
    )


def test_certificates(key: Any) -> None:  # noqa: ANN401 - as above
    """A certificate that its own key verifies."""
    made = _certificate(key)
    made.verify_directly_issued_by(made)


def test_requests(key: Any) -> None:  # noqa: ANN401 - as above
    """A request for a certificate."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(NAME)
    assert builder.sign(key, _hash(key)).is_signature_valid


def test_revocation_lists(key: Any) -> None:  # noqa: ANN401 - as above
    """A list of revoked certificates."""
    made = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(NAME)
        .last_update(NOW)
        .next_update(NOW + DAY)
        .sign(key, _hash(key))
    )
    assert made.is_signature_valid(key.public_key())


def test_ocsp_responses(key: Any) -> None:  # noqa: ANN401 - as above
    """An answer about one certificate."""
    made = _certificate(key)
    answer = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            cert=made,
            issuer=made,
            algorithm=SHA256,
            cert_status=ocsp.OCSPCertStatus.GOOD,
            this_update=NOW,
            next_update=NOW + DAY,
            revocation_time=None,
            revocation_reason=None,
        )
        .responder_id(ocsp.OCSPResponderEncoding.HASH, made)
        .sign(key, _hash(key))
    )
    public = key.public_key()
    signed = (answer.signature, answer.tbs_response_bytes)
    if isinstance(key, keys.RSAPrivateKey):
        from cryptography.hazmat.primitives.asymmetric import padding

        public.verify(*signed, padding.PKCS1v15(), SHA256)
    elif isinstance(key, keys.Ed25519PrivateKey):
        public.verify(*signed)
    else:
        public.verify(*signed, ec.ECDSA(SHA256))


def test_pkcs7(key: Any) -> None:  # noqa: ANN401 - as above
    """Signed data, of the keys that PKCS #7 has."""
    builder = pkcs7.PKCS7SignatureBuilder().set_data(b"message")
    certificate = _certificate(key)
    if isinstance(key, keys.Ed25519PrivateKey):
        with pytest.raises(TypeError, match="RSA & EC"):
            builder.add_signer(certificate, key, SHA256)  # type: ignore[arg-type]  # the mistake
        return
    made = builder.add_signer(certificate, key, SHA256).sign(Encoding.DER, [])
    assert pkcs7.load_der_pkcs7_certificates(made) == [certificate]


def test_ssl_takes_files_only() -> None:
    """OpenSSL reads the private key itself."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pem: Any = Secret.from_bytes(b"-----BEGIN PRIVATE KEY-----")
    with pytest.raises(TypeError, match="file"):
        context.load_cert_chain("/dev/null", pem)
