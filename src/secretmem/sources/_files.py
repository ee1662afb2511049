"""Sources that are files and descriptors."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from secretmem import Secret
from secretmem.sources._base import Stream
from secretmem.sources._registry import begins_one, known
from secretmem.sources._text import quoted, scheme_of, split, syntax


if TYPE_CHECKING:
    from typing import Any, Self

    from secretmem.exceptions import SourceError
    from secretmem.sources._base import Source
    from secretmem.sources._text import Parts


DOCKER = "/run/secrets"
"""Where Docker mounts a service's secrets."""


class File(Stream):
    """
    ``file:PATH``: a file, also a FIFO.

    Args:
        path: The file.
        **options: As for every stream.
    """

    scheme = "file"

    def __init__(
        self,
        path: str | os.PathLike[str],
        **options: Any,  # noqa: ANN401 - as for every stream
    ) -> None:
        super().__init__(**options)
        self.path = os.fspath(path)
        if not self.path or "\0" in self.path:
            raise ValueError("a file's path is not empty and has no NUL")

    @classmethod
    def parse(cls, text: str, rest: str) -> Self:
        """Take the path as it is written, absolute or not."""
        parts = split(text, rest).only(*cls.options)
        path = cls._path(parts)
        made = cls.__new__(cls)
        File.__init__(made, path, **cls._keywords(parts))
        return made

    @classmethod
    def _path(cls, parts: Parts) -> str:
        return path_in(parts)

    @property
    def name(self) -> str:
        """The file's own name."""
        return os.path.basename(self.path)  # noqa: PTH119 - as written

    def _load(self, options: dict[str, Any]) -> Secret:
        return Secret.from_file(
            self.path, strip=self.strip, max_size=self.max_size, **options
        )

    def _failed(self, error: OSError) -> SourceError:
        made = super()._failed(error)
        scheme = scheme_of(self.path)
        if made.reason == "missing" and scheme and not known(scheme):
            made.remedy += f"; there is no scheme {scheme!r}"
        return made

    def stamp(self) -> object | None:
        """Give inode, size and times of what the name leads to now."""
        found = os.stat(self.path)  # noqa: PTH116 - a tenth of pathlib's time
        return (
            found.st_dev,
            found.st_ino,
            found.st_size,
            found.st_mtime_ns,
            found.st_ctime_ns,
        )

    def __str__(self) -> str:
        return self._written(self._body())

    def _body(self) -> str:
        return self.path


class Docker(File):
    """
    ``docker:NAME``: the file that Docker mounts in ``/run/secrets``.

    Args:
        name: Of the secret.
        **options: As for every stream.
    """

    scheme = "docker"

    def __init__(self, name: str, **options: Any) -> None:  # noqa: ANN401 - as for every stream
        super().__init__(f"{DOCKER}/{plain(name)}", **options)

    @classmethod
    def _path(cls, parts: Parts) -> str:
        return f"{DOCKER}/{plain(parts.body, parts.text)}"

    def _body(self) -> str:
        return self.name


class Kubernetes(File):
    """
    ``k8s:DIR/KEY``: one key of a Secret that is mounted at a directory.

    The kubelet changes all keys at once, by a new target of the symbolic
    link ``..data`` in that directory; `stamp` follows it.

    Args:
        folder: Where the volume is mounted.
        key: Of the Secret.
        **options: As for every stream.
    """

    scheme = "k8s"

    def __init__(
        self,
        folder: str,
        key: str,
        **options: Any,  # noqa: ANN401 - as for every stream
    ) -> None:
        super().__init__(f"{folder}/{plain(key)}", **options)

    @classmethod
    def _path(cls, parts: Parts) -> str:
        folder, _, key = parts.body.rpartition("/")
        if not folder:
            raise syntax(
                parts.text, "it is a directory and a key", "write k8s:DIR/KEY"
            )
        return f"{folder}/{plain(key, parts.text)}"


class Credential(Stream):
    """
    ``credential:NAME``: what systemd passes (systemd.exec(5)).

    Args:
        name: Of the credential.
        **options: As for every stream.
    """

    scheme = "credential"

    def __init__(self, name: str, **options: Any) -> None:  # noqa: ANN401 - as for every stream
        super().__init__(**options)
        self._name = plain(name)

    @classmethod
    def parse(cls, text: str, rest: str) -> Self:
        """Take a plain file name."""
        parts = split(text, rest).only(*cls.options)
        return cls(plain(parts.body, text), **cls._keywords(parts))

    @property
    def name(self) -> str:
        """The credential's name."""
        return self._name

    def _load(self, options: dict[str, Any]) -> Secret:
        kept = {k: v for k, v in options.items() if k != "name"}
        return Secret.from_credential(
            self._name,
            label=options["name"],
            strip=self.strip,
            max_size=self.max_size,
            **kept,
        )

    def __str__(self) -> str:
        return self._written(self._name)


class Descriptor(Stream):
    """
    ``fd:N``: a descriptor of this process, read to its end.

    It stays open.

    Args:
        fd: Its number.
        **options: As for every stream.
    """

    scheme = "fd"

    def __init__(self, fd: int, **options: Any) -> None:  # noqa: ANN401 - as for every stream
        super().__init__(**options)
        if fd < 0:
            raise ValueError("a descriptor is not negative")
        self.fd = fd

    @classmethod
    def parse(cls, text: str, rest: str) -> Self:
        """Take a number."""
        parts = split(text, rest).only(*cls.options)
        number = parts.body
        # More digits are no int of the kernel's.
        if not (number.isascii() and number.isdigit() and len(number) < 10):  # noqa: PLR2004
            raise syntax(text, "it is the number of a descriptor")
        return cls(int(number), **cls._keywords(parts))

    @property
    def name(self) -> str:
        """Such as ``fd 3``."""
        return f"fd {self.fd}"

    def _load(self, options: dict[str, Any]) -> Secret:
        return Secret.from_fd(
            self.fd, strip=self.strip, max_size=self.max_size, **options
        )

    def __str__(self) -> str:
        return self._written(str(self.fd))


def path_in(parts: Parts) -> str:
    """Return the path that a text form states."""
    if not parts.body:
        raise syntax(parts.text, "it names no file")
    return parts.body


def inside(source: Source) -> str:
    """Write a source as it stands in another one: a file by its path."""
    path = path_of(source)
    return str(source) if path is None else quoted(path)


def path_of(source: Source) -> str | None:
    """Return the path of a file for which a path stands; else None."""
    if type(source) is not File or source != File(source.path):
        return None
    return None if begins_one(source.path) else source.path


def plain(name: str, text: str | None = None) -> str:
    """Check that a name leads nowhere but into its directory."""
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        message = "the name is a plain file name"
        raise ValueError(message) if text is None else syntax(text, message)
    return name
