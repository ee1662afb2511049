"""Signature Version 4: the published example."""

from __future__ import annotations

import pytest

from secretmem import ClosedError, Secret, posture
from secretmem.contrib import aws


pytestmark = pytest.mark.needs_secretmem

# IAM User Guide and AWS General Reference, "Signature Version 4": the
# request ListUsers of 2015-08-30, with the guide's example key.
KEY = b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
SCOPE = ("20150830", "us-east-1", "iam")
DERIVED = "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"
STRING_TO_SIGN = (
    "AWS4-HMAC-SHA256\n"
    "20150830T123600Z\n"
    "20150830/us-east-1/iam/aws4_request\n"
    "f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59"
)
SIGNATURE = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"


def test_the_published_example() -> None:
    """Signing key and signature, with nothing exported."""
    before = posture().exports
    with Secret.from_bytes(KEY) as secret:
        key = aws.signing_key(secret, *SCOPE, name="iam")
        assert not secret.closed
    assert key.matches(bytes.fromhex(DERIVED))
    assert repr(key) == "<Secret 'iam' memfd_secret>"
    assert aws.sign(key, STRING_TO_SIGN) == SIGNATURE
    assert posture().exports == before


def test_bad_keys_are_refused() -> None:
    """Ordinary memory, empty, closed."""
    with pytest.raises(TypeError, match="is a Secret, not bytes"):
        aws.signing_key(KEY, *SCOPE)  # type: ignore[arg-type]  # the mistake
    with pytest.raises(ValueError, match="empty"):
        aws.signing_key(Secret.from_bytes(b""), *SCOPE)
    secret = Secret.from_bytes(KEY)
    secret.close()
    with pytest.raises(ClosedError):
        aws.signing_key(secret, *SCOPE)
