"""What a run makes of another cohort: are its ECGs strange, do R² and intervals hold there."""

from typing import Any

import numpy as np

from ptacl_core.arrays import Array, Float32
from ptacl_core.embedding.coverage import evaluate_coverage, predict_split
from ptacl_core.embedding.feature_cache import FeatureCache
from ptacl_core.embedding.patients import describe_rows
from ptacl_core.embedding.readout import Predictions, ReadOut
from ptacl_core.embedding.readout_fit import find_stored_readout
from ptacl_core.errors import CheckpointError
from ptacl_core.evaluate import maximum_mean_discrepancy, r2
from ptacl_core.progress import ProgressSink
from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.runs.choose import AlignedRun, check_preprocessing
from ptacl_core.shards import ShardReader

MAX_ENCODED = 2000
"""ECGs of a cohort that are encoded, evenly spread."""

MAX_COMPARED = 500
"""ECGs of a cohort in the discrepancy, whose cost grows with their square."""

_SEED = 17


def compare_embeddings(
    aligned: AlignedRun,
    readers: tuple[ShardReader, ShardReader],
    *,
    num_permutations: int,
    progress: ProgressSink,
) -> dict[str, Any]:
    """Section `embeddings`: discrepancy, outliers, R² and coverage, test of the run against other.

    Has `why` alone where the run cannot answer for the other cohort.
    """
    readout, why = find_stored_readout(aligned)
    if readout is None:
        return {"run": aligned.name, "why": why}
    try:
        for reader in readers:
            check_preprocessing(aligned, reader.preprocessing_hash)
    except CheckpointError as error:
        return {"run": aligned.name, "why": str(error)}
    rows = (readers[0].rows("test", needs=("ecg",)), readers[1].rows(needs=("ecg",)))
    if min(map(len, rows)) < 2:
        return {"run": aligned.name, "why": "fewer than two test ECGs of the run"}
    chosen = tuple(_thin(each, MAX_ENCODED) for each in rows)
    pooled = [
        FeatureCache.of(reader, aligned, "ecg", keeps=False)
        .find(each, task="encode ECGs", progress=progress)
        .pooled
        for reader, each in zip(readers, chosen, strict=True)
    ]
    splits = [describe_rows(reader, each) for reader, each in zip(readers, chosen, strict=True)]
    predicted = [
        predict_split(readout, each, split) for each, split in zip(pooled, splits, strict=True)
    ]
    compared = [
        _whiten(readout, each[_thin(np.arange(len(each)), MAX_COMPARED)]) for each in pooled
    ]
    found = maximum_mean_discrepancy(
        *compared,
        generator=np.random.default_rng(_SEED),
        num_permutations=num_permutations,
    )
    return {
        "run": aligned.name,
        "ecgs": {"cohort": len(pooled[0]), "other": len(pooled[1])},
        "mmd": {
            "squared": found.squared,
            "p_value": found.p_value,
            "bandwidth": found.bandwidth,
            "permutations": found.num_permutations,
            "n": len(compared[0]),
            "other_n": len(compared[1]),
        },
        "outliers": {
            name: float(each.is_outlier.mean())
            for name, each in zip(("cohort", "other"), predicted, strict=True)
        },
        "r2": {
            name: _score(split.phenotypes, each)
            for name, split, each in zip(("cohort", "other"), splits, predicted, strict=True)
        },
        **evaluate_coverage(readout, predicted[1], splits[1]),
    }


def _thin(rows: Array, most: int) -> Array:
    """At most `most` of the rows, evenly spread."""
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]


def _whiten(readout: ReadOut, pooled: Float32[Array, "row dim"]) -> Array:
    """In units of the training patients' spread, so that no direction rules by its scale."""
    return (pooled - readout.detector.mean) @ readout.detector.whitening


def _score(observed: Array, predictions: Predictions) -> dict[str, float | None]:
    scores = np.asarray(r2(observed, predictions.value))
    return {
        name: float(score) if np.isfinite(score) else None
        for name, score in zip(PHENOTYPE_NAMES, scores, strict=True)
    }
