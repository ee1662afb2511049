"""
Where secrets come from: one way to write it, and to read it.

A source is written as ``SCHEME:...``::

    file:PATH               a file                            strip, max_size
    fd:N                    a descriptor                      strip, max_size
    credential:NAME         what systemd passes               strip, max_size
    docker:NAME             /run/secrets/NAME                 strip, max_size
    k8s:DIR/KEY             a mounted Kubernetes Secret       strip, max_size
    json:FILE#a.b           one string of a JSON document
    dotenv:FILE#NAME        one value of a .env document
    age:FILE?identity=FILE  what is encrypted with age
    cmd:PROGRAM ARGUMENT... a command's output
    sh:TEXT                 a shell's output
    prompt:TEXT             the terminal
    env:NAME                the environment; it was exposed   erase
    keyring:SERVICE/USER    the desktop's keyring; exposed

The ``FILE`` of ``json``, ``dotenv`` and ``age`` may be another source, up to
8 inside each other: ``age:cmd:etcdctl get db?identity=credential:key``.

Options follow a ``?`` and are separated by ``&``; all but ``cmd``, ``sh``
and ``prompt`` have ``encoding=base64`` (or base64url, hex) and ``empty=yes``.
In all but these three, ``%XX`` stands for a byte.

Other packages add schemes by the entry point group ``secretmem.sources``: the
entry point's name is the scheme, its object a subclass of `Source`.
"""

from __future__ import annotations

from secretmem.sources import _registry
from secretmem.sources._age import Age
from secretmem.sources._base import Source, Stream
from secretmem.sources._commands import Command, Shell
from secretmem.sources._documents import Document, Dotenv, Json
from secretmem.sources._files import (
    Credential,
    Descriptor,
    Docker,
    File,
    Kubernetes,
)
from secretmem.sources._objects import Environment, Keyring, Prompt
from secretmem.sources._registry import known, parse, read, schemes
from secretmem.sources._watch import Watch


__all__ = (
    "Age",
    "Command",
    "Credential",
    "Descriptor",
    "Docker",
    "Document",
    "Dotenv",
    "Environment",
    "File",
    "Json",
    "Keyring",
    "Kubernetes",
    "Prompt",
    "Shell",
    "Source",
    "Stream",
    "Watch",
    "known",
    "parse",
    "read",
    "schemes",
)

_registry.OURS.update(
    (each.scheme, each)
    for each in (
        Age,
        File,
        Descriptor,
        Credential,
        Docker,
        Kubernetes,
        Json,
        Dotenv,
        Command,
        Shell,
        Prompt,
        Environment,
        Keyring,
    )
)
