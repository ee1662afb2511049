"""
The kernel: physical memory, the direct map, processes, and who pays.

    kernel = Kernel(Config())
    process = kernel.spawn(uid=1000)
    fd = process.memfd_secret(O_CLOEXEC)

Observers of the machine as a whole (kcore, a crash kernel, swap,
hibernation) are in `outside`.
"""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING

from secretmem.model import abi
from secretmem.model.config import Config
from secretmem.model.directmap import DirectMap
from secretmem.model.errors import SignalError
from secretmem.model.hardware import Processor
from secretmem.model.pools import source_for
from secretmem.model.process import Process
from secretmem.model.ram import Ram, scattered
from secretmem.model.vma import VmFlag


if TYPE_CHECKING:
    from collections.abc import Collection

    from secretmem.model.files import SecretFile
    from secretmem.model.vma import Vma


_FIRST_PID = 1000
_DEFAULT_MEMLOCK = 8 << 20


class Kernel:
    """
    One running machine.

    Attributes:
        config: what it is.
        ram, directmap, cpu: its memory, the kernel's map of it, its
            processor.
        processes: by process id, the living only.
        user_locked: pages charged per user id ("user" accounting).
        secret_files: open secretmem files; more than 0 keeps the machine
            from hibernating.
        swap: content of the swap slots; a slot keeps its content after its
            page came back.
        log: kernel messages.

    """

    def __init__(self, config: Config | None = None) -> None:
        """Boot; without `config` a current kernel."""
        self.config = config or Config()
        free = scattered(
            self.config.pages, self.config.fragments, self.config.seed
        )
        free.begin_with(range(self.config.image_pages))
        self.ram = Ram(free)
        self.directmap = DirectMap(
            self.config.pages,
            gigabyte_entries=self.config.gigabyte_entries,
        )
        self.cpu = Processor()
        self.processes: dict[int, Process] = {}
        self.user_locked: Counter[int] = Counter()
        self.secret_files = 0
        self.swap: list[bytes] = []
        self.log: list[str] = [
            f"Unknown kernel command line parameters: {word}"
            for word in self.config.unknown_parameters
        ]
        self._source = source_for(self)
        self._exclusive = 0
        self._pids = itertools.count(_FIRST_PID)

    def spawn(
        self,
        uid: int = 0,
        *,
        caps: Collection[str] | None = None,
        memlock: int = _DEFAULT_MEMLOCK,
        nofile: int = 1024,
    ) -> Process:
        """
        Start a process with nothing but three standard descriptors.

        Args:
            uid: user id; 0 has every capability unless `caps` says else.
            caps: capability names.
            memlock: RLIMIT_MEMLOCK in bytes.
            nofile: RLIMIT_NOFILE.

        """
        if caps is None:
            caps = _ALL_CAPS if uid == 0 else ()
        process = Process(self, next(self._pids), uid, frozenset(caps))
        process.memlock = memlock
        process.nofile = nofile
        self.processes[process.pid] = process
        return process

    def adopt(self, parent: Process) -> Process:
        """Make the bare child of a fork; the caller fills it."""
        child = Process(self, next(self._pids), parent.uid, parent.caps)
        self.processes[child.pid] = child
        return child

    def new_secret(self, file: SecretFile, limit: int) -> int:
        """
        Give a page to a secretmem file.

        Raises:
            SignalError: SIGBUS if the user's limit is reached ("user"
                accounting), SIGKILL if no memory is left.

        """
        self._charge(file, limit)
        splits = self.directmap.splits_1g + self.directmap.splits_2m
        try:
            page = self._source.take(file)
        except MemoryError:
            raise SignalError(abi.SIGKILL) from None
        self.user_locked[file.owner] += 1
        self.cpu.events["fault"] += 1
        self.cpu.events["split"] += (
            self.directmap.splits_1g + self.directmap.splits_2m - splits
        )
        return page

    def free_secret(self, file: SecretFile, page: int) -> None:
        """Take a page back: out of the caches, mapped, wiped."""
        self.cpu.flush_lines(page)
        self._source.give_back(file, page)
        self.cpu.events["free"] += 1

    def close_secret(self, file: SecretFile) -> None:
        """Take back what the file held beyond its pages."""
        self._source.close(file)

    def taken_pages(self) -> int:
        """Give the pages that secret memory keeps from everybody else."""
        return self._source.held() + self._exclusive

    def new_anonymous(self, vma: Vma) -> int:
        """Give a private page; out of the direct map if exclusive."""
        page = self.ram.take()
        if VmFlag.EXCLUSIVE in vma.flags:
            self._exclusive += 1
            self.cpu.events["fault"] += 1
            self.directmap.take_out(page)
            self.directmap.flush()
        return page

    def free_anonymous(self, vma: Vma, page: int) -> None:
        """Drop one use of a private page; its content stays."""
        if self.ram.drop(page) and VmFlag.EXCLUSIVE in vma.flags:
            self._exclusive -= 1
            self.directmap.put_back(page)
            self.ram.wipe(page)

    def _charge(self, file: SecretFile, limit: int) -> None:
        if self.config.accounting != "user":
            return
        if self.user_locked[file.owner] + 1 > limit // abi.PAGE_SIZE:
            raise SignalError(abi.SIGBUS)


_ALL_CAPS = (abi.CAP_IPC_LOCK, abi.CAP_SYS_PTRACE, abi.CAP_SYS_RAWIO)
