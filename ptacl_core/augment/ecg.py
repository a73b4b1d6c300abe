"""Augmentations of ECG crops, batched on the device of the data (method.md §3)."""

import math

import torch

from ptacl_core.augment.draws import Draws, draw_choice, draw_normal, draw_uniform
from ptacl_core.errors import ConfigError
from ptacl_core.tensors import Float, Tensor


def augment_ecg(
    crops: Float[Tensor, "batch lead sample"],
    draws: Draws,
    *,
    surrogate_strength: float = 0.1,
    surrogate_probability: float = 0.5,
    jitter_std: float = 0.25,
    rescale_std: float = 0.5,
    rescale_min: float = 0.1,
    allow_sign_flip: bool = False,
    time_flip_probability: float = 0.0,
    sign_flip_probability: float = 0.0,
    allow_time_flip: bool = False,
) -> Float[Tensor, "batch lead sample"]:
    """Fourier surrogate, jitter, rescaling, then (SimCLR only) flips; a new tensor.

    Raises ConfigError if a time flip is asked for without `allow_time_flip`: it reverses the
    order of the beat, which the local loss aligns.
    """
    if time_flip_probability > 0 and not allow_time_flip:
        raise ConfigError(
            f"time_flip_probability: {time_flip_probability!r} needs allow_time_flip = true, "
            "which only SimCLR may set; reversed beats cannot be aligned with the cine"
        )
    crops = fourier_surrogate(
        crops, draws, strength=surrogate_strength, probability=surrogate_probability
    )
    crops = jitter(crops, draws, std=jitter_std)
    crops = rescale(
        crops, draws, std=rescale_std, minimum=rescale_min, allow_sign_flip=allow_sign_flip
    )
    if time_flip_probability > 0:
        is_flipped = draw_choice(len(crops), time_flip_probability, draws, crops.device)
        crops = torch.where(is_flipped[:, None, None], crops.flip(2), crops)
    if sign_flip_probability > 0:
        is_flipped = draw_choice(len(crops), sign_flip_probability, draws, crops.device)
        crops = torch.where(is_flipped[:, None, None], -crops, crops)
    return crops


def fourier_surrogate(
    crops: Float[Tensor, "batch lead sample"],
    draws: Draws,
    *,
    strength: float = 0.1,
    probability: float = 0.5,
) -> Float[Tensor, "batch lead sample"]:
    """Turn the phase of every frequency by strength · φ, φ uniform on [0, 2π).

    The same φ for all leads, so their relations stay; the mean and the Nyquist frequency are
    left alone, amplitudes are unchanged. Applied to each recording with `probability`.
    """
    num_samples = crops.shape[2]
    num_frequencies = num_samples // 2 + 1
    is_chosen = draw_choice(len(crops), probability, draws, crops.device)
    phase = draw_uniform((len(crops), 1, num_frequencies), 0.0, 2.0 * math.pi, draws, crops.device)
    if strength == 0 or probability == 0:
        return crops
    phase = phase * strength
    phase[:, :, 0] = 0.0
    if num_samples % 2 == 0:
        phase[:, :, -1] = 0.0
    turned = torch.fft.rfft(crops) * torch.polar(torch.ones_like(phase), phase)
    surrogate = torch.fft.irfft(turned, n=num_samples)
    return torch.where(is_chosen[:, None, None], surrogate, crops)


def jitter(
    crops: Float[Tensor, "batch lead sample"], draws: Draws, *, std: float = 0.25
) -> Float[Tensor, "batch lead sample"]:
    """Multiplicative noise: x + 0.6 · x · N(0, std), independent for each value."""
    noise = draw_normal(tuple(crops.shape), draws, crops.device)
    return crops * (1.0 + 0.6 * std * noise)


def rescale(
    crops: Float[Tensor, "batch lead sample"],
    draws: Draws,
    *,
    std: float = 0.5,
    minimum: float = 0.1,
    allow_sign_flip: bool = False,
) -> Float[Tensor, "batch lead sample"]:
    """One factor N(1, std) per recording, at least `minimum` unless the sign may flip.

    At std 0.5 the factor would be negative for 2.3 % of the recordings.
    """
    factor = 1.0 + std * draw_normal((len(crops), 1, 1), draws, crops.device)
    return crops * (factor if allow_sign_flip else factor.clamp(min=minimum))
