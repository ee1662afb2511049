"""Programs: `secretmem.sources`, every scheme."""

from __future__ import annotations

import os
import sys

from leak.stage import Stage, program


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def _sources(stage: Stage) -> Any:  # noqa: ANN401 - the module
    """Import the module; the control has it with ordinary objects."""
    from secretmem import sources

    if stage.ordinary:
        for part in ("_files", "_commands", "_objects"):
            sys.modules[f"secretmem.sources.{part}"].Secret = stage.Secret  # type: ignore[attr-defined]
    return sources


_FILES = {
    "token": "{plain}\n",
    "hex": "{hex}\n",
    "base64": "{base64}\n",
    "document": '{{"db": {{"words": [0, "{plain}"]}}}}',
}


@program(
    "sources.read",
    "sources.parse",
    "sources.known",
    "sources.schemes",
    "sources.Source",
    "sources.Stream",
    "sources.File",
    "sources.Kubernetes",
    "sources.Docker",
    "sources.Credential",
    files=_FILES,
    payloads=(),
    forms=("plain", "hex", "base64"),
)
def source_files(stage: Stage) -> None:
    """Files of all kinds, decoded or not."""
    sources = _sources(stage)
    folder = stage.folder
    os.environ["CREDENTIALS_DIRECTORY"] = folder
    sys.modules["secretmem.sources._files"].DOCKER = folder  # type: ignore[attr-defined]
    assert issubclass(sources.File, sources.Stream)
    assert issubclass(sources.Stream, sources.Source)
    texts = [
        f"file:{folder}/token?strip=yes",
        f"file:{folder}/hex?encoding=hex",
        f"file:{folder}/base64?encoding=base64",
        f"k8s:{folder}/token?strip",
        "docker:token?strip",
        "credential:token?strip",
    ]
    assert all(sources.known(text.partition(":")[0]) for text in texts)
    assert set(sources.schemes()) > {"file", "k8s", "docker"}
    kept = [
        sources.File(f"{folder}/token", strip=True).read(),
        sources.Kubernetes(folder, "token", strip=True).read(),
        sources.Docker("token", strip=True).read(),
        sources.Credential("token", strip=True).read(),
        *(sources.parse(text).read() for text in texts),
    ]
    assert {len(each) for each in kept} == {24}
    stage.check(b"read")
    for secret in kept:
        secret.close()
    live = sources.read(texts[1])
    stage.repeat(lambda: [sources.read(text).close() for text in texts], 100)
    live.close()
    stage.ended()


@program(
    "sources.Descriptor",
    "sources.Command",
    "sources.Shell",
    payloads=("{plain}",),
    files=_FILES,
)
def source_streams(stage: Stage) -> None:
    """A descriptor, and what commands write."""
    sources = _sources(stage)
    kept = [
        sources.Descriptor(stage.source()).read(),
        sources.Command(["cat", f"{stage.folder}/token"]).read(),
        sources.Shell(f"cat {stage.folder}/token; true").read(),
    ]
    assert {len(each) for each in kept} == {24}
    stage.check(b"read")
    text = f"cmd:cat {stage.folder}/token"
    stage.repeat(lambda: sources.read(text).close(), 20)
    for secret in kept:
        secret.close()
    stage.ended()


@program(
    "sources.Json",
    "sources.Document",
    files=_FILES,
    payloads=(),
)
def source_documents(stage: Stage) -> None:
    """A field of a document, from a file and from a command."""
    sources = _sources(stage)
    path = f"{stage.folder}/document"
    assert issubclass(sources.Json, sources.Document)
    kept = [
        sources.Json(path, "db", "words", 1).read(),
        sources.read(f"json:cmd:cat {path}#db.words.1"),
    ]
    assert {len(each) for each in kept} == {24}
    stage.check(b"read")
    stage.repeat(lambda: sources.read(f"json:{path}#db.words.1").close(), 100)
    for secret in kept:
        secret.close()
    stage.ended()


@program("sources.Prompt", payloads=(), terminal=True)
def source_prompt(stage: Stage) -> None:
    """The terminal."""
    sources = _sources(stage)
    stage.type(b"{plain}\n")
    secret = sources.Prompt().read()
    assert len(secret) == 24
    stage.check(b"typed")
    secret.close()
    stage.ended()


@program(
    "sources.Environment",
    "sources.Keyring",
    payloads=("{plain}",),
    variables={"TOKEN": "{plain}"},
    no_control="these sources are exposed by themselves",
)
def source_exposed(stage: Stage) -> None:
    """Both warn, and that is found which they say."""
    import warnings

    import keyring
    import keyring.backend

    from secretmem import CopiedWarning

    buffer = stage.buffer()
    text = buffer.decode()
    stage.wipe(buffer)

    class Held(keyring.backend.KeyringBackend):
        priority = 1.0

        def get_password(self, service: str, username: str) -> str:
            del service, username
            return text

        def set_password(self, *_: str) -> None: ...

    keyring.set_keyring(Held())  # type: ignore[no-untyped-call]  # theirs
    sources = _sources(stage)
    stage.copied(b"os.environ, and the library's str")
    stage.baseline()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        kept = [
            sources.Environment("TOKEN").read(),
            sources.Keyring("app", "user").read(),
        ]
    kinds = [each.category for each in caught]
    assert kinds == [CopiedWarning, CopiedWarning]
    assert {len(each) for each in kept} == {24}
    stage.check(b"nothing more")


@program(
    "secretmem.SourceError",
    files=_FILES,
    payloads=(),
    no_control="an error has no ordinary counterpart",
)
def source_errors(stage: Stage) -> None:
    """What cannot be read, decoded or found; errors kept and shown."""
    import traceback

    from secretmem import Secret, SourceError

    sources = _sources(stage)
    folder = stage.folder
    texts = [
        f"file:{folder}/token?max_size=20",
        f"file:{folder}/token?encoding=hex",
        f"file:{folder}/document?encoding=base64",
        f"json:{folder}/token#db",
        f"json:{folder}/document#db.words.0",
        f"json:{folder}/document#nothing",
        f"sh:cat {folder}/token; exit 3",
        f"json:sh:cat {folder}/document; kill -9 $$#db.words.1",
    ]
    live = Secret.from_file(f"{folder}/token")

    def every() -> list[SourceError]:
        kept = []
        for text in texts:
            try:
                sources.read(text)
            except SourceError as error:
                kept.append(error)
        assert len(kept) == len(texts)
        return kept

    kept = every()
    told = [
        "".join(
            traceback.TracebackException.from_exception(
                error, capture_locals=True
            ).format()
        )
        for error in kept
    ]
    stage.check(b"refused")
    stage.repeat(every, 10)
    assert told
    live.close()
    stage.ended()


@program("sources.Watch", files={"token": "{plain}"}, payloads=())
def source_watched(stage: Stage) -> None:
    """A value that is replaced while it is used, and after."""
    sources = _sources(stage)
    path = f"{stage.folder}/token"
    watch = sources.Watch(sources.File(path), 0.0, {})
    with watch.use() as secret:
        assert len(secret) == 24
        stage.check(b"in use")
        # The new value is the old one and a letter.
        with open(path, "ab") as file:  # noqa: PTH123 - few imports
            file.write(b"x")
        with watch.use() as longer:
            assert len(longer) == 25
            stage.check(b"both in use")
    assert watch.changes == 1
    stage.check(b"the new one")
    watch.close()
    stage.ended()


@program(
    "sources.Age",
    payloads=("{plain}",),
    no_control="see `source_files`: an ordinary value is found there",
)
def source_age(stage: Stage) -> None:
    """A file of age: the identity from a file, the plaintext in secret."""
    from secretmem import age, sources

    identity = age.Identity.generate()
    path = f"{stage.folder}/sealed.age"
    with open(path, "wb") as file:  # noqa: PTH123 - few imports
        age.encrypt_fd(stage.source(), file, [identity.recipient])
    key = os.open(f"{stage.folder}/key", os.O_CREAT | os.O_WRONLY)
    with identity.text() as text:
        text.write_to(key)
    os.close(key)
    source = sources.Age(path, f"{stage.folder}/key")
    secret = source.read()
    assert len(secret) == 24
    stage.check(b"read")
    stage.repeat(lambda: source.read().close(), 100)
    secret.close()
    by_command = sources.Age(sources.Command(["cat", path]), source.identity)
    with by_command.read() as other:
        assert len(other) == 24
        stage.check(b"by a command")
    stage.ended()


@program(
    "sources.Age",
    files={"token": "{plain}"},
    payloads=(),
    no_control="see `source_files`: an ordinary value is found there",
)
def source_age_refused(stage: Stage) -> None:
    """What should be encrypted, and is not: it is looked at in secret."""
    from secretmem import SourceError, sources

    path = f"{stage.folder}/token"

    reasons = set()

    def refused() -> None:
        for source in (path, sources.Command(["cat", path])):
            try:
                sources.Age(source, "/dev/null").read()
            except SourceError as error:
                reasons.add(error.reason)

    refused()
    stage.check(b"refused")
    stage.repeat(refused, 100)
    assert reasons == {"content"}
    stage.ended()
