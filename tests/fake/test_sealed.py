"""Sealed values on the fake: it has no cryptography, and says so."""

from __future__ import annotations

from support import alone


def test_sealed_values_on_the_fake() -> None:
    """The error names what is missing; nothing is left in the store."""

    def on_the_fake() -> None:
        import secretmem

        secretmem.configure(backend="fake")
        from secretmem import (
            SealedSecret,
            SealedStore,
            Secret,
            UnavailableError,
        )

        refused = []
        with Secret.random(32) as key:
            for action in (
                lambda: SealedStore(key),
                SealedStore.generate,
                lambda: SealedSecret(key),
            ):
                try:
                    action()
                except UnavailableError as error:
                    refused.append((error.reason, "cryptog" in str(error)))
        assert refused == [("fake", True)] * 3
        assert secretmem.posture().live == 0

    alone.passes(on_the_fake)
