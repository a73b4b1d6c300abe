"""Exports and files of runs that name an erased person: rows dropped, or the file removed."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ptacl_core.cohort.erasure.byte_search import walk_files
from ptacl_core.cohort.layout import CohortLayout
from ptacl_core.cohort.writing.rebuild import ERASED
from ptacl_core.errors import CohortError
from ptacl_core.safety.files.atomic import atomic_path, write_bytes

_LINE_FORMATS = {".csv", ".tsv", ".jsonl", ".log", ".txt"}
_TEXT_FORMATS = {".toml", ".md", ".json", ".svg", ".html"}
_MAX_TEXT_BYTES = 2**30
FIRST_READOUT_WITHOUT_ROWS = 3
READOUT_FOLDER = "readout"
_TABLES_OF_PATIENTS = (
    "*/embedding-parts/*.parquet",
    "*/alignment.parquet",
    "*/evaluation/*.parquet",
    "*/rows/*.parquet",
)


@dataclass(frozen=True, slots=True)
class CleanedFile:
    """A file that named an erased person, and what was done about it."""

    file: str
    action: str


def clean_derived_files(
    layout: CohortLayout,
    people: Sequence[str],
    identifiers: Sequence[str] = (),
    *,
    runs: Sequence[str] = (),
) -> list[CleanedFile]:
    """Clean `exports/` and `runs/`; returns what was done. Raises CohortError.

    Exports that name a person are removed. In runs, lines and rows that name a person are
    dropped, and names in other text become "[erased]". Links are followed. Read-outs of `runs`,
    which were fitted with these people, are removed: a mean less the others is the person. What
    a former version kept in runs of every patient (read-outs with reference rows, parts of
    embeddings that are not merged) is removed whole: `ptacl embed` makes it anew.
    """
    pattern = _mention_of([*people, *identifiers])
    cleaned = [
        CleanedFile(str(path.relative_to(layout.root)), "removed: it held a row per patient")
        for path in _remove_patient_rows(layout)
    ]
    cleaned += [
        CleanedFile(str(path.relative_to(layout.root)), "removed: it was fitted with these people")
        for run in runs
        for path in _remove_readout(layout.runs / run / READOUT_FOLDER)
    ]
    for folder in (layout.exports, layout.runs):
        for path in walk_files([folder]):
            if not path.is_file():
                continue
            try:
                action = _clean(path, pattern, set(people), is_export=folder == layout.exports)
            except OSError as error:
                raise CohortError(
                    f"{path}: could not be cleaned ({error.strerror or error}); erase again"
                ) from None
            if action is not None:
                shown = pattern.sub(ERASED.encode(), str(path.relative_to(layout.root)).encode())
                cleaned.append(CleanedFile(shown.decode(), action))
    return cleaned


def _remove_patient_rows(layout: CohortLayout) -> list[Path]:
    """Read-outs of before version 3, parts of embeddings, maps, tables of evaluations and rows."""
    removed = []
    for document in layout.runs.glob(f"*/{READOUT_FOLDER}/readout.json"):
        if _read_version(document) < FIRST_READOUT_WITHOUT_ROWS:
            removed.extend(_remove_readout(document.parent)[:1])
    for pattern in _TABLES_OF_PATIENTS:
        for path in layout.runs.glob(pattern):
            path.unlink(missing_ok=True)
            removed.append(path)
    return removed


def _remove_readout(folder: Path) -> list[Path]:
    names = ("readout.json", "readout.safetensors", "targets.json", "targets.safetensors")
    files = [folder / name for name in names if (folder / name).exists()]
    for path in files:
        path.unlink()
    return files


def _read_version(document: Path) -> int:
    try:
        return int(json.loads(document.read_text(encoding="utf-8"))["version"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def remove_naming_files(files: Sequence[Path], people: Sequence[str]) -> list[CleanedFile]:
    """Remove those of `files` that name a person; they are remembered comforts, no data."""
    pattern = _mention_of(people)
    removed = []
    for path in files:
        try:
            if path.is_file() and pattern.search(path.read_bytes()) is not None:
                path.unlink()
                removed.append(CleanedFile(path.name, "removed"))
        except OSError as error:
            raise CohortError(
                f"{path}: could not be removed ({error.strerror or error}); erase again"
            ) from None
    return removed


def _mention_of(texts: Sequence[str]) -> re.Pattern[bytes]:
    """Any of the texts as whole words; numbers not inside longer numbers."""
    ordered = sorted({text for text in texts if text}, key=len, reverse=True)
    names = "|".join(re.escape(text) for text in ordered)
    return re.compile(rf"(?<![A-Za-z0-9])(?:{names})(?![A-Za-z0-9])".encode())


def _clean(
    path: Path, pattern: re.Pattern[bytes], people: set[str], *, is_export: bool
) -> str | None:
    is_named = pattern.search(path.name.encode(errors="surrogateescape")) is not None
    if path.suffix.lower() == ".parquet":
        is_hit, cleaned = _check_parquet(path, people)
    else:
        is_hit, cleaned = _check_text(path, pattern)
    if is_named or (is_export and is_hit):
        path.unlink()
        return "removed"
    return cleaned() if is_hit and cleaned is not None else None


def _check_text(path: Path, pattern: re.Pattern[bytes]) -> tuple[bool, Callable[[], str] | None]:
    """Whether the file names a person, and what cleans it; None for formats that nothing does."""
    if path.stat().st_size > _MAX_TEXT_BYTES:
        return False, None  # the search of the whole directory reads it in pieces
    data = path.read_bytes()
    if pattern.search(data) is None:
        return False, None

    def drop_lines() -> str:
        lines = data.splitlines(keepends=True)
        kept = [line for line in lines if pattern.search(line) is None]
        write_bytes(path, b"".join(kept))
        return f"{len(lines) - len(kept)} lines dropped"

    def replace_names() -> str:
        write_bytes(path, pattern.sub(ERASED.encode(), data))
        return "names replaced"

    suffix = path.suffix.lower()
    if suffix in _LINE_FORMATS:
        return True, drop_lines
    return True, replace_names if suffix in _TEXT_FORMATS else None


def _check_parquet(path: Path, people: set[str]) -> tuple[bool, Callable[[], str] | None]:
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, memory_map=False)
    except pa.ArrowException:
        return False, None  # damaged: the search of the whole directory reports it as unread
    is_hit = np.zeros(table.num_rows, bool)
    for column in table.columns:
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            is_hit |= np.fromiter(
                (value in people for value in column.to_pylist()), bool, table.num_rows
            )

    def drop_rows() -> str:
        with atomic_path(path) as temporary:
            pq.write_table(table.filter(pa.array(~is_hit)), temporary)
        return f"{int(is_hit.sum())} rows dropped"

    return bool(is_hit.any()), drop_rows
