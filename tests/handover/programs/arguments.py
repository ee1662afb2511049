"""Pass secrets to processes of multiprocessing: ``arguments.py METHOD``."""

from __future__ import annotations

import multiprocessing
import sys
import time
from pathlib import Path
from typing import Any

from secretmem import Secret


def work(
    secret: Secret,
    queue: Any,  # noqa: ANN401 - of multiprocessing
    pipe: Any,  # noqa: ANN401 - as above
    answers: Any,  # noqa: ANN401 - as above
) -> None:
    """Compare what came by three ways."""
    by_queue = queue.get()
    by_pipe = pipe.recv()["deep"][0]
    answers.put([secret == by_queue, secret == by_pipe, secret.name])
    # What the child sends back, the parent gets the same way.
    answers.put(secret + b"!")
    # It is fetched from here, so this process must still be there.
    assert pipe.recv() == "fetched"


def settled(wanted: int | None) -> int:
    """
    Count the open descriptors, none of which may be of a secret.

    The thread that has sent one may still be about to close its own.
    """
    end = time.monotonic() + 300
    while True:
        folder = Path("/proc/self/fd")
        links = [each.resolve().name for each in folder.iterdir()]
        secret = any("secretmem" in link for link in links)
        if not secret and wanted in (None, len(links)):
            return len(links)
        assert time.monotonic() < end, links
        time.sleep(0.01)


def main() -> None:
    """Start two workers, one after the other; the same Secret each time."""
    context: Any = multiprocessing.get_context(sys.argv[1])
    # Fork gives the argument as it is, so the child must have it.
    secret = Secret.random(32, name="key", inherit=True)
    open_before: int | None = None
    for _ in range(3):
        queue, answers = context.Queue(), context.Queue()
        here, there = context.Pipe()
        child = context.Process(
            target=work, args=(secret, queue, there, answers)
        )
        child.start()
        queue.put(secret)
        here.send({"deep": [secret]})
        assert answers.get(timeout=300) == [True, True, "key"]
        longer = answers.get(timeout=300)
        assert longer == secret + b"!"
        longer.close()
        here.send("fetched")
        child.join()
        assert child.exitcode == 0
        child.close()
        for each in (queue, answers):
            each.close()
            each.join_thread()
        here.close()
        there.close()
        open_before = settled(open_before)
    sys.stdout.write("fine\n")


if __name__ == "__main__":
    main()
