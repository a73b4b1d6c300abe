"""The process in which hnswlib runs: it may crash on a damaged file, and nothing else does.

`handle` builds an index from the store's vectors, probes a saved one against exact search, and
answers searches.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ptacl_core.arrays import Array, Float32
from ptacl_core.cohort.embedding_rows import EmbeddingKey, read_vectors
from ptacl_core.cohort.engine import connect_reader
from ptacl_core.cohort.search.exact import normalise, search_exact_many
from ptacl_core.errors import CohortError
from ptacl_core.safety.processes.worker import Message

_SEED = 1
_NUM_PROBES = 200
_PROBE_K = 10
_EF_STEPS = (64, 128, 256, 512, 1024, 2048)


class _State:
    index: Any = None
    dim: int = 0


_STATE = _State()


def handle(request: Message, payload: bytes) -> tuple[Mapping[str, object], bytes]:
    """Answer one request of `index`."""
    operation = request["operation"]
    if operation == "build":
        return _build(request), b""
    if operation == "probe":
        return _probe(request), b""
    if operation == "load":
        return _load(request, payload), b""
    if operation == "search":
        return {}, _search(np.frombuffer(payload, np.float32), request["k"])
    raise CohortError(f"unknown operation {operation!r}")


def _import_hnswlib() -> Any:
    try:
        import hnswlib
    except ImportError:
        raise CohortError(
            "hnswlib is not installed; it is compiled, with a C++ compiler and Python's headers: "
            "pip install 'ptacl[index]'"
        ) from None
    return hnswlib


def _build(request: Message) -> dict[str, int]:
    hnswlib = _import_hnswlib()
    vectors = _read(request)
    index = hnswlib.Index(space="ip", dim=vectors.shape[1])
    index.init_index(
        max_elements=vectors.shape[0],
        M=request["num_links"],
        ef_construction=request["ef_construction"],
        random_seed=_SEED,
    )
    # one thread: more would make another file every time
    index.add_items(normalise(vectors), np.arange(vectors.shape[0]), num_threads=1)
    index.save_index(request["file"])
    return {"num_vectors": vectors.shape[0], "dim": vectors.shape[1]}


def _probe(request: Message) -> dict[str, float]:
    """Recall of the saved index against exact search, and the `ef` that reaches the goal."""
    vectors = _read(request)
    unit = normalise(vectors)
    index = _open_index(request["file"], num_vectors=vectors.shape[0], dim=vectors.shape[1])
    num_probes = min(_NUM_PROBES, vectors.shape[0])
    rows = np.linspace(0, vectors.shape[0] - 1, num_probes).astype(np.int64)
    k = min(_PROBE_K, vectors.shape[0])
    exact = search_exact_many(vectors[rows], vectors, unit, k=k)[0]
    recall = 0.0
    for ef in _EF_STEPS:
        index.set_ef(max(ef, k))
        labels, _ = index.knn_query(unit[rows], k=k, num_threads=1)
        shared = [
            len(set(approximate) & set(right))
            for approximate, right in zip(labels, exact, strict=True)
        ]
        recall = sum(shared) / (k * num_probes)
        if recall >= request["recall_goal"]:
            return {"recall_at_10": recall, "ef": ef}
    return {"recall_at_10": recall, "ef": _EF_STEPS[-1]}


def _load(request: Message, payload: bytes) -> dict[str, list[float]]:
    index = _open_index(request["file"], num_vectors=request["num_vectors"], dim=request["dim"])
    index.set_ef(request["ef"])
    probes = np.frombuffer(payload, np.float32).reshape(-1, request["dim"])
    labels, distances = index.knn_query(normalise(probes), k=1, num_threads=1)
    _STATE.index, _STATE.dim = index, request["dim"]
    return {"labels": labels[:, 0].tolist(), "similarities": (1 - distances[:, 0]).tolist()}


def _search(query: Float32[Array, " dim"], k: int) -> bytes:
    index = _STATE.index
    if index is None or query.shape != (_STATE.dim,) or not np.isfinite(query).all():
        raise CohortError("the index is not loaded, or the query is not one of its vectors' kind")
    index.set_ef(max(int(index.ef), k))
    labels, _ = index.knn_query(normalise(query[None, :]), k=k, num_threads=1)
    return labels[0].astype(np.int64).tobytes()


def _open_index(file: str, *, num_vectors: int, dim: int) -> Any:
    index = _import_hnswlib().Index(space="ip", dim=dim)
    index.load_index(file, max_elements=num_vectors)
    if index.get_current_count() != num_vectors:
        raise CohortError(
            f"the index holds {index.get_current_count()} vectors, expected {num_vectors}"
        )
    return index


def _read(request: Message) -> Float32[Array, "vector dim"]:
    connection = connect_reader(request["store"], label=Path("cohort.duckdb"), threads=1)
    try:
        return read_vectors(connection, EmbeddingKey(*request["key"]))[1]
    finally:
        connection.close()
