# ruff: noqa: S608 - names in statements come from tables.py and records, never from input
"""Embeddings between NumPy arrays and the tables `embeddings_<dim>` of an open store."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ptacl_core.arrays import Array, Float32, Int64
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
    described = _describe(connection, key)
    if described is None:
        return [], np.empty((0, 0), np.float32)
    num_vectors, dim = described
    columns = _read_columns(connection, key, dim=dim, names="patient, visit, position, vector")
    position = _check_positions(columns["position"], key, num_vectors=num_vectors)
    vectors = np.empty((num_vectors, dim), np.float32)
    for row, vector in zip(position, columns["vector"], strict=True):
        vectors[row] = vector
    return _order_keys(columns, position), vectors


def read_keys(connection: "duckdb.DuckDBPyConnection", key: EmbeddingKey) -> list[tuple[str, int]]:
    """Keys (patient, visit) of one set in order of position, without its vectors."""
    described = _describe(connection, key)
    if described is None:
        return []
    num_vectors, dim = described
    columns = _read_columns(connection, key, dim=dim, names="patient, visit, position")
    return _order_keys(columns, _check_positions(columns["position"], key, num_vectors=num_vectors))


def _describe(connection: "duckdb.DuckDBPyConnection", key: EmbeddingKey) -> tuple[int, int] | None:
    sizes = connection.execute(
        "SELECT num_vectors, dim FROM embedding_sets WHERE run = ? AND modality = ? AND space = ?",
        list(key),
    ).fetchone()
    return None if sizes is None else (int(sizes[0]), int(sizes[1]))


def _read_columns(
    connection: "duckdb.DuckDBPyConnection", key: EmbeddingKey, *, dim: int, names: str
) -> dict[str, Array]:
    columns = connection.execute(
        f"SELECT {names} FROM embeddings_{dim} WHERE run = ? AND modality = ? AND space = ?",
        list(key),
    ).fetchnumpy()
    return {name: np.asarray(column) for name, column in columns.items()}


def _check_positions(
    position: object, key: EmbeddingKey, *, num_vectors: int
) -> Int64[Array, " vector"]:
    rows = np.asarray(position, np.int64)
    if not np.array_equal(np.sort(rows), np.arange(num_vectors)):
        raise CohortError(
            f"embeddings of {key.modality} ({key.space}): expected {num_vectors} vectors, found "
            f"{rows.size}; the store is damaged: run 'ptacl verify --repair'"
        )
    return rows


def _order_keys(
    columns: dict[str, Array], position: Int64[Array, " vector"]
) -> list[tuple[str, int]]:
    patients = np.empty(position.size, object)
    patients[position] = columns["patient"]
    visits = np.empty(position.size, np.int64)
    visits[position] = columns["visit"]
    return list(zip(patients.tolist(), visits.tolist(), strict=True))


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
