"""What happened in the steps since the host last looked, told by the device in one read.

A loss read at every step makes the host wait for the device, and the device then waits for
the host's next launches. So loss and soundness of a step stay on the device, which also
decides by itself that an unsound step moves nothing, until a line of the log is due.
"""

from dataclasses import dataclass

import torch

from ptacl_core.tensors import Bool, Float, Tensor
from ptacl_core.train.batches import Batch


@dataclass(frozen=True, slots=True)
class ToldStep:
    """One step as the device told it; `step` counts from 1."""

    step: int
    batch: Batch
    loss: float
    is_sound: bool
    fault: str
    """Which recordings are to blame, of an unsound step; empty of a sound one."""


class StepsToTell:
    """Keeps the facts of steps on the device, with what names the batch that each step had."""

    def __init__(self) -> None:
        self._steps: list[tuple[int, Batch, Tensor | None]] = []
        self._facts: list[Tensor] = []

    def add(
        self, step: int, batch: Batch, loss: Float[Tensor, ""], is_sound: Bool[Tensor, ""]
    ) -> None:
        """Keep one step."""
        self._steps.append((step, batch.without_recordings(), batch.find_unsound()))
        self._facts.append(torch.stack((loss.detach().double(), is_sound.double())))

    def tell(self) -> list[ToldStep]:
        """All steps since the last call; on a GPU the host waits for it here."""
        if not self._facts:
            return []
        facts = torch.stack(self._facts).tolist()
        told_steps = [
            ToldStep(
                step, batch, loss, bool(is_sound),
                "" if is_sound else batch.describe_fault(is_unsound),
            )
            for (step, batch, is_unsound), (loss, is_sound) in zip(self._steps, facts, strict=True)
        ]  # fmt: skip
        self._steps, self._facts = [], []
        return told_steps
