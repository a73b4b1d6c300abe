"""Search of whole directories for the bytes of a person: the proof behind an erasure.

Names, contents and what containers hold inside are searched. Links are followed, since a run or
a folder of shards may lie on another disk. What could not be looked into is told, with the
reason: a search that saw half of a cohort must not read as one that saw all of it.
"""

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ptacl_core.arrays import Array
from ptacl_core.cohort.erasure.contents import READ_FAULTS, NotLookedIntoError, read_contents
from ptacl_core.cohort.erasure.needles import Needle, NeedleFinder, binary_needle, text_needles
from ptacl_core.progress import SILENT, ProgressSink

__all__ = [
    "Hit",
    "Needle",
    "NotSearched",
    "SearchReport",
    "binary_needle",
    "holds",
    "search_directories",
    "text_needles",
    "walk_files",
]

_PIECE_BYTES = 8 * 2**20
_TASK = "search"
_CONTEXT_BYTES = 16


@dataclass(frozen=True, slots=True)
class Hit:
    """A place that still holds a needle."""

    path: Path
    encoding: str


@dataclass(frozen=True, slots=True)
class NotSearched:
    """A file, or a part of one, that could not be looked into."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class SearchReport:
    """What a search has covered and found; `not_searched` is what could not be looked into."""

    num_files: int
    num_bytes: int
    hits: tuple[Hit, ...]
    not_searched: tuple[NotSearched, ...] = ()

    @property
    def unread(self) -> tuple[Path, ...]:
        """Files that could not be looked into, each once."""
        return tuple(dict.fromkeys(place.path for place in self.not_searched))


def search_directories(
    roots: Iterable[Path],
    needles: Sequence[Needle],
    *,
    numbers: Iterable[int] = (),
    skip: Iterable[Path] = (),
    progress: ProgressSink = SILENT,
) -> SearchReport:
    """Search every file under `roots` (folders or files), but not `skip`.

    `numbers` are identifiers that tables and arrays may hold as whole numbers.
    """
    skipped = {path.resolve() for path in skip}
    finder = NeedleFinder(needles)
    wanted = np.array(sorted(set(numbers)), np.int64)
    num_files = num_bytes = 0
    hits: list[Hit] = []
    not_searched: list[NotSearched] = []
    progress.start(_TASK, None, "files")
    for path in walk_files(roots):
        hits.extend(_search_name(path, finder))
        mode = _mode_of(path)
        if stat.S_ISDIR(mode) or path.resolve() in skipped:
            continue
        if not stat.S_ISREG(mode):
            not_searched.append(NotSearched(path, "not a plain file"))
            continue
        num_files += 1
        num_bytes += path.stat().st_size
        needles_there, fault = _search_file(path, finder, wanted)
        hits.extend(Hit(path, encoding) for encoding in sorted(needles_there))
        if fault is not None:
            not_searched.append(NotSearched(path, fault))
        progress.advance(_TASK)
    progress.finish(_TASK)
    return SearchReport(num_files, num_bytes, tuple(hits), tuple(not_searched))


def holds(data: bytes, needles: Sequence[Needle]) -> str | None:
    """The encoding of a needle in `data`; None without any."""
    encodings = NeedleFinder(needles).find(data)
    return min(encodings) if encodings else None


def walk_files(roots: Iterable[Path]) -> Iterator[Path]:
    """Everything under `roots`, each folder and file once, links followed, in order of names."""
    visited: set[tuple[int, int]] = set()
    waiting = [root for root in reversed(list(roots)) if os.path.lexists(root)]
    while waiting:
        path = waiting.pop()
        try:
            status = path.stat()
        except OSError:
            continue  # a link to nowhere: there is nothing to read
        if stat.S_ISDIR(status.st_mode):
            if (status.st_dev, status.st_ino) in visited:
                continue
            visited.add((status.st_dev, status.st_ino))
            yield path
            waiting.extend(sorted(path.iterdir(), reverse=True))
        elif (status.st_dev, status.st_ino) not in visited:
            visited.add((status.st_dev, status.st_ino))
            yield path


def _mode_of(path: Path) -> int:
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return stat.S_IFDIR  # gone since it was listed: nothing to search


def _search_name(path: Path, finder: NeedleFinder) -> list[Hit]:
    in_name = finder.find(path.name.encode(errors="surrogateescape"))
    return [Hit(path, f"name, {min(in_name)}")] if in_name else []


def _search_file(path: Path, finder: NeedleFinder, wanted: Array) -> tuple[set[str], str | None]:
    in_file: set[str] = set()
    try:
        for contents in read_contents(path, with_numbers=len(wanted) > 0):
            if contents.stream is not None:
                in_file |= _search_stream(contents.stream, finder)
            if contents.numbers is not None and _holds_number(contents.numbers, wanted):
                in_file.add("integer")
    except NotLookedIntoError as error:
        return in_file, str(error)
    except READ_FAULTS as error:
        return in_file, f"cannot be read ({type(error).__name__})"
    return in_file, None


def _search_stream(stream: BinaryIO, finder: NeedleFinder) -> set[str]:
    """Every needle is judged once, with what stands before and behind it."""
    in_stream: set[str] = set()
    window, piece, start = b"", stream.read(_PIECE_BYTES), 0
    while piece:
        window += piece
        piece = stream.read(_PIECE_BYTES)
        in_stream |= finder.find(window, start, len(window) - (_CONTEXT_BYTES if piece else 0))
        window = window[-finder.overlap - 2 * _CONTEXT_BYTES :]
        start = min(_CONTEXT_BYTES, len(window))
    return in_stream


def _holds_number(values: Array, wanted: Array) -> bool:
    if values.dtype.kind == "f":
        values = values[np.isfinite(values)]
        values = values[(values >= wanted[0]) & (values <= wanted[-1])]
        values = values[values == np.floor(values)].astype(np.int64)
    elif values.dtype.kind == "u":
        values = values[values <= np.iinfo(np.int64).max].astype(np.int64)
    return bool(len(values)) and bool(np.isin(values, wanted).any())
