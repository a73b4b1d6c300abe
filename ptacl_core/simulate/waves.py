"""Each patient's ECG waves: amplitudes, times and directions from the visible latents (§4.5)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from ptacl_core.config.simulation_ecg import SimulatedEcgSettings, WaveSettings
from ptacl_core.simulate.latents import LATENT_NAMES
from ptacl_core.simulate.randomness import Stream, draw_normals, draw_uniforms
from ptacl_core.simulate.rhythm import CONDUCTION_NAMES, Rhythm
from ptacl_core.tensors import Float, Tensor

NUM_HIDDEN_BUMPS = 10

_T_AGAINST_LEFT_BLOCK = (-0.60, 0.15, -0.75)

_HIDDEN_LATENTS = (
    "lvm", "lvedv", "lvef", "rvedv", "rvef", "lvm", "age", "sex", "bmi", "lvedv",
)  # fmt: skip
_HIDDEN_OFFSETS_MS = (-46.0, -31.0, 33.0, 47.0, 62.0, 78.0, 96.0, 120.0, 146.0, -62.0)
_HIDDEN_DIRECTIONS = (
    (0.80, 0.30, 0.52), (-0.31, 0.62, -0.72), (0.52, -0.64, -0.57), (-0.60, 0.40, 0.69),
    (0.21, 0.85, -0.48), (0.68, -0.15, 0.72), (-0.72, -0.36, -0.59), (0.38, 0.66, 0.65),
    (0.85, 0.12, -0.51), (-0.25, -0.70, 0.67),
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class WaveTrain:
    """Gaussian waves of every beat, float64 on the host.

    The dipole is Σ amplitude · direction · exp(−(t − centre)²/2 width²), t in ms from the
    beat's R peak.
    """

    amplitude_mv: Float[Tensor, "patient beat wave"]
    centre_ms: Float[Tensor, "patient beat wave"]
    width_ms: Float[Tensor, "patient beat wave"]
    direction: Float[Tensor, "patient wave 3"]
    wave_names: tuple[str, ...]
    pr_ms: Float[Tensor, "patient"]
    qrs_ms: Float[Tensor, "patient"]
    qt_ms: Float[Tensor, "patient"]


def draw_waves(
    seed: int,
    indices: Sequence[int],
    latents: Float[Tensor, "patient 8"],
    heart_rate_bpm: Float[Tensor, "patient"],
    rhythm: Rhythm,
    *,
    settings: SimulatedEcgSettings,
    nuisance: float,
    hidden_energy: float,
    num_nuisance_bumps: int,
) -> WaveTrain:
    """Waves of all beats; couplings of the large waves shrink by (1 − η)."""
    noise = nuisance * draw_normals(seed, indices, Stream.ECG, 48)
    shown = 1 - hidden_energy
    qrs_ms, pr_ms, p_ms, qt_ms = _intervals(
        latents, heart_rate_bpm, rhythm, settings, noise=noise, shown=shown
    )
    rr_s = 0.7 * rhythm.mean_rr_s[:, None] + 0.3 * rhythm.preceding_rr_s
    beat_qt_ms = qt_ms[:, None] * torch.exp(torch.log(rr_s) / 3)
    onset_ms = -settings.qrs_before_r * qrs_ms
    p_onset_ms = onset_ms - pr_ms
    stretch = qrs_ms / settings.qrs_ms
    turn = _rotations(latents, settings, noise, shown)
    is_sinus = (~rhythm.is_fibrillating).to(torch.float64)

    amplitudes, centres, widths, directions = [], [], [], []
    num_beats = rhythm.beat_s.shape[1]
    for number, wave in enumerate(settings.waves.values()):
        amplitude = _amplitude(wave, latents, noise[:, 16 + number], shown)
        direction = torch.tensor(wave.direction, dtype=torch.float64).expand(len(indices), 3)
        is_repolarisation = wave.anchor == "t_end"
        if wave.anchor == "p_onset":
            amplitude = amplitude * is_sinus
        directions.append(
            _rotate(direction, turn[0] + turn[2] if is_repolarisation else turn[0], turn[1])
        )
        centre, width = _place(wave, stretch, qrs_ms, p_onset_ms, p_ms)
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
        pr_ms=pr_ms,
        qrs_ms=qrs_ms,
        qt_ms=qt_ms * torch.exp(torch.log(rhythm.mean_rr_s) / 3),
    )
    train = _add_conduction_block(train, rhythm)
    train = _make_ventricular(train, rhythm, noise[:, 40:43])
    train = _make_atrial_premature(train, rhythm)
    train = _add_hidden_bumps(train, latents, settings, hidden_energy)
    return _add_nuisance_bumps(train, seed, indices, settings, num_nuisance_bumps)


def _combine(
    latents: Float[Tensor, "patient 8"], couplings: Mapping[str, float], shown: float
) -> Float[Tensor, "patient"]:
    total = torch.zeros(latents.shape[0], dtype=torch.float64)
    for name, coupling in couplings.items():
        total = total + shown * coupling * latents[:, LATENT_NAMES.index(name)]
    return total


def _intervals(
    latents: Float[Tensor, "patient 8"],
    heart_rate_bpm: Float[Tensor, "patient"],
    rhythm: Rhythm,
    settings: SimulatedEcgSettings,
    *,
    noise: Float[Tensor, "patient draw"],
    shown: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """QRS, PR and P durations, and QT at RR = 1 s, in ms."""
    qrs_ms = settings.qrs_ms + _combine(latents, settings.qrs_couplings_ms, shown)
    qrs_ms = (qrs_ms + settings.qrs_spread_ms * noise[:, 0]).clamp(min=60)
    qrs_ms = qrs_ms + settings.qrs_block_ms * (rhythm.conduction > 0)
    pr_ms = settings.pr_ms + _combine(latents, settings.pr_couplings_ms, shown)
    pr_ms = pr_ms + settings.pr_heart_rate_slope_ms * (heart_rate_bpm - 63)
    pr_ms = pr_ms + settings.pr_spread_ms * noise[:, 1]
    pr_ms = pr_ms + settings.pr_long_ms * rhythm.has_long_pr
    longest_ms = torch.minimum(
        torch.full_like(pr_ms, settings.pr_range_ms[1]), 450 * rhythm.mean_rr_s
    )
    pr_ms = torch.minimum(pr_ms.clamp(min=settings.pr_range_ms[0]), longest_ms)
    p_ms = settings.p_ms + _combine(latents, settings.p_couplings_ms, shown)
    p_ms = torch.minimum((p_ms + settings.p_spread_ms * noise[:, 2]).clamp(min=60), pr_ms)
    qt_ms = settings.qt_ms + _combine(latents, settings.qt_couplings_ms, shown)
    qt_ms = qt_ms + settings.qt_spread_ms * noise[:, 3]
    qt_ms = qt_ms + settings.qrs_block_ms * (rhythm.conduction > 0)
    return qrs_ms, pr_ms, p_ms, qt_ms


def _rotations(
    latents: Float[Tensor, "patient 8"],
    settings: SimulatedEcgSettings,
    noise: Float[Tensor, "patient draw"],
    shown: float,
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
        degrees = _combine(latents, couplings, shown) + spread * noise[:, 4 + number]
        angles.append(degrees * (math.pi / 180))
    return angles[0], angles[1], angles[2]


def _rotate(
    direction: Float[Tensor, "patient 3"],
    frontal: Float[Tensor, "patient"],
    horizontal: Float[Tensor, "patient"],
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
    noise: Float[Tensor, "patient"],
    shown: float,
) -> Float[Tensor, "patient"]:
    effect = _combine(latents, wave.couplings, shown)
    if wave.is_linear:
        return wave.amplitude_mv * (1 + effect) + wave.spread * noise
    return wave.amplitude_mv * torch.exp(effect + wave.spread * noise)


def _place(
    wave: WaveSettings,
    stretch: Float[Tensor, "patient"],
    qrs_ms: Float[Tensor, "patient"],
    p_onset_ms: Float[Tensor, "patient"],
    p_ms: Float[Tensor, "patient"],
) -> tuple[Tensor, Tensor]:
    """Centre and width in ms from the R peak (T waves: the centre follows per beat)."""
    if wave.anchor == "r_peak":
        return wave.offset * stretch, wave.width * stretch
    if wave.anchor == "p_onset":
        return p_onset_ms + wave.offset * p_ms, wave.width * p_ms
    width = torch.full_like(qrs_ms, wave.width)
    return wave.offset * qrs_ms, width


def _extend(
    train: WaveTrain,
    name: str,
    *,
    amplitude_mv: Tensor,
    centre_ms: Tensor,
    width_ms: Tensor,
    direction: Tensor,
) -> WaveTrain:
    """One more wave, the same in every beat unless `amplitude_mv` has a beat axis."""
    num_beats = train.amplitude_mv.shape[1]

    def per_beat(value: Tensor) -> Tensor:
        row = value if value.ndim == 2 else value[:, None].expand(-1, num_beats)
        return row[:, :, None]

    return replace(
        train,
        amplitude_mv=torch.cat((train.amplitude_mv, per_beat(amplitude_mv)), dim=2),
        centre_ms=torch.cat((train.centre_ms, per_beat(centre_ms)), dim=2),
        width_ms=torch.cat((train.width_ms, per_beat(width_ms)), dim=2),
        direction=torch.cat((train.direction, direction[:, None]), dim=1),
        wave_names=(*train.wave_names, name),
    )


def _add_conduction_block(train: WaveTrain, rhythm: Rhythm) -> WaveTrain:
    """Late activation of one ventricle, and a T wave against it in left block."""
    is_right = (rhythm.conduction == CONDUCTION_NAMES.index("rbbb")).to(torch.float64)
    is_left = (rhythm.conduction == CONDUCTION_NAMES.index("lbbb")).to(torch.float64)
    factor = torch.ones_like(train.amplitude_mv)
    for number, name in enumerate(train.wave_names):
        if name == "q":
            factor[:, :, number] = (1 - is_left)[:, None]
        elif name in ("rv", "s"):
            factor[:, :, number] = (1 - 0.5 * is_left)[:, None]
    count = is_right.shape[0]
    right = torch.tensor((-0.75, 0.05, -0.62), dtype=torch.float64).expand(count, 3)
    left = torch.tensor((0.72, 0.05, 0.62), dtype=torch.float64).expand(count, 3)
    centre, width = 0.42 * train.qrs_ms, 0.13 * train.qrs_ms
    turned = train.direction.clone()
    against = torch.tensor(_T_AGAINST_LEFT_BLOCK, dtype=torch.float64)
    for number, name in enumerate(train.wave_names):
        if name in ("t", "t2"):
            turned[:, number] = torch.where(is_left[:, None] > 0, against, turned[:, number])
    train = replace(train, amplitude_mv=train.amplitude_mv * factor, direction=turned)
    train = _extend(
        train,
        "late_right",
        amplitude_mv=0.55 * is_right,
        centre_ms=centre,
        width_ms=width,
        direction=right,
    )
    return _extend(
        train,
        "late_left",
        amplitude_mv=0.80 * is_left,
        centre_ms=0.8 * centre,
        width_ms=1.2 * width,
        direction=left,
    )


def _make_ventricular(
    train: WaveTrain, rhythm: Rhythm, noise: Float[Tensor, "patient 3"]
) -> WaveTrain:
    """Ventricular beats: no P, one wide complex in a direction of its own, T against it."""
    is_pvc = rhythm.is_ventricular.to(torch.float64)
    train = replace(train, amplitude_mv=train.amplitude_mv * (1 - is_pvc)[:, :, None])
    origin = torch.tensor((0.35, 0.75, -0.20), dtype=torch.float64) + 0.5 * noise
    length = torch.sqrt(origin[:, 0] ** 2 + origin[:, 1] ** 2 + origin[:, 2] ** 2)
    direction = origin / length.clamp(min=0.3)[:, None]
    size = train.amplitude_mv.new_ones(is_pvc.shape[0])
    aside = torch.stack((-direction[:, 2], direction[:, 1] * 0.3, direction[:, 0]), dim=1)
    for name, amplitude_mv, centre_ms, width_ms, towards in (
        ("pvc_main", 1.7, 0.0, 26.0, direction),
        ("pvc_side", 0.7, 52.0, 26.0, aside),
        ("pvc_t", -0.55, 270.0, 62.0, direction),
    ):
        train = _extend(
            train,
            name,
            amplitude_mv=amplitude_mv * is_pvc,
            centre_ms=centre_ms * size,
            width_ms=width_ms * size,
            direction=towards,
        )
    return train


def _make_atrial_premature(train: WaveTrain, rhythm: Rhythm) -> WaveTrain:
    """An ectopic P: half the first part, the second part upside down."""
    is_pac = rhythm.is_atrial_premature.to(torch.float64)
    factor = torch.ones_like(train.amplitude_mv)
    for number, name in enumerate(train.wave_names):
        if name == "p1":
            factor[:, :, number] = 1 - 0.5 * is_pac
        elif name == "p2":
            factor[:, :, number] = 1 - 1.6 * is_pac
    return replace(train, amplitude_mv=train.amplitude_mv * factor)


def _add_hidden_bumps(
    train: WaveTrain,
    latents: Float[Tensor, "patient 8"],
    settings: SimulatedEcgSettings,
    hidden_energy: float,
) -> WaveTrain:
    """Ten narrow bumps whose signed amplitude is a latent, times η."""
    if hidden_energy == 0:
        return train
    size = torch.ones(latents.shape[0], dtype=torch.float64)
    first_mv, last_mv = settings.hidden_bump_mv
    first_ms, last_ms = settings.hidden_bump_width_ms
    for number, name in enumerate(_HIDDEN_LATENTS):
        share = number / (NUM_HIDDEN_BUMPS - 1)
        height_mv = (first_mv + (last_mv - first_mv) * share) * hidden_energy
        train = _extend(
            train,
            f"hidden_{number}",
            amplitude_mv=height_mv * latents[:, LATENT_NAMES.index(name)],
            centre_ms=_HIDDEN_OFFSETS_MS[number] * size,
            width_ms=(first_ms + (last_ms - first_ms) * share) * size,
            direction=torch.tensor(_HIDDEN_DIRECTIONS[number], dtype=torch.float64).expand(
                len(size), 3
            ),
        )
    return train


def _add_nuisance_bumps(
    train: WaveTrain,
    seed: int,
    indices: Sequence[int],
    settings: SimulatedEcgSettings,
    num_bumps: int,
) -> WaveTrain:
    """Bumps of random place, width, direction and size: they carry nothing."""
    if num_bumps == 0:
        return train
    normals = draw_normals(seed, indices, Stream.BUMPS, 4 * 24)
    uniforms = draw_uniforms(seed, indices, Stream.BUMPS, 2 * 24)
    narrow_ms, wide_ms = settings.nuisance_bump_width_ms
    for number in range(num_bumps):
        draw = normals[:, 4 * number : 4 * number + 4]
        length = torch.sqrt(draw[:, 1] ** 2 + draw[:, 2] ** 2 + draw[:, 3] ** 2)
        train = _extend(
            train,
            f"nuisance_{number}",
            amplitude_mv=settings.nuisance_bump_mv * draw[:, 0],
            centre_ms=-300 + 700 * uniforms[:, 2 * number],
            width_ms=narrow_ms + (wide_ms - narrow_ms) * uniforms[:, 2 * number + 1],
            direction=draw[:, 1:] / length.clamp(min=1e-3)[:, None],
        )
    return train
