"""A file on disk, or one that an archive held and memory does now, under one set of calls."""

import io
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path


@dataclass(frozen=True, slots=True, eq=False)
class MemoryFile:
    """The bytes of a file that was never written to disk; `name` is for display only."""

    name: str
    data: bytes


FileSource = Path | MemoryFile


def open_source(source: FileSource) -> BufferedIOBase:
    """The file opened for reading bytes. Raises OSError."""
    return io.BytesIO(source.data) if isinstance(source, MemoryFile) else source.open("rb")


def source_size(source: FileSource) -> int:
    """Bytes of the file. Raises OSError."""
    return len(source.data) if isinstance(source, MemoryFile) else source.stat().st_size


def read_part(source: FileSource, start: int, num_bytes: int) -> bytes | memoryview:
    """Up to `num_bytes` from byte `start`; of a file in memory without copying. Raises OSError."""
    if isinstance(source, MemoryFile):
        return memoryview(source.data)[start : start + num_bytes]
    with source.open("rb") as stream:
        stream.seek(start)
        return stream.read(num_bytes)
