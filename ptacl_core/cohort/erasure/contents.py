"""What a file holds inside: compressed streams, archives, tables and arrays, as bytes and numbers.

DuckDB, Parquet and compressed files hide what they say from a search of their own bytes. Each
container is opened and its contents are given out one after another, containers inside containers
too, down to a depth and a size; what cannot be looked into is an error that says why.
"""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from ptacl_core.arrays import Array
from ptacl_core.cohort.erasure.row_text import read_numbers_of_rows, read_text_of_rows
from ptacl_core.errors import CohortError

MAX_DEPTH = 4
MAX_INFLATED_BYTES = 16 * 2**30
MAX_TABLE_BYTES = 512 * 2**20
"""Largest table inside an archive that is read into memory."""
_HEAD_BYTES = 512
_PIECE_BYTES = 8 * 2**20
READ_FAULTS = (
    OSError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    tarfile.TarError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    CohortError,
)
_PICTURE = "a picture: it may show a person, so look at it, and take it out of the cohort"
_OPAQUE = {
    b"\x28\xb5\x2f\xfd": "compressed as zstd",
    b"7z\xbc\xaf\x27\x1c": "compressed as 7z",
    b"Rar!": "compressed as rar",
    b"\x04\x22\x4d\x18": "compressed as lz4",
    b"\x89PNG\r\n\x1a\n": _PICTURE,
    b"\xff\xd8\xff": _PICTURE,
    b"GIF8": _PICTURE,
    b"II*\0": _PICTURE,
    b"MM\0*": _PICTURE,
    b"%PDF-": _PICTURE,
}
"""What files begin with whose contents are not looked into, and why."""
_INFLATORS: tuple[tuple[bytes, Callable[[BinaryIO], Any]], ...] = (
    (b"\x1f\x8b", lambda stream: gzip.GzipFile(fileobj=stream, mode="rb")),
    (b"BZh", bz2.BZ2File),
    (b"\xfd7zXZ\x00", lzma.LZMAFile),
)

Opener = Callable[[], BinaryIO]


class NotLookedIntoError(Exception):
    """A part of a file that could not be looked into; the message says why, in a few words."""


@dataclass(slots=True)
class Budget:
    """How many inflated bytes one file on disk may still give."""

    left: int = MAX_INFLATED_BYTES

    def take(self, count: int) -> None:
        """Count inflated bytes. Raises NotLookedIntoError when they are too many."""
        self.left -= count
        if self.left < 0:
            raise NotLookedIntoError("it holds more than can be searched")


@dataclass(frozen=True, slots=True)
class Contents:
    """One thing to search: a stream of bytes, or numbers; None for what a content has not."""

    stream: BinaryIO | None = None
    numbers: Array | None = field(default=None)


def read_contents(path: Path, *, with_numbers: bool) -> Iterator[Contents]:
    """The file as it is, then what it holds inside.

    With `with_numbers` whole numbers of tables and arrays come as well. Raises
    NotLookedIntoError, after what could be read, for what cannot be looked into.
    """
    try:
        yield from _read(
            lambda: path.open("rb"), path, depth=0, budget=Budget(), with_numbers=with_numbers
        )
    except NotLookedIntoError:
        raise
    except READ_FAULTS as error:
        raise NotLookedIntoError(f"cannot be read ({type(error).__name__})") from None


def _read(
    opener: Opener, path: Path | None, *, depth: int, budget: Budget, with_numbers: bool
) -> Iterator[Contents]:
    with opener() as stream:
        head = stream.read(_HEAD_BYTES)
    with opener() as stream:
        yield Contents(stream if depth == 0 else _counted(stream, budget))
    if depth >= MAX_DEPTH and _is_container(head):
        raise NotLookedIntoError(f"archives inside archives, deeper than {MAX_DEPTH}")
    for inner in _inner_openers(opener, head):
        yield from _read(inner, None, depth=depth + 1, budget=budget, with_numbers=with_numbers)
    yield from _read_table(opener, path, head, with_numbers=with_numbers)
    for magic, reason in _OPAQUE.items():
        if head.startswith(magic):
            raise NotLookedIntoError(reason)


def _is_container(head: bytes) -> bool:
    return head[:4] == b"PK\x03\x04" or any(head.startswith(magic) for magic, _ in _INFLATORS)


def _inner_openers(opener: Opener, head: bytes) -> Iterator[Opener]:
    for magic, inflate in _INFLATORS:
        if head.startswith(magic):
            yield lambda inflate=inflate: _closing(inflate, opener())
    if head[:4] == b"PK\x03\x04":
        yield from _zip_openers(opener)
    elif head[257:262] == b"ustar":
        yield from _tar_openers(opener)


def _zip_openers(opener: Opener) -> Iterator[Opener]:
    with _seekable(opener) as stream, zipfile.ZipFile(stream) as archive:
        for member in archive.infolist():
            if member.is_dir():
                continue
            if member.flag_bits & 1:
                raise NotLookedIntoError("an archive with a password")
            yield lambda member=member: cast(BinaryIO, archive.open(member))


def _tar_openers(opener: Opener) -> Iterator[Opener]:
    """Members that are containers themselves; the others stand in the archive's own bytes."""
    with _seekable(opener) as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            if content is not None:
                yield lambda member=member: cast(BinaryIO, archive.extractfile(member))


def _read_table(
    opener: Opener, path: Path | None, head: bytes, *, with_numbers: bool
) -> Iterator[Contents]:
    if head[8:12] == b"DUCK":
        if path is None:
            raise NotLookedIntoError("a DuckDB file inside an archive")
        for stream in read_text_of_rows(path):
            yield Contents(stream)
        if with_numbers:
            for numbers in read_numbers_of_rows(path):
                yield Contents(numbers=numbers)
    elif head[:4] == b"PAR1":
        with _seekable(opener) as stream:
            yield from _read_parquet(stream, with_numbers=with_numbers)
    elif head[:6] == b"\x93NUMPY" and with_numbers:
        with opener() as stream:
            yield from _read_npy(stream)


def _read_parquet(stream: BinaryIO, *, with_numbers: bool) -> Iterator[Contents]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(stream) as file:
            for batch in file.iter_batches(batch_size=20_000):
                for column in batch.columns:
                    yield from _read_column(column, with_numbers=with_numbers)
    except pa.ArrowException as error:
        raise NotLookedIntoError(f"cannot be read ({type(error).__name__})") from None


def _read_column(column: Any, *, with_numbers: bool) -> Iterator[Contents]:
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.dictionary_decode()
        kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        lines = [value for value in column.to_pylist() if value is not None]
        yield Contents(io.BytesIO("\n".join(lines).encode()))
    elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        yield Contents(io.BytesIO(b"\n".join(value for value in column.to_pylist() if value)))
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind):
        if with_numbers:
            yield Contents(numbers=column.drop_null().to_numpy(zero_copy_only=False))
    elif pa.types.is_list(kind) and pa.types.is_floating(kind.value_type):
        values = column.flatten().to_numpy(zero_copy_only=False)
        yield Contents(io.BytesIO(np.ascontiguousarray(values).tobytes()))
    elif pa.types.is_nested(kind):
        lines = [str(value) for value in column.to_pylist() if value is not None]
        yield Contents(io.BytesIO("\n".join(lines).encode()))


def _read_npy(stream: BinaryIO) -> Iterator[Contents]:
    """Whole numbers of an array that is wide enough to hold an identifier."""
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else None
    read = read or np.lib.format.read_array_header_2_0
    _, _, dtype = read(stream)
    if dtype.kind in "US":
        values = np.frombuffer(stream.read(MAX_TABLE_BYTES), dtype)
        yield Contents(io.BytesIO("\n".join(map(str, values.tolist())).encode()))
    if dtype.kind not in "iuf" or dtype.itemsize < 4:
        return
    whole = _PIECE_BYTES - _PIECE_BYTES % dtype.itemsize
    while piece := stream.read(whole):
        usable = len(piece) - len(piece) % dtype.itemsize
        yield Contents(numbers=np.frombuffer(piece[:usable], dtype))


@contextmanager
def _seekable(opener: Opener) -> Iterator[BinaryIO]:
    """The stream itself where it can be moved in freely, else its bytes in memory."""
    with opener() as stream:
        if isinstance(stream, io.BufferedReader) and stream.seekable():
            yield stream
            return
        data = stream.read(MAX_TABLE_BYTES + 1)
        if len(data) > MAX_TABLE_BYTES:
            raise NotLookedIntoError(
                f"a table or archive of more than {MAX_TABLE_BYTES >> 20} MiB inside another one"
            )
        yield io.BytesIO(data)


class _WrappedStream(io.RawIOBase):
    """A stream that counts what is read of it, and closes what lies below it as well."""

    def __init__(self, stream: Any, *, below: BinaryIO | None = None, budget: Budget | None = None):
        self._stream, self._below, self._budget = stream, below, budget

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        if self._budget is not None:
            self._budget.take(len(data))
        return data

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
            if self._below is not None:
                self._below.close()
        super().close()


def _counted(stream: BinaryIO, budget: Budget) -> BinaryIO:
    return cast(BinaryIO, _WrappedStream(stream, budget=budget))


def _closing(inflate: Callable[[BinaryIO], Any], stream: BinaryIO) -> BinaryIO:
    """An inflating stream that closes the one below it."""
    return cast(BinaryIO, _WrappedStream(inflate(stream), below=stream))
