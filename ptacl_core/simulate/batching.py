"""Taking some patients out of records whose tensors begin with a patient axis."""

from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

Record = TypeVar("Record")


def select_patients(record: Record, chunk: slice) -> Record:
    """The same record with every tensor cut to the patients of `chunk`; the rest is kept."""
    return _rebuild(record, lambda tensor: tensor[chunk])


def as_float32(record: Record, device: torch.device) -> Record:
    """The same record with every tensor as float32 on `device`."""
    return _rebuild(record, lambda tensor: tensor.to(device, torch.float32))


def _rebuild(record: Record, change: Any) -> Record:
    if not is_dataclass(record):
        raise TypeError(f"expected a dataclass of tensors, got {type(record).__name__}")
    values = {field.name: getattr(record, field.name) for field in fields(record)}
    return type(record)(
        **{
            name: change(value) if isinstance(value, Tensor) else value
            for name, value in values.items()
        }
    )
