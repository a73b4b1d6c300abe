"""Constants of the alignment's loss."""

from dataclasses import dataclass
from typing import Literal

LocalLoss = Literal[
    "contrast", "cosine", "ed_es", "none", "unknown_shift", "same_phase", "shift_and_phase"
]
Control = Literal["none", "stranger", "break_phase", "shuffled_steps", "shuffled_pairs"]


@dataclass(frozen=True, slots=True)
class AlignmentWeights:
    """Constants of Eqs. (1)-(4), of their ablations and of PTACL-2.

    `end_systole_step` is the second anchor of ed_es: step 5 of 13 is 0.42 of the cycle, where
    the cines' volumes are smallest on average. `control_seed` fixes each recording's turn under
    the control break_phase.
    """

    temperature_global: float
    temperature_local: float
    sigma: float
    beta: float
    local_loss: LocalLoss = "contrast"
    ecg_to_cmr_weight: float = 0.5
    end_systole_step: int = 5
    same_phase_share: float = 0.5
    control: Control = "none"
    control_seed: int = 0

    @property
    def has_unknown_shift(self) -> bool:
        """Whether cines are turned around the cycle before encoding, and their steps back."""
        return self.local_loss in ("unknown_shift", "shift_and_phase")
