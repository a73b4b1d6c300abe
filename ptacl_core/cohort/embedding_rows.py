# ruff: noqa: S608 - names in statements come from tables.py and records, never from input
"""Embeddings between NumPy arrays and the tables `embeddings_<dim>` of an open store."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ptacl_core.arrays import Array, Float32
from ptacl_core.cohort.engine import execute
from ptacl_core.cohort.schema.tables import embedding_table
from ptacl_core.errors import CohortError

if TYPE_CHECKING:
    import duckdb

_ROWS_PER_INSERT = 32_768


class EmbeddingKey(NamedTuple):
    """Which set of embeddings."""

    run: str
    modality: str
    space: str


def read_vectors(
    connection: "duckdb.DuckDBPyConnection", key: EmbeddingKey
) -> tuple[list[tuple[str, int]], Float32[Array, "vector dim"]]:
    """Keys (patient, visit) and vectors of one set in order of position; empty when none."""
    sizes = connection.execute(
        "SELECT dim, num_vectors FROM embedding_sets WHERE run = ? AND modality = ? AND space = ?",
        list(key),
    ).fetchone()
    if sizes is None:
        return [], np.empty((0, 0), np.float32)
    dim, num_vectors = int(sizes[0]), int(sizes[1])
    columns = connection.execute(
        f"SELECT patient, visit, position, vector FROM embeddings_{dim} "
        "WHERE run = ? AND modality = ? AND space = ?",
        list(key),
    ).fetchnumpy()
    position = np.asarray(columns["position"])
    if not np.array_equal(np.sort(position), np.arange(num_vectors)):
        raise CohortError(
            f"embeddings of {key.modality} ({key.space}): expected {num_vectors} vectors, found "
            f"{position.size}; the store is damaged: run 'ptacl verify --repair'"
        )
    vectors = np.empty((num_vectors, dim), np.float32)
    for row, vector in zip(position, columns["vector"], strict=True):
        vectors[row] = vector
    patients = np.empty(num_vectors, object)
    patients[position] = columns["patient"]
    visits = np.empty(num_vectors, np.int64)
    visits[position] = columns["visit"]
    return list(zip(patients.tolist(), visits.tolist(), strict=True)), vectors


def write_vectors(
    connection: "duckdb.DuckDBPyConnection",
    key: EmbeddingKey,
    patients: Sequence[str],
    visits: Sequence[int],
    vectors: Float32[Array, "vector dim"],
) -> None:
    """Replace one set of embeddings by these rows, numbered in their order.

    They are stored as they are: compressing floating numbers takes long and gains nothing.
    """
    import pyarrow as pa

    num_vectors, dim = vectors.shape
    table = embedding_table(dim)
    execute(connection, table.create_sql().replace("TABLE", "TABLE IF NOT EXISTS", 1))
    execute(
        connection,
        f"DELETE FROM {table.name} WHERE run = ? AND modality = ? AND space = ?",
        list(key),
    )
    execute(connection, "PRAGMA force_compression='uncompressed'")
    for start in range(0, num_vectors, _ROWS_PER_INSERT):
        stop = min(start + _ROWS_PER_INSERT, num_vectors)
        values = pa.array(np.ascontiguousarray(vectors[start:stop]).reshape(-1))
        incoming = pa.table(
            {
                "patient": pa.array(patients[start:stop], pa.string()),
                "visit": pa.array(visits[start:stop], pa.int32()),
                "position": pa.array(np.arange(start, stop, dtype=np.int32)),
                "vector": pa.FixedSizeListArray.from_arrays(values, dim),
            }
        )
        connection.register("incoming_vectors", incoming)
        try:
            execute(
                connection,
                f"INSERT INTO {table.name} (run, modality, space, patient, visit, position, vector)"
                " SELECT ?, ?, ?, patient, visit, position, vector FROM incoming_vectors",
                list(key),
            )
        finally:
            connection.unregister("incoming_vectors")
    execute(connection, "CHECKPOINT")
    execute(connection, "PRAGMA force_compression='auto'")
