"""The embeddings that a search runs over: which run, and its vectors in memory."""

from typing import TYPE_CHECKING

import numpy as np

from ptacl_core.cohort.embedding_rows import EmbeddingKey, read_vectors
from ptacl_core.cohort.rows import Embeddings
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
    key = ("embeddings", run, modality, space)
    embeddings = opened.cache.get(key)
    if embeddings is None:
        with opened.cursor() as cursor:
            keys, vectors = read_vectors(cursor, EmbeddingKey(run, modality, space))
        if not keys:
            raise CohortError(
                f"run {run!r} has no embeddings of {modality} ({space}); write them with "
                f"'ptacl embed COHORT --run {run}'"
            )
        fingerprint = opened.fetch(
            "SELECT fingerprint FROM embedding_sets WHERE run = ? AND modality = ? AND space = ?",
            [run, modality, space],
        )[0][0]
        vectors.flags.writeable = False
        embeddings = opened.cache[key] = Embeddings(
            run=run,
            modality=modality,
            space=space,
            patients=tuple(row_key[0] for row_key in keys),
            visits=np.array([row_key[1] for row_key in keys], np.int64),
            vectors=vectors,
            fingerprint=str(fingerprint),
        )
    return embeddings
