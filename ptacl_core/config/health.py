"""From where on a stage counts as not learned."""

from pydantic import Field

from ptacl_core.config.model import Settings


class HealthSettings(Settings):
    """Limits of the verdict on each trained stage: what is said of it, not what it computes."""

    contrastive_share: float = Field(default=0.97, gt=0)
    """A contrastive loss at this share of ln B (B the batch size) or above has not learned."""
    min_effective_rank: float = Field(default=4.0, ge=1)
    """Embeddings of a smaller effective rank have collapsed."""
    reconstruction_share: float = Field(default=0.98, gt=0)
    """A masked autoencoder at this share of the mean predictor's loss or above has not learned."""
    max_patients: int = Field(default=512, ge=16)
    """Patients of each split that the verdict looks at, evenly spread over the split."""
