"""
What kind of machine the model is: hardware, kernel version, boot options.

`Config()` is a current kernel: Linux 6.18 on x86-64, secretmem built in and
on. The patch set's earlier forms are the same machine with other values (see
`history`). Sources: mm/secretmem.c, mm/Kconfig, arch/arm64/mm/pageattr.c, and
the measurements named in `docs/article`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from secretmem.model.abi import PAGE_SIZE


Accounting = Literal["process", "user"]
Interface = Literal["none", "mmap-flag", "memfd-flag", "call"]
Pool = Literal["none", "reserved", "chunk", "cma"]

MEBIBYTE = 1 << 20
GIBIBYTE = 1 << 30

_FIRST_RELEASE = (5, 14)
_SIZE_ONCE = (5, 18)
_ON_BY_DEFAULT = (6, 5)
_RODATA_FULL_NAMED = (6, 17)
_ALWAYS_CAPABLE = frozenset({"x86-64", "i386", "riscv64", "s390x"})
_PARAMETER = "secretmem.enable"
_TRUE = frozenset({"y", "Y", "1", "t", "T", "on"})
_FALSE = frozenset({"n", "N", "0", "f", "F", "off"})


@dataclass(frozen=True)
class Config:
    """
    One machine.

    Attributes:
        version: kernel release, major and minor.
        cmdline: kernel command line.
        arch: processor architecture; see `can_set_direct_map`.
        memory: bytes of RAM.
        cpus: processors; each kernel TLB flush interrupts all but one.
        gigabyte_entries: whether the direct map may use 1 GiB entries.
        fragments: small free pieces scattered over RAM at the start.
        seed: chooses where they lie.
        built_in: CONFIG_SECRETMEM.
        accounting: who pays RLIMIT_MEMLOCK: "process" (at mmap, per process,
            CAP_IPC_LOCK exempt) or "user" (at the first touch of a page, per
            user, nobody exempt; kernels with the fix of CVE-2026-93243).
        mremap_fixed: whether a mapping inherited by fork, which nobody pays
            for, is refused to grow by mremap.
        interface: how a program asks: a released kernel has "call".
        hiding_optional: removal from the direct map is a flag (until v4).
        uncached_mode: the uncached flag exists (until v11).
        pool: where the pages come from: "none" (page by page), "reserved"
            (a range set aside at boot), "chunk" (2 MiB taken per file) or
            "cma" (2 MiB chunks out of a contiguous-memory area).
        pool_size: bytes of the reserved range or of the CMA area.
        blocks_hibernation: an open secretmem file keeps the machine from
            hibernating (since v13).
        refuses_exec: no executable mappings (since v19).
        mem_forces: /proc/PID/mem ignores a mapping's rights, for everybody
            and not for a debugger only (proc_mem.force_override=).
        default_on: the switch's default; None takes the version's.
        image_pages: pages of the kernel's own image that it freed after
            boot, and that its second mapping of the image still shows
            (x86-64 without page table isolation); handed out first.
        hibernation: CONFIG_HIBERNATION.
        swap_pages: pages of swap space.

    """

    version: tuple[int, int] = (6, 18)
    cmdline: str = ""
    arch: str = "x86-64"
    memory: int = 4 * GIBIBYTE
    cpus: int = 2
    gigabyte_entries: bool = True
    fragments: int = 0
    seed: int = 0
    built_in: bool = True
    accounting: Accounting = "process"
    mremap_fixed: bool = False
    interface: Interface = "call"
    hiding_optional: bool = False
    uncached_mode: bool = False
    pool: Pool = "none"
    pool_size: int = 0
    blocks_hibernation: bool = True
    refuses_exec: bool = True
    mem_forces: bool = True
    default_on: bool | None = None
    image_pages: int = 0
    hibernation: bool = True
    swap_pages: int = 1024

    @property
    def pages(self) -> int:
        """Pages of RAM."""
        return self.memory // PAGE_SIZE

    @property
    def size_once(self) -> bool:
        """Whether a secretmem file's size can be set only once (5.18)."""
        return self.version >= _SIZE_ONCE

    @property
    def guards_shared(self) -> bool:
        """Whether guard regions work in file mappings (6.15)."""
        return self.version >= (6, 15)

    @property
    def counts_replaced(self) -> bool:
        """
        Whether a mapping that MAP_FIXED replaces still counts (6.12).

        Then mapping one page over a locked one needs room for both.
        """
        return self.version >= (6, 12)

    @property
    def available(self) -> bool:
        """
        Whether memfd_secret(2) answers at all; otherwise it is ENOSYS.

        False too where the interface is one of the earlier forms.
        """
        return (
            self.interface == "call"
            and self.version >= _FIRST_RELEASE
            and self.built_in
            and self.switched_on
            and self.can_set_direct_map
        )

    @property
    def switched_on(self) -> bool:
        """
        The boot switch: `secretmem.enable=`, else the version's default.

        The default is off in 5.14 to 6.4 and on since 6.5. The name in the
        article and in older manual pages, `secretmem_enable=`, is no
        parameter of any kernel and changes nothing.
        """
        value = self.version >= _ON_BY_DEFAULT
        if self.default_on is not None:
            value = self.default_on
        for word in self.cmdline.split():
            name, _, text = word.partition("=")
            if name != _PARAMETER:
                continue
            if text in _TRUE or word == _PARAMETER:
                value = True
            elif text in _FALSE:
                value = False
        return value

    @property
    def unknown_parameters(self) -> list[str]:
        """Words of the command line that look like the switch and are not."""
        return [
            word
            for word in self.cmdline.split()
            if word.startswith("secretmem_enable")
        ]

    @property
    def can_set_direct_map(self) -> bool:
        """
        Whether the kernel can take single pages out of its direct map.

        Always on x86, riscv64 and s390x. On arm64 only if the linear map is
        made of pages, which `rodata=off` prevents, and `rodata=on` too on
        newer kernels, where `full` is a value of its own.
        """
        if self.arch in _ALWAYS_CAPABLE:
            return True
        if self.arch != "arm64":
            return False
        words = self.cmdline.split()
        if "rodata=off" in words:
            return False
        return "rodata=on" not in words or self.version < _RODATA_FULL_NAMED
