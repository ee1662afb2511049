"""
pydantic-settings with Secrets that are read where they are kept.

A settings class names, once, where its secrets lie::

    @classmethod
    def settings_customise_sources(cls, settings_cls, **others):
        kept = SecretsSource(settings_cls, "k8s:/etc/secrets/{name}?strip")
        return kept, *others.values()

Each field that holds a ``Secret`` (or a class of `secretmem.contrib.pydantic`)
is then read into secret memory; the other fields come from where they came
from before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args
from urllib.parse import quote

from secretmem import Secret, sources
from secretmem.contrib._common import missing
from secretmem.exceptions import SourceError


try:
    from pydantic import BaseModel
    from pydantic_settings import PydanticBaseSettingsSource
except ImportError as error:
    raise missing("pydantic_settings", "pydantic-settings>=2.3") from error

from secretmem.contrib.pydantic import SecretBytes, SecretStr


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic.fields import FieldInfo
    from pydantic_settings import BaseSettings

__all__ = ("SecretsSource",)

_OURS = (Secret, SecretStr, SecretBytes)


class SecretsSource(PydanticBaseSettingsSource):
    """
    Where the Secrets of a settings class lie.

    Args:
        settings_cls: The class, as pydantic-settings passes it.
        *places: Texts of `secretmem.sources`, tried in this order.  In each,
            ``{name}`` stands for the field's name (its alias, if it has
            one), ``{NAME}`` for the same in upper case.  Fields of models in
            fields are ``outer_inner``, or with the settings' own
            ``env_nested_delimiter`` between.
        fields: Texts of sources for single fields, by their names; these
            are tried first.

    A field that is in none of the places is left to the other sources of
    the settings.

    Raises:
        SourceError: When the settings are made: a place is there and cannot
            be read, or is not written as it should be.
    """

    def __init__(
        self,
        settings_cls: type[BaseSettings],
        *places: str,
        fields: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(settings_cls)
        self._places = places
        self._fields = dict(fields or {})
        self._between = self.config.get("env_nested_delimiter") or "_"

    def get_field_value(
        self, field: FieldInfo, field_name: str
    ) -> tuple[Any, str, bool]:
        """Read one field: the value, or None; its key; that it is no JSON."""
        key = _key(field, field_name)
        return self._found(key), key, False

    def __call__(self) -> dict[str, Any]:
        """Read all fields that hold Secrets, and are in a place."""
        return self._of_model(self.settings_cls, "")

    def _of_model(self, model: type[BaseModel], above: str) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, field in model.model_fields.items():
            key = _key(field, name)
            types = list(_types(field.annotation))
            found: object = None
            if any(issubclass(each, _OURS) for each in types):
                found = self._found(above + key)
            for each in types:
                if found is None and issubclass(each, BaseModel):
                    inner = f"{above}{key}{self._between}"
                    found = self._of_model(each, inner) or None
            if found is not None:
                values[key] = found
        return values

    def _found(self, name: str) -> Secret | None:
        for text in self._texts(name):
            try:
                return sources.read(text, name=name)
            except SourceError as error:
                if error.reason != "missing":
                    raise
        return None

    def _texts(self, name: str) -> Iterable[str]:
        if name in self._fields:
            yield self._fields[name]
        for place in self._places:
            yield place.replace("{name}", _written(name)).replace(
                "{NAME}", _written(name.upper())
            )


def _key(field: FieldInfo, name: str) -> str:
    """Give the key under which pydantic takes a field."""
    alias = field.validation_alias or field.alias
    return alias if isinstance(alias, str) else name


def _types(annotation: object) -> Iterable[type]:
    """Give the classes that a type is made of: unions, Annotated."""
    if isinstance(annotation, type):
        yield annotation
    for part in get_args(annotation):
        yield from _types(part)


def _written(name: str) -> str:
    """Write a name so that it is one step of a source's text."""
    return quote(name, safe="")
