"""What pydantic is told of `Secret` as the type of a field."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticCustomError, ValidationError, core_schema

from secretmem import _policy
from secretmem.exceptions import SourceError


if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic_core.core_schema import CoreSchema

    from secretmem import _native
    from secretmem._secret import Secret
else:
    _native = _policy.bind()


MASK = "**********"


def schema() -> CoreSchema:
    """Give the schema of `Secret`."""
    return core_schema.no_info_plain_validator_function(
        as_it_is,
        json_schema_input_schema=core_schema.str_schema(),
        serialization=masked(),
    )


def json_schema(
    schema: CoreSchema, handler: GetJsonSchemaHandler
) -> dict[str, Any]:
    """Say what pydantic says of its SecretStr."""
    return handler(schema) | {"format": "password", "writeOnly": True}


def masked() -> core_schema.SerSchema:
    """Hide a field's value in JSON, as pydantic does for its SecretStr."""
    return core_schema.plain_serializer_function_ser_schema(
        lambda _: MASK,
        return_schema=core_schema.str_schema(),
        when_used="json",
    )


def as_it_is(value: Any) -> Secret:  # noqa: ANN401 - what is checked
    """Take a Secret, and a source, which is read; no text."""
    if isinstance(value, _native.SecretBase):
        secret: Secret = value  # type: ignore[assignment]  # its only subclass
        return secret
    # Whoever has a source has loaded that module.
    sources = sys.modules.get("secretmem.sources")
    if sources is not None and isinstance(value, sources.Source):
        try:
            read: Secret = value.read()
        except SourceError as error:
            raise failure("secret_source", error.in_one()) from None
        return read
    raise failure(
        "secret_type",
        f"a Secret is taken, or a source to read, not {type(value).__name__}: "
        "secretmem.contrib.pydantic has SourcedSecret for the text of a "
        "source, CopiedSecret for the secret as text",
    )


def failure(kind: Any, text: str) -> ValidationError:  # noqa: ANN401 - pydantic wants a literal string
    """Make an error that does not show its input, whatever that was."""
    return ValidationError.from_exception_data(
        "Secret",
        [
            {
                "type": PydanticCustomError(kind, "{text}", {"text": text}),
                "input": MASK,
            }
        ],
    )
