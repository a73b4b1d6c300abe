"""Approximate neighbours of very large cohorts: a cache beside the store, never trusted alone.

hnswlib can crash on a damaged file and answer wrongly in silence. So it runs in a child
process; a file is loaded only when its SHA-256 and the fingerprint of the vectors are those of
the manifest; every build is probed against exact search and every load against vectors of the
store; and what it finds is ranked again exactly. Without a valid index the search is exact.
"""

import json
import os
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ptacl_core.arrays import Array, Float32, Int64
from ptacl_core.cohort.embedding_rows import EmbeddingKey
from ptacl_core.cohort.engine import descriptor_path
from ptacl_core.errors import CohortError
from ptacl_core.safety.files.atomic import choose_file_mode, make_folder, write_json
from ptacl_core.safety.files.checksum import compute_sha256
from ptacl_core.safety.files.lock import hold_lock
from ptacl_core.safety.processes.worker import (
    Message,
    Worker,
    WorkerEndedError,
    WorkerFailedError,
    call_once,
)

if TYPE_CHECKING:
    from ptacl_core.cohort.opened_store import OpenedStore

KIND = "ptacl-neighbour-index"
RECALL_GOAL = 0.99
INDEX_FROM_VECTORS = 1_000_000
_TARGET = "ptacl_core.cohort.search.index_worker:handle"
_NUM_LINKS = 32
_EF_CONSTRUCTION = 200
_NUM_LOAD_PROBES = 32
_BUILD_DEADLINE_S = 4 * 3600.0
_SEARCH_DEADLINE_S = 30.0
_FIXED_BYTES = 3 * 2**30


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One index of the manifest; `recall_at_10` was measured when it was built."""

    run: str
    modality: str
    space: str
    fingerprint: str
    num_vectors: int
    dim: int
    file: str
    sha256: str
    num_links: int
    ef_construction: int
    ef: int
    recall_at_10: float


class Probed(NamedTuple):
    """How an index that was built searches: its `ef`, and the recall that it reaches."""

    ef: int
    recall_at_10: float


def read_entries(opened: "OpenedStore") -> list[IndexEntry]:
    """The entries of `index/manifest.json`; none when it is missing or cannot be read."""
    try:
        document: Any = json.loads(_manifest(opened).read_text(encoding="utf-8"))
        if document["kind"] != KIND:
            return []
        return [IndexEntry(**entry) for entry in document["indexes"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []  # a cache: what cannot be read is as good as not there, and is built anew


def find_valid_entry(opened: "OpenedStore", key: EmbeddingKey) -> IndexEntry | None:
    """The entry whose vectors are those of the open store and whose file is whole."""
    rows = opened.fetch(
        "SELECT fingerprint FROM embedding_sets WHERE run = ? AND modality = ? AND space = ?",
        list(key),
    )
    for entry in read_entries(opened):
        if rows and (entry.run, entry.modality, entry.space) == key:
            file = opened.layout.index / entry.file
            is_whole = file.is_file() and compute_sha256(file) == entry.sha256
            if entry.fingerprint == rows[0][0] and is_whole:
                return entry
    return None


def build_index(opened: "OpenedStore", key: EmbeddingKey) -> IndexEntry:
    """Build, save, reload and probe an index of one set of embeddings.

    Raises CohortError when there are no such embeddings, the build fails, or recall@10 stays
    below 0.99: search is exact then.
    """
    rows = opened.fetch(
        "SELECT fingerprint, num_vectors, dim FROM embedding_sets "
        "WHERE run = ? AND modality = ? AND space = ?",
        list(key),
    )
    if not rows:
        raise CohortError(f"run {key.run!r} has no embeddings of {key.modality} ({key.space})")
    fingerprint, num_vectors, dim = str(rows[0][0]), int(rows[0][1]), int(rows[0][2])
    folder = opened.layout.index
    make_folder(folder)
    with hold_lock(opened.layout.index_lock, purpose="index"):
        name = f"{fingerprint[:24]}.hnsw"
        temporary = folder / f".{name}.{os.getpid()}.tmp"
        for leftover in folder.glob(".*.tmp"):  # of a build that was killed
            leftover.unlink(missing_ok=True)
        try:
            probed = _build_and_probe(opened, key, temporary, num_vectors=num_vectors, dim=dim)
            temporary.chmod(choose_file_mode(folder))
            entry = IndexEntry(
                *key,
                fingerprint=fingerprint,
                num_vectors=num_vectors,
                dim=dim,
                file=name,
                sha256=compute_sha256(temporary),
                num_links=_NUM_LINKS,
                ef_construction=_EF_CONSTRUCTION,
                ef=probed.ef,
                recall_at_10=probed.recall_at_10,
            )
            temporary.replace(folder / name)
            _put_entry(opened, entry)
        except OSError as error:
            raise CohortError(
                f"{folder}: the index could not be written ({error.strerror or error}); search "
                "is exact without it"
            ) from None
        finally:
            temporary.unlink(missing_ok=True)
    return entry


class IndexSearcher:
    """A loaded index in its process, for one open version of the store."""

    def __init__(self, opened: "OpenedStore", entry: IndexEntry) -> None:
        self.entry = entry
        self._turn = threading.Lock()
        self._worker = Worker(
            _TARGET,
            name="index",
            address_space_bytes=_address_space(entry.num_vectors, entry.dim),
        )
        try:
            self._load(opened)
        except BaseException:
            self._worker.close()
            raise

    def search(self, query: Float32[Array, " dim"], *, k: int) -> Int64[Array, " k"]:
        """Positions of about the `k` nearest vectors, in no order to rely on.

        Raises CohortError when the index fails; use exact search then.
        """
        request = {"operation": "search", "k": min(k, self.entry.num_vectors)}
        payload = np.ascontiguousarray(query, np.float32).tobytes()
        with self._turn:
            _, block = _guarded(self._worker, request, payload)
        labels = np.frombuffer(block, np.int64)
        if ((labels < 0) | (labels >= self.entry.num_vectors)).any():
            raise CohortError("the index answered with vectors that are not there")
        return np.unique(labels)

    def close(self) -> None:
        """End the process."""
        self._worker.close()

    def _load(self, opened: "OpenedStore") -> None:
        entry = self.entry
        count = min(_NUM_LOAD_PROBES, entry.num_vectors)
        positions = np.linspace(0, entry.num_vectors - 1, count).astype(np.int64)
        key = EmbeddingKey(entry.run, entry.modality, entry.space)
        vectors = read_positions(opened, key, entry.dim, positions)[1]
        request = {
            "operation": "load",
            "file": str(opened.layout.index / entry.file),
            "num_vectors": entry.num_vectors,
            "dim": entry.dim,
            "ef": entry.ef,
        }
        answer, _ = _guarded(self._worker, request, vectors.tobytes())
        similarities = np.asarray(answer["similarities"])
        is_itself = np.asarray(answer["labels"]) == positions
        # a twin of the probe may come first, but nothing less like it than itself
        if not (is_itself | (similarities > 1 - 1e-5)).all():
            raise CohortError("the index does not find vectors of the store; it is built anew")


def read_positions(
    opened: "OpenedStore", key: EmbeddingKey, dim: int, positions: Int64[Array, " row"]
) -> tuple[list[tuple[str, int]], Float32[Array, "row dim"]]:
    """Keys and vectors of some rows of a set, in the order of `positions` (ascending)."""
    rows = opened.fetch(
        f"SELECT patient, visit, vector FROM embeddings_{int(dim)} "  # noqa: S608 - a number
        "WHERE run = ? AND modality = ? AND space = ? AND position IN "
        "(SELECT unnest(?::INTEGER[])) ORDER BY position",
        [*key, positions.tolist()],
    )
    return [(row[0], row[1]) for row in rows], np.asarray([row[2] for row in rows], np.float32)


def _build_and_probe(
    opened: "OpenedStore", key: EmbeddingKey, file: Path, *, num_vectors: int, dim: int
) -> Probed:
    request = {
        "store": descriptor_path(opened.descriptor),
        "key": list(key),
        "file": str(file),
        "num_links": _NUM_LINKS,
        "ef_construction": _EF_CONSTRUCTION,
        "recall_goal": RECALL_GOAL,
    }
    answers = []
    for operation in ("build", "probe"):
        try:
            answer, _ = call_once(
                _TARGET,
                {**request, "operation": operation},
                name="index",
                address_space_bytes=_address_space(num_vectors, dim),
                deadline_s=_BUILD_DEADLINE_S,
                pass_files=(opened.descriptor,),
            )
        except (WorkerEndedError, WorkerFailedError) as error:
            raise CohortError(
                f"the index could not be built ({error}); search is exact without it"
            ) from None
        answers.append(answer)
    probed = Probed(ef=int(answers[-1]["ef"]), recall_at_10=float(answers[-1]["recall_at_10"]))
    if probed.recall_at_10 < RECALL_GOAL:
        raise CohortError(
            f"the index finds {probed.recall_at_10:.3f} of the 10 nearest, expected "
            f"{RECALL_GOAL}; it is not kept, and search is exact"
        )
    return probed


def drop_entry(opened: "OpenedStore", entry: IndexEntry) -> None:
    """Remove an index; search is exact without it. Raises OSError."""
    _write_entries(opened, _list_others(opened, entry))


def _put_entry(opened: "OpenedStore", entry: IndexEntry) -> None:
    _write_entries(opened, [*_list_others(opened, entry), entry])


def _list_others(opened: "OpenedStore", entry: IndexEntry) -> list[IndexEntry]:
    same = (entry.run, entry.modality, entry.space)
    return [
        stored_entry
        for stored_entry in read_entries(opened)
        if (stored_entry.run, stored_entry.modality, stored_entry.space) != same
    ]


def _write_entries(opened: "OpenedStore", entries: list[IndexEntry]) -> None:
    document = {
        "kind": KIND,
        "version": 1,
        "indexes": [asdict(stored_entry) for stored_entry in entries],
    }
    write_json(_manifest(opened), document)
    named = {stored_entry.file for stored_entry in entries}
    for file in opened.layout.index.glob("*.hnsw"):
        if file.name not in named:
            file.unlink()


def _guarded(
    worker: Worker, request: Mapping[str, object], payload: bytes
) -> tuple[Message, bytes]:
    try:
        return worker.call(request, payload, deadline_s=_SEARCH_DEADLINE_S)
    except (WorkerEndedError, WorkerFailedError) as error:
        raise CohortError(f"the index failed ({error}); it is built anew on request") from None


def _address_space(num_vectors: int, dim: int) -> int:
    return _FIXED_BYTES + 6 * num_vectors * dim * 4 + num_vectors * 16 * _NUM_LINKS


def _manifest(opened: "OpenedStore") -> Path:
    return opened.layout.index / "manifest.json"
