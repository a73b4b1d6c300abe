"""What a training step is made of: views of a batch, what a model makes of them, the loss.

The three parts are apart so that a large batch can pass the model in pieces: views are drawn
once for all rows, the model takes any rows of them, and the loss sees all rows again.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import nn

from ptacl_core.losses.precision import full_precision
from ptacl_core.models.parts.layers import RowShare, share_rows
from ptacl_core.tensors import Float, Tensor
from ptacl_core.train.batches import Batch
from ptacl_core.train.randomness import StepRandomness


class StepOutput(NamedTuple):
    """Loss of one batch, whose mean over processes is descended, and figures worth logging.

    A named tuple, since DistributedDataParallel with a static graph looks for the tensors of
    the output, finds none in a dataclass, and then averages no gradient in its first step.
    """

    loss: Float[Tensor, ""]
    figures: Mapping[str, Tensor] = MappingProxyType({})


Encoded = dict[str, Tensor]
"""What a model made of the rows of its views, by name; the first axis is the row."""


@dataclass(frozen=True, slots=True)
class Views:
    """What a model takes of a batch, by name, the first axis being the row.

    `start` and `global_size` say where the rows lie in the global batch.
    """

    tensors: Mapping[str, Tensor]
    start: int
    global_size: int

    @property
    def num_rows(self) -> int:
        """Rows at hand."""
        return len(next(iter(self.tensors.values())))

    def take(self, first: int, last: int) -> "Views":
        """The rows from `first` up to `last`."""
        rows = {name: values[first:last] for name, values in self.tensors.items()}
        return Views(rows, self.start + first, self.global_size)


class TrainingStep(nn.Module, ABC):
    """Called as a StepFunction: the loss of a batch. Subclasses give the three parts."""

    num_views_per_row = 1
    """How often a row passes the encoder at once."""

    _compiled_rows: Callable[[Mapping[str, Tensor]], Encoded] | None = None

    def compile_rows(self, *, backend: str | Callable[..., Any] = "inductor") -> None:
        """Let torch.compile fuse `encode_rows` from the next step on, for each shape that comes.

        What is drawn on the way is drawn as without it. Views and the loss, which read the step's
        generators and the other processes, stay as they are.
        """
        if backend == "inductor":
            self._compiled_rows = torch.compile(
                self.encode_rows, dynamic=False, options={"fallback_random": True}
            )
        else:
            self._compiled_rows = torch.compile(self.encode_rows, dynamic=False, backend=backend)

    def forward(self, batch: Batch, draws: StepRandomness) -> StepOutput:
        """Views, model, loss, of all rows at once."""
        views = self.draw(batch, draws)
        return self.measure(self.encode(views), views)

    @torch.no_grad()
    def draw(self, batch: Batch, draws: StepRandomness) -> Views:
        """Views of the batch, in float32 whatever autocast says."""
        device = next(values.device for values in (batch.ecg, batch.cine) if values is not None)
        with full_precision(device):
            return Views(self.draw_tensors(batch, draws), batch.start, batch.global_size)

    def encode(self, views: Views) -> Encoded:
        """What the model makes of the views, row by row: no row knows of another."""
        first, last = views.start, views.start + views.num_rows
        with share_rows(
            RowShare(
                self.num_views_per_row * views.global_size,
                tuple(
                    slice(index * views.global_size + first, index * views.global_size + last)
                    for index in range(self.num_views_per_row)
                ),
            )
        ):
            encode_rows = self._compiled_rows if self.training else None
            return (encode_rows or self.encode_rows)(views.tensors)

    @abstractmethod
    def draw_tensors(self, batch: Batch, draws: StepRandomness) -> dict[str, Tensor]:
        """Views by name."""

    @abstractmethod
    def encode_rows(self, tensors: Mapping[str, Tensor]) -> Encoded:
        """The model on the views of some rows."""

    @abstractmethod
    def measure(self, encoded: Encoded, views: Views) -> StepOutput:
        """Loss and figures from what the model made of this process's rows."""
