"""Embeddings checked before they are stored or searched, and their fingerprint."""

import hashlib
from collections.abc import Sequence

import numpy as np

from ptacl_core.arrays import Array, Float32
from ptacl_core.errors import CohortError


def check_vectors(
    vectors: object, *, dim: int | None = None, where: str = "vectors"
) -> Float32[Array, "vector dim"]:
    """`vectors` as contiguous float32 [vector, dim], or a CohortError that says what is wrong.

    Refused: other than a two-dimensional floating array, another width than `dim`, no width,
    values that are NaN, infinite or beyond float32, vectors of length zero (they have no
    direction to compare).
    """
    if not isinstance(vectors, np.ndarray):
        raise CohortError(f"{where}: expected a NumPy array, got {type(vectors).__name__}")
    if vectors.dtype.kind != "f":
        raise CohortError(f"{where}: expected floating numbers, got dtype {vectors.dtype}")
    if vectors.ndim != 2 or vectors.shape[1] == 0:
        raise CohortError(f"{where}: expected shape [vector, dim], got {list(vectors.shape)}")
    if dim is not None and vectors.shape[1] != dim:
        raise CohortError(f"{where}: expected vectors of width {dim}, got {vectors.shape[1]}")
    with np.errstate(over="ignore"):
        single = np.ascontiguousarray(vectors, dtype=np.float32)
    squared = np.einsum("ij,ij->i", single, single, dtype=np.float64)
    if not np.isfinite(squared).all():
        num_bad = int((~np.isfinite(squared)).sum())
        raise CohortError(f"{where}: expected finite values, got NaN or infinity in {num_bad}")
    if (squared <= 0).any():
        num_bad = int((squared <= 0).sum())
        raise CohortError(f"{where}: expected a direction, got {num_bad} of length zero")
    return single


def check_vector(
    vector: object, *, dim: int, where: str = "query vector"
) -> Float32[Array, " dim"]:
    """One query vector [dim], checked as `check_vectors` does."""
    if not isinstance(vector, np.ndarray) or vector.ndim != 1:
        got = list(vector.shape) if isinstance(vector, np.ndarray) else type(vector).__name__
        raise CohortError(f"{where}: expected a NumPy array of shape [{dim}], got {got}")
    return check_vectors(vector[None, :], dim=dim, where=where)[0]


def compute_fingerprint(
    patients: Sequence[str], visits: Sequence[int], vectors: Float32[Array, "vector dim"]
) -> str:
    """SHA-256 over ids and values: equal exactly when two sets of embeddings are equal."""
    digest = hashlib.sha256(f"{vectors.shape[0]} {vectors.shape[1]}\n".encode())
    for patient, visit in zip(patients, visits, strict=True):
        digest.update(f"{patient}\0{visit}\n".encode())
    digest.update(np.ascontiguousarray(vectors).view(np.uint8).data)
    return digest.hexdigest()
