"""The read-out of a cohort's own targets: probes on train, intervals and calibration on val."""

from collections.abc import Sequence

import numpy as np

from ptacl_core.arrays import Array, Float64, Int64
from ptacl_core.cohort import Cohort
from ptacl_core.embedding.patients import describe_rows
from ptacl_core.embedding.readout import DEFAULT_COVERAGE, least_labels, round_up
from ptacl_core.embedding.target_labels import TargetLabels, load_target_labels
from ptacl_core.embedding.target_readout import FittedTarget, TargetReadOut
from ptacl_core.evaluate import EvaluationError, fit_conformal, name_sex_age_groups
from ptacl_core.evaluate.conformal import POOLED
from ptacl_core.evaluate.probes.calibration import fit_calibration
from ptacl_core.evaluate.probes.penalised import fit_logistic_probe, fit_ridge_probe
from ptacl_core.records.targets import Target
from ptacl_core.shards import ShardReader

MIN_TRAINING_PEOPLE = 20
"""Fewest training people with a value that a target is fitted on; of an event, on each side 10."""

MIN_EVENTS = 10


def fit_run_targets(
    cohort: Cohort,
    reader: ShardReader,
    rows: Int64[Array, " row"],
    pooled: Float64[Array, "row dim"],
    checkpoint_sha256: str,
) -> TargetReadOut:
    """Fit every target that enough people among `rows` have; others say why they are not."""
    labels = load_target_labels(cohort, reader, rows)
    if not labels.targets:
        return TargetReadOut.none(checkpoint_sha256, DEFAULT_COVERAGE)
    people = describe_rows(reader, rows)
    return fit_targets(
        np.asarray(pooled, np.float64),
        labels,
        splits=[reader.splits[row] for row in rows],
        people=people.patients,
        groups=name_sex_age_groups(people.sex, people.covariates[:, 1]),
        checkpoint_sha256=checkpoint_sha256,
    )


def fit_targets(
    features: Float64[Array, "row dim"],
    labels: TargetLabels,
    *,
    splits: Sequence[str],
    people: Sequence[str],
    groups: Sequence[str],
    checkpoint_sha256: str,
    coverage: float = DEFAULT_COVERAGE,
) -> TargetReadOut:
    """Probes from the rows of split train, intervals and calibration from those of val."""
    side, names, group = np.asarray(splits), np.asarray(people), np.asarray(groups)
    fitted: list[FittedTarget] = []
    unfitted: dict[str, str] = {}
    for column, target in enumerate(labels.targets):
        values = labels.values[:, column]
        train, val = (np.flatnonzero((side == s) & np.isfinite(values)) for s in ("train", "val"))
        why = _explain_lack(target, values, names, train, val, coverage=coverage)
        if why is not None:
            unfitted[target.name] = why
            continue
        try:
            if target.is_binary:
                fitted.append(_fit_binary(target, features, values, names, (train, val)))
            else:
                fitted.append(
                    _fit_continuous(
                        target, features, values, names, group, (train, val), coverage=coverage
                    )
                )
        except EvaluationError as error:
            unfitted[target.name] = str(error)
    return TargetReadOut(tuple(fitted), unfitted, coverage, checkpoint_sha256)


def _explain_lack(
    target: Target,
    values: Float64[Array, " row"],
    names: Array,
    train: Int64[Array, " train"],
    val: Int64[Array, " val"],
    *,
    coverage: float,
) -> str | None:
    num_train, num_val = len(set(names[train])), len(set(names[val]))
    if num_train < MIN_TRAINING_PEOPLE:
        return f"{num_train} training people have a value, at least {MIN_TRAINING_PEOPLE} must"
    least = least_labels(coverage)
    if not target.is_binary and num_val < least:
        return f"{num_val} validation people have a value, an interval needs at least {least}"
    if target.is_binary:
        sides = [len(set(names[train][values[train] == side])) for side in (1.0, 0.0)]
        if min(sides) < MIN_EVENTS:
            return (
                f"{sides[0]} training people have it and {sides[1]} do not, at least {MIN_EVENTS} "
                "must on each side"
            )
    return None


def _fit_binary(
    target: Target,
    features: Float64[Array, "row dim"],
    values: Float64[Array, " row"],
    names: Array,
    splits: tuple[Int64[Array, " train"], Int64[Array, " val"]],
) -> FittedTarget:
    train, val = splits
    probe = fit_logistic_probe(features[train], values[train], names[train])
    calibration = fit_calibration(probe.score(features[val]), values[val], names[val])
    counts = (calibration.num_events, calibration.num_others)
    return FittedTarget(target, probe, (POOLED,), np.zeros((1, 2)), counts, calibration)


def _fit_continuous(
    target: Target,
    features: Float64[Array, "row dim"],
    values: Float64[Array, " row"],
    names: Array,
    groups: Array,
    splits: tuple[Int64[Array, " train"], Int64[Array, " val"]],
    *,
    coverage: float,
) -> FittedTarget:
    train, val = splits
    probe = fit_ridge_probe(features[train], values[train], names[train])
    # one recording a person: several of one are not exchangeable with those of others
    first = val[np.sort(np.unique(names[val], return_index=True)[1])]
    intervals = fit_conformal(
        values[first],
        probe.score(features[first]),
        level=coverage,
        groups=groups[first].tolist(),
        is_asymmetric=True,
    )
    held = (POOLED, *sorted(set(intervals.offsets) - {POOLED}))
    offsets = round_up(np.array([intervals.offsets[group] for group in held], np.float64))
    counts = tuple(intervals.num_calibration[group] for group in held)
    return FittedTarget(target, probe, held, offsets, counts)
