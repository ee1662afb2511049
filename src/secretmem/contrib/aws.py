"""
Signature Version 4 of AWS, with the keys in secret memory.

Needs no library.  `secretmem.contrib.botocore` puts it into botocore.
The algorithm is that of the IAM User Guide, "Create a signed AWS API
request".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from secretmem.contrib._common import check_secret
from secretmem.crypto.mac import Hmac


if TYPE_CHECKING:
    from secretmem import Secret


__all__ = ("sign", "signing_key")


def signing_key(
    secret_key: Secret,
    date: str,
    region: str,
    service: str,
    *,
    name: str | None = None,
) -> Secret:
    """
    Derive the key of one day, region and service: four HMACs, all inside.

    Args:
        secret_key: The secret access key.
        date: ``YYYYMMDD``, of the request's time in UTC.
        region: Such as ``"us-east-1"``.
        service: Such as ``"iam"``.
        name: Of the result, 32 bytes, which is kept as ``secret_key`` is.
    """
    steps = (date, region, service, "aws4_request")
    key = b"AWS4" + check_secret(secret_key)
    for step in steps:
        with key as previous:
            mac = Hmac(previous)
            key = mac.digest_to_secret(step.encode(), name=name)
    return key


def sign(key: Secret, string_to_sign: str) -> str:
    """
    Return the signature of a request, 64 hexadecimal digits.

    Args:
        key: From `signing_key`.
        string_to_sign: Algorithm, time, scope and hash of the canonical
            request, as the guide describes it.
    """
    return Hmac(key).digest(string_to_sign.encode()).hex()
