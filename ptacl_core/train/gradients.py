"""The gradient of a batch, at once or in pieces that are exactly equal to it.

In pieces (cached gradients, Gao et al. 2021): the model passes all rows without recording
anything, the loss of all rows gives the gradient of what the model made of each, and then piece
after piece passes the model again and takes its rows' gradient backwards. Memory holds the
activations of one piece, whatever the batch; a contrastive loss still sees every row.
"""

import torch
from torch import nn

from ptacl_core.tensors import Tensor
from ptacl_core.train.batches import Batch
from ptacl_core.train.distributed import average_gradients
from ptacl_core.train.precision import autocast
from ptacl_core.train.randomness import StepRandomness
from ptacl_core.train.step import Encoded, StepOutput, TrainingStep, Views


def differentiate(
    step: nn.Module,
    batch: Batch,
    draws: StepRandomness,
    *,
    device: torch.device,
    precision: str,
    rows_per_piece: int = 0,
) -> StepOutput:
    """Add the gradient of the batch to the parameters of `step`; gives loss and figures.

    `rows_per_piece` 0 takes all rows at once; otherwise `step` must be a TrainingStep, and its
    gradients are averaged over the processes here.
    """
    if rows_per_piece == 0:
        with autocast(device, precision):
            output: StepOutput = step(batch, draws)
        output.loss.backward()
        return output
    assert isinstance(step, TrainingStep)
    output = _differentiate_in_pieces(step, batch, draws, device, precision, rows_per_piece)
    average_gradients(step.parameters())
    return output


def _differentiate_in_pieces(
    step: TrainingStep,
    batch: Batch,
    draws: StepRandomness,
    device: torch.device,
    precision: str,
    rows_per_piece: int,
) -> StepOutput:
    views = step.draw(batch, draws)
    pieces = [
        views.take(first, min(first + rows_per_piece, views.num_rows))
        for first in range(0, views.num_rows, rows_per_piece)
    ]
    state = _read_generator(device)

    def encode(piece: Views) -> Encoded:
        """Every pass draws the same for the whole batch, and takes its rows of it."""
        _write_generator(device, state)
        with autocast(device, precision):
            return step.encode(piece)

    with torch.no_grad():
        made = [encode(piece) for piece in pieces]
    leaves = {
        name: torch.cat([encoded[name] for encoded in made]).requires_grad_() for name in made[0]
    }
    with autocast(device, precision):
        output = step.measure(leaves, views)
    output.loss.backward()
    first = 0
    for piece in pieces:
        encoded = encode(piece)
        last = first + piece.num_rows
        _take_backwards(encoded, leaves, first, last)
        first = last
    return output


def _take_backwards(encoded: Encoded, leaves: Encoded, first: int, last: int) -> None:
    outputs: list[Tensor] = []
    gradients: list[Tensor] = []
    for name, values in encoded.items():
        gradient = leaves[name].grad
        if gradient is not None and values.requires_grad:
            outputs.append(values)
            gradients.append(gradient[first:last].to(values.dtype))
    if outputs:
        torch.autograd.backward(outputs, gradients)


def _read_generator(device: torch.device) -> Tensor:
    """State of torch's default generator, from which paths are dropped."""
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def _write_generator(device: torch.device, state: Tensor) -> None:
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    else:
        torch.set_rng_state(state)
