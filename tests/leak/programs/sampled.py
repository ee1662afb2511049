"""
Programs: one operation each, again and again, with signals arriving.

The secrets are long, so that most of the time passes inside the domain, and
hold the value many times over, so that it is there at every moment. A timer
sends 2,000 signals in a second to a handler of the program's, and
faulthandler has given the thread an ordinary signal stack.
"""

from __future__ import annotations

import os

from leak.disturbed import under_signals
from leak.stage import Stage, program


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# 24,000 bytes: less than a pipe takes.
_TIMES = 1000
# 7,200 bytes, 9,600 in base64, 14,400 as digits: the results need no mapping
# of their own, whose making would take most of the time.
_DECODED_TIMES = 300
# 64,800 bytes: a quick operation, which must be long to be met. More would
# let the interpreter go, and a line must fit into a pipe.
_LONG_TIMES = 2700


def _sampled(stage: Stage, action: Callable[[], object]) -> None:
    under_signals(stage, action)
    stage.ended(b"after")


@program(payloads=("{plain}",) * 2, times=_TIMES)
def sample_equals(stage: Stage) -> None:
    """Compare two equal secrets."""
    one, two = stage.secret(), stage.secret()
    assert one == two
    _sampled(stage, lambda: one == two)


@program(times=_TIMES)
def sample_matches(stage: Stage) -> None:
    """Compare with a wrong candidate, which is read to its end."""
    secret = stage.secret()
    wrong = bytes(len(secret))
    assert not secret.matches(wrong)
    _sampled(stage, lambda: secret.matches(wrong))


@program(payloads=("{plain}",) * 2, times=_TIMES)
def sample_matches_area(stage: Stage) -> None:
    """Compare with the right candidate, which lies in secret memory too."""
    import secretmem

    secret = stage.secret()
    area = secretmem.SecretArea(len(secret))
    with memoryview(area) as view:
        os.readv(stage.source(), [view])
        assert secret.matches(view)
        _sampled(stage, lambda: secret.matches(view))


@program(
    payloads=("{base64}",), times=_DECODED_TIMES, forms=("plain", "base64")
)
def sample_base64(stage: Stage) -> None:
    """Decode base64."""
    text = stage.secret("{base64}")
    assert len(stage.Secret.from_base64(text)) == 24 * _DECODED_TIMES
    _sampled(stage, lambda: stage.Secret.from_base64(text).close())


@program(
    payloads=("{base64url}",),
    times=_DECODED_TIMES,
    forms=("plain", "base64url"),
)
def sample_base64_url(stage: Stage) -> None:
    """Decode the other alphabet."""
    text = stage.secret("{base64url}")
    decode = stage.Secret.from_base64
    assert len(decode(text, urlsafe=True)) == 24 * _DECODED_TIMES
    _sampled(stage, lambda: decode(text, urlsafe=True).close())


@program(payloads=("{hex}",), times=_DECODED_TIMES, forms=("plain", "hex"))
def sample_hex(stage: Stage) -> None:
    """Decode hexadecimal digits."""
    text = stage.secret("{hex}")
    assert len(stage.Secret.from_hex(text)) == 24 * _DECODED_TIMES
    _sampled(stage, lambda: stage.Secret.from_hex(text).close())


@program(payloads=("{plain}32bytes!", "{plain}" * _LONG_TIMES), repeated=True)
def sample_key_ring(stage: Stage) -> None:
    """Encrypt with a key in secret memory."""
    import secretmem

    ring = secretmem.KeyRing([stage.secret("{plain}32bytes!")])
    message = stage.secret("{plain}" * _LONG_TIMES)
    _sampled(stage, lambda: ring.encrypt(message))


_BLANKS = " " * 30_000


@program(payloads=(f"{_BLANKS}{{plain}}{_BLANKS}",))
def sample_strip(stage: Stage) -> None:
    """Take much white space off."""
    secret = stage.secret(f"{_BLANKS}{{plain}}{_BLANKS}")
    assert len(secret.strip()) == 24
    _sampled(stage, lambda: secret.strip().close())


@program(times=_DECODED_TIMES, forms=("plain", "reversed"))
def sample_slice(stage: Stage) -> None:
    """Take every byte, backwards."""
    secret = stage.secret()

    def cut() -> None:
        secret[::-1].close()

    _sampled(stage, cut)


@program(times=_LONG_TIMES)
def sample_line(stage: Stage) -> None:
    """Read lines, as from a terminal: the newline is looked for."""
    secret = stage.secret()
    read = stage.Secret._read
    source, target = os.pipe()

    def line() -> None:
        secret.write_to(target)
        os.write(target, b"\n")
        made = read(source, line=True, strip=False, max_size=1 << 16)
        assert made is not None
        made.close()

    _sampled(stage, line)
