"""Optimiser, schedule, length and bookkeeping of one training stage."""

from typing import Self

from pydantic import Field, model_validator

from ptacl_core.config.model import Settings


class Optimisation(Settings):
    """AdamW with linear warm-up and cosine decay per step. One of epochs or steps is given."""

    batch_size: int = Field(default=128, ge=1)
    """Recordings (pairs) per step over all processes."""
    epochs: int | None = Field(default=None, ge=1)
    """Length of the training in passes over the training recordings."""
    steps: int | None = Field(default=None, ge=1)
    """Length of the training in steps."""
    learning_rate: float = Field(default=1.5e-4, gt=0)
    """Peak learning rate, as it is applied (no scaling by batch size)."""
    weight_decay: float = Field(default=0.05, ge=0)
    """Decoupled weight decay of matrices."""
    betas: tuple[float, float] = (0.9, 0.95)
    """AdamW's averaging factors."""
    warmup_fraction: float = Field(default=0.1, ge=0, le=1)
    """Share of the steps in which the learning rate rises."""
    grad_clip: float = Field(default=1.0, ge=0)
    """Largest norm of the gradient; 0: no clipping."""
    patience: int = Field(default=0, ge=0)
    """Validations without improvement that end the stage; the best weights are then kept.
    0: no early stopping, the last weights are kept."""
    validate_every_steps: int = Field(default=0, ge=0)
    """Steps between validations; 0: once per epoch."""
    probe_every_validations: int = Field(default=5, ge=0)
    """Validations between online linear probes; 0: none."""
    log_every_steps: int = Field(default=10, ge=1)
    """Steps between lines of metrics.jsonl."""
    checkpoint_every_steps: int = Field(default=0, ge=0)
    """Steps between checkpoints; 0: only by time."""
    checkpoint_every_s: float = Field(default=600.0, gt=0)
    """Seconds between checkpoints at most."""

    @model_validator(mode="after")
    def _check_length(self) -> Self:
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("give either epochs or steps, and not both")
        return self
