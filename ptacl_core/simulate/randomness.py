"""Random numbers that belong to a patient: a function of (seed, patient, stream) alone.

Scalars come from a counter-based generator (Philox) on the host, so that a patient's heart is
the same on every device; only the grain of pixels and samples is drawn on the device.
Streams are separate: a knob that uses more numbers of one layer leaves the others as they are.
"""

import hashlib
from collections.abc import Sequence
from enum import IntEnum

import numpy as np
import torch

from ptacl_core.tensors import Float, Tensor


class Stream(IntEnum):
    """Layers of the simulator that draw numbers."""

    POPULATION = 1
    LABELS = 2
    LATENTS = 3
    TIMING = 4
    CINE = 5
    INTERVALS = 6
    RHYTHM = 7
    RECORDING = 8
    FAULTS = 9
    BUMPS = 10
    TISSUE = 11
    STACK = 12
    WAVES = 13
    COUPLING = 14


def _generator(seed: int, index: int, stream: Stream, kind: int) -> np.random.Generator:
    key = np.array([seed, index], dtype=np.uint64)
    counter = np.array([0, 0, kind, int(stream)], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


def draw_normals(
    seed: int, indices: Sequence[int], stream: Stream, count: int
) -> Float[Tensor, "patient draw"]:
    """Standard normal numbers, float64 on the host."""
    rows = [_generator(seed, index, stream, 0).standard_normal(count) for index in indices]
    return torch.from_numpy(np.array(rows).reshape(len(indices), count))


def draw_uniforms(
    seed: int, indices: Sequence[int], stream: Stream, count: int
) -> Float[Tensor, "patient draw"]:
    """Numbers uniform in [0, 1), float64 on the host."""
    rows = [_generator(seed, index, stream, 1).random(count) for index in indices]
    return torch.from_numpy(np.array(rows).reshape(len(indices), count))


def draw_grain(
    seed: int,
    indices: Sequence[int],
    stream: Stream,
    shape: tuple[int, ...],
    *,
    device: torch.device,
) -> Float[Tensor, " patient *shape"]:
    """Standard normal float32 noise of `shape` per patient, drawn on the device."""
    grain = torch.empty((len(indices), *shape), dtype=torch.float32, device=device)
    generator = torch.Generator(device=device)
    for row, index in enumerate(indices):
        text = f"{seed}/{index}/{int(stream)}".encode()
        digest = hashlib.blake2b(text, digest_size=8).digest()
        generator.manual_seed(int.from_bytes(digest, "little") >> 1)
        torch.randn(shape, generator=generator, device=device, out=grain[row])
    return grain
