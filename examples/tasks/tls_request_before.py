"""Make a certificate request for a key."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key


key = load_pem_private_key(Path("tls.pem").read_bytes(), None)
name = x509.Name.from_rfc4514_string("CN=app.example")
builder = x509.CertificateSigningRequestBuilder().subject_name(name)
request = builder.sign(key, SHA256())
print(request.is_signature_valid, request.subject.rfc4514_string())
