"""What a prediction hangs on: how it changes when a lead, or a phase of the beat, is taken away.

A lead is replaced by a flat line, as with its electrode off; a phase by a straight line from
its first sample to its last, in every complete beat. The change is of the prediction, not of
the heart: it shows where the model looks, and no cause.
"""

from dataclasses import dataclass

import numpy as np
import torch

from ptacl_core.arrays import Array, Float32, Float64, Int64
from ptacl_core.embedding.ecg_input import build_ecg_input
from ptacl_core.embedding.encoding import apply_encoder
from ptacl_core.evaluate import LinearProbe
from ptacl_core.models import TokenEncoder, mean_pool
from ptacl_core.records import LEAD_NAMES


@dataclass(frozen=True, slots=True, eq=False)
class Saliency:
    """Prediction with the part masked minus prediction as it is, in each phenotype's unit.

    `steps` is None where the crop holds no complete beat.
    """

    leads: Float64[Array, "12 target"]
    steps: Float64[Array, "step target"] | None


@torch.no_grad()
def explain_ecg(
    encoder: TokenEncoder,
    probe: LinearProbe,
    signal: Float32[Array, "12 sample"],
    r_peak_samples: Int64[Array, " beat"],
    *,
    num_steps: int,
    precision: str = "fp32",
) -> Saliency:
    """Encode the ECG (one crop, as it is evaluated) with each part masked, all in one batch."""
    masked = [signal, *(mask_lead(signal, lead) for lead in range(len(LEAD_NAMES)))]
    beats = find_complete_beats(r_peak_samples, signal.shape[1])
    if len(beats):
        masked += [mask_step(signal, beats, step, num_steps=num_steps) for step in range(num_steps)]
    batch = build_ecg_input(
        encoder,
        np.stack(masked).astype(np.float32),
        [r_peak_samples] * len(masked),
        crop_samples=signal.shape[1],
    )
    pooled = mean_pool(apply_encoder(encoder, batch, precision)).float().cpu().numpy()
    predicted = probe.predict(pooled)
    change = predicted[1:] - predicted[0]
    num_leads = len(LEAD_NAMES)
    return Saliency(change[:num_leads], change[num_leads:] if len(beats) else None)


def mask_lead(signal: Float32[Array, "12 sample"], lead: int) -> Float32[Array, "12 sample"]:
    """`signal` with one lead flat at zero."""
    masked = signal.copy()
    masked[lead] = 0.0
    return masked


def mask_step(
    signal: Float32[Array, "12 sample"],
    beats: Int64[Array, "beat 2"],
    step: int,
    *,
    num_steps: int,
) -> Float32[Array, "12 sample"]:
    """`signal` with phase `step` of `num_steps` of every beat bridged by a straight line."""
    masked = signal.copy()
    last_sample = signal.shape[1] - 1
    for start, stop in beats.tolist():
        width = (stop - start) / num_steps
        first = round(start + step * width)
        last = min(round(start + (step + 1) * width), last_sample)
        if last > first:
            share = np.linspace(0.0, 1.0, last - first + 1, dtype=np.float32)
            ends = signal[:, [first, last]]
            masked[:, first : last + 1] = ends[:, :1] * (1 - share) + ends[:, 1:] * share
    return masked


def find_complete_beats(
    r_peak_samples: Int64[Array, " beat"], num_samples: int
) -> Int64[Array, "complete 2"]:
    """R peaks that begin and end each beat inside the crop."""
    peaks = np.asarray(r_peak_samples, np.int64)
    peaks = peaks[(peaks >= 0) & (peaks <= num_samples)]
    return np.stack([peaks[:-1], peaks[1:]], axis=1) if len(peaks) > 1 else np.empty((0, 2), int)
