"""What a read-out says of every ECG of a cohort, as rows of its store."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from ptacl_core.arrays import Array, Int64
from ptacl_core.cohort import CohortWriter
from ptacl_core.embedding.patients import EvaluationSplit, describe_rows
from ptacl_core.embedding.readout import Predictions, ReadOut
from ptacl_core.embedding.readout_fit import score_people
from ptacl_core.embedding.target_readout import TargetPredictions, TargetReadOut
from ptacl_core.evaluate import name_sex_age_groups
from ptacl_core.records import PHENOTYPE_UNITS
from ptacl_core.shards import ShardReader

if TYPE_CHECKING:
    import pyarrow as pa


def put_predictions(
    writer: CohortWriter,
    reader: ShardReader,
    rows: Int64[Array, " row"],
    pooled: Float[Array, "row dim"],
    readout: ReadOut,
    targets: TargetReadOut,
    run: str,
) -> None:
    """Put phenotypes and targets with intervals and outlier scores of ECGs into the store.

    Raises CohortError.

    `rows` are rows of the manifest, `pooled` the features of their ECGs by the weights that the
    read-out was fitted for.
    """
    people = describe_rows(reader, rows)
    groups = name_sex_age_groups(people.sex, people.covariates[:, 1])
    predictions = readout.predict(pooled, groups=groups)
    writer.put_predictions(_prediction_table(reader, people, predictions, readout, run))
    names = [fitted.target.name for fitted in targets.fitted]
    writer.forget_predictions(run, but=[*readout.names, *names])
    for predicted in targets.predict(np.asarray(pooled, np.float64), groups=groups):
        writer.put_predictions(_target_table(reader, people, predicted, readout, run))
    writer.put_out_of_distribution(_outlier_table(people, predictions, run))


def _prediction_table(
    reader: ShardReader,
    people: EvaluationSplit,
    predictions: Predictions,
    readout: ReadOut,
    run: str,
) -> "pa.Table":
    import pyarrow as pa

    num_targets = len(readout.names)
    sha256 = reader.table.column("ecg_sha256").take(people.rows).to_pylist()
    z_scores = score_people(readout, predictions.value, people).ravel()
    repeat = [row for row in range(len(people)) for _ in range(num_targets)]
    count = len(repeat)
    return pa.table(
        {
            "run": pa.array([run] * count),
            "patient": pa.array([people.patients[at] for at in repeat]),
            "visit": pa.array([people.visits[at] for at in repeat], pa.int32()),
            "name": pa.array(list(readout.names) * len(people)),
            "value": predictions.value.ravel(),
            "low": predictions.low.ravel(),
            "high": predictions.high.ravel(),
            "unit": pa.array([PHENOTYPE_UNITS[name] for name in readout.names] * len(people)),
            "coverage": pa.array([readout.coverage] * count),
            "interval_group": pa.array([predictions.interval_group[at] for at in repeat]),
            "z_score": pa.array(z_scores, pa.float64(), mask=np.isnan(z_scores)),
            "file_sha256": pa.array([sha256[at] for at in repeat], pa.string()),
            "checkpoint_sha256": pa.array([readout.checkpoint_sha256] * count),
            "preprocessing_hash": pa.array([reader.preprocessing_hash] * count),
        }
    )


def _target_table(
    reader: ShardReader,
    people: EvaluationSplit,
    predicted: TargetPredictions,
    readout: ReadOut,
    run: str,
) -> "pa.Table":
    """Predictions of one target; of a binary one its probability."""
    import pyarrow as pa

    count = len(people)
    return pa.table(
        {
            "run": pa.array([run] * count),
            "patient": pa.array(people.patients),
            "visit": pa.array(people.visits, pa.int32()),
            "name": pa.array([predicted.target.name] * count),
            "value": predicted.value,
            "low": predicted.low,
            "high": predicted.high,
            "unit": pa.array([predicted.target.prediction_unit] * count),
            "coverage": pa.array([readout.coverage] * count),
            "interval_group": pa.array(list(predicted.interval_group)),
            "file_sha256": reader.table.column("ecg_sha256").take(people.rows),
            "checkpoint_sha256": pa.array([readout.checkpoint_sha256] * count),
            "preprocessing_hash": pa.array([reader.preprocessing_hash] * count),
        }
    )


def _outlier_table(people: EvaluationSplit, predictions: Predictions, run: str) -> "pa.Table":
    import pyarrow as pa

    count = len(people)
    return pa.table(
        {
            "run": pa.array([run] * count),
            "patient": pa.array(people.patients),
            "visit": pa.array(people.visits, pa.int32()),
            "modality": pa.array(["ecg"] * count),
            "score": predictions.outlier_score,
            "threshold": pa.array([1.0] * count),
            "is_flagged": pa.array(predictions.is_outlier.tolist()),
        }
    )
