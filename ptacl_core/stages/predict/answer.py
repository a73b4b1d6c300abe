"""The figures of one new ECG, as `ptacl predict` answers them."""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from ptacl_core.arrays import Array, Float32
from ptacl_core.cohort import Neighbour
from ptacl_core.documents.ecg_figures import BeatPart, DevicePart, MarksPart, StatementPart
from ptacl_core.documents.figures import finite
from ptacl_core.documents.prediction import (
    NeighbourPhenotype,
    OutOfDistribution,
    PredictedPhenotype,
    PredictedTarget,
)
from ptacl_core.embedding.readout import ReadOut
from ptacl_core.embedding.target_readout import TargetReadOut
from ptacl_core.evaluate import describe_neighbours, name_sex_age_groups
from ptacl_core.records import (
    PHENOTYPE_NAMES,
    PHENOTYPE_UNITS,
    EcgAnalysis,
    EcgRecord,
    Person,
)

NUM_DESCRIBED = 50
"""Nearest patients whose measured phenotypes are described."""


class MeasuredEcg(TypedDict):
    """The part of an answer about measurements, ours and the device's."""

    measurements: dict[str, float | None]
    leads_mv: dict[str, dict[str, float]]
    statements: tuple[StatementPart, ...]
    marks: MarksPart
    device: DevicePart


class PredictedFigures(TypedDict):
    """The part of an answer about phenotypes: whose intervals they are, how strange the ECG is."""

    phenotypes: dict[str, PredictedPhenotype]
    z_score_note: str
    coverage: float
    interval_group: str
    out_of_distribution: OutOfDistribution


def answer_measurements(analysis: EcgAnalysis, record: EcgRecord) -> MeasuredEcg:
    """Figures, amplitudes by lead, statements and marks, and what the device itself wrote."""
    device = record.device_marks
    return {
        "measurements": {
            name: value for name, value in analysis.figures.items() if name != "heart_rate_bpm"
        },
        "leads_mv": analysis.leads_as_dict(),
        "statements": tuple(
            StatementPart.model_validate(statement.as_dict()) for statement in analysis.statements
        ),
        "marks": MarksPart.model_validate(analysis.marks_as_dict()),
        "device": DevicePart(
            measurements=dict(record.device_measurements),
            marks=None if device is None else BeatPart.model_validate(device.as_dict()),
            statements=tuple(record.device_statements),
        ),
    }


def answer_phenotypes(
    readout: ReadOut, pooled: Float32[Array, "1 dim"], person: Person
) -> PredictedFigures:
    """Phenotypes with intervals and z-scores, whose intervals they are, and how strange it is.

    A z-score is the distance of the prediction from what is usual for the person's sex, age,
    height and weight among the run's training patients; None where one of them is not known.
    """
    features = pooled.astype(np.float64)
    age_years = np.array([_number(person.age_years)])
    groups = name_sex_age_groups([person.sex or ""], age_years)
    predictions = readout.predict(features, groups=groups)
    body = np.array(
        [[_number(fact) for fact in (person.age_years, person.height_cm, person.weight_kg)]]
    )
    z_scores = readout.z_scores(predictions.value, body, [person.sex or ""])[0]
    distances = readout.detector.distances(features)[0] / readout.detector.scales
    return {
        "phenotypes": {
            name: PredictedPhenotype(
                value=float(predictions.value[0, column]),
                low=float(predictions.low[0, column]),
                high=float(predictions.high[0, column]),
                unit=PHENOTYPE_UNITS[name],
                z_score=finite(z_scores[column]),
            )
            for column, name in enumerate(readout.names)
        },
        "z_score_note": _explain_scores(readout, z_scores, person),
        "coverage": readout.coverage,
        "interval_group": predictions.interval_group[0],
        "out_of_distribution": OutOfDistribution(
            flag=bool(predictions.is_outlier[0]),
            score=float(predictions.outlier_score[0]),
            mahalanobis=float(distances[0]),
            nearest=float(distances[1]),
        ),
    }


def answer_targets(
    targets: TargetReadOut, pooled: Float32[Array, "1 dim"], person: Person
) -> dict[str, PredictedTarget]:
    """The cohort's own targets: values, or probabilities of binary ones, with intervals."""
    groups = name_sex_age_groups([person.sex or ""], np.array([_number(person.age_years)]))
    predicted = targets.predict(pooled.astype(np.float64), groups=groups)
    return {
        predicted_target.target.name: PredictedTarget(
            title=predicted_target.target.shown_title,
            kind=predicted_target.target.kind,
            value=float(predicted_target.value[0]),
            low=float(predicted_target.low[0]),
            high=float(predicted_target.high[0]),
            unit=predicted_target.target.prediction_unit,
            rule=predicted_target.target.rule,
            reference=predicted_target.target.reference,
            interval_group=predicted_target.interval_group[0],
        )
        for predicted_target in predicted
    }


def answer_neighbours(neighbours: Sequence[Neighbour]) -> dict[str, NeighbourPhenotype]:
    """Measured phenotypes of the nearest patients: median with interval, middle 90 %."""
    answer = {}
    for name in PHENOTYPE_NAMES:
        values = [_number(neighbour.phenotypes.get(name)) for neighbour in neighbours]
        description = describe_neighbours(np.array(values))
        if description is not None:
            answer[name] = NeighbourPhenotype(
                n=description.num_neighbours,
                median=description.median,
                median_low=finite(description.median_low),
                median_high=finite(description.median_high),
                low=description.low,
                high=description.high,
                unit=PHENOTYPE_UNITS[name],
            )
    return answer


def _explain_scores(readout: ReadOut, z_scores: Array, person: Person) -> str:
    """Against whom the z-scores are, or why there are none."""
    if np.isfinite(z_scores).any():
        return (
            "against the run's training patients of the same sex, by age, height and weight; "
            "they are this cohort's, healthy or not"
        )
    if not readout.names:
        return "none: the run's cohort has no phenotypes"
    known = {
        "sex": person.sex,
        "age": person.age_years,
        "height": person.height_cm,
        "weight": person.weight_kg,
    }
    missing = [name for name, value in known.items() if value is None]
    if missing:
        return f"none: {', '.join(missing)} of the person not given"
    if person.sex not in readout.reference.by_sex:
        return "none: the run's training patients have no known sex, age, height and weight"
    return "none: too few training patients of this sex have labels, age, height and weight"


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)
