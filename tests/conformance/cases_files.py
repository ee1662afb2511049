"""Cases C01 to C11: the call and its descriptor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.stage import new_area, told, worked
from conformance.syscalls import O_CLOEXEC, PAGE


if TYPE_CHECKING:
    from conformance.stage import Seen, Stage


def c01_flags(stage: Stage) -> Seen:
    """Only 0 and O_CLOEXEC are accepted."""
    create = stage.process.memfd_secret
    return {
        flags: worked(create, flags) for flags in (0, O_CLOEXEC, 1, 2, 0x800)
    }


def c02_open_flags(stage: Stage) -> Seen:
    """The descriptor is for reading and writing; close-on-exec as asked."""
    plain = stage.process.memfd_secret(0)
    closing = stage.process.memfd_secret(O_CLOEXEC)
    return {
        "F_GETFL": oct(stage.process.getfl(plain)),
        "F_GETFD": stage.process.getfd(plain),
        "F_GETFD, O_CLOEXEC": stage.process.getfd(closing),
    }


def c03_kind(stage: Stage) -> Seen:
    """A regular file of size 0 on a file system of its own."""
    fd = stage.process.memfd_secret(0)
    mode, size, links = stage.process.fstat(fd)
    return {
        "mode": oct(mode),
        "size": size,
        "links": links,
        "f_type": hex(stage.process.fs_magic(fd)),
        "link": stage.process.link_name(fd),
    }


def c04_descriptor_limit(stage: Stage) -> Seen:
    """At RLIMIT_NOFILE the call gives EMFILE."""

    def fill(inner: Stage) -> Seen:
        limit_descriptors(inner, 32)
        for _ in range(40):
            last = worked(inner.process.memfd_secret, 0)
            if last != "ok":
                return last
        return "no limit"

    return {"memfd_secret": stage.child(fill)}


def limit_descriptors(stage: Stage, most: int) -> None:
    """Set RLIMIT_NOFILE."""
    if stage.live:
        import resource

        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    else:
        stage.process.nofile = most


def c05_read_and_write(stage: Stage) -> Seen:
    """read(2) and write(2) have nothing to work on."""
    fd, address = new_area(stage.process)
    return {
        "read": told(stage.process.read, fd, address, 8),
        "write": told(stage.process.write, fd, address, 8),
    }


def c06_positions(stage: Stage) -> Seen:
    """There is no position in the file."""
    fd, address = new_area(stage.process)
    return {
        "pread": told(stage.process.pread, fd, address, 8),
        "pwrite": told(stage.process.pwrite, fd, address, 8),
        "lseek": told(stage.process.lseek, fd),
    }


def c07_fallocate(stage: Stage) -> Seen:
    """Nothing can be allocated or punched."""
    fd, _ = new_area(stage.process)
    return {"fallocate": told(stage.process.fallocate, fd, PAGE)}


def c08_size_once(stage: Stage) -> Seen:
    """The size is set once; 0 before that changes nothing."""
    fd = stage.process.memfd_secret(0)
    resize = stage.process.ftruncate
    return {
        name: told(resize, fd, size)
        for name, size in (
            ("negative", -1),
            ("zero", 0),
            ("first", 2 * PAGE),
            ("same", 2 * PAGE),
            ("grow", 3 * PAGE),
            ("shrink", PAGE),
            ("to zero", 0),
        )
    }


def c09_no_copy_out(stage: Stage) -> Seen:
    """The file's content cannot be moved by descriptor."""
    fd, address = new_area(stage.process)
    reader, writer = stage.process.pipe()
    stage.process.write(writer, address, 8)
    return {
        "splice out": told(stage.process.splice, fd, writer, 8),
        "splice in": told(stage.process.splice, reader, fd, 8),
        "sendfile": told(stage.process.sendfile, writer, fd, 8),
        "fsync": told(stage.process.fsync, fd),
    }


def c10_no_seals(stage: Stage) -> Seen:
    """There are no seals."""
    fd, _ = new_area(stage.process)
    return {"F_ADD_SEALS": told(stage.process.add_seals, fd, 2)}


def c11_not_opened_again(stage: Stage) -> Seen:
    """No path of /proc opens the file again, for root neither."""
    fd, address = new_area(stage.process)
    return {
        "fd": told(stage.process.reopen, fd),
        "map_files": told(stage.process.open_map_file, address, PAGE),
    }
