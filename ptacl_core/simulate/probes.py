"""Linear read-outs of a simulated cohort without any learnt encoder (§4.6).

The ECG is read from its mean normal beat, the cine from pooled pixels: what a cohort gives
away before training, and what training must be compared with.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ptacl_core.arrays import Array, Float64
from ptacl_core.config.simulation import SimulationSettings
from ptacl_core.simulate.ecg.rhythm import NUM_SAMPLES
from ptacl_core.simulate.patients import PatientTruth, draw_truth, render_cines, render_ecgs
from ptacl_core.tensors import Float, Tensor

RIDGE_PENALTIES = (1.0, 10.0, 100.0, 1000.0, 10000.0)
"""Tried on a quarter of the training patients, one choice per phenotype."""

_BEFORE_R, _AFTER_R = 150, 250
_SAMPLES_PER_BIN = 4
_POOLED_PX = 14
_FRAME_STEP = 4
_BATCH = 64


@dataclass(frozen=True, slots=True, eq=False)
class ProbeFeatures:
    """Read-out features of patients whose ECG has no lead fault."""

    ecg: Float64[Array, "patient ecg_feature"]
    cine: Float64[Array, "patient cine_feature"] | None
    phenotypes: Float64[Array, "patient 10"]
    heart_rate_bpm: Float64[Array, " patient"]


def collect_probe_features(
    settings: SimulationSettings,
    indices: Sequence[int],
    *,
    with_cine: bool,
    device: str | torch.device = "cpu",
) -> ProbeFeatures:
    """Mean beats and, when asked for, pooled pixels; faulty ECGs are left out as unreadable."""
    ecg_rows, cine_rows, labels, rates = [], [], [], []
    for start in range(0, len(indices), _BATCH):
        truth = draw_truth(settings, indices[start : start + _BATCH])
        is_sound = torch.tensor([not fault for fault in truth.lead_faults])
        ecg_mv = render_ecgs(settings, truth, device=device)
        ecg_rows.append(compute_mean_beats(ecg_mv, truth)[is_sound].numpy())
        if with_cine:
            cine = render_cines(settings, truth, device=device)
            cine_rows.append(pool_pixels(cine).cpu()[is_sound].numpy())
        labels.append(truth.phenotypes[is_sound].numpy())
        rates.append(truth.population.heart_rate_ecg_bpm[is_sound].numpy())
    return ProbeFeatures(
        ecg=np.concatenate(ecg_rows).astype(np.float64),
        cine=np.concatenate(cine_rows).astype(np.float64) if with_cine else None,
        phenotypes=np.concatenate(labels),
        heart_rate_bpm=np.concatenate(rates),
    )


def compute_mean_beats(
    ecg_mv: Float[Tensor, "patient 12 sample"], truth: PatientTruth
) -> Float[Tensor, "patient feature"]:
    """Record-wise z-scores averaged over the normal beats, -300 to 500 ms, in bins of 8 ms."""
    record = ecg_mv.flatten(start_dim=1)
    mean = record.mean(dim=1)[:, None, None]
    deviation = record.std(dim=1)[:, None, None].clamp(min=1e-6)
    scaled = (ecg_mv - mean) / deviation
    rhythm = truth.rhythm
    samples = rhythm.beat_samples
    is_normal = ~(rhythm.is_ventricular | rhythm.is_atrial_premature)
    is_whole = (samples >= _BEFORE_R) & (samples < NUM_SAMPLES - _AFTER_R)
    beats = []
    for row, keep in enumerate(is_normal & is_whole):
        peaks = samples[row][keep].tolist()
        windows = [scaled[row, :, peak - _BEFORE_R : peak + _AFTER_R] for peak in peaks]
        beat = torch.stack(windows).mean(dim=0)
        beats.append(beat.unflatten(1, (-1, _SAMPLES_PER_BIN)).mean(dim=2).flatten())
    return torch.stack(beats).cpu()


def pool_pixels(cine: Float[Tensor, "patient 50 84 84"]) -> Float[Tensor, "patient feature"]:
    """Min-max of each cine, every fourth frame, 6 x 6 pixels to one."""
    flat = cine.flatten(start_dim=1)
    low, high = flat.amin(dim=1), flat.amax(dim=1)
    span = (high - low).clamp(min=1e-6)[:, None, None, None]
    scaled = (cine[:, ::_FRAME_STEP] - low[:, None, None, None]) / span
    return torch.nn.functional.adaptive_avg_pool2d(scaled, _POOLED_PX).flatten(start_dim=1)


def fit_ridge_r2(
    features: Float64[Array, "patient feature"],
    targets: Float64[Array, "patient target"],
    *,
    num_train: int,
    penalties: Sequence[float] = RIDGE_PENALTIES,
) -> Float64[Array, " target"]:
    """Held-out R² of ridge regression, the penalty chosen inside the training patients.

    Features share one scale (the SD over all of them), so that small bumps stay small. The
    first `num_train` rows train, the others test.
    """
    choice = np.zeros(targets.shape[1], dtype=np.int64)
    if len(penalties) > 1:
        inner = (3 * num_train) // 4
        scores = _ridge_scores(features[:num_train], targets[:num_train], inner, penalties)
        choice = scores.argmax(axis=0)
    final = _ridge_scores(features, targets, num_train, penalties)
    return final[choice, np.arange(targets.shape[1])]


def fit_pca_r2(
    features: Float64[Array, "patient feature"],
    targets: Float64[Array, "patient target"],
    *,
    num_train: int,
    num_components: int,
) -> Float64[Array, " target"]:
    """Held-out R² of least squares on the leading principal components of the features."""
    centred = features - features[:num_train].mean(axis=0)
    train = centred[:num_train]
    _, vectors = _principal_axes(train)
    leading = vectors[:, ::-1][:, :num_components]
    return fit_ridge_r2(centred @ leading, targets, num_train=num_train, penalties=(0.0,))


def _ridge_scores(
    features: Float64[Array, "patient feature"],
    targets: Float64[Array, "patient target"],
    num_train: int,
    penalties: Sequence[float],
) -> Float64[Array, "penalty target"]:
    centre = features[:num_train].mean(axis=0)
    train, test = features[:num_train] - centre, features[num_train:] - centre
    scale = float(train.std()) or 1.0
    mean = targets[:num_train].mean(axis=0)
    values, vectors = _principal_axes(train / scale)
    projected = vectors.T @ (train.T @ (targets[:num_train] - mean)) / scale
    observed = targets[num_train:]
    total = ((observed - observed.mean(axis=0)) ** 2).sum(axis=0)
    scores = []
    for penalty in penalties:
        weights = vectors @ (projected / (values + penalty)[:, None])
        residual = observed - mean - test @ weights / scale
        scores.append(1 - (residual**2).sum(axis=0) / total)
    return np.stack(scores)


def _principal_axes(
    rows: Float64[Array, "patient feature"],
) -> tuple[Float64[Array, " axis"], Float64[Array, "feature axis"]]:
    """Squared lengths, ascending, and directions of the axes that the rows span."""
    num_rows, num_features = rows.shape
    if num_rows < num_features:
        values, left = np.linalg.eigh(rows @ rows.T)
    else:
        values, left = np.linalg.eigh(rows.T @ rows)
    is_spanned = values > values.max() * 1e-12
    values, left = values[is_spanned], left[:, is_spanned]
    if num_rows < num_features:
        left = rows.T @ left / np.sqrt(values)
    return values, left
