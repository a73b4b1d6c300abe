"""The learning rate over the steps of a run: linear warm-up, then half a cosine to zero."""

import math


def warmup_cosine_factor(step: int, *, num_steps: int, warmup_steps: int) -> float:
    """Factor on the learning rate at `step` (from 0) of `num_steps`.

    Rises linearly, (step + 1) / warmup_steps, then falls as (1 + cos π·p) / 2 with p the
    share of the remaining steps that is done. Raises ValueError outside 0 ≤ step < num_steps
    or with a warm-up longer than the run.
    """
    if not 0 <= step < num_steps:
        raise ValueError(f"step {step} lies outside a run of {num_steps} steps")
    if not 0 <= warmup_steps <= num_steps:
        raise ValueError(f"warm-up of {warmup_steps} steps in a run of {num_steps}")
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    done = (step - warmup_steps) / (num_steps - warmup_steps)
    return 0.5 * (1.0 + math.cos(math.pi * done))


def layer_decay_factors(num_layers: int, *, layer_decay: float) -> list[float]:
    """Factor on the learning rate of each layer, from the embeddings to the head.

    decay^(num_layers − 1 − layer): the last layer, the head, has 1.
    """
    return [layer_decay ** (num_layers - 1 - layer) for layer in range(num_layers)]
