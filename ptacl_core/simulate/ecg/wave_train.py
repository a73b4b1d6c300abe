"""Gaussian waves of the cardiac dipole, beat by beat."""

from dataclasses import dataclass, replace

import torch

from ptacl_core.tensors import Float, Tensor


@dataclass(frozen=True, slots=True, eq=False)
class WaveTrain:
    """Gaussian waves of every beat, float64 on the host.

    The dipole is Σ amplitude · direction · exp(−(t − centre)²/2 width²), t in ms from the
    beat's R peak. A wave is negligible further than its `reach_ms` from the R peak (None: it
    may lie anywhere in the beat); reaches follow from the settings alone.
    """

    amplitude_mv: Float[Tensor, "patient beat wave"]
    centre_ms: Float[Tensor, "patient beat wave"]
    width_ms: Float[Tensor, "patient beat wave"]
    direction: Float[Tensor, "patient wave 3"]
    wave_names: tuple[str, ...]
    reach_ms: tuple[float | None, ...]


def add_wave(
    train: WaveTrain,
    name: str,
    *,
    amplitude_mv: Tensor,
    centre_ms: Tensor,
    width_ms: Tensor,
    direction: Tensor,
    reach_ms: float | None = None,
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
        reach_ms=(*train.reach_ms, reach_ms),
    )
