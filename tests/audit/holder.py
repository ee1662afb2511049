"""
A process that holds in memory what it reads from standard input.

One line with the number of bytes, then the bytes, which it keeps; it says
"ready" and waits until its input ends.
"""

from __future__ import annotations


def main() -> None:
    """Hold; the input's own buffer is not used, so there is one copy."""
    source = open(0, "rb", buffering=0)  # noqa: SIM115 - for the whole life
    size = b""
    while not size.endswith(b"\n"):
        size += source.read(1)
    held = bytearray(int(size))
    room = memoryview(held)
    while room:
        room = room[source.readinto(room) or 0 :]
    print("ready", flush=True)  # noqa: T201 - it says so
    source.read()
    assert len(held) == int(size)


if __name__ == "__main__":
    main()
