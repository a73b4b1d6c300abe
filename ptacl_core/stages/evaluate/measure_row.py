"""One row of Table 2: what one encoder, probed or fine-tuned, says of the held-out patients.

features/<run>/rows/<row>.safetensors   rows of the manifest, observed, predicted; of a probed
                                        encoder also its predictions by number of labels
                                        (labels_<n>, [draw, patient, phenotype]) and, of an ECG,
                                        those of the model with demographics (nested)
features/<run>/rows/<row>.json          what the figures were made from; written last

They name nobody, hold for the very patients that `patients_hash` tells, and lie in the cache that
an erasure removes whole: the row is then measured anew.
"""

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, cast

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from ptacl_core import __version__
from ptacl_core.arrays import Array, Float64, Int64, Modality
from ptacl_core.cohort import CohortLayout
from ptacl_core.config.training import RunSettings
from ptacl_core.embedding.feature_cache import FeatureCache, FeatureSource, hold_unchanged
from ptacl_core.embedding.patients import EvaluationSplit, fill_demographics, load_split
from ptacl_core.embedding.rows import encode_rows, regress_rows
from ptacl_core.errors import CheckpointError, CohortError
from ptacl_core.evaluate import fit_linear_probe
from ptacl_core.evaluate.bars import LabelCurve, LabelPoint, Ridge, measure_label_curve
from ptacl_core.json_values import JsonObject
from ptacl_core.models import AttentionPooling, MeanPooling, RegressionHead, Regressor
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.runs.choose import resolve_device
from ptacl_core.runs.encoders import EncoderStage, LoadedEncoder, build_view, load_encoder
from ptacl_core.runs.folder import load_run_config
from ptacl_core.safety.files.atomic import write_bytes, write_json
from ptacl_core.safety.files.json_object import read_json_object
from ptacl_core.shards import ShardReader
from ptacl_core.stages.evaluate.nested import predict_nested

ROWS_FOLDER = "rows"
NESTED = "nested"
NETWORK_STAGES = ("finetune", "supervised")
"""Stages whose own head predicts; all others are read out by a linear probe."""


class MeasuredPoint(TypedDict):
    """One point of the curve by number of labels."""

    labels: int
    is_all: bool
    draws: int


class RowName(TypedDict):
    """Which row of which run, and on which patients it was measured."""

    row: str
    run: str
    patients_hash: str


class RowIdentity(RowName):
    """What the figures of a row are made from; with the same they are not measured again."""

    stage: str
    modality: str
    software: str
    settings_hash: str
    weights_sha256: str | None
    preprocessing_hash: str


class RowDocument(RowIdentity):
    """<row>.json: what the figures are made from, and how they were measured."""

    num_train: int
    num_test: int
    label_points: list[MeasuredPoint]
    has_nested: bool
    device: str
    wall_s: float


@dataclass(frozen=True, slots=True, eq=False)
class DemographicsRow:
    """Predictions from sex, age, height and BMI on the test patients."""

    patients: tuple[tuple[str, int], ...]
    observed: Float64[Array, "patient target"]
    predicted: Float64[Array, "patient target"]


@dataclass(frozen=True, slots=True, eq=False)
class RowFigures:
    """Predictions of one row on the test patients, and the document beside them.

    `curve` are the predictions by number of labels, `nested` those together with demographics;
    None of rows that have none.
    """

    patients: tuple[tuple[str, int], ...]
    observed: Float64[Array, "patient target"]
    predicted: Float64[Array, "patient target"]
    document: RowDocument
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
) -> RowDocument:
    """Measure the encoder of `modality` that `stage` of the run left; returns the document.

    A row that was measured before, with the same weights on the same patients, is read back.
    Raises CheckpointError when the stage is not finished or was trained on other
    preprocessing, CohortError when train or test lack pairs.
    """
    folder = cohort_dir / "runs" / run_name
    path = _row_file(cohort_dir, run_name, row)
    settings = load_run_config(folder)
    with ShardReader.open(cohort_dir) as reader:
        loaded = load_encoder(folder, modality, stage, settings=settings)
        _check_preprocessing(run_name, loaded, reader.preprocessing_hash)
        identity: RowIdentity = {
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
        known = read_json_object(path.with_suffix(".json"))
        is_same = known is not None and {key: known.get(key) for key in identity} == identity
        if known is not None and is_same and path.exists():
            return cast(RowDocument, known)
        started_s = time.monotonic()
        train, test = load_split(reader, "train"), load_split(reader, "test")
        target = resolve_device(device)
        loaded.encoder.to(target)
        if loaded.projection is not None:
            loaded.projection.to(target)
        if stage in NETWORK_STAGES:
            predicted = _predict_network(reader, test, loaded, modality, target, progress)
            curve, nested = None, None
        else:
            features = _find_features(
                reader, folder, (train, test), loaded, modality, settings, row, progress
            )
            predicted = fit_linear_probe(features[0], train.phenotypes).predict(features[1])
            curve = measure_label_curve(Ridge(features[0], features[1]), train.phenotypes)
            nested = predict_nested(train, test, *features)[1] if modality == "ecg" else None
        document: RowDocument = {
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
        arrays: dict[str, Array] = {
            "rows": test.rows, "observed": test.phenotypes, "predicted": predicted
        }  # fmt: skip
        with hold_unchanged(CohortLayout(cohort_dir), reader) as is_unchanged:
            if not is_unchanged:
                raise CohortError(
                    f"run {run_name}: the cohort changed while row {row} was measured; try again"
                )
            write_row(cohort_dir, document, {**arrays, **_extra_arrays(curve, nested)})
        for suffix in (".parquet", ".json"):  # where rows lay before
            (folder / ROWS_FOLDER / f"{row}{suffix}").unlink(missing_ok=True)
    return document


def load_row(cohort_dir: Path, run_name: str, row: str) -> RowFigures:
    """What `run` wrote. Raises CohortError when it is missing, damaged or of other patients."""
    stored, arrays = read_row(cohort_dir, run_name, row)
    document = cast(RowDocument, stored)  # a key that is missing counts as damage
    try:
        with ShardReader.open(cohort_dir) as reader:
            if document["patients_hash"] != hash_patients(reader):
                raise ValueError("other patients")
            patients = _name_patients(reader, arrays["rows"])
        points = tuple(
            LabelPoint(point["labels"], point["is_all"], arrays[_name_point(point["labels"])])
            for point in document["label_points"]
        )
        nested = arrays[NESTED] if document["has_nested"] else None
        observed, predicted = arrays["observed"], arrays["predicted"]
    except (OSError, KeyError, ValueError) as error:
        raise _damaged(run_name, row, error) from None
    curve = LabelCurve(points) if points else None
    return RowFigures(patients, observed, predicted, document, curve, nested)


def read_row(
    cohort_dir: Path, run_name: str, row: str, *, folder: str = ROWS_FOLDER
) -> tuple[JsonObject, dict[str, Array]]:
    """Document and arrays of a row as they lie on disk. Raises CohortError."""
    path = _row_file(cohort_dir, run_name, row, folder)
    document = read_json_object(path.with_suffix(".json"))
    try:
        if document is None:
            raise FileNotFoundError(f"{row}.json")
        return document, load_tensors(path.read_bytes())
    except (OSError, ValueError, SafetensorError) as error:
        raise _damaged(run_name, row, error) from None


def write_row(
    cohort_dir: Path,
    document: RowName,
    arrays: Mapping[str, Array],
    *,
    folder: str = ROWS_FOLDER,
) -> None:
    """Put a row into the cohort's cache; `document` names its run and row."""
    path = _row_file(cohort_dir, document["run"], document["row"], folder)
    contiguous = {name: np.ascontiguousarray(values) for name, values in arrays.items()}
    write_bytes(path, save_tensors(contiguous))
    write_json(path.with_suffix(".json"), dict(document))


def _damaged(run_name: str, row: str, error: Exception) -> CohortError:
    return CohortError(
        f"run {run_name}: row {row} cannot be read ({type(error).__name__}); the same call of "
        "`ptacl reproduce` measures it again"
    )


def list_rows(cohort_dir: Path, run_name: str) -> list[str]:
    """Rows of a run that were measured and are still there, by name."""
    folder = _row_file(cohort_dir, run_name, "_").parent
    return sorted(
        path.stem for path in folder.glob("*.json") if has_row(cohort_dir, run_name, path.stem)
    )


def has_row(cohort_dir: Path, run_name: str, row: str, *, folder: str = ROWS_FOLDER) -> bool:
    """Whether both files of a row are there."""
    path = _row_file(cohort_dir, run_name, row, folder)
    return path.exists() and path.with_suffix(".json").exists()


def _row_file(cohort_dir: Path, run_name: str, row: str, folder: str = ROWS_FOLDER) -> Path:
    return CohortLayout(cohort_dir).features / run_name / folder / f"{row}.safetensors"


def predict_from_demographics(cohort_dir: Path) -> DemographicsRow:
    """The row of sex, age, height and BMI only, by the same linear probe."""
    with ShardReader.open(cohort_dir) as reader:
        train, test = load_split(reader, "train"), load_split(reader, "test")
        probe = fit_linear_probe(fill_demographics(train, train), train.phenotypes)
        predicted = probe.predict(fill_demographics(test, train))
        return DemographicsRow(_name_patients(reader, test.rows), test.phenotypes, predicted)


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


def _find_features(
    reader: ShardReader,
    run_dir: Path,
    splits: tuple[EvaluationSplit, EvaluationSplit],
    loaded: LoadedEncoder,
    modality: Modality,
    settings: RunSettings,
    row: str,
    progress: ProgressSink,
) -> tuple[Array, Array]:
    """Pooled features of train and test; an aligned encoder's are made once for all who ask."""
    encoder, tasks = loaded.encoder, [f"{row} {name}" for name in ("train", "test")]
    if loaded.projection is not None and loaded.document is not None and loaded.sha256 is not None:
        view = build_view(loaded.document.settings)
        source = FeatureSource(
            run_dir.name, modality, loaded.sha256, view, encoder, loaded.projection
        )
        cache = FeatureCache(reader, source, home=run_dir.parents[1])
        train, test = (
            cache.find(split.rows, task=task, progress=progress).pooled
            for split, task in zip(splits, tasks, strict=True)
        )
        cache.save()
        return train, test
    view = build_view(settings)
    train, test = (
        encode_rows(
            reader, split.rows, modality, encoder, None, view, task=task, progress=progress
        ).pooled
        for split, task in zip(splits, tasks, strict=True)
    )
    return train, test


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


def _name_patients(reader: ShardReader, rows: Int64[Array, " row"]) -> tuple[tuple[str, int], ...]:
    return tuple((reader.patients[row], reader.visits[row]) for row in rows)


def _extra_arrays(
    curve: LabelCurve | None, nested: Float64[Array, "patient target"] | None
) -> dict[str, Array]:
    points = curve.points if curve is not None else ()
    arrays: dict[str, Array] = {_name_point(point.num_labels): point.predicted for point in points}
    return arrays if nested is None else {**arrays, NESTED: nested}


def _name_point(num_labels: int) -> str:
    return f"labels_{num_labels}"
