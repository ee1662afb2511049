"""
`Secret`: a value in secret memory, and everything it refuses.

What touches the bytes is in the compiled base class; this class adds the
sources that need the operating system's help and turns away every way in
which a value usually leaks: printing, hashing, iterating, pickling.
"""

from __future__ import annotations

import os

from secretmem import (
    _errors,  # noqa: F401 - loaded while its file can still be read
    _policy,
)
from secretmem._decoding import Decoding
from secretmem._sources import (
    default_name,
    descriptor_of,
    erase_variable,
    name_file,
)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn, Self, SupportsIndex

    from secretmem import _native
    from secretmem._sources import Descriptor, Path
    from secretmem.age._file import FileSource
    from secretmem.age._wrap import Identity, Recipient
else:
    _native = _policy.bind()

# Larger sources are rarely a secret and often a mistake.
MAX_SIZE = 1 << 20


class Secret(Decoding, _native.SecretBase):
    """
    A value in secret memory.

    The bytes lie in pages that the kernel has removed from its own address
    space (memfd_secret(2)), closed to the rest of the process between uses.
    It is made by one of its constructors, all of which take these keywords:

    Args:
        name: Shown in ``repr`` and logs; public.
        inherit: Whether forked children have it; None takes the choice of
            ``configure(fork=...)``, which is private by default.
        isolated: Gives it pages and guard pages of its own (at least
            4096 locked bytes).
        flush: Flushes the cache lines of its slot and windows after each
            wipe.

    ``len(secret)`` is its length in bytes, ``a == b`` compares two secrets in
    a time that depends on the lengths only, ``secret[4:8]`` and ``a + b``
    are new secrets, and ``with secret:`` closes it at the end.

    All operations raise ClosedError after `close`, ForkError in a forked
    child that does not have the secret, LimitError when RLIMIT_MEMLOCK is
    reached, and UnavailableError at the first use on a machine without
    memfd_secret(2).
    """

    __slots__ = ()

    def __init_subclass__(cls, **_options: object) -> NoReturn:
        raise TypeError("Secret cannot be subclassed: it carries guarantees")

    @classmethod
    def from_file(
        cls,
        path: Path,
        *,
        strip: bool = False,
        max_size: int = MAX_SIZE,
        **options: Any,  # noqa: ANN401 - name, inherit, isolated, flush
    ) -> Self:
        """
        Read a file; its content never exists as a Python object.

        Opening a FIFO blocks until it has a writer.

        Args:
            path: The file, also a FIFO.
            strip: Take ASCII white space off both ends, such as the newline
                that editors add.
            max_size: The largest accepted size in bytes.
            **options: As for every constructor; ``name`` is the file's name
                unless given.

        Raises:
            OSError: The file cannot be opened or read.
            ValueError: It holds more than ``max_size`` bytes.
        """
        default_name(options, os.path.basename(os.fsdecode(path)))  # noqa: PTH119 - pathlib is not loaded here
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY
        fd = os.open(path, flags)
        try:
            return cls.from_fd(fd, strip=strip, max_size=max_size, **options)
        except OSError as error:
            name_file(error, path)
            raise
        finally:
            os.close(fd)

    @classmethod
    def from_fd(
        cls,
        fd: Descriptor,
        *,
        strip: bool = False,
        max_size: int = MAX_SIZE,
        **options: Any,  # noqa: ANN401 - name, inherit, isolated, flush
    ) -> Self:
        """
        Read a descriptor to its end: file, pipe, socket.

        The kernel copies from its buffers into secret memory (read(2)).
        The descriptor stays open.  A pipe, socket or terminal blocks until
        its input ends; signals are handled meanwhile.  There is no limit:
        one that does not block is waited for, whatever ``settimeout`` of a
        socket says.

        Args:
            fd: A number or an object with ``fileno()``.  What a buffered
                file object has read ahead is not seen.
            strip: Take ASCII white space off both ends.
            max_size: The largest accepted size in bytes.
            **options: As for every constructor.

        Raises:
            OSError: The descriptor cannot be read.
            ValueError: It holds more than ``max_size`` bytes.
        """
        number = descriptor_of(fd)
        made = cls._read(
            number, line=False, strip=strip, max_size=max_size, **options
        )
        assert made is not None  # noqa: S101 - only a line can be missing
        return made

    @classmethod
    def from_credential(cls, name: str, **options: Any) -> Self:  # noqa: ANN401 - as from_file
        """
        Read a credential that systemd passed to this service.

        It is the file ``name`` in ``$CREDENTIALS_DIRECTORY`` (systemd.exec(5),
        LoadCredential=).

        Args:
            name: Of the credential.
            **options: As for `from_file`; the Secret's ``name`` is given as
                ``label``.

        Raises:
            LookupError: The service has no credentials.
            OSError, ValueError: As `from_file`.
        """
        folder = os.environ.get("CREDENTIALS_DIRECTORY")
        if not folder:
            raise LookupError(
                "no credentials were passed: CREDENTIALS_DIRECTORY is not "
                "set; add LoadCredential= to the unit"
            )
        if name in ("", ".", "..") or "/" in name:
            raise ValueError("a credential's name is a plain file name")
        options["name"] = options.pop("label", name)
        return cls.from_file(f"{folder}/{name}", **options)

    @classmethod
    def from_env(
        cls,
        name: str,
        *,
        erase: bool = True,
        **options: Any,  # noqa: ANN401 - label, inherit, isolated, flush
    ) -> Self:
        """
        Take an environment variable, and erase it.

        The value is overwritten in the block that the kernel gave the
        process (``/proc/PID/environ``) and in the C library's copy, and the
        variable is removed.  It was exposed before: to the parent, to every
        process that read the block, and to this interpreter, whose
        ``os.environ`` copied it at start-up.

        Args:
            name: The variable.
            erase: False leaves it where it is.
            **options: As for every constructor; the Secret's ``name`` is
                given as ``label``.

        Raises:
            KeyError: There is no such variable.

        Warns:
            CopiedWarning: ``os.environ`` had copied it.  Issued first, so
                that a warning turned into an error loses nothing.
        """
        label = options.pop("label", name)
        return erase_variable(cls, name, erase=erase, name=label, **options)

    @classmethod
    def prompt(
        cls,
        text: str = "Password: ",
        *,
        confirm: bool = False,
        max_size: int = 4096,
        **options: Any,  # noqa: ANN401 - name, inherit, isolated, flush
    ) -> Self:
        """
        Ask on the terminal, with echo off; no ``str`` is ever made.

        Blocks until somebody answers.

        The controlling terminal is used (``/dev/tty``), else standard input
        if it is one.  Empty answers are accepted.  Echo is restored on every
        way out, also when a signal ends or stops the program, except outside
        the main thread.  After a stop it asks again.  Signals that the
        program handles, ignores or blocks stay with it.

        Args:
            text: The prompt.
            confirm: Ask twice and require equal answers.
            max_size: The largest accepted answer in bytes.
            **options: As for every constructor.

        Raises:
            EOFError: The terminal's input ended.
            OSError: There is no terminal (ENXIO, ENOTTY).
            ValueError: The answers differ, or one is too long: more than
                ``max_size``, or 4095 bytes, where the kernel cuts lines.
            KeyboardInterrupt: Ctrl-C.
        """
        options["max_size"] = max_size
        from secretmem._terminal import ask_for

        # Nobody shall type what then cannot be kept.
        _native.start()
        return ask_for(cls, text, options, confirm=confirm)

    @classmethod
    def from_sealed(
        cls,
        source: FileSource,
        *identities: Identity,
        max_size: int = MAX_SIZE,
        name: str | None = None,
    ) -> Secret:
        """
        Decrypt what `seal_to` made, or any other age file.

        Args:
            source: The content (bytes-like), a path, or a descriptor or file
                object.
            *identities: Of `secretmem.age`, tried in turn.
            max_size: The largest accepted size in bytes.
            name: Of the result, which is kept as the identity is.

        Raises:
            NoMatchError, DamagedFileError, WorkFactorError: See
                `secretmem.age.decrypt`.
            ValueError: It holds more than ``max_size`` bytes.
            OSError: It cannot be read.
        """
        opened: Secret = _age().decrypt(
            source, identities, max_size=max_size, name=name
        )
        return opened

    def write_to(self, target: Descriptor) -> None:
        """
        Write all of it to a descriptor: file, pipe, socket.

        The kernel copies from secret memory into its buffers (write(2)): a
        copy then lies in kernel memory and where the reader puts it.  Blocks
        while a pipe or socket is full.

        Args:
            target: A number, or an object with ``fileno()``, which is
                flushed first.

        Raises:
            OSError: For example BrokenPipeError.
        """
        flush = getattr(target, "flush", None)
        if flush is not None:
            flush()
        self._write(descriptor_of(target))

    def seal_to(
        self, *recipients: Recipient | str, armor: bool = False
    ) -> bytes:
        """
        Encrypt it to recipients: the way to another host.

        Args:
            *recipients: Of `secretmem.age`, or their text: ``age1...`` or a
                line of an ssh ``.pub`` file.  Each of them can open it.
            armor: Text for mail and configuration files, a third longer.

        Returns:
            An age file, which may lie in ordinary memory and anywhere else.

        Raises:
            InvalidKey: There is no recipient, or a text is none.
            TypeError: One is something else, such as an identity.
        """
        age = _age()
        to = age._load.given(recipients)  # noqa: SLF001 - of this package
        sealed: bytes = age.encrypt(self, to, armor=armor)
        return sealed

    # What follows turns away the ways in which a value usually leaks.

    def __repr__(self) -> str:
        name = "" if self.name is None else f"{self.name!r} "
        closed = "closed" if self.closed else _policy.active.backend
        return f"<Secret {name}{closed}>"

    def __str__(self) -> str:
        if _policy.active.strict_format:
            raise TypeError(
                "a Secret is not text; secretmem.hazmat.export_str(secret) "
                "makes a copy in ordinary memory"
            )
        return repr(self)

    def __format__(self, spec: str) -> str:
        return str(self)

    def __bytes__(self) -> NoReturn:
        raise TypeError(
            "bytes(secret) would copy it to ordinary memory for good; use "
            "secret.reveal(), or secretmem.hazmat.export_bytes(secret)"
        )

    def __iter__(self) -> NoReturn:
        raise TypeError(
            "a Secret is not iterated: each byte would become an int in "
            "ordinary memory; use secret.reveal()"
        )

    def __reversed__(self) -> NoReturn:
        raise TypeError("a Secret is not iterated; use secret.reveal()")

    def __contains__(self, _part: object) -> NoReturn:
        raise TypeError("a Secret is not searched; use secret.reveal()")

    def __hash__(self) -> NoReturn:
        raise TypeError(
            "a Secret has no hash, which would tell about its content; use "
            "its name or id() as the key"
        )

    def __copy__(self) -> NoReturn:
        raise TypeError("a Secret is not copied; secret[:] makes a second one")

    def __deepcopy__(self, _memo: object) -> NoReturn:
        raise TypeError("a Secret is not copied; secret[:] makes a second one")

    def __reduce_ex__(self, _protocol: SupportsIndex) -> tuple[Any, ...]:
        from secretmem import _passing

        return _passing.reduced(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a Secret shows no state")

    # What pydantic asks of the type of a field.

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:  # noqa: ANN401 - pydantic's own
        from secretmem import _pydantic

        del source, handler
        return _pydantic.schema()

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> Any:  # noqa: ANN401 - pydantic's own
        from secretmem import _pydantic

        return _pydantic.json_schema(schema, handler)


def _age() -> Any:  # noqa: ANN401 - a module that builds on this one
    """Load `secretmem.age`."""
    from importlib import import_module

    return import_module("secretmem.age")
