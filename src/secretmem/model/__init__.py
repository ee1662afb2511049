"""
The system of the article "memfd_secret() in 5.14", as executable Python.

The model is a kernel that one can hold in one's head: physical pages, the
kernel's direct map of them, processes with page tables, secretmem files, and
everybody who tries to read what is in them. A refused call raises the real
errno. It runs on any operating system and needs the standard library only.

Read in this order: `abi` (numbers), `directmap` and `ram` (the machine),
`files` and `vma`, `memory` (page faults and the one rule), `mapping`,
`advice`, `filecalls`, `copies`, `pins`, `remote` (the system calls),
`process` (fork, exec), `kernel`, and `outside` (who looks at the machine as
a whole). `history` and `plan` are built on that.

    from secretmem.model import Config, Kernel, abi

    kernel = Kernel(Config())
    process = kernel.spawn(uid=1000)
    fd = process.memfd_secret(abi.O_CLOEXEC)
    process.ftruncate(fd, 4096)
    address = process.mmap(4096, abi.PROT_RW, abi.MAP_SHARED, fd)
    process.store(address, b"a secret")

The model is checked against live kernels by `tests/conformance`.
"""

from __future__ import annotations

from secretmem.model import abi
from secretmem.model.config import Config
from secretmem.model.errors import SignalError
from secretmem.model.kernel import Kernel
from secretmem.model.process import Process


__all__ = ["Config", "Kernel", "Process", "SignalError", "abi"]
