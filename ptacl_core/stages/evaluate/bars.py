"""The rows without learning: ridge on the mean beat and on pixels, and linear alignment."""

from dataclasses import dataclass

import numpy as np

from ptacl_core.arrays import Array, Float64, Modality
from ptacl_core.embedding.patients import EvaluationSplit
from ptacl_core.evaluate.bars import (
    LabelCurve,
    Ridge,
    fit_linear_alignment,
    mean_beat_features,
    measure_label_curve,
    pixel_features,
)
from ptacl_core.progress import ProgressSink
from ptacl_core.shards import ShardReader

_ROWS_PER_READ = 100
RIDGE_NAMES: dict[Modality, tuple[str, str]] = {
    "ecg": ("ridge-mean-beat", "Ridge, mean beat"),
    "cmr": ("ridge-pixels", "Ridge, pixels"),
}
LINEAR_NAME = "Linear alignment (CCA)"


@dataclass(frozen=True, slots=True, eq=False)
class Bar:
    """One row without learning: its predictions by number of labels."""

    key: str
    name: str
    modality: Modality
    curve: LabelCurve


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """All of them, with the features that they are made from and CCA's embeddings of test."""

    rows: tuple[Bar, ...]
    features: dict[Modality, tuple[Array, Array]]
    linear_test: dict[Modality, Float64[Array, "test component"]]

    def curve(self, modality: str) -> LabelCurve:
        """The label curve that rows of a modality are held against."""
        key = next(name[0] for kind, name in RIDGE_NAMES.items() if kind == modality)
        return next(row.curve for row in self.rows if row.key == key)


def measure_bars(
    reader: ShardReader, train: EvaluationSplit, test: EvaluationSplit, progress: ProgressSink
) -> Bars:
    """Read mean beats and pixels of train and test and fit each line on train."""
    features: dict[Modality, tuple[Array, Array]] = {
        "ecg": (_read_beats(reader, train, progress), _read_beats(reader, test, progress)),
        "cmr": (_read_pixels(reader, train, progress), _read_pixels(reader, test, progress)),
    }
    progress.say("fitting ridge on mean beats and pixels, and their linear alignment")
    rows = [
        Bar(*RIDGE_NAMES[modality], modality, _fit_curve(*parts, train.phenotypes))
        for modality, parts in features.items()
    ]
    linear = fit_linear_alignment(features["ecg"][0], features["cmr"][0])
    embedded: dict[Modality, tuple[Array, Array]] = {
        "ecg": tuple(linear.embed_first(pooled_features) for pooled_features in features["ecg"]),  # pyright: ignore[reportAssignmentType]
        "cmr": tuple(linear.embed_second(pooled_features) for pooled_features in features["cmr"]),
    }
    rows += [
        Bar(f"linear-{modality}", LINEAR_NAME, modality, _fit_curve(*parts, train.phenotypes))
        for modality, parts in embedded.items()
    ]
    return Bars(tuple(rows), features, {name: parts[1] for name, parts in embedded.items()})


def _fit_curve(train: Array, test: Array, targets: Float64[Array, "train target"]) -> LabelCurve:
    return measure_label_curve(Ridge(train, test), targets)


def _read_beats(reader: ShardReader, split: EvaluationSplit, progress: ProgressSink) -> Array:
    task = "mean beats"
    progress.start(task, len(split), "ECGs")
    parts = []
    for start in range(0, len(split), _ROWS_PER_READ):
        rows = split.rows[start : start + _ROWS_PER_READ]
        signals = reader.read_ecg(rows).astype(np.float32)
        parts.append(mean_beat_features(signals, reader.r_peaks(rows)))
        progress.advance(task, len(rows))
    progress.finish(task)
    return np.concatenate(parts)


def _read_pixels(reader: ShardReader, split: EvaluationSplit, progress: ProgressSink) -> Array:
    task = "pixels"
    progress.start(task, len(split), "cines")
    parts = []
    for start in range(0, len(split), _ROWS_PER_READ):
        rows = split.rows[start : start + _ROWS_PER_READ]
        parts.append(pixel_features(reader.read_cine_bytes(rows)))
        progress.advance(task, len(rows))
    progress.finish(task)
    return np.concatenate(parts)
