"""The 12-lead ECG of a moving dipole, seen through Dower's leads, with a recording's noise."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ptacl_core.config.simulation_ecg import SimulatedEcgSettings
from ptacl_core.simulate.batching import as_float32
from ptacl_core.simulate.ecg.rhythm import NUM_SAMPLES, SAMPLING_RATE_HZ, Rhythm
from ptacl_core.simulate.ecg.wave_train import WaveTrain
from ptacl_core.simulate.latents import LATENT_NAMES
from ptacl_core.simulate.randomness import Stream, draw_grain, draw_normals, draw_uniforms
from ptacl_core.tensors import Float, Tensor

DOWER_ROWS = (
    (0.632, -0.235, 0.059),
    (0.235, 1.066, -0.132),
    (-0.515, 0.157, -0.917),
    (0.044, 0.164, -1.387),
    (0.882, 0.098, -1.277),
    (1.213, 0.127, -0.601),
    (1.125, 0.127, -0.086),
    (0.831, 0.076, 0.230),
)
"""Leads I, II, V1-V6 from Frank's X, Y, Z (Dower 1980)."""

_WINDOW_BEFORE = 230
_WINDOW_AFTER = 350
_SAMPLE_MS = 1000 / SAMPLING_RATE_HZ
_LAST_BEAT_S = 10.5
_FARTHEST = 60.0
"""Exponent at which a Gaussian wave ends: e⁻⁶⁰ of a millivolt is nothing beside the noise."""
_FARTHEST_WIDTHS = (2 * _FARTHEST) ** 0.5
_NOTHING = 1.01 * math.exp(-_FARTHEST)
_NUM_AF_WAVES = 3
_FLUTTER_DIRECTION = (0.35, 0.65, -0.55)


@dataclass(frozen=True, slots=True, eq=False)
class RecordingTraits:
    """Electrodes and noise of a recording, float64 on the host."""

    lead_rows: Float[Tensor, "patient 8 3"]
    tone_hz: Float[Tensor, "patient tone"]
    tone_sine_mv: Float[Tensor, "patient 8 tone"]
    tone_cosine_mv: Float[Tensor, "patient 8 tone"]
    af_hz: Float[Tensor, "patient wave"]
    af_phase: Float[Tensor, "patient wave"]


def draw_recording(
    seed: int,
    indices: Sequence[int],
    latents: Float[Tensor, "patient 8"],
    settings: SimulatedEcgSettings,
    *,
    nuisance: float,
) -> RecordingTraits:
    """Electrode gains and placement, body attenuation, wander, hum and fibrillatory waves."""
    count = len(indices)
    normals = draw_normals(seed, indices, Stream.RECORDING, 48)
    uniforms = draw_uniforms(seed, indices, Stream.RECORDING, 72)
    gain = 1 + nuisance * settings.electrode_gain_sd * normals[:, :8]
    jitter = nuisance * settings.placement_sd * normals[:, 8:26].reshape(count, 6, 3)
    jitter = torch.nn.functional.pad(jitter, (0, 0, 2, 0))
    rows = torch.tensor(DOWER_ROWS, dtype=torch.float64) + jitter
    bmi = latents[:, LATENT_NAMES.index("bmi")]
    attenuation = torch.exp(settings.precordial_bmi_coupling * bmi)[:, None]
    gain = torch.cat((gain[:, :4], gain[:, 4:] * attenuation), dim=1)
    wander_hz = 0.05 + 0.25 * uniforms[:, 64:66]
    mains_hz = torch.full((count, 1), 50.0, dtype=torch.float64)
    largest_mv = torch.tensor(
        [settings.wander_mv / 2, settings.wander_mv / 2, settings.mains_mv], dtype=torch.float64
    )
    size_mv = uniforms[:, :24].reshape(count, 8, 3) * largest_mv
    phase = 2 * torch.pi * uniforms[:, 24:48].reshape(count, 8, 3)
    return RecordingTraits(
        lead_rows=rows * gain[:, :, None],
        tone_hz=torch.cat((wander_hz, mains_hz), dim=1),
        tone_sine_mv=size_mv * torch.cos(phase),
        tone_cosine_mv=size_mv * torch.sin(phase),
        af_hz=4 + 4 * uniforms[:, 48 : 48 + _NUM_AF_WAVES],
        af_phase=2 * torch.pi * uniforms[:, 52 : 52 + _NUM_AF_WAVES],
    )


def render_ecg(
    seed: int,
    indices: Sequence[int],
    rhythm: Rhythm,
    train: WaveTrain,
    traits: RecordingTraits,
    *,
    settings: SimulatedEcgSettings,
    device: torch.device,
) -> Float[Tensor, "patient 12 sample"]:
    """Ten seconds at 500 Hz in mV, order I, II, III, aVR, aVL, aVF, V1-V6, on the device.

    Eight leads are rendered; III = II − I, aVR = −(I + II)/2, aVL = I − II/2 and
    aVF = II − I/2 (Einthoven, Goldberger) follow from two of them.
    """
    time_s = torch.arange(NUM_SAMPLES, dtype=torch.float32, device=device) / SAMPLING_RATE_HZ
    traits = as_float32(traits, device)
    breath = 2 * torch.pi * rhythm.respiration_hz[:, None].to(device, torch.float32) * time_s
    breath = torch.sin(breath + rhythm.respiration_phase[:, None].to(device, torch.float32))
    modulation = 1 + settings.respiration_amplitude * breath
    dipole = _render_dipole(rhythm, train, device=device).mul_(modulation[:, None])
    if bool(rhythm.is_fibrillating.any()):
        flutter = _fibrillatory_waves(rhythm, traits, time_s, settings)
        towards = torch.tensor(_FLUTTER_DIRECTION, device=device)
        dipole.add_(towards[:, None] * flutter[:, None])
    grain = draw_grain(seed, indices, Stream.RECORDING, (8, NUM_SAMPLES), device=device)
    leads = _add_tones(grain.mul_(settings.emg_mv), traits, time_s)
    part = torch.empty_like(leads)
    for axis in range(3):
        torch.mul(traits.lead_rows[:, :, axis, None], dipole[:, axis, None], out=part)
        leads.add_(part)
    first, second = leads[:, 0], leads[:, 1]
    limb = (
        first,
        second,
        second - first,
        -(first + second) / 2,
        first - second / 2,
        second - first / 2,
    )
    return torch.cat((torch.stack(limb, dim=1), leads[:, 2:]), dim=1)


def _render_dipole(
    rhythm: Rhythm, train: WaveTrain, *, device: torch.device
) -> Float[Tensor, "patient 3 sample"]:
    """X, Y and Z in mV: each beat in a window of its own, the windows added up in order.

    Sums run beat after beat within a patient, so that they do not depend on the batch, nor on
    the order in which an accelerator would add.
    """
    num_beats = int((rhythm.beat_s < _LAST_BEAT_S).sum(dim=1).amax())
    exact = rhythm.beat_s[:, :num_beats] * SAMPLING_RATE_HZ
    nearest = torch.round(exact)
    grid = torch.arange(-_WINDOW_BEFORE, _WINDOW_AFTER, dtype=torch.float64)
    shift = (nearest - exact)[:, :, None]
    time_ms = ((grid + shift) * (1000 / SAMPLING_RATE_HZ)).to(device, torch.float32)
    amplitude = train.amplitude_mv[:, :num_beats].to(device, torch.float32)
    centre = train.centre_ms[:, :num_beats].to(device, torch.float32)
    slope = (1 / (train.width_ms[:, :num_beats] * 2**0.5)).to(device, torch.float32)
    direction = train.direction.to(device, torch.float32)
    windows = torch.zeros((len(exact), num_beats, 3, len(grid)), device=device)
    is_present = (train.amplitude_mv[:, :num_beats] != 0).flatten(end_dim=1).any(dim=0)
    spans = _spans(train, num_beats)
    for wave in torch.nonzero(is_present).flatten().tolist():
        one, span = slice(wave, wave + 1), spans[wave]
        distance = (time_ms[:, :, span] - centre[:, :, one]).mul_(slope[:, :, one])
        bell = distance.square_().clamp_(max=_FARTHEST).neg_().exp_()
        bell = torch.nn.functional.threshold(bell, _NOTHING, 0.0, inplace=True)
        bell.mul_(amplitude[:, :, one])
        for axis in range(3):
            windows[:, :, axis, span].add_(bell * direction[:, wave, axis, None, None])
    margin = _WINDOW_BEFORE + _WINDOW_AFTER
    total = torch.zeros((len(exact), 3, NUM_SAMPLES + 2 * margin), device=device)
    starts = (nearest.to(torch.int64) - _WINDOW_BEFORE + margin).tolist()
    is_on_host = device.type == "cpu"  # NumPy takes a slice in a fifth of torch's time
    sums, parts = (total.numpy(), windows.numpy()) if is_on_host else (total, windows)
    for row, beat_starts in enumerate(starts):
        for beat, start in enumerate(beat_starts):
            if 0 <= start <= NUM_SAMPLES + margin:
                place = sums[row, :, start : start + margin]
                place += parts[row, beat]
    return total[:, :, margin : margin + NUM_SAMPLES]


def _spans(train: WaveTrain, num_beats: int) -> list[slice]:
    """The part of a beat's window where each wave of any patient or beat is not nothing."""
    centre_ms = train.centre_ms[:, :num_beats].flatten(end_dim=1)
    half_ms = _FARTHEST_WIDTHS * train.width_ms[:, :num_beats].flatten(end_dim=1)
    firsts_ms = (centre_ms - half_ms).amin(dim=0).tolist()
    lasts_ms = (centre_ms + half_ms).amax(dim=0).tolist()
    spans = []
    for first_ms, last_ms, reach_ms in zip(firsts_ms, lasts_ms, train.reach_ms, strict=True):
        reach = math.inf if reach_ms is None else reach_ms
        first = math.floor(max(first_ms, -reach, -_WINDOW_BEFORE * _SAMPLE_MS) / _SAMPLE_MS)
        last = math.ceil(min(last_ms, reach, _WINDOW_AFTER * _SAMPLE_MS) / _SAMPLE_MS)
        start = max(0, _WINDOW_BEFORE + first - 1)
        stop = min(_WINDOW_BEFORE + _WINDOW_AFTER, _WINDOW_BEFORE + last + 2)
        spans.append(slice(start, max(start, stop)))
    return spans


def _fibrillatory_waves(
    rhythm: Rhythm,
    traits: RecordingTraits,
    time_s: Float[Tensor, " sample"],
    settings: SimulatedEcgSettings,
) -> Float[Tensor, "patient sample"]:
    """4-8 Hz oscillation in place of P waves, in fibrillation only."""
    total = torch.zeros((rhythm.rhythm.shape[0], NUM_SAMPLES), device=time_s.device)
    for wave in range(_NUM_AF_WAVES):
        angle = 2 * torch.pi * traits.af_hz[:, wave : wave + 1] * time_s
        total = total + torch.sin(angle + traits.af_phase[:, wave : wave + 1])
    is_af = rhythm.is_fibrillating.to(time_s.device, torch.float32)[:, None]
    return settings.af_wave_mv * is_af * total


def _add_tones(
    leads: Float[Tensor, "patient 8 sample"],
    traits: RecordingTraits,
    time_s: Float[Tensor, " sample"],
) -> Float[Tensor, "patient 8 sample"]:
    """Baseline wander and mains hum, in place: tones of the patient, a size and phase a lead."""
    part = torch.empty_like(leads)
    for tone in range(traits.tone_hz.shape[1]):
        angle = 2 * torch.pi * traits.tone_hz[:, tone, None] * time_s
        for wave, size_mv in (
            (torch.sin(angle), traits.tone_sine_mv),
            (torch.cos(angle), traits.tone_cosine_mv),
        ):
            torch.mul(size_mv[:, :, tone, None], wave[:, None], out=part)
            leads.add_(part)
    return leads
