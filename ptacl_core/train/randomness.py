"""Random numbers that depend on where a run stands and on nothing that came before.

Each draw is seeded by (seed, stage, place), so that a resumed run, a run with prefetching and
a run that skipped a batch all draw the same.
"""

import functools
import hashlib
from dataclasses import dataclass

import numpy as np
import torch

from ptacl_core.arrays import Array, Int64


@dataclass(frozen=True, slots=True)
class StepRandomness:
    """The generators of one step.

    Both are the same in every process: draw for the whole global batch and take this
    process's rows. `shared` draws on the CPU (places of crops and frames, masks), `own` on the
    device (strengths and noise of augmentations).
    """

    shared: torch.Generator
    own: torch.Generator


def derive_seed(*place: str | int) -> int:
    """A 63-bit seed from what names a place in a run, the same on every machine."""
    digest = hashlib.sha256("/".join(str(part) for part in place).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def seed_step(*, seed: int, stage: str, step: int, device: torch.device) -> StepRandomness:
    """Generators of a step; torch's global ones (drop-path) are seeded along."""
    torch.manual_seed(derive_seed(seed, stage, "global", step, 0))
    shared = torch.Generator().manual_seed(derive_seed(seed, stage, "shared", step))
    own = torch.Generator(device).manual_seed(derive_seed(seed, stage, "own", step, 0))
    return StepRandomness(shared, own)


@functools.lru_cache(maxsize=4)
def epoch_order(num_rows: int, *, seed: int, stage: str, epoch: int) -> Int64[Array, " row"]:
    """The order in which an epoch visits `num_rows` rows (read-only)."""
    generator = np.random.default_rng(derive_seed(seed, stage, "order", epoch))
    order = generator.permutation(num_rows).astype(np.int64)
    order.flags.writeable = False
    return order
