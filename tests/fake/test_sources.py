"""Sources on the fake: what needs no compiled part works."""

from __future__ import annotations

from support import alone


def test_sources_on_the_fake() -> None:
    """They are read and followed; documents and hand-over say why not."""

    def on_the_fake() -> None:
        import pathlib
        import tempfile

        import secretmem

        secretmem.configure(backend="fake")
        from secretmem import UnavailableError, handover, sources

        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "token")
            path.write_text("776f7264\n")
            text = f"file:{path}?encoding=hex"
            with sources.read(text) as secret:
                assert secret.matches("word")
                refused = []
                for action in (
                    lambda: handover.to_descriptor(secret),
                    lambda: secret.dotenv_field("A"),
                    lambda: secret.json_field("a"),
                ):
                    try:
                        action()
                    except UnavailableError as error:
                        refused.append(error.reason)
                assert refused == ["fake"] * 3
            with sources.parse(text).watch(interval=0) as watch:
                path.write_text("7a\n")
                with watch.use() as secret:
                    assert secret.matches("z")

    alone.passes(on_the_fake)
