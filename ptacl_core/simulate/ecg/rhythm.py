"""When the heart beats during the ten seconds of the ECG, and what kind each beat is (§4.5)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ptacl_core.config.simulation_ecg import SimulatedEcgSettings
from ptacl_core.simulate.randomness import Stream, draw_normals, draw_uniforms
from ptacl_core.tensors import Bool, Float, Int, Tensor

RHYTHM_NAMES = ("sinus", "af", "pac", "pvc")
"""Rhythms; `rhythm` indexes this: sinus, fibrillation, sinus with a premature beat."""
CONDUCTION_NAMES = ("normal", "rbbb", "lbbb")
"""Conduction; `conduction` indexes this."""

SAMPLING_RATE_HZ = 500
"""Rate of the simulated ECG."""
NUM_SAMPLES = 5000
"""Ten seconds."""

_MAX_BEATS = 64
_START_S = -1.2
_MIN_RR_S = 0.30


@dataclass(frozen=True, slots=True, eq=False)
class Rhythm:
    """Beats of the recording, float64 on the host; beats reach past both ends of it."""

    rhythm: Int[Tensor, " patient"]
    conduction: Int[Tensor, " patient"]
    has_long_pr: Bool[Tensor, " patient"]
    mean_rr_s: Float[Tensor, " patient"]
    beat_s: Float[Tensor, "patient beat"]
    preceding_rr_s: Float[Tensor, "patient beat"]
    is_atrial_premature: Bool[Tensor, "patient beat"]
    is_ventricular: Bool[Tensor, "patient beat"]
    respiration_hz: Float[Tensor, " patient"]
    respiration_phase: Float[Tensor, " patient"]

    @property
    def is_fibrillating(self) -> Bool[Tensor, " patient"]:
        """Patients without P waves and without an atrial kick."""
        return self.rhythm == RHYTHM_NAMES.index("af")

    @property
    def beat_samples(self) -> Int[Tensor, "patient beat"]:
        """The samples nearest to the R peaks, also of beats outside the recording."""
        return torch.round(self.beat_s * SAMPLING_RATE_HZ).to(torch.int64)

    @property
    def is_inside(self) -> Bool[Tensor, "patient beat"]:
        """Beats whose R peak lies inside the recording."""
        return (self.beat_samples >= 0) & (self.beat_samples < NUM_SAMPLES)

    def r_peak_samples(self) -> list[Int[Tensor, " _"]]:
        """The samples nearest to the R peaks inside the recording, per patient."""
        return [row[keep] for row, keep in zip(self.beat_samples, self.is_inside, strict=True)]


def draw_rhythm(
    seed: int,
    indices: Sequence[int],
    heart_rate_bpm: Float[Tensor, " patient"],
    settings: SimulatedEcgSettings,
    *,
    af_share: float,
    pac_share: float,
    pvc_share: float,
    bbb_share: float,
) -> Rhythm:
    """Beat times: respiratory and slow variation in sinus rhythm, none of it in fibrillation."""
    noise = draw_normals(seed, indices, Stream.RHYTHM, _MAX_BEATS)
    uniforms = draw_uniforms(seed, indices, Stream.RHYTHM, 12)
    rhythm = torch.zeros(len(indices), dtype=torch.int64)
    reached = 0.0
    for number, share in enumerate((af_share, pac_share, pvc_share), start=1):
        is_in = (uniforms[:, 0] >= reached) & (uniforms[:, 0] < reached + share)
        rhythm = torch.where(is_in, number, rhythm)
        reached += share
    blocked = 1 + (uniforms[:, 2] < 0.5).to(torch.int64)
    conduction = torch.where(uniforms[:, 1] < bbb_share, blocked, 0)

    low_hz, high_hz = settings.respiration_hz
    respiration_hz = low_hz + (high_hz - low_hz) * uniforms[:, 3]
    phase = 2 * torch.pi * uniforms[:, 4]
    mean_rr_s = 60 / heart_rate_bpm
    nominal_s = torch.arange(_MAX_BEATS, dtype=torch.float64) * mean_rr_s[:, None]
    breathing = torch.sin(2 * torch.pi * respiration_hz[:, None] * nominal_s + phase[:, None])
    slow = torch.sin(2 * torch.pi * (0.1 * nominal_s + uniforms[:, 5:6]))
    sinus = 1 + settings.respiration_rr * breathing + settings.slow_wave_rr * slow
    sinus = sinus + settings.beat_rr_sd * noise
    spread = settings.af_rr_log_sd
    fibrillating = torch.exp(spread * noise - spread * spread / 2)
    is_af = (rhythm == RHYTHM_NAMES.index("af"))[:, None]
    factor = torch.where(is_af, fibrillating, sinus)
    factor, is_pac, is_pvc = _insert_premature_beats(factor, rhythm, mean_rr_s, uniforms)
    rr_s = (factor * mean_rr_s[:, None]).clamp(min=_MIN_RR_S)
    first_s = _START_S - uniforms[:, 6] * mean_rr_s
    later_s = torch.from_numpy(np.cumsum(rr_s.numpy(), axis=1))
    return Rhythm(
        rhythm=rhythm,
        conduction=conduction,
        has_long_pr=uniforms[:, 7] < settings.pr_long_share,
        mean_rr_s=mean_rr_s,
        beat_s=first_s[:, None] + later_s,
        preceding_rr_s=rr_s,
        is_atrial_premature=is_pac,
        is_ventricular=is_pvc,
        respiration_hz=respiration_hz,
        respiration_phase=phase,
    )


def _insert_premature_beats(
    factor: Float[Tensor, "patient beat"],
    rhythm: Int[Tensor, " patient"],
    mean_rr_s: Float[Tensor, " patient"],
    uniforms: Float[Tensor, "patient draw"],
) -> tuple[Tensor, Tensor, Tensor]:
    """Shorten the interval before one or two beats, and lengthen the one after."""
    beat = torch.arange(_MAX_BEATS)
    beats_in_10_s = (10 / mean_rr_s).clamp(min=6)
    offset = torch.ceil((-_START_S + 1.0) / mean_rr_s)
    first = offset + torch.floor(uniforms[:, 8] * (0.4 * beats_in_10_s))
    second = first + 2 + torch.floor(uniforms[:, 9] * (0.3 * beats_in_10_s))
    has_second = uniforms[:, 10] < 0.4
    is_early = (beat == first[:, None]) | (has_second[:, None] & (beat == second[:, None]))
    is_after = torch.nn.functional.pad(is_early[:, :-1], (1, 0))
    is_pac = is_early & (rhythm == RHYTHM_NAMES.index("pac"))[:, None]
    is_pvc = is_early & (rhythm == RHYTHM_NAMES.index("pvc"))[:, None]
    factor = torch.where(is_pac, 0.72 * factor, torch.where(is_pvc, 0.66 * factor, factor))
    after_pac = is_after & (rhythm == RHYTHM_NAMES.index("pac"))[:, None]
    after_pvc = is_after & (rhythm == RHYTHM_NAMES.index("pvc"))[:, None]
    factor = torch.where(after_pac, 1.08 * factor, torch.where(after_pvc, 1.34 * factor, factor))
    return factor, is_pac, is_pvc
