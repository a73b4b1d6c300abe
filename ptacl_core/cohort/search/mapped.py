"""Vectors of large sets as files that searches map into memory: a cache of the store.

One file per set, named by the set's fingerprint, holds its vectors as float32 [vector, dim].
Processes that search share its pages, which the system may drop, and take no vector out of the
database. Files are written beside their place and renamed, never changed: a mapping stays whole
when its file is replaced or removed. Like all of `index/` they go when people are erased.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ptacl_core.arrays import Array, Float32
from ptacl_core.cohort.embedding_rows import EmbeddingKey, read_keys
from ptacl_core.cohort.search.vectors import compute_fingerprint
from ptacl_core.errors import CohortError, CohortLockedError
from ptacl_core.safety.files.atomic import choose_file_mode, make_folder, sync
from ptacl_core.safety.files.lock import hold_lock

if TYPE_CHECKING:
    from ptacl_core.cohort.opened_store import OpenedStore

MAPPED_FROM_VECTORS = 10_000
"""Sets of fewer vectors are read from the store: that is as fast, and leaves no file."""

_SUFFIX = ".vectors.npy"


def map_vectors(
    opened: "OpenedStore", key: EmbeddingKey, keys: Sequence[tuple[str, int]]
) -> Float32[Array, "vector dim"] | None:
    """The vectors of one set from its file, read-only, in the order of `keys`; None without one.

    Whatever has happened to the file: only the very vectors of the store are used, by the set's
    fingerprint.
    """
    num_vectors, dim, fingerprint = _describe(opened, key)
    vectors = _open(_file(opened, fingerprint), (num_vectors, dim))
    if vectors is None or len(keys) != num_vectors:
        return None
    patients, visits = [patient for patient, _ in keys], [visit for _, visit in keys]
    is_whole = compute_fingerprint(patients, visits, vectors) == fingerprint
    return vectors if is_whole else None


def keep_vectors(
    opened: "OpenedStore", key: EmbeddingKey, vectors: Float32[Array, "vector dim"]
) -> None:
    """Write the file of a large set, for the next process; removes those of sets that are gone.

    Nothing is written of a version that is not the newest, while another process writes, or where
    the cohort may not be written to: what is erased must not come back.
    """
    if len(vectors) < MAPPED_FROM_VECTORS or opened.is_stale():
        return
    file = _file(opened, _describe(opened, key)[2])
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        make_folder(file.parent)
        with temporary.open("wb") as stream:
            np.save(stream, vectors, allow_pickle=False)
        temporary.chmod(choose_file_mode(file.parent))
        sync(temporary)
        with hold_lock(opened.layout.writer_lock, purpose="vectors"):
            if not opened.is_stale():
                temporary.replace(file)
                for path in find_stale(opened):
                    path.unlink(missing_ok=True)
    except (CohortLockedError, OSError):
        return  # a cache: the store itself is read where there is none
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def find_stale(opened: "OpenedStore") -> list[Path]:
    """Files of vectors that no set of the store has."""
    rows = opened.fetch("SELECT fingerprint FROM embedding_sets")
    known = {_file(opened, str(row[0])) for row in rows}
    return sorted(set(opened.layout.index.glob(f"*{_SUFFIX}")) - known)


def find_damaged(opened: "OpenedStore") -> list[Path]:
    """Files that do not hold the vectors of their set."""
    damaged = []
    for row in opened.fetch("SELECT run, modality, space FROM embedding_sets"):
        key = EmbeddingKey(*map(str, row))
        file = _file(opened, _describe(opened, key)[2])
        if file.exists():
            with opened.cursor() as cursor:
                keys = read_keys(cursor, key)
            if map_vectors(opened, key, keys) is None:
                damaged.append(file)
    return damaged


def _describe(opened: "OpenedStore", key: EmbeddingKey) -> tuple[int, int, str]:
    rows = opened.fetch(
        "SELECT num_vectors, dim, fingerprint FROM embedding_sets "
        "WHERE run = ? AND modality = ? AND space = ?",
        list(key),
    )
    if not rows:
        raise CohortError(f"run {key.run!r} has no embeddings of {key.modality} ({key.space})")
    return int(rows[0][0]), int(rows[0][1]), str(rows[0][2])


def _file(opened: "OpenedStore", fingerprint: str) -> Path:
    return opened.layout.index / f"{fingerprint[:24]}{_SUFFIX}"


def _open(file: Path, shape: tuple[int, int]) -> Float32[Array, "vector dim"] | None:
    try:
        vectors = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None  # not there, cut short, or no array
    if vectors.shape != shape or vectors.dtype != np.float32 or not vectors.flags.c_contiguous:
        return None
    return vectors.view(np.ndarray)
