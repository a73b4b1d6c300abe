"""Exact neighbours by cosine similarity: float32 products, float64 order, fixed ties.

This is the oracle that every index is measured against, and the default up to about a
million vectors. Candidates come from one float32 matrix product per chunk; everything that
rounding could have put into the first k is scored again in float64, and ties are broken by
position, so that the result is the brute-force float64 order, the same on every run.
"""

import numpy as np

from ptacl_core.arrays import Array, Bool, Float32, Float64, Int64

_ROWS_PER_CHUNK = 65_536


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
    kth = np.partition(similarity, len(similarity) - count)[len(similarity) - count]
    candidates = np.flatnonzero(similarity >= kth - 2 * _rounding_bound(len(query)))
    return rank_exactly(query, vectors, candidates, k=count)


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
    unit_query = normalise(query[None, :])[0]
    similarity = np.empty(unit_vectors.shape[0], np.float32)
    for start in range(0, unit_vectors.shape[0], _ROWS_PER_CHUNK):
        rows = unit_vectors[start : start + _ROWS_PER_CHUNK]
        np.dot(rows, unit_query, out=similarity[start : start + rows.shape[0]])
    return similarity


def _rounding_bound(dim: int) -> float:
    """Largest error of a float32 product of two unit vectors, |Σaᵢbᵢ| ≤ 1 (any order of sum)."""
    return (dim + 8) * 2.0**-24
