"""Programs: keys that are looked for, by the product's own auditor."""

from __future__ import annotations

import os

from leak.stage import Stage, program


_NO_COUNTERPART = "what is loaded has a control"


def _audit(stage: Stage, kind: str, payload: str) -> None:
    """Make the forms, look through a file and through this process."""
    from secretmem.audit import Planted, Search, maps

    key = stage.secret(payload)
    with Search([Planted("key", kind, key)]) as search:
        stage.check(b"forms made")
        pid = os.getpid()
        mem = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
        for mapping in maps.mappings(pid):
            found, _ = search.scan(mem, mapping.start, mapping.stop)
            assert not found, mapping
        stage.check(b"searched itself")
        # What was read is the very key.
        path = f"{stage.folder}/copy"
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        key.write_to(fd)
        found, _ = search.scan(fd, 0, 1 << 16)
        assert found
        stage.check(b"found in a file")
    stage.check(b"forms wiped")
    key.close()
    stage.end()


@program(payloads=("{key}",), material="symmetric", no_control=_NO_COUNTERPART)
def audit_aes(stage: Stage) -> None:
    """Round keys of both directions, the hash key of GCM."""
    _audit(stage, "aes", "{key}")


@program(payloads=("{key}",), material="symmetric", no_control=_NO_COUNTERPART)
def audit_hmac(stage: Stage) -> None:
    """Pads and states."""
    _audit(stage, "hmac", "{key}")


@program(payloads=("{key}",), material="ed25519", no_control=_NO_COUNTERPART)
def audit_ed25519(stage: Stage) -> None:
    """Hash, scalar, prefix."""
    _audit(stage, "ed25519", "{key}")


@program(payloads=("{der}",), material="rsa", no_control=_NO_COUNTERPART)
def audit_rsa(stage: Stage) -> None:
    """Six numbers."""
    _audit(stage, "pkcs8", "{der}")


@program(payloads=("{pem}",), material="p256", no_control=_NO_COUNTERPART)
def audit_p256(stage: Stage) -> None:
    """The scalar."""
    _audit(stage, "pkcs8", "{pem}")


@program(no_control=_NO_COUNTERPART)
def audit_refused(stage: Stage) -> None:
    """A key that is not what its kind says."""
    from secretmem.audit import AuditError, Planted, Search

    key = stage.secret()
    kept: list[BaseException] = []
    for kind in ("ed25519", "pkcs8"):
        try:
            Search([Planted("key", kind, key)])
        except AuditError as error:
            kept.append(error)
    assert len(kept) == 2
    stage.check(b"refused")
    key.close()
    stage.end()
