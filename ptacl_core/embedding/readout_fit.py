"""The read-out of a run: what its predictions, intervals and reference ranges come from."""

import numpy as np

from ptacl_core.arrays import Array, Float64, Int64
from ptacl_core.embedding.patients import EvaluationSplit, describe_rows
from ptacl_core.embedding.readout import ReadOut, fit_readout
from ptacl_core.errors import CheckpointError
from ptacl_core.evaluate import ReferenceRanges, fit_reference_ranges, name_sex_age_groups
from ptacl_core.runs.choose import TrainedRun
from ptacl_core.shards import ShardReader

READOUT_FOLDER = "readout"
REFERENCE_COLUMNS = [1, 2, 3]
"""Age, height and weight among the covariates: what a reference range depends on."""


def fit_run_readout(
    reader: ShardReader,
    rows: Int64[Array, " row"],
    pooled: Float64[Array, "row dim"],
    checkpoint_sha256: str,
) -> ReadOut:
    """Fit on the training and validation patients among `rows`, of which `pooled` are features.

    Raises CohortError when labels are too few.
    """
    splits = np.asarray([reader.splits[row] for row in rows])
    is_train, is_validation = splits == "train", splits == "val"
    train, validation = (describe_rows(reader, rows[kept]) for kept in (is_train, is_validation))
    return fit_split_readout(
        (train, pooled[is_train]),
        (validation, pooled[is_validation]),
        checkpoint_sha256=checkpoint_sha256,
        preprocessing_hash=reader.preprocessing_hash,
    )


def fit_split_readout(
    train: tuple[EvaluationSplit, Float64[Array, "train dim"]],
    validation: tuple[EvaluationSplit, Float64[Array, "validation dim"]],
    *,
    checkpoint_sha256: str,
    preprocessing_hash: str,
) -> ReadOut:
    """The same, from splits with their pooled features."""
    return fit_readout(
        train[1],
        train[0].phenotypes,
        validation[1],
        validation[0].phenotypes,
        checkpoint_sha256=checkpoint_sha256,
        preprocessing_hash=preprocessing_hash,
        validation_groups=name_sex_age_groups(validation[0].sex, validation[0].covariates[:, 1]),
        train_people=train[0].patients,
        reference=fit_references(train[0]),
    )


def fit_references(train: EvaluationSplit) -> ReferenceRanges:
    """Reference ranges by sex, age, height and weight, from measured phenotypes."""
    known = np.flatnonzero(np.asarray(train.sex) != "")
    return fit_reference_ranges(
        train.phenotypes[known],
        train.covariates[known][:, REFERENCE_COLUMNS],
        np.asarray(train.sex)[known],
    )


def score_people(
    readout: ReadOut, value: Float64[Array, "row target"], people: EvaluationSplit
) -> Float64[Array, "row target"]:
    """z-scores of phenotypes by each person's sex, age, height and weight, NaN where unknown."""
    return readout.z_scores(value, people.covariates[:, REFERENCE_COLUMNS], people.sex)


def find_stored_readout(aligned: TrainedRun) -> tuple[ReadOut | None, str]:
    """The read-out that `ptacl embed` stored for these very weights, or None and why not."""
    try:
        readout = ReadOut.load(aligned.directory / READOUT_FOLDER)
    except CheckpointError as error:
        return None, str(error)
    if readout.checkpoint_sha256 != aligned.checkpoint_sha256:
        return None, f"run {aligned.name}: its read-out was made for other weights"
    return readout, ""
