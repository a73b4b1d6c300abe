"""The embeddings that a search runs over: which run, and its vectors in memory."""

from typing import TYPE_CHECKING

import numpy as np

from ptacl_core.arrays import Array, Float32
from ptacl_core.cohort.embedding_rows import EmbeddingKey, read_keys, read_vectors
from ptacl_core.cohort.rows import Embeddings
from ptacl_core.cohort.search.exact import normalise
from ptacl_core.cohort.search.mapped import MAPPED_FROM_VECTORS, keep_vectors, map_vectors
from ptacl_core.errors import CohortError

if TYPE_CHECKING:
    from ptacl_core.cohort.opened_store import OpenedStore


def find_latest_run(opened: "OpenedStore") -> str:
    """See `Cohort.latest_run`."""
    rows = opened.fetch("SELECT run FROM latest_run")
    if not rows:
        unfit = opened.fetch("SELECT DISTINCT run FROM embedding_sets ORDER BY run")
        if unfit:
            names = ", ".join(str(row[0]) for row in unfit)
            raise CohortError(
                f"no run of this cohort is fit to be taken unasked ({names}): they have not "
                "learned, or are negative controls; name one with --run RUN to use it all the same"
            )
        raise CohortError(
            "this cohort has no embeddings yet; train a run and write its embeddings with "
            "'ptacl embed COHORT --run RUN'"
        )
    return str(rows[0][0])


def load_embeddings(opened: "OpenedStore", run: str, modality: str, space: str) -> Embeddings:
    """See `Cohort.embeddings`; the arrays are kept for the open version of the store."""
    kept = ("embeddings", run, modality, space)
    embeddings = opened.cache.get(kept)
    if embeddings is None:
        key = EmbeddingKey(run, modality, space)
        sets = opened.fetch(
            "SELECT num_vectors, fingerprint FROM embedding_sets "
            "WHERE run = ? AND modality = ? AND space = ?",
            list(key),
        )
        if not sets:
            raise CohortError(
                f"run {run!r} has no embeddings of {modality} ({space}); write them with "
                f"'ptacl embed COHORT --run {run}'"
            )
        keys, vectors = _read(opened, key, is_large=int(sets[0][0]) >= MAPPED_FROM_VECTORS)
        embeddings = opened.cache[kept] = Embeddings(
            run=run,
            modality=modality,
            space=space,
            patients=tuple(row_key[0] for row_key in keys),
            visits=np.array([row_key[1] for row_key in keys], np.int64),
            vectors=vectors,
            fingerprint=str(sets[0][1]),
        )
    return embeddings


def load_unit_vectors(
    opened: "OpenedStore", embeddings: Embeddings
) -> Float32[Array, "vector dim"]:
    """The same vectors at length one, kept for the open version of the store."""
    kept = ("unit", embeddings.run, embeddings.modality, embeddings.space)
    unit = opened.cache.get(kept)
    if unit is None:
        unit = opened.cache[kept] = normalise(embeddings.vectors)
    return unit


def _read(
    opened: "OpenedStore", key: EmbeddingKey, *, is_large: bool
) -> tuple[list[tuple[str, int]], Float32[Array, "vector dim"]]:
    """Keys and vectors: of a large set from its file, which is written where there is none."""
    with opened.cursor() as cursor:
        if is_large:
            keys = read_keys(cursor, key)
            mapped = map_vectors(opened, key, keys)
            if mapped is not None:
                return keys, mapped
        keys, vectors = read_vectors(cursor, key)
    vectors.flags.writeable = False
    if is_large:
        keep_vectors(opened, key, vectors)
    return keys, vectors
