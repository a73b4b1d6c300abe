"""Search of a whole directory for the bytes of a person: the proof behind an erasure.

Names, contents and what DuckDB, Parquet, gzip and zip files hold inside are searched, for
every needle in plain bytes and, where the needle is text, as UTF-16, hexadecimal and base64.
DuckDB and Parquet compress, so that their bytes alone would hide what their rows say.
"""

import base64
import gzip
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from ptacl_core.cohort.erasure.row_text import read_text_of_rows
from ptacl_core.errors import CohortError

_CHUNK_BYTES = 8 * 2**20
_SHORT_TEXT = 8
_MAX_INFLATED_BYTES = 4 * 2**30
_UNREADABLE = (
    OSError,
    EOFError,
    zlib.error,
    zipfile.BadZipFile,
    ValueError,
    NotImplementedError,
    CohortError,
)


@dataclass(frozen=True, slots=True)
class Needle:
    """Bytes to look for, and how they come from what was asked (no identifier in it)."""

    data: bytes
    encoding: str
    needs_boundary: bool = False


@dataclass(frozen=True, slots=True)
class Hit:
    """A place that still holds a needle."""

    path: Path
    encoding: str


@dataclass(frozen=True, slots=True)
class SearchReport:
    """What a search has covered and found; `unread` are files that could not be looked into."""

    num_files: int
    num_bytes: int
    hits: tuple[Hit, ...]
    unread: tuple[Path, ...]


def text_needles(text: str) -> list[Needle]:
    """The ways in which `text` may stand in a file.

    Short text is looked for between other letters and digits only, or every file would hold it.
    """
    plain = text.encode()
    is_short = len(plain) < _SHORT_TEXT
    needles = [
        Needle(plain, "utf-8", is_short),
        Needle(text.encode("utf-16-le"), "utf-16-le", is_short),
        Needle(text.encode("utf-16-be"), "utf-16-be", is_short),
    ]
    if not is_short:
        needles.append(Needle(plain.hex().encode(), "hex"))
        needles.append(Needle(plain.hex().upper().encode(), "hex"))
        needles.extend(Needle(part, "base64") for part in _base64_cores(plain))
    return needles


def binary_needle(data: bytes) -> Needle:
    """A piece of an array, at least 16 bytes so that chance does not find it."""
    if len(data) < 16:
        raise ValueError(f"a binary needle needs at least 16 bytes, got {len(data)}")
    return Needle(data, "array")


def search_directories(
    roots: Iterable[Path], needles: Sequence[Needle], *, skip: Iterable[Path] = ()
) -> SearchReport:
    """Search every file under `roots` (folders or files), but not `skip`."""
    skipped = {path.resolve() for path in skip}
    num_files = num_bytes = 0
    hits: list[Hit] = []
    unread: list[Path] = []
    for path in _walk(roots):
        hits.extend(_search_name(path, needles))
        if path.is_dir() or path.resolve() in skipped:
            continue
        num_files += 1
        try:
            num_bytes += path.stat().st_size
            found = {hit for stream in _streams(path) for hit in _search_stream(stream, needles)}
        except _UNREADABLE:
            unread.append(path)
            continue
        hits.extend(Hit(path, encoding) for encoding in sorted(found))
    return SearchReport(num_files, num_bytes, tuple(hits), tuple(unread))


def holds(data: bytes, needles: Sequence[Needle]) -> str | None:
    """The encoding of the first needle in `data`; None without any."""
    for needle in needles:
        if _find(data, needle):
            return needle.encoding
    return None


def _walk(roots: Iterable[Path]) -> Iterator[Path]:
    for root in roots:
        if root.is_symlink() or not root.exists():
            continue
        yield root
        if root.is_dir():
            yield from (path for path in sorted(root.rglob("*")) if not path.is_symlink())


def _search_name(path: Path, needles: Sequence[Needle]) -> list[Hit]:
    encoding = holds(path.name.encode(errors="surrogateescape"), needles)
    return [Hit(path, f"name, {encoding}")] if encoding is not None else []


def _streams(path: Path) -> Iterator[BinaryIO]:
    """The file as it is, and what it holds when it is a known container."""
    with path.open("rb") as stream:
        start = stream.read(12)
        stream.seek(0)
        yield stream
    if start[:2] == b"\x1f\x8b":
        with gzip.open(path, "rb") as inflated:
            yield cast(BinaryIO, inflated)
    elif start[8:] == b"DUCK":
        yield from read_text_of_rows(path)
    elif start[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > _MAX_INFLATED_BYTES:
                raise ValueError("an archive that holds more than can be searched")
            for member in archive.infolist():
                with archive.open(member) as inflated:
                    yield cast(BinaryIO, inflated)
    elif start[:4] == b"PAR1":
        import io

        yield io.BytesIO(_parquet_text(path))


def _parquet_text(path: Path) -> bytes:
    """All text of a Parquet file, one value a line."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    lines: list[str] = []
    try:
        with pq.ParquetFile(path, memory_map=False) as file:
            for batch in file.iter_batches():
                for column in batch.columns:
                    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
                        lines.extend(value for value in column.to_pylist() if value is not None)
                    elif pa.types.is_nested(column.type) or pa.types.is_dictionary(column.type):
                        lines.extend(str(value) for value in column.to_pylist())
    except pa.ArrowException as error:
        raise ValueError(str(error)) from None
    return "\n".join(lines).encode()


def _search_stream(stream: BinaryIO, needles: Sequence[Needle]) -> set[str]:
    overlap = max((len(needle.data) for needle in needles), default=1) + 1
    found: set[str] = set()
    tail = b""
    while piece := stream.read(_CHUNK_BYTES):
        window = tail + piece
        for needle in needles:
            if needle.encoding not in found and _find(window, needle):
                found.add(needle.encoding)
        tail = window[-overlap:]
    return found


def _find(window: bytes, needle: Needle) -> bool:
    if not needle.needs_boundary:
        return needle.data in window
    pattern = rb"(?<![A-Za-z0-9_-])" + re.escape(needle.data) + rb"(?![A-Za-z0-9_-])"
    return re.search(pattern, window) is not None


def _base64_cores(data: bytes) -> list[bytes]:
    """The part of a base64 text that does not depend on its neighbours, at the 3 alignments."""
    cores = []
    for lead in range(3):
        encoded = base64.b64encode(b"\0" * lead + data)
        first = -(-lead * 4 // 3) + (1 if lead else 0)
        last = ((lead + len(data)) // 3) * 4
        cores.append(encoded[first:last])
    return [core for core in cores if len(core) >= _SHORT_TEXT]
