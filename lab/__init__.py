"""
The kernel laboratory: real Debian kernels under QEMU, checked row by row.

Nothing here is part of the installed package.  ``python3 -m lab`` boots
several kernels in software emulation and looks from inside the guest, from
the disk and from the emulator at memory made by ``memfd_secret(2)``.
"""
