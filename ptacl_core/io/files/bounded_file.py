"""Reading a file whole, never more than a bound, with faults told in words."""

import errno
import stat
import sys
from pathlib import Path

from ptacl_core.errors import UnreadableFileError, UnsupportedFormatError
from ptacl_core.safety.text.printable import clean_text

MAX_FILE_BYTES = 512 * 1024**2
"""Largest recording that the readers take, packed or unpacked."""

MAX_TABLE_BYTES = 256 * 1024**2
"""Largest text table: parsing text needs several times its size in memory."""


_NO_SUCH_FILE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


def shown_name(path: Path) -> str:
    """The last part of `path`, safe to print; never its folders."""
    return clean_text(path.name, max_length=80) or "this path"


def check_file(path: Path, *, max_bytes: int = MAX_FILE_BYTES) -> int:
    """Size of the regular file `path` in bytes.

    Raises UnreadableFileError for a missing path, a folder, a device or pipe, an empty file
    and a file without right to read; UnsupportedFormatError for one above `max_bytes`.
    """
    name = shown_name(path)
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        if isinstance(error, ValueError) or error.errno in _NO_SUCH_FILE:
            raise UnreadableFileError(
                f"{name}: there is no such file; check the spelling and the folder"
            ) from None
        raise UnreadableFileError(
            f"{name}: the path cannot be used ({_reason(error)}); check its name and rights"
        ) from error
    if stat.S_ISDIR(status.st_mode):
        raise UnreadableFileError(
            f"{name}: expected a file, found a folder; name a file in it, or give the "
            "folder to `ptacl preprocess`"
        )
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableFileError(
            f"{name}: expected a regular file, found a device, pipe or socket"
        )
    size = status.st_size
    if size == 0:
        raise UnreadableFileError(f"{name}: the file is empty (0 bytes); copy or export it again")
    if size > max_bytes:
        raise UnsupportedFormatError(
            f"{name}: the file has {size / 1024**2:.0f} MB, at most {max_bytes / 1024**2:.0f} MB "
            "are read; cut out the part that is wanted"
        )
    return size


def read_bytes(path: Path, *, max_bytes: int = MAX_FILE_BYTES) -> bytes:
    """The bytes of `path`, not mapped but read (a mapped file that shrinks kills the process).

    Raises what `check_file` raises, and UnreadableFileError when reading fails.
    """
    check_file(path, max_bytes=max_bytes)
    return _read(path, max_bytes)


def read_head(path: Path, *, num_bytes: int) -> bytes:
    """The first `num_bytes` of `path`, whatever its size. Raises as `check_file`."""
    check_file(path, max_bytes=sys.maxsize)
    return _read(path, num_bytes)


def _read(path: Path, num_bytes: int) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(num_bytes)
    except OSError as error:
        raise UnreadableFileError(
            f"{shown_name(path)}: the file cannot be read ({_reason(error)}); check its rights "
            "and the disk"
        ) from error


def _reason(error: OSError | ValueError) -> str:
    """What the system says, without the path that OSError's text would hold."""
    return (error.strerror if isinstance(error, OSError) else None) or "not a usable path"
