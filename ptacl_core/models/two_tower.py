"""The aligned pair: an ECG encoder and a cine encoder, each with its projection."""

from dataclasses import dataclass

from torch import nn

from ptacl_core.errors import ConfigError
from ptacl_core.models.parts.heads import ProjectionHead
from ptacl_core.models.parts.pooling import mean_pool
from ptacl_core.models.parts.steps import cine_step_features, ecg_step_features
from ptacl_core.models.token_encoder import TokenEncoder
from ptacl_core.tensors import Float, Tensor


@dataclass(frozen=True)
class PairFeatures:
    """What the losses of Eqs. (1) and (3) take.

    Attributes:
        ecg_features: projected global embedding of the ECG, not normalised.
        cmr_features: the same of the cine.
        ecg_steps: the ECG's cycle in steps; None without a beat-step matrix.
        cmr_steps: the cine's cycle in the same steps; None with it.
    """

    ecg_features: Float[Tensor, "patient projection"]
    cmr_features: Float[Tensor, "patient projection"]
    ecg_steps: Float[Tensor, "patient step dim"] | None
    cmr_steps: Float[Tensor, "patient step dim"] | None


class TwoTower(nn.Module):
    """Both encoders with their projections; the local embeddings bypass the projections."""

    def __init__(
        self,
        ecg_encoder: TokenEncoder,
        cine_encoder: TokenEncoder,
        ecg_projection: ProjectionHead,
        cine_projection: ProjectionHead,
    ) -> None:
        super().__init__()
        self.ecg_encoder = ecg_encoder
        self.cine_encoder = cine_encoder
        self.ecg_projection = ecg_projection
        self.cine_projection = cine_projection

    def forward(
        self,
        ecg: Float[Tensor, "patient lead sample"],
        cine: Float[Tensor, "patient frame height width"] | Float[Tensor, "patient value"],
        beat_matrix: Float[Tensor, "patient step slot"] | None = None,
    ) -> PairFeatures:
        """Global embeddings of both, and their steps where `beat_matrix` is given.

        In the place of cines an encoder of vectors takes those.

        Raises ConfigError if the cine encoder keeps no time axis of as many steps.
        """
        ecg_tokens = self.ecg_encoder.tokens(ecg)
        cine_tokens = self.cine_encoder.tokens(cine)
        ecg_steps = cmr_steps = None
        if beat_matrix is not None:
            num_steps = beat_matrix.shape[1]
            if self.cine_encoder.grid[0] != num_steps:
                raise ConfigError(
                    f"beat_matrix: {num_steps} steps, but the cine encoder has "
                    f"{self.cine_encoder.grid[0]} tokens along time"
                )
            ecg_steps = ecg_step_features(ecg_tokens, beat_matrix, self.ecg_encoder.grid[0])
            cmr_steps = cine_step_features(cine_tokens, num_steps)
        return PairFeatures(
            self.ecg_projection(mean_pool(ecg_tokens)),
            self.cine_projection(mean_pool(cine_tokens)),
            ecg_steps,
            cmr_steps,
        )
