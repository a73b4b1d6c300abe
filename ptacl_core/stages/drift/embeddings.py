"""What a run makes of another cohort: are its ECGs strange, do R² and intervals hold there."""

from collections.abc import Iterable
from typing import TypeVar

import numpy as np

from ptacl_core.arrays import Array, Float32
from ptacl_core.documents.drift import Discrepancy, EmbeddingDrift
from ptacl_core.documents.figures import finite
from ptacl_core.embedding.coverage import evaluate_coverage, no_coverage, predict_split
from ptacl_core.embedding.feature_cache import FeatureCache
from ptacl_core.embedding.patients import describe_rows
from ptacl_core.embedding.readout import Predictions, ReadOut
from ptacl_core.embedding.readout_fit import find_stored_readout
from ptacl_core.errors import CheckpointError
from ptacl_core.evaluate import maximum_mean_discrepancy, r2
from ptacl_core.progress import ProgressSink
from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.runs.choose import TrainedRun, check_preprocessing
from ptacl_core.shards import ShardReader

MAX_ENCODED = 2000
"""ECGs of a cohort that are encoded, evenly spread."""

MAX_COMPARED = 500
"""ECGs of a cohort in the discrepancy, whose cost grows with their square."""

_SEED = 17
Value = TypeVar("Value")


def compare_embeddings(
    aligned: TrainedRun,
    readers: tuple[ShardReader, ShardReader],
    *,
    num_permutations: int,
    progress: ProgressSink,
) -> EmbeddingDrift:
    """Section `embeddings`: discrepancy, outliers, R² and coverage, test of the run against other.

    Has `why` alone where the run cannot answer for the other cohort.
    """
    readout, why = find_stored_readout(aligned)
    if readout is None:
        return EmbeddingDrift(run=aligned.name, why=why)
    try:
        for reader in readers:
            check_preprocessing(aligned, reader.preprocessing_hash)
    except CheckpointError as error:
        return EmbeddingDrift(run=aligned.name, why=str(error))
    rows = (readers[0].rows("test", needs=("ecg",)), readers[1].rows(needs=("ecg",)))
    if min(map(len, rows)) < 2:
        return EmbeddingDrift(run=aligned.name, why="fewer than two test ECGs of the run")
    chosen = tuple(_thin(ecg_rows, MAX_ENCODED) for ecg_rows in rows)
    pooled = [
        FeatureCache.of(reader, aligned, "ecg", keeps=False)
        .find(ecg_rows, task="encode ECGs", progress=progress)
        .pooled
        for reader, ecg_rows in zip(readers, chosen, strict=True)
    ]
    splits = [
        describe_rows(reader, ecg_rows) for reader, ecg_rows in zip(readers, chosen, strict=True)
    ]
    predicted = [
        predict_split(readout, features, split)
        for features, split in zip(pooled, splits, strict=True)
    ]
    compared = [
        _whiten(readout, features[_thin(np.arange(len(features)), MAX_COMPARED)])
        for features in pooled
    ]
    discrepancy = maximum_mean_discrepancy(
        *compared,
        generator=np.random.default_rng(_SEED),
        num_permutations=num_permutations,
    )
    coverage, summary = no_coverage("the run predicts no phenotypes")
    if readout.names:
        coverage, summary = evaluate_coverage(readout, predicted[1], splits[1])
    return EmbeddingDrift(
        run=aligned.name,
        ecgs=_name_both(len(features) for features in pooled),
        mmd=Discrepancy(
            squared=discrepancy.squared,
            p_value=discrepancy.p_value,
            bandwidth=discrepancy.bandwidth,
            permutations=discrepancy.num_permutations,
            n=len(compared[0]),
            other_n=len(compared[1]),
        ),
        outliers=_name_both(float(answers.is_outlier.mean()) for answers in predicted),
        r2=_name_both(
            _score(split.phenotypes, answers)
            for split, answers in zip(splits, predicted, strict=True)
        ),
        coverage=coverage,
        coverage_summary=summary,
    )


def _name_both(values: Iterable[Value]) -> dict[str, Value]:
    return dict(zip(("cohort", "other"), values, strict=True))


def _thin(rows: Array, most: int) -> Array:
    """At most `most` of the rows, evenly spread."""
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]


def _whiten(readout: ReadOut, pooled: Float32[Array, "row dim"]) -> Array:
    """In units of the training patients' spread, so that no direction rules by its scale."""
    return (pooled - readout.detector.mean) @ readout.detector.whitening


def _score(observed: Array, predictions: Predictions) -> dict[str, float | None]:
    if not predictions.value.shape[1]:
        return {}  # a cohort of targets of its own
    scores = np.asarray(r2(observed, predictions.value))
    return {name: finite(score) for name, score in zip(PHENOTYPE_NAMES, scores, strict=True)}
