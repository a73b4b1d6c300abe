"""PR, QRS and QT of each patient's ECG from the visible latents (§4.5)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from ptacl_core.config.simulation_ecg import Couplings, SimulatedEcgSettings
from ptacl_core.simulate.ecg.rhythm import Rhythm
from ptacl_core.simulate.latents import LATENT_NAMES
from ptacl_core.simulate.randomness import Stream, draw_normals
from ptacl_core.tensors import Float, Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Intervals:
    """Durations in ms, one value per patient, float64 on the host.

    PR counts from the onset of P to that of QRS; `qt_at_1_s_ms` is QT at an RR of one second,
    and `qt_ms` at the patient's mean RR.
    """

    p_ms: Float[Tensor, " patient"]
    pr_ms: Float[Tensor, " patient"]
    qrs_ms: Float[Tensor, " patient"]
    qt_at_1_s_ms: Float[Tensor, " patient"]
    qt_ms: Float[Tensor, " patient"]


def combine_latents(
    latents: Float[Tensor, "patient 8"], couplings: Couplings
) -> Float[Tensor, " patient"]:
    """Sum of the latents, each times its coupling."""
    total = torch.zeros(latents.shape[0], dtype=torch.float64)
    for name, coupling in couplings.items():
        total = total + coupling * latents[:, LATENT_NAMES.index(name)]
    return total


def draw_intervals(
    seed: int,
    indices: Sequence[int],
    latents: Float[Tensor, "patient 8"],
    rhythm: Rhythm,
    *,
    settings: SimulatedEcgSettings,
    nuisance: float,
    share_systole: Callable[[Tensor], Tensor] | None = None,
) -> Intervals:
    """Intervals by the latents' couplings and the patients' own spread.

    `latents` come already times the share of the couplings that the large waves keep.
    `share_systole` gives QT's own deviation what it has in common with end-systole.
    """
    own = draw_normals(seed, indices, Stream.INTERVALS, 8)
    if share_systole is not None:
        own[:, 3] = share_systole(own[:, 3])
    noise = nuisance * own
    block_ms = settings.qrs_block_ms * (rhythm.conduction > 0)
    qrs_ms = settings.qrs_ms + combine_latents(latents, settings.qrs_couplings_ms)
    qrs_ms = (qrs_ms + settings.qrs_spread_ms * noise[:, 0]).clamp(min=60) + block_ms
    pr_ms = settings.pr_ms + combine_latents(latents, settings.pr_couplings_ms)
    pr_ms = pr_ms + settings.pr_heart_rate_slope_ms * (60 / rhythm.mean_rr_s - 63)
    pr_ms = pr_ms + settings.pr_spread_ms * noise[:, 1]
    pr_ms = pr_ms + settings.pr_long_ms * rhythm.has_long_pr
    shortest_ms, longest_ms = settings.pr_range_ms
    ceiling_ms = (450 * rhythm.mean_rr_s).clamp(max=longest_ms)
    pr_ms = torch.minimum(pr_ms.clamp(min=shortest_ms), ceiling_ms)
    p_ms = settings.p_ms + combine_latents(latents, settings.p_couplings_ms)
    p_ms = torch.minimum((p_ms + settings.p_spread_ms * noise[:, 2]).clamp(min=60), pr_ms)
    qt_ms = settings.qt_ms + combine_latents(latents, settings.qt_couplings_ms)
    qt_ms = (qt_ms + settings.qt_spread_ms * noise[:, 3]).clamp(min=320) + block_ms
    return Intervals(
        p_ms=p_ms,
        pr_ms=pr_ms,
        qrs_ms=qrs_ms,
        qt_at_1_s_ms=qt_ms,
        qt_ms=correct_qt(qt_ms, rhythm.mean_rr_s),
    )


def correct_qt(
    qt_at_1_s_ms: Float[Tensor, "*#shape"], rr_s: Float[Tensor, "*#shape"]
) -> Float[Tensor, "*#shape"]:
    """QT at another RR by Fridericia's cube root."""
    return qt_at_1_s_ms * torch.exp(torch.log(rr_s) / 3)
