"""Table 2: R² of a linear probe on held-out patients, one row per set of features."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ptacl_core.arrays import Array, Float64, Int64
from ptacl_core.checkpoint import CheckpointFolder
from ptacl_core.config.training import Modality
from ptacl_core.errors import CohortError
from ptacl_core.evaluate import bootstrap_interval, fit_linear_probe, r2
from ptacl_core.models import TokenEncoder
from ptacl_core.progress import ProgressSink
from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.shards import ShardReader
from ptacl_core.stages.encoders import build_encoder, load_encoder
from ptacl_core.stages.encoding_rows import encode_cine_rows, encode_ecg_rows
from ptacl_core.stages.run_choice import AlignedRun

MODALITIES: tuple[Modality, Modality] = ("ecg", "cmr")
DEMOGRAPHIC_COLUMNS = [0, 1, 2, 4]
"""Sex, age, height and BMI among the covariates; weight follows from the last two."""


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationSplit:
    """Rows of one split that have both modalities, with their phenotypes."""

    rows: Int64[Array, "row"]
    phenotypes: Float64[Array, "row target"]


class TableTwo:
    """R² of one set of features after another, on the same resampled patients."""

    def __init__(
        self,
        train: EvaluationSplit,
        test: EvaluationSplit,
        num_resamples: int,
        generator: np.random.Generator,
    ) -> None:
        self.train, self.test = train, test
        self.rows: list[dict[str, Any]] = []
        self._num_resamples = num_resamples
        self._seed = int(generator.integers(2**63))

    def add(
        self, key: str, name: str, modality: str, train_features: Array, test_features: Array
    ) -> None:
        """Fit the probe on train and append the row of its R² on test."""
        probe = fit_linear_probe(train_features, self.train.phenotypes)
        predicted = probe.predict(test_features)
        observed = self.test.phenotypes

        def figures(rows: Int64[Array, "_"]) -> Float64[Array, "figure"]:
            scores = np.asarray(r2(observed[rows], predicted[rows]))
            return np.append(scores, scores.mean())

        interval = bootstrap_interval(
            figures,
            len(observed),
            generator=np.random.default_rng(self._seed),
            num_resamples=self._num_resamples,
        )
        cells = [
            {"r2": value, "low": low, "high": high}
            for value, low, high in zip(
                _finite_list(interval.estimate),
                _finite_list(interval.low),
                _finite_list(interval.high),
                strict=True,
            )
        ]
        self.rows.append(
            {
                "key": key,
                "name": name,
                "modality": modality,
                "phenotypes": dict(zip(PHENOTYPE_NAMES, cells[:-1], strict=True)),
                "mean": cells[-1],
            }
        )

    def figures(self, key: str) -> dict[str, dict[str, float | None]]:
        """The cells of one row."""
        return next(row["phenotypes"] for row in self.rows if row["key"] == key)


def add_baselines(
    table: TableTwo, reader: ShardReader, aligned: AlignedRun, progress: ProgressSink
) -> None:
    """Rows of demographics only, and of each encoder before training and after pretraining."""
    train, test = (
        encode_demographics(reader, split.rows, reference_rows=table.train.rows)
        for split in (table.train, table.test)
    )
    table.add("demographics", "Demographics only", "covariates", train, test)
    device = next(aligned.ecg_encoder.parameters()).device
    for key in ("random", "pretrained"):
        for modality in MODALITIES:
            encoder = _baseline_encoder(aligned, key, modality)
            if encoder is None:
                continue
            encode = encode_ecg_rows if modality == "ecg" else encode_cine_rows
            train, test = (
                encode(
                    reader,
                    split.rows,
                    encoder.to(device),
                    None,
                    aligned.settings,
                    task=f"{key} {modality}",
                    progress=progress,
                ).pooled
                for split in (table.train, table.test)
            )
            name = "Random encoder" if key == "random" else _pretraining_name(aligned, modality)
            table.add(f"{key}-{modality}", name, modality, train, test)


def _pretraining_name(aligned: AlignedRun, modality: Modality) -> str:
    settings = aligned.settings
    section = settings.pretrain_ecg if modality == "ecg" else settings.pretrain_cmr
    return {"mae": "MAE", "simclr": "SimCLR"}[section.method]


def _baseline_encoder(aligned: AlignedRun, key: str, modality: Modality) -> TokenEncoder | None:
    """Untrained weights as the run began with, or its pretraining; None where it had none."""
    if key == "random":
        return build_encoder(aligned.settings, modality)
    source = getattr(aligned.settings.pretrained_from, modality)
    directory = aligned.directory.parent / source if source else aligned.directory
    if not CheckpointFolder(directory / "checkpoints" / modality).is_finished:
        return None
    return load_encoder(directory, modality, "pretrain").encoder


def load_split(reader: ShardReader, name: str) -> EvaluationSplit:
    """Pairs of one split. Raises CohortError when there are fewer than two."""
    rows = reader.rows(name, needs=("ecg", "cmr"))
    if len(rows) < 2:
        raise CohortError(
            f"split {name} has {len(rows)} pairs of ECG and CMR; an evaluation needs at least two"
        )
    return EvaluationSplit(rows, reader.phenotypes(rows))


def encode_demographics(
    reader: ShardReader, rows: Int64[Array, "row"], *, reference_rows: Int64[Array, "_"]
) -> Float64[Array, "row 4"]:
    """Sex, age, height and BMI; an absent value becomes the mean of `reference_rows`."""
    values = reader.covariates(rows)[:, DEMOGRAPHIC_COLUMNS]
    reference = reader.covariates(reference_rows)[:, DEMOGRAPHIC_COLUMNS]
    is_present = np.isfinite(reference)
    total = np.where(is_present, reference, 0).sum(axis=0)
    mean = total / np.maximum(is_present.sum(axis=0), 1)
    return np.where(np.isfinite(values), values, mean)


def _finite_list(values: Array) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]
