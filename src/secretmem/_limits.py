"""
Why a request for secret memory hit RLIMIT_MEMLOCK, and who holds the rest.

Two accounting regimes exist (getrlimit(2), mm/secretmem.c):

``per-process``
    The length of every mapping is charged to the process at ``mmap``,
    which answers EAGAIN.  CAP_IPC_LOCK is exempt.
``per-user``
    Each page is charged to the real uid at its first touch, which is a
    SIGBUS, or EFAULT when the kernel touches it.  Nobody is exempt.  This
    is what "mm/secretmem: properly account locked pages" introduced, also
    in stable kernels, so a version number does not tell which one runs.

Nothing here raises: a limit error must not turn into another error because
``/proc`` is not mounted.  What cannot be read is left out of the message.
"""

from __future__ import annotations

import os

from secretmem.exceptions import LimitError


PER_PROCESS = "per-process"
PER_USER = "per-user"

# The kernel prints this name for every secretmem file, in maps and in the
# links of /proc/PID/fd.
FILE_NAME = "/secretmem (deleted)"

_SHOWN_HOLDERS = 5


class Holder:
    """
    One process that holds secret memory.

    ``mapped`` is the length of its mappings and ``resident`` what of them is
    in RAM, both in bytes; ``resident`` is None where smaps cannot be read.
    ``descriptors`` counts open secretmem descriptors, None where
    ``/proc/PID/fd`` cannot be read: a descriptor alone holds memory too.
    """

    __slots__ = ("comm", "descriptors", "mapped", "pid", "resident")

    def __init__(
        self,
        pid: int,
        comm: str,
        mapped: int,
        resident: int | None,
        descriptors: int | None,
    ) -> None:
        """Record what was read about ``pid``."""
        self.pid = pid
        self.comm = comm
        self.mapped = mapped
        self.resident = resident
        self.descriptors = descriptors

    def __repr__(self) -> str:
        """Show every field; none of them is secret."""
        return (
            f"Holder(pid={self.pid}, comm={self.comm!r}, "
            f"mapped={self.mapped}, resident={self.resident}, "
            f"descriptors={self.descriptors})"
        )

    def charged(self, regime: str | None) -> int:
        """Return the bytes that count against the limit under ``regime``."""
        if regime == PER_USER and self.resident is not None:
            return self.resident
        return self.mapped


def limit_error(need: int, have: int | None, what: str) -> LimitError:
    """
    Build the error for a request of ``need`` bytes that hit the limit.

    ``have`` is what is left, in bytes, or None to find it out.  ``what``
    names the request, such as "a 16 KiB area".  The error is returned, not
    raised, and carries ``need``, ``have`` and ``holders``.
    """
    kind = regime()
    soft = soft_limit()
    found, hidden = scan(os.getuid())
    if have is None:
        have = room(kind, soft, found)
    # Per user the kernel shows no counter; what others hold is missing.
    most = "at most " if kind == PER_USER else ""
    left = "an unknown number of" if have is None else f"{most}{have}"
    message = (
        f"{what} needs {need} bytes of secret memory, {left} bytes are left "
        f"of RLIMIT_MEMLOCK ({_bytes(soft)}{_counted(kind)}). "
        f"{_held_by(found, hidden, kind)} {remedy(need, soft)}"
    )
    return LimitError(message, need=need, have=have, holders=tuple(found))


def remedy(need: int, soft: int | None) -> str:
    """Return what to do about a limit of ``soft`` bytes, with exact lines."""
    kib = max(8192, ((soft or 0) + need + 1023) // 1024)
    return (
        "Close secrets that are no longer used, or raise the limit: "
        f"`ulimit -l {kib}` in the shell, `LimitMEMLOCK={kib}K` in the "
        f"[Service] section of a systemd unit, `docker run --ulimit "
        f"memlock={kib * 1024}:{kib * 1024}`. On Kubernetes the limit comes "
        "from the unit of the container runtime."
    )


def soft_limit() -> int | None:
    """
    Return the soft RLIMIT_MEMLOCK in bytes; None for no limit or unknown.

    Read from /proc, since a process that gave up its privileges or changed
    its root may be unable to import anything any more.
    """
    name = "Max locked memory"
    for line in (_read("/proc/self/limits") or "").splitlines():
        if line.startswith(name):
            soft = line[len(name) :].split()[0]
            return int(soft) if soft.isdigit() else None
    return None


def room(
    kind: str | None, soft: int | None, found: list[Holder]
) -> int | None:
    """
    Return the bytes left under ``soft``; None when that is not known.

    Per process the kernel's own counter (VmLck) decides.  Per user the
    kernel shows no counter: the estimate is the limit less the resident
    bytes of the holders that could be read, so it is an upper bound.
    """
    if soft is None:
        return None
    if kind == PER_USER:
        used = sum(holder.charged(kind) for holder in found)
    else:
        locked = _field("/proc/self/status", "VmLck:")
        if locked is None:
            return None
        used = locked * 1024
    return max(0, soft - used)


def regime() -> str | None:
    """
    Return how this kernel counts secret pages; None when it cannot be told.

    Makes one secretmem mapping of one page and never touches it, so that no
    page is allocated: under ``per-process`` accounting the mapping is marked
    locked (``lo`` in smaps) or refused with EAGAIN.  Calls memfd_secret(2):
    only for callers that know that no seccomp filter kills for it.
    """
    try:
        import errno
        import mmap

        fd = _memfd_secret()
    except (OSError, AttributeError, ImportError):
        return None
    try:
        size = mmap.PAGESIZE
        os.ftruncate(fd, size)
        with mmap.mmap(fd, size, mmap.MAP_SHARED, mmap.PROT_READ):
            flags = _vm_flags("/proc/self/smaps", os.fstat(fd).st_ino)
    except OSError as error:
        return PER_PROCESS if error.errno == errno.EAGAIN else None
    finally:
        os.close(fd)
    if flags is None:
        return None
    return PER_PROCESS if "lo" in flags else PER_USER


def holders(uid: int, proc: str = "/proc") -> list[Holder]:
    """Return the processes of real user ``uid`` that hold secret memory."""
    return scan(uid, proc)[0]


def scan(uid: int, proc: str = "/proc") -> tuple[list[Holder], int]:
    """
    Return the holders of ``uid``, largest first, and how many are hidden.

    A process is hidden when its maps cannot be read: another user's, or one
    that is not dumpable.
    """
    found: list[Holder] = []
    hidden = 0
    for pid in _pids(proc):
        place = f"{proc}/{pid}"
        if _field(f"{place}/status", "Uid:") != uid:
            continue
        holder = read_holder(pid, place)
        if holder is None:
            hidden += 1
        elif holder.mapped or holder.descriptors:
            found.append(holder)
    found.sort(key=lambda holder: -holder.mapped)
    return found, hidden


def read_holder(pid: int, place: str) -> Holder | None:
    """
    Return what ``place`` (its directory in /proc) shows; None when hidden.

    A process that ended meanwhile holds nothing.
    """
    try:
        mapped = mapped_bytes(f"{place}/maps")
    except PermissionError:
        return None
    except OSError:
        return Holder(pid, "", 0, 0, 0)
    resident = resident_bytes(f"{place}/smaps") if mapped else 0
    descriptors = count_descriptors(f"{place}/fd")
    return Holder(pid, comm(place), mapped, resident, descriptors)


def mapped_bytes(path: str) -> int:
    """
    Return the summed length in bytes of the secretmem mappings in ``path``.

    Raises OSError when the file cannot be read.
    """
    total = 0
    with open(path, encoding="utf-8", errors="replace") as lines:  # noqa: PTH123 - pathlib is not loaded here
        for line in lines:
            if line.rstrip().endswith(FILE_NAME):
                first, last = line.split(maxsplit=1)[0].split("-")
                total += int(last, 16) - int(first, 16)
    return total


def resident_bytes(path: str) -> int | None:
    """
    Return the bytes of secretmem mappings in RAM, from an smaps file.

    None when the file cannot be read.
    """
    text = _read(path)
    if text is None:
        return None
    total = 0
    inside = False
    for line in text.splitlines():
        if _is_header(line):
            inside = line.endswith(FILE_NAME)
        elif inside and line.startswith("Rss:"):
            total += int(line.split()[1]) * 1024
    return total


def count_descriptors(path: str) -> int | None:
    """
    Return how many links in ``path`` (a /proc/PID/fd) are secretmem files.

    None when the directory cannot be read.
    """
    try:
        names = os.listdir(path)  # noqa: PTH208 - pathlib is not loaded here
    except OSError:
        return None
    return sum(is_secretmem(f"{path}/{name}") for name in names)


def is_secretmem(path: str) -> bool:
    """Tell whether a link in a /proc/PID/fd is that of a secretmem file."""
    return _link(path) == FILE_NAME


def _held_by(found: list[Holder], hidden: int, kind: str | None) -> str:
    """Name the largest holders, and say how many could not be read."""
    if kind == PER_PROCESS:
        own = [holder for holder in found if holder.pid == os.getpid()]
        held = own[0].mapped if own else 0
        return f"This process maps {held} bytes of secret memory."
    shown = [
        f"pid {holder.pid} ({holder.comm}) {holder.charged(kind)} bytes"
        for holder in found[:_SHOWN_HOLDERS]
    ]
    more = len(found) - len(shown)
    if more:
        shown.append(f"{more} more")
    text = "Held by this user: " + (", ".join(shown) or "nothing seen")
    if hidden:
        text += f"; not readable: {hidden} of its processes"
    return text + "."


def _counted(kind: str | None) -> str:
    """Say in words how ``kind`` counts."""
    if kind == PER_USER:
        return ", counted per user at first touch, root included"
    if kind == PER_PROCESS:
        return ", counted per process at mmap"
    return ""


def _bytes(size: int | None) -> str:
    """Name a limit of ``size`` bytes."""
    return "no limit shown" if size is None else f"{size} bytes"


def _memfd_secret() -> int:
    """
    Call memfd_secret(2) with O_CLOEXEC and return the descriptor.

    447 is its number in the generic table and on x86; x32 is not met.
    """
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    fd: int = libc.syscall(447, os.O_CLOEXEC)
    if fd < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return fd


def _vm_flags(path: str, inode: int) -> list[str] | None:
    """Return VmFlags of the mapping of secretmem file ``inode``."""
    inside = False
    for line in (_read(path) or "").splitlines():
        if _is_header(line):
            words = line.split(maxsplit=5)
            inside = line.endswith(FILE_NAME) and words[4] == str(inode)
        elif inside and line.startswith("VmFlags:"):
            return line.split()[1:]
    return None


def _is_header(line: str) -> bool:
    """Tell the header of a mapping in smaps from its values."""
    first = line.split(maxsplit=1)[:1]
    return bool(first) and "-" in first[0] and not first[0].endswith(":")


def _pids(proc: str) -> list[int]:
    """Return the process ids listed in ``proc``."""
    try:
        names = os.listdir(proc)  # noqa: PTH208 - pathlib is not loaded here
    except OSError:
        return []
    return sorted(int(name) for name in names if name.isdigit())


def comm(place: str) -> str:
    """
    Return the command name of the process at ``place``, or "?".

    Any user may name a process, with control characters too: those are
    replaced, so that a message cannot steer a terminal.
    """
    name = (_read(f"{place}/comm") or "?").rstrip("\n")
    return "".join(each if each.isprintable() else "?" for each in name)


def _field(path: str, name: str) -> int | None:
    """Return the first number after ``name`` in a status file."""
    for line in (_read(path) or "").splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    return None


def _link(path: str) -> str:
    """Return where ``path`` points, or nothing when it is gone."""
    try:
        return os.readlink(path)  # noqa: PTH115 - pathlib is not loaded here
    except OSError:
        return ""


def _read(path: str) -> str | None:
    """Return the text of ``path``, None when it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - pathlib is not loaded here
            return file.read()
    except OSError:
        return None
