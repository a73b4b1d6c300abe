"""What the electrical and the mechanical timing of a heart have in common (§4.8).

Four mechanisms, all weighted by λ: the deviations of QT and of end-systole share a part; the
atrial kick follows the onset of P by a delay of conduction and contraction; a wide QRS delays
ejection; in left bundle branch block the septum moves early and the lateral wall late. With
λ = 0 nothing is drawn and no number of the simulator changes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ptacl_core.config.simulation_coupling import CouplingSettings
from ptacl_core.simulate.ecg.intervals import Intervals
from ptacl_core.simulate.ecg.rhythm import CONDUCTION_NAMES, Rhythm
from ptacl_core.simulate.randomness import Stream, draw_normals
from ptacl_core.tensors import Float, Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Coupling:
    """λ and the patients' own deviations, standard normal, float64 on the host.

    `systole` is what QT and end-systole share, `kick_delay` belongs to the delay from P to the
    kick, `wall_delay` to that of the lateral wall in left block.
    """

    settings: CouplingSettings
    systole: Float[Tensor, " patient"]
    kick_delay: Float[Tensor, " patient"]
    wall_delay: Float[Tensor, " patient"]

    def share_systole(self, own: Float[Tensor, " patient"]) -> Float[Tensor, " patient"]:
        """λ u + √(1 − λ²) ε: standard normal as `own` ε is, with the shared u in it."""
        strength = self.settings.strength
        return strength * self.systole + math.sqrt(1 - strength * strength) * own

    def delay_ejection_ms(self, intervals: Intervals) -> Float[Tensor, " patient"]:
        """By how much a QRS wider than the reference makes ejection begin later, ms."""
        wider_ms = (intervals.qrs_ms - self.settings.qrs_reference_ms).clamp(min=0)
        return self.settings.strength * self.settings.pep_per_qrs_ms * wider_ms

    def delay_lateral_wall_ms(self, rhythm: Rhythm) -> Float[Tensor, " patient"]:
        """By how much the lateral wall moves later than the septum, ms; 0 without left block."""
        options = self.settings
        spread = torch.exp(options.lateral_delay_log_sd * self.wall_delay)
        delay_ms = (options.lateral_delay_ms * spread - options.usual_delay_ms).clamp(0, 150)
        is_left = rhythm.conduction == CONDUCTION_NAMES.index("lbbb")
        return torch.where(is_left, options.strength * delay_ms, torch.zeros_like(delay_ms))

    def couple_kick_ms(
        self,
        own_ms: Float[Tensor, " patient"],
        intervals: Intervals,
        *,
        qrs_before_r: float,
        pr_change_ms: Float[Tensor, " patient"],
    ) -> Float[Tensor, " patient"]:
        """Length of the kick, ms: (1 − λ) of `own_ms`, λ of what is left of P to R after the delay.

        P begins PR and the part of QRS before R ahead of the R peak, with which the cycle ends;
        `pr_change_ms` is what the scanner's heart rate changes in PR. A longer PR makes the kick
        longer, so that it begins earlier; 40 ms remain at least.
        """
        options = self.settings
        p_to_r_ms = intervals.pr_ms + pr_change_ms + qrs_before_r * intervals.qrs_ms
        delay_ms = options.kick_delay_ms + options.kick_delay_sd_ms * self.kick_delay
        coupled_ms = (p_to_r_ms - delay_ms).clamp(min=40)
        return (1 - options.strength) * own_ms + options.strength * coupled_ms


def draw_coupling(seed: int, indices: Sequence[int], settings: CouplingSettings) -> Coupling | None:
    """The patients' shared deviations; None where λ is 0."""
    if settings.strength == 0:
        return None
    systole, kick_delay, wall_delay = draw_normals(seed, indices, Stream.COUPLING, 3).unbind(dim=1)
    return Coupling(settings, systole, kick_delay, wall_delay)
