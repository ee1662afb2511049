"""
For the tests of programs that use `secretmem`.

`secretmem.testing.plugin` is a pytest plugin. On a machine without
memfd_secret(2), such as a Mac or a CI runner, it lets `Secret` work on a
fake: ordinary memory, in which a model kernel plays the limits. On a machine
where secret memory works, tests use the real thing unless told otherwise.
The fake says so in `repr`, in `posture()` and in pytest's header; it
protects nothing.

Outside of a test session the fake is refused unless it is chosen by name:
`secretmem.configure(backend="fake")`.

    from secretmem.testing import boot

    def test_what_a_small_limit_does():
        boot(memlock=64 * 1024)
        with pytest.raises(secretmem.LimitError):
            ...
"""

from __future__ import annotations

from secretmem.testing._machine import Machine, boot, machine


__all__ = ["Machine", "boot", "machine"]
