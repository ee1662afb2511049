"""
Fork while threads of every kind work; look from each child.

Argument: how many forks.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings

from secretmem import ForkError, Secret


warnings.simplefilter("ignore", DeprecationWarning)  # forks with threads

GIVEN = b"given" * 20
PRIVATE = b"private" * 20

given = Secret.from_bytes(GIVEN, inherit=True)
private = Secret.from_bytes(PRIVATE)
stop = threading.Event()
null = os.open("/dev/null", os.O_WRONLY)


def use(secret: Secret, data: bytes) -> None:
    """Go through most of what a secret can do."""
    assert secret.matches(data)
    with secret[:10] as part, part + b"x" as longer:
        assert longer.matches(data[:10] + b"x")
    with secret.reveal() as view:
        assert bytes(view) == data
    secret.write_to(null)


def work(*, inherit: bool) -> None:
    """Make, use and close until told to stop."""
    kept: list[Secret] = []
    number = 0
    while not stop.is_set():
        number += 1
        data = b"w" * (number * 37 % 6000)
        made = Secret.from_bytes(data, inherit=inherit)
        use(made, data)
        kept.append(made)
        if len(kept) > 40:
            for each in kept[::2]:
                each.close()
            del kept[::2]


def child() -> int:
    """Use what is here, be refused what is not; fork again."""
    signal.alarm(600)
    use(given, GIVEN)
    try:
        private.matches(PRIVATE)
    except ForkError:
        pass
    else:
        return 4
    for number in range(50):
        with Secret.from_bytes(b"own" * number) as own:
            use(own, b"own" * number)
    pid = os.fork()
    if not pid:
        os._exit(0 if given.matches(GIVEN) else 5)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def fork() -> None:
    """Run one child; its failure is ours."""
    pid = os.fork()
    if not pid:
        status = 3
        try:
            status = child()
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status:
        stop.set()
        sys.exit(f"a child ended with {status}")


def main(forks: str) -> None:
    """Keep four threads busy meanwhile."""
    threads = [
        threading.Thread(target=work, kwargs={"inherit": n % 2 == 0})
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for _ in range(int(forks)):
        fork()
    stop.set()
    for thread in threads:
        thread.join()
    use(private, PRIVATE)


main(*sys.argv[1:])
