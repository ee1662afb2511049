"""A small event loop on epoll(7): descriptors, timers, long work."""

from __future__ import annotations

import heapq
import itertools
import os
import queue
import select
import threading
import time
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Callable

    Handler = Callable[[int], None]
    Job = Callable[[], object]


# Threads for long work: signatures of RSA keys and the like.
_WORKERS = 2


class Timer:
    """Something to do later, unless it is cancelled."""

    __slots__ = ("action",)

    def __init__(self, action: Callable[[], None]) -> None:
        self.action: Callable[[], None] | None = action

    def cancel(self) -> None:
        """Do it not."""
        self.action = None


class Loop:
    """Calls handlers until it is stopped."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, Handler] = {}
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._jobs: queue.SimpleQueue[tuple[Job, Callable[[object], None]]]
        self._jobs = queue.SimpleQueue()
        self._results: queue.SimpleQueue[Callable[[], None]]
        self._results = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        # Their numbers may belong to new ones before this round is over.
        self._forgotten: set[int] = set()
        self._stopped = False
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self.watch(self._bell, select.EPOLLIN, self._rung)

    # -- descriptors ---------------------------------------------------------

    def watch(self, fd: int, events: int, handler: Handler) -> None:
        """Call ``handler`` with the events of a descriptor."""
        self._epoll.register(fd, events)
        self._handlers[fd] = handler

    def change(self, fd: int, events: int) -> None:
        """Wait for other events of a descriptor."""
        self._epoll.modify(fd, events)

    def watches(self, fd: int) -> bool:
        """Tell whether there is a handler for a descriptor."""
        return fd in self._handlers

    def forget(self, fd: int) -> None:
        """Wait no more for a descriptor, which is still open."""
        del self._handlers[fd]
        self._forgotten.add(fd)
        self._epoll.unregister(fd)

    # -- time ----------------------------------------------------------------

    def later(self, delay: float, action: Callable[[], None]) -> Timer:
        """Call ``action`` after ``delay`` seconds."""
        timer = Timer(action)
        when = time.monotonic() + delay
        heapq.heappush(self._timers, (when, next(self._order), timer))
        return timer

    def _run_timers(self) -> float:
        """Run what is due; return the seconds to the next, or -1."""
        while self._timers:
            when, _, timer = self._timers[0]
            if timer.action is not None:
                wait = when - time.monotonic()
                if wait > 0:
                    return wait
            heapq.heappop(self._timers)
            if timer.action is not None:
                timer.action()
        return -1

    # -- long work -----------------------------------------------------------

    def work(self, job: Job, done: Callable[[object], None]) -> None:
        """
        Run ``job`` in a thread, then ``done`` here with its result.

        An exception is the result when the job raises one.
        """
        if len(self._threads) < _WORKERS:
            thread = threading.Thread(target=self._labour, daemon=True)
            self._threads.append(thread)
            thread.start()
        self._jobs.put((job, done))

    def _labour(self) -> None:
        while True:
            job, done = self._jobs.get()
            result: object
            try:
                result = job()
            except BaseException as error:  # noqa: BLE001 - handed over
                result = error
            self._hand_over(done, result)
            # What the job held ends here, not when the next one comes.
            del job, done, result

    def _hand_over(
        self, done: Callable[[object], None], result: object
    ) -> None:
        self._results.put(lambda: done(result))
        os.eventfd_write(self._bell, 1)

    def _rung(self, _events: int) -> None:
        os.eventfd_read(self._bell)
        while not self._results.empty():
            self._results.get()()

    # -- running -------------------------------------------------------------

    def run(self) -> None:
        """Call handlers until `stop`."""
        poll, handlers = self._epoll.poll, self._handlers
        forgotten = self._forgotten
        while not self._stopped:
            for fd, events in poll(self._wait()):
                # What was said of a descriptor that has ended is not about
                # the new one with its number.
                if fd not in forgotten:
                    handlers[fd](events)
            forgotten.clear()

    def _wait(self) -> float:
        """Run what is due; return the seconds to wait: -1 is for ever."""
        wait = self._run_timers() if self._timers else -1
        # A timer may have been the end.
        return 0 if self._stopped else wait

    def stop(self) -> None:
        """Return from `run` after this handler."""
        self._stopped = True
