"""Files that are whole or not there: written beside their place, synced, renamed into it."""

import json
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def atomic_path(target: Path, *, mode: int | None = None) -> Iterator[Path]:
    """Give a temporary path in the folder of `target`; on success it replaces `target`.

    On any exception the temporary file is removed and `target` stays as it was. The file is
    synced before the rename and the folder after it. `mode` None: for those whom the folder is
    open to (`choose_file_mode`). Raises OSError (disk full, no right).
    """
    make_folder(target.parent)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(choose_file_mode(target.parent) if mode is None else mode)
        sync(temporary)
        temporary.replace(target)
        sync(target.parent)
    except BaseException:
        for leftover in (
            temporary,
            temporary.with_name(f"{temporary.name}.wal"),
        ):  # a database's log
            leftover.unlink(missing_ok=True)
        raise


def make_folder(folder: Path) -> None:
    """Make `folder` and those above it that are missing, open to whom the first one there is.

    Raises OSError.
    """
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    for parent in reversed(missing):
        parent.mkdir(mode=0o700, exist_ok=True)
        group = stat.S_IMODE(parent.parent.stat().st_mode) & 0o070
        if group and _is_cohort_place(parent):
            parent.chmod(0o2700 | group)


def close_folder(folder: Path) -> None:
    """Make `folder` where it is missing, and close it to all but its owner unless it is shared.

    Raises OSError.
    """
    make_folder(folder)
    if not folder.stat().st_mode & stat.S_ISGID:
        folder.chmod(0o700)


def choose_file_mode(folder: Path) -> int:
    """Rights of a new file in `folder`: its owner's, and those of the group that may look in.

    A folder is shared with a group by its setgid bit (`ptacl share`); others never count.
    """
    mode = folder.stat().st_mode
    if not mode & stat.S_ISGID:
        return 0o600
    return 0o600 | (mode & 0o060)


def _is_cohort_place(folder: Path) -> bool:
    return bool(folder.parent.stat().st_mode & stat.S_ISGID)


def write_bytes(target: Path, data: bytes, *, mode: int | None = None) -> None:
    """Replace `target` with `data` atomically."""
    with atomic_path(target, mode=mode) as temporary:
        temporary.write_bytes(data)


def write_text(target: Path, text: str, *, mode: int | None = None) -> None:
    """Replace `target` with UTF-8 `text` atomically."""
    write_bytes(target, text.encode(), mode=mode)


def write_json(target: Path, document: Any, *, mode: int | None = None) -> None:
    """Replace `target` with `document` as `format_json` has it, atomically."""
    write_text(target, format_json(document), mode=mode)


def format_json(document: Any) -> str:
    """Indented JSON with a last line feed. Raises ValueError where a number is not finite."""
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


def sync(path: Path) -> None:
    """Have a file or folder on the disk before what follows. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
