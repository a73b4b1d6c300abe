"""One row of Table 2: what one encoder, probed or fine-tuned, says of the held-out patients.

runs/<run>/rows/<row>.parquet   patient, visit, phenotype, observed, predicted; of a probed
                                encoder also its predictions by number of labels
                                (labels_<n>_<draw>) and, of an ECG, those of the model with
                                demographics (nested)
runs/<run>/rows/<row>.json      what the figures were made from; written last
"""

import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ptacl_core import __version__
from ptacl_core.arrays import Array, Float64, Int64, Modality
from ptacl_core.config.training import RunSettings
from ptacl_core.embedding.patients import EvaluationSplit, fill_demographics, load_split
from ptacl_core.embedding.rows import encode_rows, regress_rows
from ptacl_core.errors import CheckpointError, CohortError
from ptacl_core.evaluate import fit_linear_probe
from ptacl_core.evaluate.bars import LabelCurve, LabelPoint, Ridge, measure_label_curve
from ptacl_core.models import AttentionPooling, MeanPooling, RegressionHead, Regressor
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.runs.choose import resolve_device
from ptacl_core.runs.encoders import EncoderStage, LoadedEncoder, build_view, load_encoder
from ptacl_core.runs.folder import load_run_config
from ptacl_core.safety.files.atomic import atomic_path, write_json
from ptacl_core.shards import ShardReader
from ptacl_core.stages.evaluate.nested import predict_nested

ROWS_FOLDER = "rows"
NESTED_COLUMN = "nested"
NETWORK_STAGES = ("finetune", "supervised")
"""Stages whose own head predicts; all others are read out by a linear probe."""


@dataclass(frozen=True, slots=True, eq=False)
class RowFigures:
    """Predictions of one row on the test patients, and the document beside them.

    `curve` are the predictions by number of labels, `nested` those together with demographics;
    None of rows that have none.
    """

    patients: tuple[tuple[str, int], ...]
    observed: Float64[Array, "patient target"]
    predicted: Float64[Array, "patient target"]
    document: dict[str, Any]
    curve: LabelCurve | None = None
    nested: Float64[Array, "patient target"] | None = None


def run(
    cohort_dir: Path,
    run_name: str,
    row: str,
    *,
    stage: EncoderStage,
    modality: Modality,
    device: str = "auto",
    progress: ProgressSink = SILENT,
) -> dict[str, Any]:
    """Measure the encoder of `modality` that `stage` of the run left; returns the document.

    A row that was measured before, with the same weights on the same patients, is read back.
    Raises CheckpointError when the stage is not finished or was trained on other
    preprocessing, CohortError when train or test lack pairs.
    """
    folder = cohort_dir / "runs" / run_name
    settings = load_run_config(folder)
    with ShardReader.open(cohort_dir) as reader:
        loaded = load_encoder(folder, modality, stage, settings=settings)
        _check_preprocessing(run_name, loaded, reader.preprocessing_hash)
        identity = {
            "row": row,
            "run": run_name,
            "stage": stage,
            "modality": modality,
            "software": __version__,
            "settings_hash": settings.hash(),
            "weights_sha256": loaded.sha256,
            "preprocessing_hash": reader.preprocessing_hash,
            "patients_hash": hash_patients(reader),
        }
        known = _read_document(folder / ROWS_FOLDER / f"{row}.json")
        if known is not None and {key: known.get(key) for key in identity} == identity:
            return known
        started_s = time.monotonic()
        train, test = load_split(reader, "train"), load_split(reader, "test")
        target = resolve_device(device)
        loaded.encoder.to(target)
        if stage in NETWORK_STAGES:
            predicted = _predict_network(reader, test, loaded, modality, target, progress)
            curve, nested = None, None
        else:
            features = [
                _encode(reader, split, loaded, modality, settings, f"{row} {name}", progress)
                for name, split in (("train", train), ("test", test))
            ]
            predicted = fit_linear_probe(features[0], train.phenotypes).predict(features[1])
            curve = measure_label_curve(Ridge(features[0], features[1]), train.phenotypes)
            nested = predict_nested(train, test, *features)[1] if modality == "ecg" else None
        path = folder / ROWS_FOLDER / f"{row}.parquet"
        _write_predictions(path, reader, test, predicted, _extra_columns(curve, nested))
        document = {
            **identity,
            "num_train": len(train.rows),
            "num_test": len(test.rows),
            "label_points": [
                {"labels": point.num_labels, "is_all": point.is_all, "draws": len(point.predicted)}
                for point in (curve.points if curve is not None else ())
            ],
            "has_nested": nested is not None,
            "device": str(target),
            "wall_s": time.monotonic() - started_s,
        }
        write_json(folder / ROWS_FOLDER / f"{row}.json", document)
    return document


def load_row(cohort_dir: Path, run_name: str, row: str) -> RowFigures:
    """What `run` wrote. Raises CohortError when it is missing or damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = cohort_dir / "runs" / run_name / ROWS_FOLDER
    document = _read_document(folder / f"{row}.json")
    try:
        if document is None:
            raise FileNotFoundError(f"{row}.json")
        table = pq.read_table(folder / f"{row}.parquet")
        keys = list(
            zip(
                table.column("patient").to_pylist(),
                table.column("visit").to_pylist(),
                strict=True,
            )
        )
        patients = tuple(dict.fromkeys(keys))
        shape = (len(patients), len(PHENOTYPE_NAMES))

        def read(column: str) -> Float64[Array, "patient target"]:
            return table.column(column).to_numpy().reshape(shape)

        observed, predicted = read("observed"), read("predicted")
        points = tuple(
            LabelPoint(
                point["labels"],
                point["is_all"],
                np.stack([read(_name_draw(point["labels"], d)) for d in range(point["draws"])]),
            )
            for point in document["label_points"]
        )
        nested = read(NESTED_COLUMN) if document["has_nested"] else None
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        raise CohortError(
            f"run {run_name}: row {row} cannot be read ({type(error).__name__}); "
            f"remove runs/{run_name}/{ROWS_FOLDER} and reproduce again"
        ) from None
    curve = LabelCurve(points) if points else None
    return RowFigures(patients, observed, predicted, document, curve, nested)


def predict_from_demographics(cohort_dir: Path) -> RowFigures:
    """The row of sex, age, height and BMI only, by the same linear probe."""
    with ShardReader.open(cohort_dir) as reader:
        train, test = load_split(reader, "train"), load_split(reader, "test")
        probe = fit_linear_probe(fill_demographics(train, train), train.phenotypes)
        predicted = probe.predict(fill_demographics(test, train))
        return RowFigures(
            _name_patients(reader, test.rows),
            test.phenotypes,
            predicted,
            {"row": "demographics", "num_train": len(train.rows), "num_test": len(test.rows)},
        )


def hash_patients(reader: ShardReader) -> str:
    """First 16 hex digits of a hash over who is in which split; changes when people leave."""
    text = json.dumps([reader.patients, reader.visits, reader.splits])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _check_preprocessing(run_name: str, loaded: LoadedEncoder, preprocessing_hash: str) -> None:
    if loaded.document is None or loaded.document.preprocessing_hash == preprocessing_hash:
        return
    raise CheckpointError(
        f"run {run_name} was trained on preprocessing {loaded.document.preprocessing_hash}, "
        f"these recordings have {preprocessing_hash}; preprocess them as the run's config says"
    )


def _encode(
    reader: ShardReader,
    split: EvaluationSplit,
    loaded: LoadedEncoder,
    modality: Modality,
    settings: RunSettings,
    task: str,
    progress: ProgressSink,
) -> Array:
    view = build_view(settings)
    return encode_rows(
        reader, split.rows, modality, loaded.encoder, None, view, task=task, progress=progress
    ).pooled


def _predict_network(
    reader: ShardReader,
    split: EvaluationSplit,
    loaded: LoadedEncoder,
    modality: Modality,
    device: torch.device,
    progress: ProgressSink,
) -> Float64[Array, "patient target"]:
    """Phenotypes in their units, from the network's own pooling and head."""
    document = loaded.document
    pooling, head = loaded.pooling, loaded.head
    if (
        document is None
        or not isinstance(pooling, MeanPooling | AttentionPooling)
        or not isinstance(head, RegressionHead)
    ):
        raise CheckpointError("the stage left no pooling and head to predict with")
    if document.target_mean is None or document.target_sd is None:
        raise CheckpointError(f"stage {document.stage}: the checkpoint has no target scale")
    network = Regressor(loaded.encoder, pooling, head).to(device).eval()
    scaled = regress_rows(
        reader,
        split.rows,
        modality,
        network,
        build_view(document.settings),
        task=f"predict {document.stage}",
        progress=progress,
    )
    return scaled * np.asarray(document.target_sd) + np.asarray(document.target_mean)


def _write_predictions(
    path: Path,
    reader: ShardReader,
    test: EvaluationSplit,
    predicted: Float64[Array, "patient target"],
    extra: dict[str, Float64[Array, "patient target"]],
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    patients = _name_patients(reader, test.rows)
    num_targets = len(PHENOTYPE_NAMES)
    table = pa.table(
        {
            "patient": pa.array([name for name, _ in patients for _ in range(num_targets)]),
            "visit": pa.array(
                [visit for _, visit in patients for _ in range(num_targets)], pa.int32()
            ),
            "phenotype": pa.array(list(PHENOTYPE_NAMES) * len(patients)),
            "observed": test.phenotypes.ravel(),
            "predicted": predicted.ravel(),
            **{name: values.ravel() for name, values in extra.items()},
        }
    )
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary)


def _name_patients(reader: ShardReader, rows: Int64[Array, " row"]) -> tuple[tuple[str, int], ...]:
    return tuple((reader.patients[row], reader.visits[row]) for row in rows)


def _extra_columns(
    curve: LabelCurve | None, nested: Float64[Array, "patient target"] | None
) -> dict[str, Float64[Array, "patient target"]]:
    columns = {
        _name_draw(point.num_labels, draw): predicted
        for point in (curve.points if curve is not None else ())
        for draw, predicted in enumerate(point.predicted)
    }
    return columns if nested is None else {**columns, NESTED_COLUMN: nested}


def _name_draw(num_labels: int, draw: int) -> str:
    return f"labels_{num_labels}_{draw}"


def _read_document(path: Path) -> dict[str, Any] | None:
    try:
        document = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None
