"""pydantic-settings: each Secret from where it lies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import pydantic
import pytest
from pydantic import BaseModel, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from secretmem import CopiedWarning, Secret, SourceError
from secretmem.contrib.pydantic import SecretStr, SourcedSecret
from secretmem.contrib.pydantic_settings import SecretsSource


if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.needs_secretmem


class Database(BaseModel):
    """A model in the settings."""

    host: str = "localhost"
    password: Secret


class Settings(BaseSettings):
    """What a service needs."""

    model_config = SettingsConfigDict(env_prefix="APP_")

    port: int = 80
    signing_key: Secret
    api_token: Annotated[SecretStr | None, Field(alias="api-token")] = None
    database: Database | None = None


def _settings(
    *places: str, base: type[BaseSettings] = Settings, **fields: str
) -> Any:  # noqa: ANN401 - of a class that is made here
    """Make the settings, which read from these places first."""

    class Made(base):  # type: ignore[misc, valid-type]  # a class per test
        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], **others: object
        ) -> tuple[Any, ...]:
            kept = SecretsSource(settings_cls, *places, fields=fields)
            return (kept, *others.values())

    return Made()


def _mount(folder: Path) -> None:
    """Make a folder as the kubelet does."""
    data = folder / "..2026"
    data.mkdir()
    (folder / "..data").symlink_to("..2026")
    for name in ("signing_key", "api-token", "database_password"):
        (data / name).write_text(f"{name} of the mount\n")
        (folder / name).symlink_to(f"..data/{name}")


def test_a_kubernetes_mount(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Aliases, models in models, and what is no secret."""
    _mount(tmp_path)
    monkeypatch.setenv("APP_PORT", "8080")
    made = _settings(f"k8s:{tmp_path}/{{name}}?strip")
    assert made.port == 8080
    assert made.signing_key.matches("signing_key of the mount")
    assert made.api_token.secret.matches("api-token of the mount")
    assert made.database.host == "localhost"
    assert made.database.password.matches("database_password of the mount")
    assert "mount" not in f"{made!r} {made.model_dump_json()}"


def test_systemd_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next place is asked where one has nothing."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    (tmp_path / "signing_key").write_text("a key")
    places = ("credential:{name}", f"file:{tmp_path}/{{name}}")
    assert _settings(*places).signing_key.matches("a key")
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "signing_key").write_text("a credential")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    made = _settings(*places)
    assert made.signing_key.matches("a credential")
    assert made.api_token is None
    assert made.database is None


def test_the_environment_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is erased, and warns; single fields go first."""
    monkeypatch.setenv("APP_SIGNING_KEY", "hunter2")
    monkeypatch.setenv("OTHER", "other")
    with pytest.warns(CopiedWarning, match="APP_SIGNING_KEY"):
        made = _settings("env:APP_{NAME}")
    assert made.signing_key.matches("hunter2")
    with pytest.warns(CopiedWarning, match="OTHER"):
        made = _settings("env:APP_{NAME}", signing_key="env:OTHER")
    assert made.signing_key.matches("other")
    assert made.signing_key.name == "signing_key"


def test_text_of_the_environment_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without being shown, which pydantic's own class does: the control."""
    monkeypatch.setenv("APP_SIGNING_KEY", "hunter2")
    with pytest.raises(ValidationError, match="not str") as caught:
        _settings()
    assert "hunter2" not in str(caught.value)

    class Theirs(BaseSettings):
        model_config = SettingsConfigDict(env_prefix="APP_")
        signing_key: Annotated[pydantic.SecretStr, Field(min_length=9)]

    with pytest.raises(ValidationError, match="hunter2"):
        Theirs()  # type: ignore[call-arg]  # from the environment


def test_the_environment_names_a_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the type says so; no source of ours is needed."""

    class Sourced(BaseSettings):
        signing_key: SourcedSecret

    path = tmp_path / "key"
    path.write_text("a key")
    monkeypatch.setenv("SIGNING_KEY", f"file:{path}")
    made = Sourced()  # type: ignore[call-arg]  # from the environment
    assert made.signing_key.matches("a key")


def test_what_cannot_be_read(tmp_path: Path) -> None:
    """A missing one is pydantic's affair, another failure is an error."""
    with pytest.raises(ValidationError, match="Field required"):
        _settings(f"file:{tmp_path}/{{name}}")
    (tmp_path / "signing_key").mkdir()
    with pytest.raises(SourceError, match="EISDIR"):
        _settings(f"file:{tmp_path}/{{name}}")
    with pytest.raises(SourceError, match="no scheme 'store'"):
        _settings("store:{name}")


def test_one_field_at_a_time(tmp_path: Path) -> None:
    """As pydantic-settings asks its sources."""
    (tmp_path / "signing_key").write_text("a key")
    source = SecretsSource(Settings, f"file:{tmp_path}/{{name}}")
    field = Settings.model_fields["signing_key"]
    value, key, parsed = source.get_field_value(field, "signing_key")
    assert (value.matches("a key"), key, parsed) == (
        True,
        "signing_key",
        False,
    )
