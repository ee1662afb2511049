"""
Sign the lines of standard input with a key that lies in etcd.

    service.py SOURCE

``SOURCE`` is such as ``age:cmd:etcdctl get --print-value-only app/signing``
and ``?identity=machine.key`` behind it.  After SIGHUP it has the new key.
"""

from __future__ import annotations

import signal
import sys

from secretmem import sources
from secretmem.crypto import Hmac


def main() -> None:
    """Serve until standard input ends."""
    with sources.parse(sys.argv[1]).watch() as key:
        key.on_signal(signal.SIGHUP)
        for line in iter(sys.stdin.buffer.readline, b""):
            with key.use() as secret:
                print(Hmac(secret).digest(line).hex(), flush=True)
            if key.failure:
                print(f"the key stays: {key.failure}", file=sys.stderr)


if __name__ == "__main__":
    main()
