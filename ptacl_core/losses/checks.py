"""Refusals shared by the losses: a constant outside its range is named with its value."""

import math

from ptacl_core.errors import ConfigError
from ptacl_core.tensors import Tensor


def require_temperature(temperature: float) -> None:
    """Raise ConfigError unless `temperature` is a finite number above 0."""
    if not (math.isfinite(temperature) and temperature > 0):
        raise ConfigError(
            f"temperature: expected a finite number above 0, got {temperature!r}; "
            "the paper uses 0.07 to 1.0"
        )


def require_weight(name: str, weight: float) -> None:
    """Raise ConfigError unless the weight of one direction lies in [0, 1]."""
    if not 0.0 <= weight <= 1.0:
        raise ConfigError(f"{name}: expected a weight within [0, 1], got {weight!r}")


def require_same_shape(first_name: str, first: Tensor, second_name: str, second: Tensor) -> None:
    """Raise ConfigError unless both tensors have one shape."""
    if first.shape != second.shape:
        raise ConfigError(
            f"{first_name} and {second_name} must have one shape, "
            f"got {tuple(first.shape)} and {tuple(second.shape)}"
        )
