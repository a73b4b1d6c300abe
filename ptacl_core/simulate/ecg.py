"""The 12-lead ECG of a moving dipole, seen through Dower's leads, with a recording's noise."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ptacl_core.config.simulation_ecg import SimulatedEcgSettings
from ptacl_core.simulate.batching import as_float32
from ptacl_core.simulate.latents import LATENT_NAMES
from ptacl_core.simulate.randomness import Stream, draw_grain, draw_normals, draw_uniforms
from ptacl_core.simulate.rhythm import NUM_SAMPLES, SAMPLING_RATE_HZ, Rhythm
from ptacl_core.simulate.wave_train import WaveTrain
from ptacl_core.tensors import Float, Int, Tensor

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
_LAST_BEAT_S = 10.5
_NUM_AF_WAVES = 3


@dataclass(frozen=True, slots=True, eq=False)
class RecordingTraits:
    """Electrodes and noise of a recording, float64 on the host."""

    lead_rows: Float[Tensor, "patient 8 3"]
    wander_mv: Float[Tensor, "patient 8 2"]
    wander_hz: Float[Tensor, "patient 8 2"]
    wander_phase: Float[Tensor, "patient 8 2"]
    mains_phase: Float[Tensor, "patient 8"]
    mains_share: Float[Tensor, "patient 8"]
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
    uniforms = draw_uniforms(seed, indices, Stream.RECORDING, 96)
    gain = 1 + nuisance * settings.electrode_gain_sd * normals[:, :8]
    jitter = nuisance * settings.placement_sd * normals[:, 8:26].reshape(count, 6, 3)
    jitter = torch.nn.functional.pad(jitter, (0, 0, 2, 0))
    rows = torch.tensor(DOWER_ROWS, dtype=torch.float64) + jitter
    bmi = latents[:, LATENT_NAMES.index("bmi")]
    attenuation = torch.exp(settings.precordial_bmi_coupling * bmi)[:, None]
    gain = torch.cat((gain[:, :4], gain[:, 4:] * attenuation), dim=1)
    pairs = uniforms[:, :48].reshape(count, 3, 8, 2)
    half = settings.wander_mv / 2
    return RecordingTraits(
        lead_rows=rows * gain[:, :, None],
        wander_mv=half * pairs[:, 0],
        wander_hz=0.05 + 0.25 * pairs[:, 1],
        wander_phase=2 * torch.pi * pairs[:, 2],
        mains_phase=2 * torch.pi * uniforms[:, 48:56],
        mains_share=uniforms[:, 56:64],
        af_hz=4 + 4 * uniforms[:, 64 : 64 + _NUM_AF_WAVES],
        af_phase=2 * torch.pi * uniforms[:, 67 : 67 + _NUM_AF_WAVES],
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
    dipole = [axis * modulation for axis in _render_dipole(rhythm, train, device=device)]
    flutter = _fibrillatory_waves(rhythm, traits, time_s, settings)
    for axis, share in enumerate((0.35, 0.65, -0.55)):
        dipole[axis] = dipole[axis] + share * flutter

    grain = draw_grain(seed, indices, Stream.RECORDING, (8, NUM_SAMPLES), device=device)
    noise = _slow_and_mains_noise(traits, time_s, settings)
    leads = grain.mul_(settings.emg_mv).add_(noise)
    for axis in range(3):
        leads = leads.add_(traits.lead_rows[:, :, axis, None] * dipole[axis][:, None])
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
) -> list[Float[Tensor, "patient sample"]]:
    """X, Y and Z in mV: each beat in a window of its own, then the windows of three beats."""
    num_beats = int((rhythm.beat_s < _LAST_BEAT_S).sum(dim=1).max())
    exact = rhythm.beat_s[:, :num_beats] * SAMPLING_RATE_HZ
    nearest = torch.round(exact)
    grid = torch.arange(-_WINDOW_BEFORE, _WINDOW_AFTER, dtype=torch.float64)
    shift = (nearest - exact)[:, :, None]
    time_ms = ((grid + shift) * (1000 / SAMPLING_RATE_HZ)).to(device, torch.float32)
    amplitude = train.amplitude_mv[:, :num_beats].to(device, torch.float32)
    centre = train.centre_ms[:, :num_beats].to(device, torch.float32)
    slope = (1 / (train.width_ms[:, :num_beats] * 2**0.5)).to(device, torch.float32)
    direction = train.direction.to(device, torch.float32)
    windows = [torch.zeros_like(time_ms) for _ in range(3)]
    for wave in range(amplitude.shape[2]):
        one = slice(wave, wave + 1)
        distance = (time_ms - centre[:, :, one]).mul_(slope[:, :, one])
        bell = distance.square_().clamp_(max=60).neg_().exp_().mul_(amplitude[:, :, one])
        for axis in range(3):
            windows[axis].add_(bell * direction[:, wave, axis, None, None])
    source, is_inside = _window_sources(nearest.to(torch.int64), device=device)
    result = []
    for axis in range(3):
        flat = windows[axis].flatten(start_dim=1)
        total = torch.zeros((flat.shape[0], NUM_SAMPLES), device=device)
        for neighbour in range(4):
            values = torch.gather(flat, 1, source[neighbour])
            total = total + torch.where(is_inside[neighbour], values, torch.zeros_like(values))
        result.append(total)
    return result


def _window_sources(
    beat_sample: Int[Tensor, "patient beat"], *, device: torch.device
) -> tuple[list[Tensor], list[Tensor]]:
    """For each sample, where it lies in the windows of the beats around it."""
    beat_sample = beat_sample.to(device)
    samples = torch.arange(NUM_SAMPLES, device=device).expand(beat_sample.shape[0], -1)
    later = torch.searchsorted(beat_sample, samples.contiguous(), right=True)
    sources, insides = [], []
    length = _WINDOW_BEFORE + _WINDOW_AFTER
    for step in (-2, -1, 0, 1):
        beat = (later + step).clamp(0, beat_sample.shape[1] - 1)
        place = samples - torch.gather(beat_sample, 1, beat) + _WINDOW_BEFORE
        is_real = (later + step >= 0) & (later + step < beat_sample.shape[1])
        insides.append(is_real & (place >= 0) & (place < length))
        sources.append(beat * length + place.clamp(0, length - 1))
    return sources, insides


def _fibrillatory_waves(
    rhythm: Rhythm,
    traits: RecordingTraits,
    time_s: Float[Tensor, "sample"],
    settings: SimulatedEcgSettings,
) -> Float[Tensor, "patient sample"]:
    """4-8 Hz oscillation in place of P waves, in fibrillation only."""
    total = torch.zeros((rhythm.rhythm.shape[0], NUM_SAMPLES), device=time_s.device)
    for wave in range(_NUM_AF_WAVES):
        angle = 2 * torch.pi * traits.af_hz[:, wave : wave + 1] * time_s
        total = total + torch.sin(angle + traits.af_phase[:, wave : wave + 1])
    is_af = rhythm.is_fibrillating.to(time_s.device, torch.float32)[:, None]
    return settings.af_wave_mv * is_af * total


def _slow_and_mains_noise(
    traits: RecordingTraits,
    time_s: Float[Tensor, "sample"],
    settings: SimulatedEcgSettings,
) -> Float[Tensor, "patient 8 sample"]:
    """Baseline wander and hum of each rendered lead, mV."""
    angle = 2 * torch.pi * 50 * time_s + traits.mains_phase[..., None]
    total = settings.mains_mv * traits.mains_share[..., None] * torch.sin(angle)
    for part in range(2):
        angle = 2 * torch.pi * traits.wander_hz[:, :, part, None] * time_s
        angle = angle + traits.wander_phase[:, :, part, None]
        total = total + traits.wander_mv[:, :, part, None] * torch.sin(angle)
    return total
