"""The figures of health from the embeddings of a split, shared by training and evaluation."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ptacl_core.arrays import Array, Modality
from ptacl_core.documents.health import SplitHealth, Spread, StageHealth
from ptacl_core.evaluate import EvaluationError
from ptacl_core.evaluate.health import (
    ContrastFigures,
    HealthThresholds,
    StageFigures,
    judge_learning,
    measure_contrast,
    measure_spread,
)

MIN_PATIENTS = 16
"""Of a smaller split nothing is judged: ranks are limited by the patients, losses are noise."""

EmbeddingFigures = tuple[dict[str, Spread], ContrastFigures | None, dict[str, float]]
"""Spread by place, contrast between the modalities, effective ranks that are judged."""


def measure_embeddings(
    pooled: Mapping[Modality, Array],
    projected: Mapping[Modality, Array],
    *,
    temperature: float,
    batch_size: int,
    patients: Sequence[str],
) -> EmbeddingFigures:
    """Spread before and after projection, and the contrast where both modalities have one.

    Only embeddings after projection are judged, and with 16 patients or more: features before
    it may have a strong first direction that a probe does not mind. Patients whose recordings
    gave features that are not finite are left out.
    """
    is_sound = np.ones(len(patients), bool)
    for values in (*pooled.values(), *projected.values()):
        is_sound &= np.isfinite(values).all(axis=1)
    if is_sound.sum() < 2:
        return {}, None, {}
    pooled = {name: values[is_sound] for name, values in pooled.items()}
    projected = {name: values[is_sound] for name, values in projected.items()}
    patients = [name for name, is_kept in zip(patients, is_sound, strict=True) if is_kept]
    spreads: dict[str, Spread] = {}
    judged: dict[str, float] = {}
    for features, word in ((pooled, "features"), (projected, "embeddings")):
        for modality, values in features.items():
            place = f"{modality.upper()} {word}"
            spread = measure_spread(values)
            spreads[place] = Spread(
                effective_rank=spread.effective_rank,
                first_share=spread.first_share,
                mean_cosine=spread.mean_cosine,
            )
            if word == "embeddings" and len(values) >= MIN_PATIENTS:
                judged[place] = spread.effective_rank
    contrast = None
    if {"ecg", "cmr"} <= projected.keys():
        try:
            contrast = measure_contrast(
                projected["ecg"],
                projected["cmr"],
                temperature=temperature,
                batch_size=max(batch_size, 2),
                patients=patients,
            )
        except EvaluationError:
            contrast = None  # one person only: there is nothing to tell apart
    return spreads, contrast, judged


def describe_split(
    figures: StageFigures,
    embeddings: EmbeddingFigures,
    trained_r2: Mapping[str, float],
    random_r2: Mapping[str, float],
    *,
    num_patients: int,
) -> tuple[SplitHealth, StageFigures]:
    """The document's part on one split, and the figures that the verdict is made from.

    Where embeddings of both modalities are there, the contrast is theirs: without augmentation
    and without the spread that dropout or noise would add.
    """
    spreads, contrast, ranks = embeddings
    if contrast is not None:
        figures = replace(figures, contrastive_loss=contrast.loss, chance_loss=contrast.chance_loss)
    figures = replace(
        figures,
        effective_ranks=ranks or None,
        r2=dict(trained_r2) or None,
        random_r2=dict(random_r2) or None,
    )
    described = SplitHealth(
        patients=num_patients,
        loss=_first(figures.reconstruction_loss, figures.regression_loss, figures.contrastive_loss),
        mean_predictor_loss=_first(figures.mean_predictor_loss, figures.mean_regression_loss),
        contrastive_loss=figures.contrastive_loss,
        chance_loss=figures.chance_loss,
        retrieval=None if contrast is None else contrast.top1,
        chance_retrieval=None if contrast is None else contrast.chance_top1,
        spread=spreads,
        r2=dict(trained_r2),
        random_r2=dict(random_r2),
    )
    return described, figures


def judge_splits(
    splits: Mapping[str, SplitHealth],
    figures: Sequence[StageFigures],
    *,
    thresholds: HealthThresholds,
    step: int,
) -> StageHealth:
    """The verdict on a stage from the figures of the splits that can be judged.

    Where no split can be, learning was not shown, and the verdict is that it has not learned.
    """
    if not figures:
        most = max((split.patients for split in splits.values()), default=0)
        return StageHealth(
            learned=False,
            reasons=(f"no split has {MIN_PATIENTS} patients (most: {most}) to show it on",),
            hints=("use a larger cohort",),
            step=step,
            splits=dict(splits),
        )
    verdict = judge_learning(tuple(figures), thresholds=thresholds)
    return StageHealth(
        learned=verdict.learned,
        reasons=verdict.reasons,
        hints=verdict.hints,
        step=step,
        splits=dict(splits),
    )


def _first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)
