"""Files that are whole or not there: written beside their place, synced, renamed into it."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


@contextmanager
def atomic_path(target: Path, *, mode: int = 0o600) -> Iterator[Path]:
    """Give a temporary path in the folder of `target`; on success it replaces `target`.

    On any exception the temporary file is removed and `target` stays as it was. The file is
    synced before the rename and the folder after it. Raises OSError (disk full, no right).
    """
    make_folder(target.parent)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(mode)
        _sync(temporary)
        temporary.replace(target)
        _sync(target.parent)
    except BaseException:
        with suppress(FileNotFoundError):
            temporary.unlink()
        raise


def make_folder(folder: Path) -> None:
    """Make `folder` and those above it that are missing, for this user alone. Raises OSError."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)


def write_bytes(target: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Replace `target` with `data` atomically."""
    with atomic_path(target, mode=mode) as temporary:
        temporary.write_bytes(data)


def write_text(target: Path, text: str, *, mode: int = 0o600) -> None:
    """Replace `target` with UTF-8 `text` atomically."""
    write_bytes(target, text.encode(), mode=mode)


def write_json(target: Path, document: Any, *, mode: int = 0o600) -> None:
    """Replace `target` with `document` as indented JSON atomically (NaN is refused)."""
    write_text(target, json.dumps(document, indent=1, allow_nan=False) + "\n", mode=mode)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
