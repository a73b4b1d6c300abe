"""Timing kept, on simulated patients: does the run know when this heart's systole ends.

The truth of end-systole and of the atrial kick comes from the simulator; what both heart rates,
sex, EF and age say of them is taken out first (evaluation.md, "The clock").
"""

import json
from pathlib import Path

import numpy as np

from ptacl_core.arrays import Array, Float64
from ptacl_core.config.simulation import SimulationSettings
from ptacl_core.documents.alignment import TimingKept
from ptacl_core.documents.figures import Bounded, finite
from ptacl_core.embedding.encoding import Features
from ptacl_core.embedding.patients import EvaluationSplit
from ptacl_core.evaluate import Resamples
from ptacl_core.evaluate.steps.own_steps import centre_steps
from ptacl_core.evaluate.steps.timing_kept import partial_r2, predict_beyond, squared_errors

TARGETS = ("end_systole_ms", "atrial_kick_ms")
NO_TRUTH = "timing kept needs a simulator's truth: this cohort has none"

Pairs = tuple[Features, Features]
"""ECG and cine features with steps."""


def measure_timing(
    cohort_dir: Path,
    splits: tuple[EvaluationSplit, EvaluationSplit],
    features: tuple[Pairs, Pairs],
    beats: tuple[Array, Array] | None,
    resamples: Resamples,
) -> tuple[tuple[TimingKept, ...], str]:
    """Partial R² by target and source, and a note; nothing of a cohort without truth.

    `splits` and `features` are of train and test, `beats` mean beats of both (None: left out).
    """
    settings = read_simulation(cohort_dir)
    if settings is None:
        return (), NO_TRUTH
    truth = [_draw(settings, split) for split in splits]
    sources = _list_sources(features, beats)
    kept = []
    for column, target in enumerate(TARGETS):
        labels = [truth_of_split[0][:, column : column + 1] for truth_of_split in truth]
        if any(np.isfinite(label).sum() < 20 for label in labels):
            continue
        cells = {
            name: _measure(parts, labels, (truth[0][1], truth[1][1]), resamples)
            for name, parts in sources.items()
        }
        kept.append(TimingKept(target=target, sources=cells, n=int(np.isfinite(labels[1]).sum())))
    note = (
        "partial R² on the simulator's truth beyond heart rates, sex, EF and age; to be read "
        "beside a run trained against a stranger's cine, and beside the mean beat, since the "
        "ECG carries its own intervals"
    )
    return tuple(kept), note


def read_simulation(cohort_dir: Path) -> SimulationSettings | None:
    """The settings that made a simulated cohort; None of a cohort from files."""
    path = cohort_dir / "simulation.json"
    if not path.exists():
        return None
    values = json.loads(path.read_text(encoding="utf-8"))["settings"]
    return SimulationSettings.from_mapping(values, source=f"{cohort_dir.name}/{path.name}")


def _draw(
    settings: SimulationSettings, split: EvaluationSplit
) -> tuple[Float64[Array, "row 2"], Float64[Array, "row covariate"]]:
    """Both timings, NaN without an atrial kick, and what is taken out of them."""
    from ptacl_core.simulate import draw_truth

    truth = draw_truth(settings, [int(name.removeprefix("S")) for name in split.patients])
    people, timing = truth.population, truth.timing
    kick = np.where(timing.atrial_share.numpy() > 0, timing.atrial_kick_ms.numpy(), np.nan)
    rates = [people.heart_rate_ecg_bpm.numpy(), people.heart_rate_mri_bpm.numpy()]
    known = [people.is_male.numpy().astype(float), people.lvef.numpy(), people.age_years.numpy()]
    # Limits such as 0.7 of the RR interval make times bend with the rate.
    bent = [value for rate in rates for value in (rate, rate**2, 1.0 / rate)]
    covariates = np.stack([*bent, *known], axis=1)
    return np.stack([timing.end_systole_ms.numpy(), kick], axis=1), covariates


def _list_sources(
    features: tuple[Pairs, Pairs], beats: tuple[Array, Array] | None
) -> dict[str, tuple[Array, Array]]:
    (ecg_train, cmr_train), (ecg_test, cmr_test) = features
    sources = {
        "ecg_features": (ecg_train.pooled, ecg_test.pooled),
        "cmr_features": (cmr_train.pooled, cmr_test.pooled),
    }
    maps = tuple(_map_own(*pair) for pair in features)
    if maps[0] is not None and maps[1] is not None:
        sources["map"] = (maps[0], maps[1])
    if beats is not None:
        sources["mean_beat"] = beats
    return sources


def _map_own(ecg: Features, cmr: Features) -> Array | None:
    """Cosines of the patient's own steps, template taken out; NaN without a beat."""
    if ecg.steps is None or cmr.steps is None or ecg.steps.shape != cmr.steps.shape:
        return None
    if ecg.is_step_valid.sum() < 2:
        return None
    valid = ecg.is_step_valid
    maps = centre_steps(ecg.steps[valid]) @ centre_steps(cmr.steps[valid]).transpose(0, 2, 1)
    flat_maps = np.full((len(valid), maps[0].size), np.nan)
    flat_maps[valid] = maps.reshape(len(maps), -1)
    return flat_maps


def _measure(
    parts: tuple[Array, Array],
    labels: list[Float64[Array, "row 1"]],
    covariates: tuple[Array, Array],
    resamples: Resamples,
) -> Bounded:
    predictions = predict_beyond(parts[0], labels[0], covariates[0], parts[1], covariates[1])
    value = float(partial_r2(labels[1], *predictions)[0])
    errors = np.hstack(squared_errors(labels[1], *predictions))
    present = np.isfinite(errors).all(axis=1)
    sums = resamples.take(np.flatnonzero(present)).sums(errors[present])
    draws = 1.0 - sums[:, 1] / np.maximum(sums[:, 0], 1e-300)
    low, high = np.quantile(draws, [0.025, 0.975])
    return Bounded(value=finite(value), low=finite(low), high=finite(high))
