"""The cohort's own targets on test people: values, intervals, probabilities, and sex and age."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ptacl_core.arrays import Array, Float64, Int64
from ptacl_core.cohort import Cohort
from ptacl_core.documents.figures import Bounded, finite
from ptacl_core.documents.targets import TargetCoverage, TargetEvaluation
from ptacl_core.embedding.feature_cache import FeatureCache
from ptacl_core.embedding.patients import EvaluationSplit, describe_rows
from ptacl_core.embedding.readout_fit import READOUT_FOLDER
from ptacl_core.embedding.target_fit import fit_targets
from ptacl_core.embedding.target_labels import TargetLabels, load_target_labels
from ptacl_core.embedding.target_readout import FittedTarget, TargetPredictions, TargetReadOut
from ptacl_core.evaluate import (
    EvaluationError,
    Interval,
    Resamples,
    draw_resamples,
    measure_coverage,
    name_sex_age_groups,
)
from ptacl_core.evaluate.intervals import BootstrapInterval
from ptacl_core.evaluate.probes.figures import (
    Weighted,
    bound_weighted,
    weigh_area,
    weigh_brier,
    weigh_calibration,
)
from ptacl_core.evaluate.probes.penalised import fit_logistic_probe, fit_ridge_probe
from ptacl_core.evaluate.resampling import BOOTSTRAP_SEED
from ptacl_core.progress import ProgressSink
from ptacl_core.records.targets import Target
from ptacl_core.runs.choose import TrainedRun
from ptacl_core.shards import ShardReader

BASELINE_COLUMNS = [0, 1]
"""Sex and age among the covariates."""


@dataclass(frozen=True, slots=True, eq=False)
class _Data:
    """Every ECG of the cohort with its features, labels and split."""

    features: Float64[Array, "row dim"]
    people: EvaluationSplit
    split: Array
    labels: TargetLabels

    @property
    def names(self) -> Array:
        return np.asarray(self.people.patients)

    @property
    def groups(self) -> list[str]:
        return name_sex_age_groups(self.people.sex, self.people.covariates[:, 1])


def evaluate_targets(
    cohort: Cohort,
    reader: ShardReader,
    run: TrainedRun,
    *,
    num_resamples: int,
    progress: ProgressSink,
) -> tuple[dict[str, TargetEvaluation], str]:
    """Sections `targets` and `targets_read_out`; both empty of a cohort without targets.

    The read-out is the one that predictions come from, and one fitted here where the run has none
    of these targets.
    """
    if not cohort.targets():
        return {}, ""
    rows = reader.rows(needs=("ecg",))
    cache = FeatureCache.of(reader, run, "ecg")
    pooled = cache.find(rows, task="targets", progress=progress).pooled
    cache.save()
    data = _Data(
        pooled.astype(np.float64),
        describe_rows(reader, rows),
        np.asarray([reader.splits[row] for row in rows]),
        load_target_labels(cohort, reader, rows),
    )
    readout, source = _find_readout(run, data)
    test = np.flatnonzero(data.split == "test")
    resamples = None
    if len(set(data.names[test])) >= 2:
        resamples = draw_resamples(
            len(test),
            generator=np.random.default_rng(BOOTSTRAP_SEED),
            num_resamples=num_resamples,
            patients=data.names[test],
        )
    fitted = {answer.target.name: answer for answer in readout.fitted}
    sections = {}
    for column, target in enumerate(data.labels.targets):
        start = _describe(target, data, column)
        why = readout.unfitted.get(target.name) or _explain_lack(target, data, column, test)
        if why is not None or resamples is None:
            why = why or "fewer than two test people have an ECG"
            sections[target.name] = start.model_copy(update={"why": why})
        else:
            sections[target.name] = _evaluate(
                start, fitted[target.name], data, column, test, resamples, readout.coverage
            )
    return sections, source


def _find_readout(run: TrainedRun, data: _Data) -> tuple[TargetReadOut, str]:
    stored = TargetReadOut.load(run.directory / READOUT_FOLDER)
    wanted = {target.name: target for target in data.labels.targets}
    if stored is not None and stored.checkpoint_sha256 == run.checkpoint_sha256:
        known = {answer.target.name: answer.target for answer in stored.fitted}
        is_whole = {*known, *stored.unfitted} == wanted.keys()
        if is_whole and all(wanted[name] == target for name, target in known.items()):
            return stored, "the read-out that predictions come from"
    fitted = fit_targets(
        data.features,
        data.labels,
        splits=data.split.tolist(),
        people=data.people.patients,
        groups=data.groups,
        checkpoint_sha256=run.checkpoint_sha256,
    )
    return fitted, "fitted for this evaluation: `ptacl embed` has not been run with these targets"


def _describe(target: Target, data: _Data, column: int) -> TargetEvaluation:
    has_value = np.isfinite(data.labels.values[:, column])
    people = {
        split: len(set(data.names[has_value & (data.split == split)]))
        for split in ("train", "val", "test")
    }
    names = ("name", "kind", "unit", "title", "low", "high", "rule", "reference")
    definition = {name: getattr(target, name) for name in names}
    return TargetEvaluation(**definition, people=people, n=people["test"])


def _explain_lack(
    target: Target, data: _Data, column: int, test: Int64[Array, " test"]
) -> str | None:
    present = data.labels.values[test, column]
    present = present[np.isfinite(present)]
    if len(present) < 2:
        return "fewer than two test people have a value"
    if np.ptp(present) == 0:
        side = "on one side" if target.is_binary else "of one value"
        return f"all test people are {side}"
    return None


def _evaluate(
    start: TargetEvaluation,
    fitted: FittedTarget,
    data: _Data,
    column: int,
    test: Int64[Array, " test"],
    resamples: Resamples,
    coverage: float,
) -> TargetEvaluation:
    kept = np.flatnonzero(np.isfinite(data.labels.values[test, column]))
    rows, drawn = test[kept], resamples.take(kept)
    observed = data.labels.values[rows, column]
    groups = [data.groups[row] for row in rows]
    predicted = fitted.predict(data.features[rows], groups=groups, level=coverage)
    baseline = _predict_baseline(fitted.target, data, column, rows)
    if fitted.target.is_binary:
        return _evaluate_binary(start, predicted, observed, baseline, data.names[rows], drawn)
    return _evaluate_continuous(
        start, predicted, observed, baseline, data.names[rows], drawn, coverage
    )


def _evaluate_continuous(
    start: TargetEvaluation,
    predicted: TargetPredictions,
    observed: Float64[Array, " row"],
    baseline: Float64[Array, " row"],
    names: Array,
    drawn: Resamples,
    coverage: float,
) -> TargetEvaluation:
    figures = bound_weighted(
        _join(_weigh_r2(observed, predicted.value), _weigh_r2(observed, baseline)), drawn
    )
    error = drawn.mean_interval(np.abs(observed - predicted.value)[:, None])
    first = np.sort(np.unique(names, return_index=True)[1])
    interval = Interval(predicted.low[first], predicted.high[first])
    covered = measure_coverage(observed[first], interval)
    return start.model_copy(
        update={
            "r2": _bounded(figures, 0),
            "baseline": _bounded(figures, 1),
            "gain": _bounded(figures, 2),
            "mean_absolute_error": _bounded(error, 0),
            "coverage": TargetCoverage(
                nominal=coverage,
                n=covered.num_patients,
                share=covered.share,
                low=covered.low,
                high=covered.high,
                mean_width=covered.mean_width,
            ),
        }
    )


def _evaluate_binary(
    start: TargetEvaluation,
    predicted: TargetPredictions,
    observed: Float64[Array, " row"],
    baseline: Float64[Array, " row"],
    names: Array,
    drawn: Resamples,
) -> TargetEvaluation:
    areas = _join(weigh_area(predicted.value, observed), weigh_area(baseline, observed))
    figures = bound_weighted(areas, drawn)
    line = bound_weighted(weigh_calibration(predicted.value, observed), drawn)
    prevalence = float(observed.mean())
    return start.model_copy(
        update={
            "events": len(set(names[observed > 0.5])),
            "auc": _bounded(figures, 0),
            "baseline": _bounded(figures, 1),
            "gain": _bounded(figures, 2),
            "brier": _bounded(bound_weighted(weigh_brier(predicted.value, observed), drawn), 0),
            "brier_of_prevalence": prevalence * (1.0 - prevalence),
            "slope": _bounded(line, 0),
            "intercept": _bounded(line, 1),
        }
    )


def _predict_baseline(
    target: Target, data: _Data, column: int, rows: Int64[Array, " row"]
) -> Float64[Array, " row"]:
    """Sex and age alone, fitted on the same training people; absent ones are their mean."""
    values = data.labels.values[:, column]
    train = np.flatnonzero((data.split == "train") & np.isfinite(values))
    known = data.people.covariates[:, BASELINE_COLUMNS]
    filled = np.column_stack([_fill(facts, train) for facts in known.T])
    fit = fit_logistic_probe if target.is_binary else fit_ridge_probe
    try:
        probe = fit(filled[train], values[train], data.names[train])
    except EvaluationError:
        return np.full(len(rows), np.nan)
    return probe.score(filled[rows])


def _fill(facts: Float64[Array, " row"], train: Int64[Array, " train"]) -> Float64[Array, " row"]:
    present = facts[train][np.isfinite(facts[train])]
    return np.where(np.isfinite(facts), facts, present.mean() if present.size else 0.0)


def _weigh_r2(observed: Float64[Array, " row"], predicted: Float64[Array, " row"]) -> Weighted:
    """R² about the weighted mean of the labels."""
    terms = np.column_stack(
        [np.ones(len(observed)), observed, np.square(observed), np.square(observed - predicted)]
    )

    def r2(weights: Float64[Array, "resample row"]) -> Float64[Array, "resample 1"]:
        count, total, squares, errors = (weights @ terms).T
        spread = squares - np.square(total) / np.maximum(count, 1e-300)
        is_defined = spread > 1e-12 * np.maximum(squares, 1e-300)
        return np.where(is_defined, 1 - errors / np.where(is_defined, spread, 1.0), np.nan)[:, None]

    return r2


def _join(ours: Weighted, theirs: Weighted) -> Weighted:
    """Both figures and their difference."""

    def both(weights: Float64[Array, "resample row"]) -> Float64[Array, "resample 3"]:
        left, right = ours(weights), theirs(weights)
        return np.hstack([left, right, left - right])

    return both


def _bounded(interval: BootstrapInterval, index: int) -> Bounded:
    bounds: Sequence[Array] = (interval.estimate, interval.low, interval.high)
    value, low, high = (finite(np.atleast_1d(bound)[index]) for bound in bounds)
    return Bounded(value=value, low=low, high=high)
