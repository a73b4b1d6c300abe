"""What a head is trained on: the ten phenotypes, or the cohort's own targets."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ptacl_core.arrays import Array, Float64, Int64, Modality
from ptacl_core.cohort import Cohort
from ptacl_core.embedding.target_fit import MIN_EVENTS, MIN_TRAINING_PEOPLE
from ptacl_core.embedding.target_labels import load_target_labels
from ptacl_core.errors import ShardError
from ptacl_core.records import PHENOTYPE_NAMES, PHENOTYPE_UNITS
from ptacl_core.records.targets import Target
from ptacl_core.runs.folder import TrainingRun


@dataclass(frozen=True, slots=True)
class HeadTargets:
    """Names, units and scales of a head's targets, and where their values are read.

    Continuous targets are z-scored by `mean` and `sd` of the training patients; of a binary one
    (mean 0, SD 1) `shares` has how many training patients have it, None of the others.
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    mean: tuple[float, ...]
    sd: tuple[float, ...]
    shares: tuple[float | None, ...]
    read: Callable[[Int64[Array, " row"]], Float64[Array, "row target"]]


def read_phenotypes(run: TrainingRun, stage: str, modality: Modality) -> HeadTargets:
    """The ten phenotypes. Raises ShardError where training patients lack one.

    Means and deviations are kept to three digits: they stay with the weights when a person leaves,
    and from exact ones the person's phenotypes would follow, as what the others' do not sum up to.
    """
    values = run.reader.phenotypes(run.reader.rows("train", needs=(modality,)))
    counts = np.isfinite(values).sum(axis=0)
    if (counts < 2).any():
        lacking = ", ".join(np.asarray(PHENOTYPE_NAMES)[counts < 2])
        raise ShardError(
            f"stage {stage}: fewer than two training patients have {lacking}; "
            "give phenotypes with `ptacl preprocess --phenotypes`"
        )
    mean, sd = _measure(values)
    return HeadTargets(
        PHENOTYPE_NAMES,
        tuple(PHENOTYPE_UNITS[name] for name in PHENOTYPE_NAMES),
        mean,
        sd,
        (None,) * len(PHENOTYPE_NAMES),
        run.reader.phenotypes,
    )


def read_cohort_targets(run: TrainingRun, stage: str, modality: Modality) -> HeadTargets:
    """The cohort's own targets that enough training people have; others are said and left out.

    Raises ShardError where there is none.
    """
    with Cohort.open(run.cohort_dir) as cohort:
        everything = np.arange(run.reader.num_rows)
        labels = load_target_labels(cohort, run.reader, everything)
    rows = run.reader.rows("train", needs=(modality,))
    people = np.asarray([run.reader.patients[row] for row in rows])
    train = labels.values[rows]
    kept = []
    for column, target in enumerate(labels.targets):
        why = _explain_lack(target, train[:, column], people)
        if why is None:
            kept.append(column)
        else:
            run.progress.say(f"stage {stage}: target {target.name} is left out: {why}")
    if not kept:
        raise ShardError(
            f"stage {stage}: the cohort has no target that enough training people have; "
            "`ptacl targets add` defines them, `ptacl targets list` counts them"
        )
    targets = [labels.targets[column] for column in kept]
    mean, sd = _measure(train[:, kept])
    return HeadTargets(
        tuple(target.name for target in targets),
        tuple(target.prediction_unit for target in targets),
        tuple(0.0 if t.is_binary else moment for t, moment in zip(targets, mean, strict=True)),
        tuple(1.0 if t.is_binary else moment for t, moment in zip(targets, sd, strict=True)),
        tuple(moment if t.is_binary else None for t, moment in zip(targets, mean, strict=True)),
        lambda wanted: labels.values[wanted][:, kept],
    )


def _explain_lack(target: Target, values: Float64[Array, " row"], people: Array) -> str | None:
    known = np.isfinite(values)
    count = len(set(people[known]))
    if count < MIN_TRAINING_PEOPLE:
        return f"{count} training people have a value, at least {MIN_TRAINING_PEOPLE} must"
    sides = [len(set(people[known & (values == side)])) for side in (1.0, 0.0)]
    if target.is_binary and min(sides) < MIN_EVENTS:
        return f"{sides[0]} have it and {sides[1]} do not, at least {MIN_EVENTS} must on each side"
    return None


def _measure(
    values: Float64[Array, "row target"],
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    sd = np.nanstd(values, axis=0)
    return (
        tuple(map(_round_to_three_digits, np.nanmean(values, axis=0).tolist())),
        tuple(map(_round_to_three_digits, np.where(sd > 0, sd, 1.0).tolist())),
    )


def _round_to_three_digits(value: float) -> float:
    return float(f"{value:.3g}")
