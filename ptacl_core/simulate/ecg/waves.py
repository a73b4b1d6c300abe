"""Each patient's ECG waves: amplitudes, times and directions from the visible latents (§4.5)."""

import math
from collections.abc import Sequence

import torch

from ptacl_core.config.simulation_ecg import SimulatedEcgSettings, WaveSettings
from ptacl_core.simulate.ecg.abnormal_beats import (
    add_conduction_block,
    make_atrial_premature,
    make_ventricular,
)
from ptacl_core.simulate.ecg.bumps import add_hidden_bumps, add_nuisance_bumps
from ptacl_core.simulate.ecg.intervals import Intervals, combine_latents, correct_qt
from ptacl_core.simulate.ecg.rhythm import Rhythm
from ptacl_core.simulate.ecg.wave_train import WaveTrain
from ptacl_core.simulate.randomness import Stream, draw_normals
from ptacl_core.tensors import Float, Tensor

_WIDEST_QRS = 2.2
"""Largest QRS duration over the usual one, bundle branch block included."""


def draw_waves(
    seed: int,
    indices: Sequence[int],
    latents: Float[Tensor, "patient 8"],
    rhythm: Rhythm,
    intervals: Intervals,
    *,
    settings: SimulatedEcgSettings,
    nuisance: float,
    hidden_energy: float,
    num_nuisance_bumps: int,
) -> WaveTrain:
    """Waves of all beats; hidden energy η leaves the large waves (1 − η) of their couplings."""
    noise = nuisance * draw_normals(seed, indices, Stream.WAVES, 32)
    shown = (1 - hidden_energy) * latents
    rr_s = 0.7 * rhythm.mean_rr_s[:, None] + 0.3 * rhythm.preceding_rr_s
    beat_qt_ms = correct_qt(intervals.qt_at_1_s_ms[:, None], rr_s)
    onset_ms = -settings.qrs_before_r * intervals.qrs_ms
    turn = _rotations(shown, settings, noise)
    is_sinus = (~rhythm.is_fibrillating).to(torch.float64)

    amplitudes, centres, widths, directions = [], [], [], []
    num_beats = rhythm.beat_s.shape[1]
    for number, wave in enumerate(settings.waves.values()):
        amplitude = _amplitude(wave, shown, noise[:, 8 + number])
        direction = torch.tensor(wave.direction, dtype=torch.float64).expand(len(indices), 3)
        is_repolarisation = wave.anchor == "t_end"
        if wave.anchor == "p_onset":
            amplitude = amplitude * is_sinus
        directions.append(
            _rotate(direction, turn[0] + turn[2] if is_repolarisation else turn[0], turn[1])
        )
        centre, width = _place(wave, intervals, settings)
        centre = centre[:, None].expand(-1, num_beats)
        if is_repolarisation:
            centre = onset_ms[:, None] + beat_qt_ms + wave.offset
        amplitudes.append(amplitude[:, None].expand(-1, num_beats))
        centres.append(centre)
        widths.append(width[:, None].expand(-1, num_beats))
    train = WaveTrain(
        amplitude_mv=torch.stack(amplitudes, dim=2),
        centre_ms=torch.stack(centres, dim=2),
        width_ms=torch.stack(widths, dim=2),
        direction=torch.stack(directions, dim=1),
        wave_names=tuple(settings.waves),
        reach_ms=tuple(_reach_ms(wave) for wave in settings.waves.values()),
    )
    train = add_conduction_block(train, rhythm, intervals.qrs_ms)
    train = make_ventricular(train, rhythm, noise[:, 3:6])
    train = make_atrial_premature(train, rhythm)
    train = add_hidden_bumps(train, latents, settings, hidden_energy)
    return add_nuisance_bumps(train, seed, indices, settings, num_nuisance_bumps)


def _rotations(
    latents: Float[Tensor, "patient 8"],
    settings: SimulatedEcgSettings,
    noise: Float[Tensor, "patient draw"],
) -> tuple[Tensor, Tensor, Tensor]:
    """Frontal, horizontal and T-loop rotations in radians."""
    angles = []
    for number, (couplings, spread) in enumerate(
        (
            (settings.frontal_couplings_deg, settings.frontal_spread_deg),
            (settings.horizontal_couplings_deg, settings.horizontal_spread_deg),
            (settings.t_loop_couplings_deg, settings.t_loop_spread_deg),
        )
    ):
        degrees = combine_latents(latents, couplings) + spread * noise[:, number]
        angles.append(degrees * (math.pi / 180))
    return angles[0], angles[1], angles[2]


def _rotate(
    direction: Float[Tensor, "patient 3"],
    frontal: Float[Tensor, " patient"],
    horizontal: Float[Tensor, " patient"],
) -> Float[Tensor, "patient 3"]:
    """Turn in the frontal plane (X to Y), then in the horizontal plane (X to Z)."""
    left, down, back = direction.unbind(dim=1)
    left, down = (
        left * torch.cos(frontal) - down * torch.sin(frontal),
        left * torch.sin(frontal) + down * torch.cos(frontal),
    )
    left, back = (
        left * torch.cos(horizontal) - back * torch.sin(horizontal),
        left * torch.sin(horizontal) + back * torch.cos(horizontal),
    )
    return torch.stack((left, down, back), dim=1)


def _amplitude(
    wave: WaveSettings,
    latents: Float[Tensor, "patient 8"],
    noise: Float[Tensor, " patient"],
) -> Float[Tensor, " patient"]:
    effect = combine_latents(latents, wave.couplings)
    if wave.is_linear:
        return wave.amplitude_mv * (1 + effect) + wave.spread * noise
    return wave.amplitude_mv * torch.exp(effect + wave.spread * noise)


def _place(
    wave: WaveSettings, intervals: Intervals, settings: SimulatedEcgSettings
) -> tuple[Tensor, Tensor]:
    """Centre and width in ms from the R peak (T waves: the centre follows per beat)."""
    qrs_ms = intervals.qrs_ms
    if wave.anchor == "r_peak":
        stretch = qrs_ms / settings.qrs_ms
        return wave.offset * stretch, wave.width * stretch
    if wave.anchor == "p_onset":
        onset_ms = -settings.qrs_before_r * qrs_ms - intervals.pr_ms
        return onset_ms + wave.offset * intervals.p_ms, wave.width * intervals.p_ms
    return wave.offset * qrs_ms, torch.full_like(qrs_ms, wave.width)


def _reach_ms(wave: WaveSettings) -> float | None:
    """Six widths beyond the centre, for the widest QRS complexes that there are."""
    if wave.anchor != "r_peak":
        return None
    return _WIDEST_QRS * (abs(wave.offset) + 6 * wave.width)
