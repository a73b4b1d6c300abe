"""Exact neighbours by cosine similarity: float32 products, float64 order, fixed ties.

This is the oracle that every index is measured against, and the default up to about a
million vectors. Candidates come from float32 products; everything that
rounding could have put into the first k is scored again in float64, and ties are broken by
position, so that the result is the brute-force float64 order, the same on every run.
"""

import numpy as np

from ptacl_core.arrays import Array, Bool, Float32, Float64, Int64

_ROWS_PER_CHUNK = 65_536
_QUERIES_PER_BLOCK = 128
_VECTORS_PER_GROUP = 32


def normalise(vectors: Float32[Array, "vector dim"]) -> Float32[Array, "vector dim"]:
    """Rows scaled to length one (float64 lengths); no row may be of length zero."""
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    unit = np.empty_like(vectors, dtype=np.float32)
    np.divide(vectors, lengths[:, None], out=unit, casting="same_kind")
    return unit


def search_exact(
    query: Float32[Array, " dim"],
    vectors: Float32[Array, "vector dim"],
    unit_vectors: Float32[Array, "vector dim"],
    *,
    k: int,
    is_allowed: Bool[Array, " vector"] | None = None,
) -> tuple[Int64[Array, " k"], Float64[Array, " k"]]:
    """Positions and cosine similarities of the `k` nearest vectors, the nearest first.

    `unit_vectors` are `normalise(vectors)`; `is_allowed` leaves vectors out. Fewer than `k`
    come back when fewer are allowed. Ties go to the lower position.
    """
    similarity = _single_precision(query, unit_vectors)
    if is_allowed is not None:
        similarity[~is_allowed] = -np.inf
    num_allowed = len(similarity) if is_allowed is None else int(is_allowed.sum())
    count = min(k, num_allowed)
    if count == 0:
        return np.empty(0, np.int64), np.empty(0, np.float64)
    least = find_floors(similarity[None], k=count)[0]
    candidates = np.flatnonzero(similarity >= least - 2 * _rounding_bound(len(query)))
    if is_allowed is not None:
        candidates = candidates[is_allowed[candidates]]
    return rank_exactly(query, vectors, candidates, k=count)


def search_exact_many(
    queries: Float32[Array, "query dim"],
    vectors: Float32[Array, "vector dim"],
    unit_vectors: Float32[Array, "vector dim"],
    *,
    k: int,
) -> tuple[Int64[Array, "query found"], Float64[Array, "query found"]]:
    """`search_exact` of many queries: the same answers, from one matrix product per block.

    `found` is `k`, or the number of vectors where there are fewer.
    """
    count = min(k, len(vectors))
    positions = np.empty((len(queries), count), np.int64)
    similarities = np.empty((len(queries), count), np.float64)
    if count == 0 or len(queries) == 0:
        return positions, similarities
    unit_queries = normalise(queries)
    margin = 2 * _rounding_bound(queries.shape[1])
    for start in range(0, len(queries), _QUERIES_PER_BLOCK):
        block = unit_queries[start : start + _QUERIES_PER_BLOCK]
        similarity = block @ unit_vectors.T
        least = find_floors(similarity, k=count)
        for row, values in enumerate(similarity):
            candidates = np.flatnonzero(values >= least[row] - margin)
            place = start + row
            positions[place], similarities[place] = rank_exactly(
                queries[place], vectors, candidates, k=count
            )
    return positions, similarities


def find_floors(similarity: Float32[Array, "query vector"], *, k: int) -> Float32[Array, " query"]:
    """For each query a value that at least `k` vectors reach, close to that of the k-th.

    The k-th largest of the largest of each small group of vectors: as many vectors reach it,
    and groups are far fewer than vectors. With few groups the k-th largest value itself.
    """
    num_queries, num_vectors = similarity.shape
    num_groups = num_vectors // _VECTORS_PER_GROUP
    if num_groups >= 4 * k:
        grouped = similarity[:, : num_groups * _VECTORS_PER_GROUP]
        shape = (num_queries, _VECTORS_PER_GROUP, num_groups)
        similarity = grouped.reshape(shape).max(axis=1)
    place = similarity.shape[1] - k
    return np.partition(similarity, place, axis=1)[:, place]


def rank_exactly(
    query: Float32[Array, " dim"],
    vectors: Float32[Array, "vector dim"],
    candidates: Int64[Array, " candidate"],
    *,
    k: int,
) -> tuple[Int64[Array, " k"], Float64[Array, " k"]]:
    """The first `k` of `candidates` (positions, ascending) by float64 cosine similarity."""
    similarity = np.empty(len(candidates), np.float64)
    for start in range(0, len(candidates), _ROWS_PER_CHUNK):
        rows = candidates[start : start + _ROWS_PER_CHUNK]
        similarity[start : start + len(rows)] = cosine_similarity(query, vectors[rows])
    order = np.argsort(-similarity, kind="stable")[:k]
    return candidates[order].astype(np.int64), similarity[order]


def cosine_similarity(
    query: Float32[Array, " dim"], vectors: Float32[Array, "vector dim"]
) -> Float64[Array, " vector"]:
    """Cosine of the angle between `query` and each row, in float64.

    Every row is summed in the same order whatever the number of rows (no BLAS), so that equal
    vectors get equal similarities.
    """
    wide = vectors.astype(np.float64)
    single = query.astype(np.float64)
    products = (wide * single).sum(axis=1)
    lengths = np.sqrt((wide * wide).sum(axis=1))
    return np.clip(products / lengths / np.sqrt((single * single).sum()), -1.0, 1.0)


def _single_precision(
    query: Float32[Array, " dim"], unit_vectors: Float32[Array, "vector dim"]
) -> Float32[Array, " vector"]:
    """Float32 cosines with one query; NumPy's own loop reads the vectors faster than BLAS does."""
    return np.einsum("ij,j->i", unit_vectors, normalise(query[None, :])[0])


def _rounding_bound(dim: int) -> float:
    """Largest error of a float32 product of two unit vectors, |Σaᵢbᵢ| ≤ 1 (any order of sum)."""
    return (dim + 8) * 2.0**-24
