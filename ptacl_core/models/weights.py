"""Putting saved weights into an encoder, also one with another grid."""

from collections.abc import Mapping

from ptacl_core.errors import CheckpointError
from ptacl_core.models.parts.positions import interpolate_positions
from ptacl_core.models.token_encoder import TokenEncoder
from ptacl_core.tensors import Tensor


def load_encoder_weights(
    encoder: TokenEncoder, weights: Mapping[str, Tensor], *, source_grid: tuple[int, ...]
) -> str | None:
    """Copy `weights` into `encoder`; positions of another grid are interpolated.

    Returns a sentence to show where positions were moved, None otherwise. Raises
    CheckpointError naming the missing, unknown and misshapen entries, or both grids.
    """
    weights = dict(weights)
    message = None
    table = weights.get("positions.table")
    if table is not None and source_grid != encoder.grid:
        weights["positions.table"] = interpolate_positions(
            table, source_grid=source_grid, target_grid=encoder.grid
        )
        message = (
            f"positions were interpolated linearly from the grid {source_grid} of the checkpoint "
            f"to {encoder.grid}; train on before trusting the encoder"
        )
    expected = encoder.state_dict()
    faults = [f"missing {name}" for name in expected if name not in weights]
    faults += [f"unknown {name}" for name in weights if name not in expected]
    faults += [
        f"{name} is {list(weights[name].shape)}, expected {list(value.shape)}"
        for name, value in expected.items()
        if name in weights and weights[name].shape != value.shape
    ]
    if faults:
        shown = "; ".join(faults[:5]) + (f"; and {len(faults) - 5} more" if len(faults) > 5 else "")
        raise CheckpointError(
            f"weights do not fit {type(encoder).__name__}: {shown}; "
            "build the encoder with the settings stored in the checkpoint"
        )
    encoder.load_state_dict(weights)
    return message
