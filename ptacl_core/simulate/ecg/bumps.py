"""Narrow bumps: the ones that hidden energy moves into, and random ones around them (§4.6)."""

from collections.abc import Sequence

import torch

from ptacl_core.config.simulation_ecg import SimulatedEcgSettings
from ptacl_core.simulate.ecg.wave_train import WaveTrain, add_wave
from ptacl_core.simulate.latents import LATENT_NAMES
from ptacl_core.simulate.randomness import Stream, draw_normals, draw_uniforms
from ptacl_core.tensors import Float, Tensor

NUM_HIDDEN_BUMPS = 10

_HIDDEN_LATENTS = (
    "lvm", "lvedv", "lvef", "rvedv", "rvef", "lvm", "age", "sex", "bmi", "lvedv",
)  # fmt: skip
_HIDDEN_OFFSETS_MS = (-46.0, -31.0, 33.0, 47.0, 62.0, 78.0, 96.0, 120.0, 146.0, -62.0)
_HIDDEN_DIRECTIONS = (
    (0.80, 0.30, 0.52), (-0.31, 0.62, -0.72), (0.52, -0.64, -0.57), (-0.60, 0.40, 0.69),
    (0.21, 0.85, -0.48), (0.68, -0.15, 0.72), (-0.72, -0.36, -0.59), (0.38, 0.66, 0.65),
    (0.85, 0.12, -0.51), (-0.25, -0.70, 0.67),
)  # fmt: skip


def add_hidden_bumps(
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
        train = add_wave(
            train,
            f"hidden_{number}",
            amplitude_mv=height_mv * latents[:, LATENT_NAMES.index(name)],
            centre_ms=_HIDDEN_OFFSETS_MS[number] * size,
            width_ms=(first_ms + (last_ms - first_ms) * share) * size,
            reach_ms=abs(_HIDDEN_OFFSETS_MS[number]) + 6 * max(first_ms, last_ms),
            direction=torch.tensor(_HIDDEN_DIRECTIONS[number], dtype=torch.float64).expand(
                len(size), 3
            ),
        )
    return train


def add_nuisance_bumps(
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
        train = add_wave(
            train,
            f"nuisance_{number}",
            amplitude_mv=settings.nuisance_bump_mv * draw[:, 0],
            centre_ms=-300 + 700 * uniforms[:, 2 * number],
            width_ms=narrow_ms + (wide_ms - narrow_ms) * uniforms[:, 2 * number + 1],
            direction=draw[:, 1:] / length.clamp(min=1e-3)[:, None],
        )
    return train
