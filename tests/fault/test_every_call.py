"""Each system call of each public operation fails; see programs/inject.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


pytestmark = pytest.mark.needs_secretmem

PROGRAMS = Path(__file__).with_name("programs")


def run(environment: dict[str, str], name: str, *arguments: str) -> int:
    """Run a program with the faulting extension; return the faults met."""
    done = subprocess.run(
        [sys.executable, str(PROGRAMS / name), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, f"{done.returncode}: {done.stderr[-3000:]}"
    return int(done.stdout)


@pytest.mark.parametrize("errno", ["ENOMEM", "EPERM"])
@pytest.mark.parametrize(
    "backend, temperature",
    [("memfd_secret", "warm"), ("memfd_secret", "cold"), ("mlock", "cold")],
)
def test_each_call_of_each_operation(
    fault_environment: dict[str, str],
    backend: str,
    temperature: str,
    errno: str,
) -> None:
    """A clean error, no leak, no half state, and it works afterwards."""
    environment = {**fault_environment, "SECRETMEM_BACKEND": backend}
    assert run(environment, "inject.py", temperature, errno) > 500


def test_errnos_that_mean_again(fault_environment: dict[str, str]) -> None:
    """EINTR and EAGAIN once, and EFAULT, which the kernel's touch gives."""
    environment = fault_environment
    errnos = ("EINTR", "EAGAIN", "EFAULT")
    assert run(environment, "inject.py", "cold", *errnos) > 1000


@pytest.mark.parametrize("backend", ["memfd_secret", "mlock"])
def test_each_call_of_the_first_use(
    fault_environment: dict[str, str], backend: str
) -> None:
    """A failed start is not remembered, and no handler is lost."""
    environment = {**fault_environment, "SECRETMEM_BACKEND": backend}
    assert run(environment, "first_use.py", "ENOMEM", "EPERM", "EMFILE") > 50


def test_each_call_of_a_fork(fault_environment: dict[str, str]) -> None:
    """The child has the secret or is told that it has not."""
    assert run(fault_environment, "in_fork.py") > 10


def test_the_normal_extension_has_no_faults() -> None:
    """What is shipped cannot be made to fail."""
    from secretmem import _native, build_info

    assert build_info()["fault_injection"] is False
    assert not hasattr(_native, "fault_arm")
