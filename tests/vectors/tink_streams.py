"""
Write ``data/aes_gcm_hkdf_stream.json`` anew, with Tink.

    pip install tink==1.16.1
    python tests/vectors/tink_streams.py

A message of n bytes is ``(7 * i + n) % 256`` for each i; the key is 0 to 31.
"""

from __future__ import annotations

import base64
import importlib
import io
import json
from pathlib import Path
from typing import Any


DATA = Path(__file__).with_name("data") / "aes_gcm_hkdf_stream.json"
KEY = bytes(range(32))
KIND = "type.googleapis.com/google.crypto.tink.AesGcmHkdfStreamingKey"
SIZES = {
    256: (0, 1, 199, 200, 201, 440, 441, 1000),
    4096: (4040, 4041),
}


class Kept(io.BytesIO):
    """What Tink closes, with its content still there."""

    content = b""

    def close(self) -> None:
        """Keep the content."""
        self.content = self.getvalue()
        super().close()


def message(size: int) -> bytes:
    """Give the message of a size."""
    return bytes((7 * i + size) % 256 for i in range(size))


def primitive(segment: int) -> Any:  # noqa: ANN401 - Tink is not installed here
    """Make Tink's cipher with segments of that size."""
    tink = importlib.import_module("tink")
    streaming = importlib.import_module("tink.streaming_aead")
    proto = importlib.import_module("tink.proto.aes_gcm_hkdf_streaming_pb2")
    common = importlib.import_module("tink.proto.common_pb2")
    access = importlib.import_module("tink.secret_key_access")
    streaming.register()
    params = proto.AesGcmHkdfStreamingParams(
        ciphertext_segment_size=segment,
        derived_key_size=32,
        hkdf_hash_type=common.SHA256,
    )
    key = proto.AesGcmHkdfStreamingKey(key_value=KEY, params=params)
    value = base64.b64encode(key.SerializeToString()).decode()
    data = {
        "typeUrl": KIND,
        "value": value,
        "keyMaterialType": "SYMMETRIC",
    }
    entry = {
        "keyData": data,
        "status": "ENABLED",
        "keyId": 1,
        "outputPrefixType": "RAW",
    }
    keyset = json.dumps({"primaryKeyId": 1, "key": [entry]})
    handle = tink.json_proto_keyset_format.parse(keyset, access.TOKEN)
    return handle.primitive(streaming.StreamingAead)


def main() -> None:
    """Write one row a line."""
    rows = []
    for segment, sizes in SIZES.items():
        cipher = primitive(segment)
        for size in sizes:
            for aad in (b"", b"aad"):
                out = Kept()
                with cipher.new_encrypting_stream(out, aad) as stream:
                    stream.write(message(size))
                row = {
                    "key": KEY.hex(),
                    "aad": aad.hex(),
                    "segment": segment,
                    "size": size,
                    "stream": out.content.hex(),
                }
                rows.append(json.dumps(row, separators=(",", ":")))
    DATA.write_text("[\n" + ",\n".join(rows) + "\n]\n", "ascii")


if __name__ == "__main__":
    main()
