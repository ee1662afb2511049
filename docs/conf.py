"""Sphinx: Markdown by MyST, the API from docstrings, warnings as errors."""

from __future__ import annotations

import re
import tomllib
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol


if TYPE_CHECKING:
    from collections.abc import Callable


_ROOT = Path(__file__).resolve().parent.parent
_CARGO = tomllib.loads((_ROOT / "rust" / "Cargo.toml").read_text("utf-8"))

project = "secretmem"
author = "The secretmem maintainers"
copyright = "the secretmem maintainers"  # noqa: A001 - Sphinx's name for it
# Stated once, in the Cargo workspace.
version = release = _CARGO["workspace"]["package"]["version"]

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["_build"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# Docstrings name Python objects in single backquotes.
default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = f"secretmem {version}"
html_copy_source = False

# Not objects of the reference: an argument, and classes of the library that
# signatures name.
nitpick_ignore = [
    ("py:obj", "size"),
    ("py:obj", "secretmem.crypto.errors"),
    ("py:obj", "decrypt_into"),
    ("py:obj", "decrypt_to_secret"),
    ("py:class", "Buffer"),
    ("py:class", "HasFileno"),
    ("py:class", "PathLike"),
    ("py:class", "Finding"),
    ("py:class", "KeyParameters"),
    ("py:class", "Session"),
    ("py:class", "timedelta"),
    ("py:class", "Key"),
    ("py:class", "Loaded"),
    ("py:class", "Named"),
    ("py:class", "_Default"),
    ("py:class", "RSAPublicNumbers"),
    ("py:exc", "AuditError"),
    ("py:exc", "ImproperlyConfigured"),
    ("py:class", "secretmem.model.config.Config"),
    ("py:exc", "UnsupportedAlgorithm"),
]
# Those of other libraries, under the names that signatures give cryptography's
# modules.
nitpick_ignore_regex = [
    (
        r"py:(class|exc)",
        r"(django|httpx|joserfc|jwt|keyring|nacl|paramiko|pg8000|psycopg|requests)\..*",
    ),
    ("py:class", r"secretmem\.contrib\.pydantic\._T"),
    (
        "py:class",
        "(BaseSettings|FieldInfo|CoreSchema|GetCoreSchemaHandler|Flask)",
    ),
    ("py:class", r"(PGconn|(Async)?RowFactory|Row)"),
    ("py:class", r"(logging|os|socket|threading)\..*"),
    ("py:class", r"secretmem\.crypto\.stream\._(Reader|Writer)"),
    ("py:class", r"(cryptography|forms|hashes|paddings|pyca|utils)\..*"),
]

# Names that the package gives to types for its own use.
_ALIASES = {
    "Path": "str | bytes | PathLike",
    "Descriptor": "int | HasFileno",
    "Backend": "Literal['memfd_secret', 'mlock', 'fake']",
    "Fork": "Literal['private', 'inherit']",
    "Parameters": "KeyParameters | None",
    "Keys": "Secret | Iterable[Secret]",
    "Gate": "Literal['auto', 'mprotect']",
    "FileSource": "Buffer | str | PathLike | int | HasFileno",
    "Recipients": "Iterable[Recipient | SSHRecipient | Passphrase]",
    "Identities": "Sequence[Identity | SSHIdentity | Passphrase]",
    "Items": "MutableMapping[str, bytes]",
    "ReadItems": "Mapping[str, bytes]",
    "Values": "Mapping[str, Secret] | Iterable[tuple[str, Secret]]",
    "Progress": "Callable[[int], object]",
    "Loaded": "Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey",
}


class _Sphinx(Protocol):
    """What is used of Sphinx, which the type checker need not have."""

    def connect(self, event: str, callback: Callable[..., object]) -> int:
        """Call ``callback`` at each ``event``."""


def _spell_out(
    app: _Sphinx,
    what: str,
    name: str,
    obj: object,
    options: object,
    signature: str | None,
    returns: str | None,
) -> tuple[str | None, str | None]:
    """Show what a type is, where its name is the package's own."""
    del app, what, obj, options
    if name in ("secretmem.Secret", "secretmem.age.SSHIdentity"):
        return "", returns  # it is made by its constructors only
    for alias, meaning in _ALIASES.items():
        if signature is not None:
            signature = re.sub(rf": {alias}\b", f": {meaning}", signature)
        if returns == alias:
            returns = meaning
    return signature, returns


def _check_yaml(app: _Sphinx, page: str, source: list[str]) -> None:
    """Stop at YAML that no program could read."""
    del app
    yaml = import_module("yaml")  # MyST needs it
    block = re.compile(
        r"^```(?:\{code-block\} )?yaml\n(?::[^\n]*\n)*(.*?)^```$",
        re.MULTILINE | re.DOTALL,
    )
    for match in block.finditer(source[0]):
        try:
            yaml.safe_load(match[1])
        except yaml.YAMLError as error:
            raise ValueError(f"{page}: {error}") from None


def setup(app: _Sphinx) -> None:
    """Register what this file adds to Sphinx."""
    app.connect("source-read", _check_yaml)
    app.connect("autodoc-process-signature", _spell_out)
