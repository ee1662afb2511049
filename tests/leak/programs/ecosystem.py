"""Programs: what other libraries show of the Secrets that they are given."""

from __future__ import annotations

import pathlib

from leak.stage import Stage, program


@program(
    "Secret.__get_pydantic_core_schema__",
    "Secret.__get_pydantic_json_schema__",
    files={"token": "{plain}\n"},
    payloads=(),
)
def pydantic_settings(stage: Stage) -> None:
    """Read settings, show them in every way, and fail to."""
    import pydantic

    from secretmem.contrib.pydantic import SourcedSecret

    path = f"{stage.folder}/token"
    if stage.ordinary:
        model = pydantic.create_model("Settings", key=pydantic.SecretStr)
        given = pathlib.Path(path).read_text("ascii")
    else:
        model = pydantic.create_model("Settings", key=SourcedSecret)
        given = f"file:{path}?strip"
    settings = model(key=given)

    def show() -> None:
        again = model.model_validate({"key": given})
        shown = [repr(again), again.model_dump_json(), str(again.model_dump())]
        assert all(shown)
        try:
            model(key=[given])
        except pydantic.ValidationError as error:
            str(error)

    model.model_json_schema()
    stage.check(b"loaded")
    stage.repeat(show, 200)
    del settings
