"""Make a certificate request for a key."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from secretmem import Secret
from secretmem.keys import load_pem


key = load_pem(Secret.from_file("tls.pem"))
name = x509.Name.from_rfc4514_string("CN=app.example")
builder = x509.CertificateSigningRequestBuilder().subject_name(name)
request = builder.sign(key, SHA256())
print(request.is_signature_valid, request.subject.rfc4514_string())
