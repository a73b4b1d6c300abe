"""Torch array types, with the axis legend of `arrays`."""

from jaxtyping import Bool, Float, Int, UInt8
from torch import Generator, Tensor

__all__ = ["Bool", "Float", "Generator", "Int", "Tensor", "UInt8"]
