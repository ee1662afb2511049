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


@program(files={"token": "{plain}\n"}, payloads=())
def settings_source(stage: Stage) -> None:
    """Find a setting's secret by its name, and miss that of another."""
    import pydantic
    from pydantic_settings import BaseSettings, SettingsConfigDict

    from secretmem import Secret
    from secretmem.contrib.pydantic_settings import SecretsSource

    kind: type = pydantic.SecretStr if stage.ordinary else Secret

    class Base(BaseSettings):
        if stage.ordinary:
            model_config = SettingsConfigDict(secrets_dir=str(stage.folder))
        else:

            @classmethod
            def settings_customise_sources(  # type: ignore[override]  # as in the guide
                cls,
                settings_cls: type[BaseSettings],
                **_others: object,
            ) -> tuple[SecretsSource]:
                place = f"file:{stage.folder}/{{name}}?strip"
                return (SecretsSource(settings_cls, place),)

    found = pydantic.create_model("Found", __base__=Base, token=kind)
    missing = pydantic.create_model("Missing", __base__=found, other=kind)
    settings = found()
    kept: list[Exception] = []

    def show() -> None:
        again = found()
        shown = [repr(again), again.model_dump_json(), str(again.model_dump())]
        assert all(shown)
        try:
            missing()
        except pydantic.ValidationError as error:
            kept[:] = [error]

    stage.check(b"loaded")
    stage.repeat(show, 200)
    assert kept
    del settings


_METHODS = (
    *("add", "close", "holds", "install", "scrub"),
    *("shown", "text", "value"),
)


@program(
    *(f"redact.{name}" for name in ("Redactor", "RedactingFilter")),
    "redact.RedactingStream",
    *(f"Redactor.{name}" for name in _METHODS),
    payloads=("{plain}", "{plain}"),
    forms=("plain", "base64", "hex"),
    no_control="a program that redacts has to know the value",
)
def redacted(stage: Stage) -> None:
    """Look for it in what does not hold it, and in what does."""
    import io
    import logging

    from secretmem.redact import RedactingFilter, RedactingStream, Redactor

    first, second = stage.secret(), stage.secret()
    redactor = Redactor(first)
    redactor.add(second)
    first.close()
    stage.check(b"made")
    stream = RedactingStream(io.StringIO(), redactor)
    handler = logging.StreamHandler(stream)
    handler.addFilter(RedactingFilter(redactor))
    logger = logging.getLogger("redacted")
    logger.addHandler(handler)
    redactor.install()

    def use() -> None:
        assert not redactor.holds({"a": [b"nothing here"]})
        redactor.text("nothing in this line either\n\\x00")
        redactor.value(["nothing", second])
        redactor.shown(io)
        try:
            raise ValueError(second)  # noqa: TRY301 - to have a traceback
        except ValueError as error:
            redactor.scrub(error)
            logger.exception("failed %s", second)

    use()
    stage.repeat(use, 200)
    # A copy of the program's own: it is taken out where it is printed.
    with second.reveal() as view:
        assert redactor.holds(bytes(view))
    stage.baseline()
    redactor.close()
    second.close()
    stage.ended()


@program(payloads=("{plain}",))
def flask_session(stage: Stage) -> None:
    """Sign and check the sessions of a web application."""
    import flask

    key = stage.secret()
    app = flask.Flask("of the test")
    if stage.ordinary:
        app.secret_key = stage.hazmat.export_bytes(key)
    else:
        from secretmem.contrib.flask import SessionInterface

        app.secret_key = key
        app.session_interface = SessionInterface()

    @app.get("/")
    def show() -> str:
        flask.session["seen"] = flask.session.get("seen", 0) + 1
        return "seen"

    client = app.test_client()
    assert client.get("/").status_code == 200
    stage.check(b"asked")
    stage.repeat(lambda: client.get("/"), 100)
    key.close()


@program(no_control="another backend of the library is that of `sources`")
def sealed_keyring(stage: Stage) -> None:
    """Keep a password in a sealed store, and read it by the library."""
    import keyring

    from secretmem import SealedStore, Secret, sources
    from secretmem.contrib.keyring import SealedKeyring

    password = stage.secret()
    ring = SealedKeyring(
        SealedStore(Secret.random(32)), f"{stage.folder}/passwords"
    )
    keyring.set_keyring(ring)
    ring.set_secret("service", "user", password)
    stage.check(b"kept")

    def again() -> None:
        with sources.read("keyring:service/user") as read:
            assert read == password

    stage.repeat(again, 200)
    ring.set_secret("service", "user", password)
    password.close()
    stage.ended()
