"""What the encoders are worth while they train: a linear probe, and retrieval of own pairs."""

from collections.abc import Callable, Mapping

import numpy as np
from torch import nn

from ptacl_core.arrays import Modality
from ptacl_core.evaluate import linear_probe_r2, pair_recall
from ptacl_core.models import TokenEncoder
from ptacl_core.runs.folder import TrainingRun
from ptacl_core.stages.train.health import choose_rows, encode

MAX_PATIENTS = 4096
"""Patients of a split that a probe looks at, evenly spread over the split."""


def build_probe(
    run: TrainingRun,
    encoders: Mapping[Modality, TokenEncoder],
    projections: Mapping[Modality, nn.Module] | None = None,
) -> Callable[[], dict[str, float]]:
    """A function that measures the encoders as they are at its call.

    Gives `probe_r2_<modality>`, the mean R² over phenotypes of a least-squares probe fitted on
    training and scored on validation patients, and with `projections` of both modalities
    `pair_recall_at_1` and `_at_5` among the validation patients. Only the first process
    measures; others get nothing.
    """

    def measure() -> dict[str, float]:
        if not run.world.is_first:
            return {}
        figures = {}
        for modality, encoder in encoders.items():
            train, val = (
                choose_rows(run, split, (modality,), most=MAX_PATIENTS)
                for split in ("train", "val")
            )
            targets = [run.reader.phenotypes(rows) for rows in (train, val)]
            if any(np.isfinite(values).sum(axis=0).min() < 2 for values in targets):
                continue
            features = [encode(run, modality, rows, encoder, None)[0] for rows in (train, val)]
            scores = linear_probe_r2(features[0], targets[0], features[1], targets[1])
            figures[f"probe_r2_{modality}"] = float(np.nanmean(scores))
        if projections is not None and len(encoders) == 2:
            rows = choose_rows(run, "val", ("ecg", "cmr"), most=MAX_PATIENTS)
            ecg, cmr = (
                encode(run, modality, rows, encoders[modality], projections[modality])[1]
                for modality in ("ecg", "cmr")
            )
            recall = pair_recall(ecg, cmr, ks=(1, 5))
            figures |= {f"pair_{key}": value for key, value in recall.items()}
        return figures

    return measure
