"""The patients of one split that have both modalities, with all that an evaluation asks of them."""

import json
from dataclasses import dataclass

import numpy as np

from ptacl_core.arrays import Array, Bool, Float64, Int64
from ptacl_core.errors import CohortError
from ptacl_core.shards import ShardReader

DEMOGRAPHIC_COLUMNS = [0, 1, 2, 4]
"""Sex, age, height and BMI among the covariates; weight follows from the last two."""


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationSplit:
    """Rows of one split, and what is known of each patient and recording.

    `covariates` are `shards.spec.COVARIATE_NAMES`, `sex` "F", "M" or "" where unknown,
    `ecg_codes` the codes of what was found about each ECG,
    `is_irregular` ECGs whose RR intervals vary (atrial fibrillation, ectopy), `has_warning`
    ECGs or cines with a quality finding of severity warning.
    """

    rows: Int64[Array, " row"]
    patients: tuple[str, ...]
    visits: Int64[Array, " row"]
    phenotypes: Float64[Array, "row target"]
    covariates: Float64[Array, "row covariate"]
    sex: tuple[str, ...]
    heart_rate_bpm: Float64[Array, " row"]
    ecg_codes: tuple[frozenset[str], ...]
    is_irregular: Bool[Array, " row"]
    has_warning: Bool[Array, " row"]

    def __len__(self) -> int:
        return len(self.rows)


def load_split(
    reader: ShardReader, name: str, *, needs: tuple[str, ...] = ("ecg", "cmr")
) -> EvaluationSplit:
    """Pairs of one split. Raises CohortError when there are fewer than two patients."""
    rows = reader.rows(name, needs=needs)
    split = describe_rows(reader, rows)
    num_patients = len(set(split.patients))
    if num_patients < 2:
        what = " and ".join({"ecg": "ECG", "cmr": "CMR"}[modality] for modality in needs)
        raise CohortError(
            f"split {name} has {num_patients} patients with {what}; an evaluation needs at least "
            "two: make a larger cohort, or another split"
        )
    return split


def describe_rows(reader: ShardReader, rows: Int64[Array, " row"]) -> EvaluationSplit:
    """What the manifest says of `rows`."""
    covariates = reader.covariates(rows)
    codes = [_finding_codes(texts) for texts in _values(reader, "ecg_findings", rows)]
    cine_codes = [_finding_codes(texts) for texts in _values(reader, "cmr_findings", rows)]
    return EvaluationSplit(
        rows=rows,
        patients=tuple(reader.patients[row] for row in rows),
        visits=np.asarray([reader.visits[row] for row in rows], np.int64),
        phenotypes=reader.phenotypes(rows),
        covariates=covariates,
        sex=tuple({1.0: "M", 0.0: "F"}.get(value, "") for value in covariates[:, 0].tolist()),
        heart_rate_bpm=reader.column("heart_rate_bpm", rows),
        ecg_codes=tuple(frozenset(findings) for findings in codes),
        is_irregular=np.asarray(["irregular_rhythm" in findings for findings in codes], bool),
        has_warning=np.asarray(
            [
                "warning" in {*ecg.values(), *cine.values()}
                for ecg, cine in zip(codes, cine_codes, strict=True)
            ],
            bool,
        ),
    )


def fill_demographics(
    split: EvaluationSplit, reference: EvaluationSplit
) -> Float64[Array, "row 4"]:
    """Sex, age, height and BMI; an absent value becomes the mean of `reference`."""
    values = split.covariates[:, DEMOGRAPHIC_COLUMNS]
    known = reference.covariates[:, DEMOGRAPHIC_COLUMNS]
    is_present = np.isfinite(known)
    mean = np.where(is_present, known, 0).sum(axis=0) / np.maximum(is_present.sum(axis=0), 1)
    return np.where(np.isfinite(values), values, mean)


def _values(reader: ShardReader, column: str, rows: Int64[Array, " row"]) -> list[list[str]]:
    return [texts or [] for texts in reader.table.column(column).take(rows).to_pylist()]


def _finding_codes(texts: list[str]) -> dict[str, str]:
    """Severity by code of the findings of one recording."""
    findings = [json.loads(text) for text in texts]
    return {finding["code"]: finding["severity"] for finding in findings}
