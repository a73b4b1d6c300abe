"""Has a stage learned: watched while it trains, measured on both splits when it ends."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from torch import nn

from ptacl_core.arrays import Array, Int64, Modality
from ptacl_core.documents.health import SplitHealth, StageHealth
from ptacl_core.embedding.learning import (
    MIN_PATIENTS,
    describe_split,
    judge_splits,
    measure_embeddings,
)
from ptacl_core.embedding.rows import encode_rows
from ptacl_core.evaluate.bars import Ridge
from ptacl_core.evaluate.health import StageFigures, judge_learning
from ptacl_core.evaluate.metrics import r2
from ptacl_core.models import TokenEncoder
from ptacl_core.runs.encoders import build_encoder, build_view
from ptacl_core.runs.folder import TrainingRun
from ptacl_core.runs.health import store_health, thresholds_of

StageKind = Literal["autoencoder", "views", "alignment", "regression"]
SPLITS = {"train": "training", "val": "validation"}
MIN_SCORED_PATIENTS = 50
"""Below, R² is too uncertain to hold against an untrained encoder."""

EARLY_SHARE = 0.25
"""Share of a stage's steps after which it is told that it has not learned so far."""


@dataclass(frozen=True, slots=True)
class HealthSpec:
    """What counts as learning in a stage, and the encoders that it trains.

    `projections` and `temperature` are those of an alignment.
    """

    kind: StageKind
    encoders: Mapping[Modality, TokenEncoder]
    projections: Mapping[Modality, nn.Module] = field(default_factory=dict)
    temperature: float = 0.1


MeasureSplit = Callable[[str], dict[str, float] | None]
"""Split → the step's own figures on at most `health.max_patients` of it; None without any."""


class HealthWatch:
    """The health of one stage of one run."""

    def __init__(
        self,
        run: TrainingRun,
        stage: str,
        spec: HealthSpec,
        *,
        batch_size: int,
        measure_split: MeasureSplit,
    ) -> None:
        self._run, self._stage, self._spec = run, stage, spec
        self._batch_size, self._measure_split = batch_size, measure_split
        self._has_warned = False
        self._random: dict[tuple[str, Modality], Array] = {}

    def watch(
        self, figures: Mapping[str, float], *, step: int, num_steps: int, batch_size: int
    ) -> None:
        """Say once, from a quarter of the steps on, that validation shows no learning yet."""
        if self._has_warned or step < EARLY_SHARE * num_steps or step >= num_steps:
            return
        figures_now = self._judge_step("validation", figures, batch_size)
        verdict = judge_learning(
            (figures_now,), thresholds=thresholds_of(self._run.settings.health)
        )
        if not verdict.learned:
            self._has_warned = True
            self._run.progress.say(
                f"stage {self._stage}, step {step} of {num_steps}: NOT LEARNING so far: "
                f"{'; '.join(verdict.reasons)}; {'; '.join(verdict.hints)}"
            )

    def conclude(self, *, step: int) -> StageHealth | None:
        """Measure training and validation, write the verdict into the run, say a failure.

        Of several processes each must call it; only the first gets the verdict.
        """
        measured = {name: self._measure_split(name) for name in SPLITS}
        if not self._run.world.is_first:
            return None
        splits, judged = {}, []
        for name, figures in measured.items():
            rows = self._choose(name)
            if figures is None or len(rows) < 2:
                continue
            stage_figures = self._judge_step(
                SPLITS[name], figures, min(self._batch_size, len(rows))
            )
            described, stage_figures = self._look_at_embeddings(name, rows, stage_figures)
            splits[SPLITS[name]] = described
            if len(rows) >= MIN_PATIENTS:
                judged.append(stage_figures)
        limits = thresholds_of(self._run.settings.health)
        health = judge_splits(splits, judged, thresholds=limits, step=step)
        store_health(self._run.directory, {self._stage: health}, limits=self._run.settings.health)
        self._log(health, step)
        if not health.learned:
            self._run.progress.say(
                f"stage {self._stage}: NOT LEARNED: {'; '.join(health.reasons)}; "
                f"{'; '.join(health.hints)}"
            )
        return health

    def _choose(self, split: str) -> Int64[Array, " row"]:
        return choose_rows(
            self._run,
            split,
            tuple(self._spec.encoders),
            most=self._run.settings.health.max_patients,
        )

    def _judge_step(self, split: str, figures: Mapping[str, float], batch: int) -> StageFigures:
        """What the step itself measured: its loss against what no learning gives."""
        loss = figures["loss"]
        if self._spec.kind == "autoencoder":
            return StageFigures(
                split,
                reconstruction_loss=loss,
                mean_predictor_loss=figures.get("mean_prediction_loss"),
            )
        if self._spec.kind == "views":
            chance = math.log(max(2 * batch - 1, 2))
            return StageFigures(split, contrastive_loss=loss, chance_loss=chance)
        if self._spec.kind == "regression":
            return StageFigures(
                split,
                regression_loss=loss,
                mean_regression_loss=figures.get("mean_predictor_loss", 1.0),
            )
        contrast = figures.get("patient_loss", figures.get("contrastive_loss"))
        chance = None if contrast is None else math.log(max(batch, 2))
        return StageFigures(split, contrastive_loss=contrast, chance_loss=chance)

    def _look_at_embeddings(
        self, split: str, rows: Int64[Array, " row"], stage_figures: StageFigures
    ) -> tuple[SplitHealth, StageFigures]:
        """Spread of the embeddings, and of an alignment the contrast without augmentation."""
        pooled, projected = {}, {}
        for modality, encoder in self._spec.encoders.items():
            projection = self._spec.projections.get(modality)
            pooled[modality], projected[modality] = encode(
                self._run, modality, rows, encoder, projection
            )
        embeddings = measure_embeddings(
            pooled,
            projected if self._spec.projections else {},
            temperature=self._spec.temperature,
            batch_size=self._batch_size,
            patients=[self._run.reader.patients[row] for row in rows],
        )
        scores = self._score_against_random(split, pooled)
        return describe_split(stage_figures, embeddings, *scores, num_patients=len(rows))

    def _score_against_random(
        self, split: str, pooled: Mapping[Modality, Array]
    ) -> tuple[dict[str, float], dict[str, float]]:
        """Mean R² on validation of ridge on trained and on untrained features."""
        trained: dict[str, float] = {}
        random: dict[str, float] = {}
        if self._spec.kind == "regression":
            return trained, random
        for modality, features in pooled.items():
            self._random[split, modality] = features
            if split != "val" or ("train", modality) not in self._random:
                continue
            untrained = build_encoder(self._run.settings, modality).to(self._run.device)
            parts = [self._choose(name) for name in ("train", "val")]
            before = [encode(self._run, modality, rows, untrained, None)[0] for rows in parts]
            after = [self._random["train", modality], features]
            targets = [self._run.reader.phenotypes(rows) for rows in parts]
            scores = [_score(encoded_pair, targets) for encoded_pair in (after, before)]
            if None not in scores:
                name = modality.upper()
                trained[name], random[name] = (
                    float(score) for score in scores if score is not None
                )
        return trained, random

    def _log(self, health: StageHealth, step: int) -> None:
        figures: dict[str, float | bool | None] = {"health_learned": health.learned}
        for split, split_health in health.splits.items():
            for place, spread in split_health.spread.items():
                key = place.replace(" ", "_").lower()
                figures[f"health_{split}_effective_rank_{key}"] = spread.effective_rank
                figures[f"health_{split}_mean_cosine_{key}"] = spread.mean_cosine
            for name in ("contrastive_loss", "chance_loss", "retrieval", "chance_retrieval"):
                if getattr(split_health, name) is not None:
                    figures[f"health_{split}_{name}"] = getattr(split_health, name)
        self._run.metrics.append(stage=self._stage, step=step, **figures)


def choose_rows(
    run: TrainingRun, split: str, needs: tuple[str, ...], *, most: int
) -> Int64[Array, " row"]:
    """At most `most` rows of a split, evenly spread."""
    rows = run.reader.rows(split, needs=needs)
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]


def encode(
    run: TrainingRun,
    modality: Modality,
    rows: Int64[Array, " row"],
    encoder: TokenEncoder,
    projection: nn.Module | None,
) -> tuple[Array, Array]:
    """Pooled features and embeddings (the pooled ones again without a projection)."""
    view = build_view(run.settings)
    features = encode_rows(run.reader, rows, modality, encoder, projection, view)
    projected = features.pooled if features.projected is None else features.projected
    return features.pooled, projected


def _score(features: list[Array], targets: list[Array]) -> float | None:
    """Mean R² of ridge over the phenotypes that can be judged; None of few patients."""
    if min(len(target) for target in targets) < MIN_SCORED_PATIENTS:
        return None
    features = [np.where(np.isfinite(feature), feature, np.nan) for feature in features]
    predicted = Ridge(features[0], features[1]).predict(targets[0])
    scores = np.asarray(r2(targets[1], predicted))
    present = scores[np.isfinite(scores)]
    return float(present.mean()) if present.size else None
