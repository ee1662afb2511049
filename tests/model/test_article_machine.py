"""The article's rows S13 and S15: hibernation, the switch, the limit."""

from __future__ import annotations

import errno

import pytest

from model.helpers import NEEDLE, hold_plain, hold_secret, refused
from secretmem.model import Config, Kernel, abi, outside


PAGE = abi.PAGE_SIZE


class TestS13Hibernation:
    """S13: hibernation is off while any area of anybody is active."""

    def test_one_descriptor_of_anyone_is_enough(self) -> None:
        """An open file, nothing mapped: "disk" is gone, and EPERM."""
        kernel = Kernel()
        process = kernel.spawn(65534)
        fd = process.memfd_secret()
        assert "disk" not in outside.sleep_states(kernel)
        assert refused(lambda: outside.hibernate(kernel)) == "EPERM"
        process.close(fd)
        assert "disk" in outside.sleep_states(kernel)

    def test_a_mapping_without_descriptor_is_enough(self) -> None:
        """The descriptor closed, the mapping alive: still refused."""
        held = hold_secret()
        held.process.close(held.fd)
        assert refused(lambda: outside.hibernate(held.kernel)) == "EPERM"
        held.process.munmap(held.address, PAGE)
        assert "disk" in outside.sleep_states(held.kernel)

    def test_the_image_holds_ordinary_memory(self) -> None:
        """Without an area it works, and ordinary memory is in the image."""
        kernel = Kernel()
        hold_plain(kernel)
        assert outside.sees(NEEDLE, outside.hibernate(kernel))


class TestS15Switch:
    """S15: off by default until 6.5; the parameter is `secretmem.enable`."""

    @pytest.mark.parametrize(
        "version, cmdline, there",
        [
            ((5, 10), "", False),
            ((5, 10), "secretmem.enable=1", False),
            ((5, 14), "", False),
            ((6, 1), "", False),
            ((6, 1), "secretmem.enable=1", True),
            ((6, 1), "quiet secretmem.enable=y", True),
            ((6, 1), "secretmem.enable", True),
            ((6, 1), "secretmem_enable=1", False),
            ((6, 4), "", False),
            ((6, 5), "", True),
            ((6, 12), "secretmem.enable=0", False),
            ((6, 12), "secretmem_enable=0", True),
            ((6, 12), "secretmem.enable=maybe", True),
        ],
    )
    def test_default_and_parameter(
        self, version: tuple[int, int], cmdline: str, *, there: bool
    ) -> None:
        """The call answers, or it is ENOSYS."""
        kernel = Kernel(Config(version=version, cmdline=cmdline))
        process = kernel.spawn()
        if there:
            assert process.memfd_secret() == 3
        else:
            assert refused(process.memfd_secret) == "ENOSYS"

    def test_the_articles_name_is_logged_as_unknown(self) -> None:
        """The kernel's log says that it does not know the word."""
        kernel = Kernel(Config(cmdline="secretmem_enable=1"))
        assert kernel.log == [
            "Unknown kernel command line parameters: secretmem_enable=1"
        ]

    @pytest.mark.parametrize(
        "config, there",
        [
            (Config(arch="arm64"), True),
            (Config(arch="arm64", cmdline="rodata=off"), False),
            (Config(arch="arm64", cmdline="rodata=on"), False),
            (
                Config(arch="arm64", cmdline="rodata=on", version=(6, 6)),
                True,
            ),
            (Config(arch="powerpc64"), False),
            (Config(built_in=False), False),
        ],
    )
    def test_direct_map_must_be_changeable(
        self, config: Config, *, there: bool
    ) -> None:
        """Where pages cannot be hidden, the call refuses to pretend."""
        assert config.available is there

    def test_enosys_comes_before_einval(self) -> None:
        """Switched off, even wrong flags are answered with ENOSYS."""
        kernel = Kernel(Config(cmdline="secretmem.enable=0"))
        process = kernel.spawn()
        assert refused(lambda: process.memfd_secret(1)) == "ENOSYS"

    def test_rlimit_memlock_bounds_it(self) -> None:
        """What bounds locked memory today is RLIMIT_MEMLOCK."""
        process = Kernel().spawn(1000, memlock=4 * PAGE)
        fd = process.memfd_secret()
        assert (
            refused(
                lambda: process.mmap(5 * PAGE, abi.PROT_RW, abi.MAP_SHARED, fd)
            )
            == "EAGAIN"
        )
        process.mmap(4 * PAGE, abi.PROT_RW, abi.MAP_SHARED, fd)


def test_refusals_carry_the_systems_errno() -> None:
    """An errno is the number that this system gives to its name."""
    process = Kernel(Config(built_in=False)).spawn()
    with pytest.raises(OSError, match="memfd_secret") as caught:
        process.memfd_secret()
    assert caught.value.errno == errno.ENOSYS
