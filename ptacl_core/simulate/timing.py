"""The cardiac cycle: when ejection and filling happen, and the volume-time curve (§4.3)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ptacl_core.config.simulation_timing import TimingSettings
from ptacl_core.simulate.coupling import Coupling
from ptacl_core.simulate.ecg.intervals import Intervals
from ptacl_core.simulate.population import Population, choose_by_sex
from ptacl_core.simulate.randomness import Stream, draw_normals
from ptacl_core.tensors import Bool, Float, Tensor

NUM_FRAMES = 50
"""Frames of a cine over one cycle, the first at the R peak."""


@dataclass(frozen=True, slots=True, eq=False)
class CycleTiming:
    """Times in ms from the R peak, one value per patient, float64 on the host."""

    rr_ms: Float[Tensor, " patient"]
    ejection_start_ms: Float[Tensor, " patient"]
    end_systole_ms: Float[Tensor, " patient"]
    mitral_opening_ms: Float[Tensor, " patient"]
    early_filling_ms: Float[Tensor, " patient"]
    atrial_kick_ms: Float[Tensor, " patient"]
    atrial_share: Float[Tensor, " patient"]
    ejection_exponent: float


@dataclass(frozen=True, slots=True, eq=False)
class ElectricalLink:
    """The ECG's intervals and how the cycle's timing follows them."""

    coupling: Coupling
    intervals: Intervals
    qrs_before_r: float
    pr_heart_rate_slope_ms: float


def draw_timing(
    seed: int,
    indices: Sequence[int],
    population: Population,
    settings: TimingSettings,
    *,
    is_fibrillating: Bool[Tensor, " patient"],
    link: ElectricalLink | None = None,
) -> CycleTiming:
    """Systolic and diastolic intervals in the scanner; no atrial kick in fibrillation.

    `link` couples them to the ECG's intervals.
    """
    noise = list(draw_normals(seed, indices, Stream.TIMING, 8).unbind(dim=1))
    if link is not None:
        noise[0] = link.coupling.share_systole(noise[0])
    heart_rate = population.heart_rate_mri_bpm
    rr_ms = 60_000 / heart_rate
    low_ef = (settings.low_ef_threshold - population.lvef).clamp(min=0) / 0.15
    is_male = population.is_male
    ejection_start_ms = (
        choose_by_sex(is_male, settings.pep_intercept_ms)
        + settings.pep_heart_rate_slope_ms * heart_rate
        + settings.pep_low_ef_ms * low_ef
        - settings.q_to_r_ms
    ).clamp(min=20)
    if link is not None:
        ejection_start_ms = ejection_start_ms + link.coupling.delay_ejection_ms(link.intervals)
    ejection_ms = (
        choose_by_sex(is_male, settings.lvet_intercept_ms)
        + choose_by_sex(is_male, settings.lvet_heart_rate_slope_ms) * heart_rate
        + settings.lvet_low_ef_ms * low_ef
    )
    end_systole_ms = ejection_start_ms + ejection_ms + settings.end_systole_sd_ms * noise[0]
    end_systole_ms = torch.minimum(
        torch.maximum(end_systole_ms, ejection_start_ms + 120), 0.70 * rr_ms
    )
    relaxation_ms = (
        settings.ivrt_ms
        + settings.ivrt_age_slope_ms * (population.age_years - 64)
        + settings.ivrt_sd_ms * noise[1]
    ).clamp(min=40)
    mitral_opening_ms = torch.minimum(end_systole_ms + relaxation_ms, 0.80 * rr_ms)
    filling_ms = rr_ms - mitral_opening_ms
    early_ms = settings.early_filling_ms + settings.early_filling_sd_ms * noise[2]
    kick_ms = settings.atrial_kick_ms + settings.atrial_kick_sd_ms * noise[3]
    if link is not None:
        kick_ms = link.coupling.couple_kick_ms(
            kick_ms,
            link.intervals,
            qrs_before_r=link.qrs_before_r,
            pr_change_ms=link.pr_heart_rate_slope_ms * (heart_rate - population.heart_rate_ecg_bpm),
        )
    share = (
        settings.atrial_share
        + settings.atrial_share_age_slope * (population.age_years - 64)
        + settings.atrial_share_sd * noise[4]
    ).clamp(*settings.atrial_share_range)
    return CycleTiming(
        rr_ms=rr_ms,
        ejection_start_ms=ejection_start_ms,
        end_systole_ms=end_systole_ms,
        mitral_opening_ms=mitral_opening_ms,
        early_filling_ms=torch.minimum(early_ms, settings.early_filling_limit * filling_ms),
        atrial_kick_ms=torch.minimum(kick_ms, filling_ms),
        atrial_share=torch.where(is_fibrillating, torch.zeros_like(share), share),
        ejection_exponent=settings.ejection_exponent,
    )


def compute_filled_share(
    timing: CycleTiming, *, num_frames: int = NUM_FRAMES
) -> Float[Tensor, "patient frame"]:
    """f(t): 1 at end-diastole, 0 at end-systole, at frames spread evenly over the cycle.

    Ejection is (1 − s²(3 − 2s))^0.9; filling is an early smoothstep, diastasis and, in the
    last part of the cycle, the atrial kick, which fuse when the cycle is short.
    """
    steps = torch.arange(num_frames, dtype=torch.float64) / num_frames
    time_ms = steps * timing.rr_ms[:, None]
    ejection_ms = (timing.end_systole_ms - timing.ejection_start_ms)[:, None]
    ejected = _smoothstep((time_ms - timing.ejection_start_ms[:, None]) / ejection_ms)
    left = (1 - ejected).clamp(min=1e-12)
    systole = torch.exp(timing.ejection_exponent * torch.log(left))
    systole = torch.where(ejected >= 1, torch.zeros_like(systole), systole)
    early = _smoothstep(
        (time_ms - timing.mitral_opening_ms[:, None]) / timing.early_filling_ms[:, None]
    )
    kick_start_ms = (timing.rr_ms - timing.atrial_kick_ms)[:, None]
    kick = _smoothstep((time_ms - kick_start_ms) / timing.atrial_kick_ms[:, None])
    share = timing.atrial_share[:, None]
    return systole + (1 - share) * early + share * kick


def _smoothstep(position: Float[Tensor, "patient frame"]) -> Float[Tensor, "patient frame"]:
    inside = position.clamp(0, 1)
    return inside * inside * (3 - 2 * inside)
