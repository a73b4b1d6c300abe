"""The order of a database by cosine similarity, in chunks, ties by index."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ptacl_core.arrays import Array, Float64, Int64
from ptacl_core.evaluate.labels import EvaluationError

_CHUNK_BYTES = 32 * 1024 * 1024
_DECIMALS = 12


@dataclass(frozen=True, slots=True, eq=False)
class TopRanks:
    """Similarities of a chunk of queries and the indices of their most similar patients.

    An excluded patient has similarity -inf and is in no `top`.
    """

    rows: slice
    similarity: Float64[Array, "query patient"]
    top: Int64[Array, "query depth"]

    def rank_of(self, target: Int64[Array, " query"]) -> Int64[Array, " query"]:
        """1-based rank of one patient per query."""
        own = np.take_along_axis(self.similarity, target[:, None], axis=1)
        is_before = np.arange(self.similarity.shape[1]) < target[:, None]
        is_ahead = (self.similarity > own) | ((self.similarity == own) & is_before)
        return 1 + is_ahead.sum(axis=1)

    def first_rank_among(self, row: int, patients: Int64[Array, " match"]) -> int:
        """1-based rank of the best-ranked of `patients` for the query at `row` of the chunk."""
        values = self.similarity[row]
        best = patients[np.argmax(values[patients])]
        num_ties_before = int((values[:best] == values[best]).sum())
        return 1 + int((values > values[best]).sum()) + num_ties_before


def unit_length(
    features: Float64[Array, "patient dim"], name: str
) -> Float64[Array, "patient dim"]:
    """Rows divided by their length; a row of zeros has no direction and is refused."""
    largest = np.abs(features).max(axis=1, keepdims=True, initial=0.0)
    if (largest == 0).any():
        raise EvaluationError(
            f"{name}: row {int(np.argmax(largest[:, 0] == 0))} is all zeros and has no cosine "
            "similarity"
        )
    scaled = features / largest
    return scaled / np.linalg.norm(scaled, axis=1, keepdims=True)


def rank_database(
    queries: Float64[Array, "query dim"],
    database: Float64[Array, "patient dim"],
    own: Int64[Array, " query"],
    *,
    depth: int,
    exclude: Literal["none", "person", "other visits"],
    person: Int64[Array, " patient"] | None = None,
) -> Iterator[TopRanks]:
    """Yield chunks of queries with their `depth` most similar patients, best first.

    `own` is each query's row in the database; `person` a number per row, equal for visits of
    one person (None: a row is a person). `exclude` leaves out all of the query's person, or its
    other visits only. Memory is bounded by the chunk, not by the square of the cohort.
    """
    people = np.arange(len(database)) if person is None else np.asarray(person)
    chunk = max(1, _CHUNK_BYTES // (8 * max(1, len(database))))
    for first in range(0, len(queries), chunk):
        rows = slice(first, min(first + chunk, len(queries)))
        # Equal vectors must tie: a matrix product may differ in the last bits by column.
        similarity = np.round(queries[rows] @ database.T, _DECIMALS)
        if exclude != "none":
            is_out = people[own[rows]][:, None] == people
            if exclude == "other visits":
                is_out[np.arange(len(is_out)), own[rows]] = False
            similarity[is_out] = -np.inf
        yield TopRanks(rows, similarity, _top(similarity, depth))


def _top(similarity: Float64[Array, "query patient"], depth: int) -> Int64[Array, "query depth"]:
    num_queries, num_patients = similarity.shape
    if depth <= 0:
        return np.empty((num_queries, 0), np.int64)
    if depth >= num_patients:
        return np.argsort(-similarity, axis=1, kind="stable")
    position = num_patients - depth
    least = np.partition(similarity, position, axis=1)[:, position]
    is_in = similarity >= least[:, None]
    # More than `depth` reach the limit only where patients tie there: the first by index stay.
    for row in np.flatnonzero(is_in.sum(axis=1) > depth):
        tied = np.flatnonzero(similarity[row] == least[row])
        num_above = int((similarity[row] > least[row]).sum())
        is_in[row, tied[depth - num_above :]] = False
    index = np.nonzero(is_in)[1].reshape(num_queries, depth)
    chosen = np.take_along_axis(similarity, index, axis=1)
    order = np.argsort(-chosen, axis=1, kind="stable")
    return np.take_along_axis(index, order, axis=1)
