"""Encoders, the masked autoencoder, pooling, heads and the two towers."""

from ptacl_core.models.build import (
    build_cine_encoder,
    build_ecg_encoder,
    build_masked_autoencoder,
    build_two_tower,
)
from ptacl_core.models.conv_ecg_encoder import ConvEcgEncoder
from ptacl_core.models.encoder_view import EncoderView
from ptacl_core.models.latent_decoder import LatentDecoder
from ptacl_core.models.masked_autoencoder import MaskedAutoencoder, MaskedReconstruction
from ptacl_core.models.parts.beat_patches import BeatPatches, PooledCinePatches
from ptacl_core.models.parts.heads import ProjectionHead, RegressionHead, SimclrHead
from ptacl_core.models.parts.masking import TokenMask, draw_token_mask, num_visible_tokens
from ptacl_core.models.parts.patches import CinePatches, EcgPatches
from ptacl_core.models.parts.pooling import AttentionPooling, MeanPooling, mean_pool
from ptacl_core.models.parts.positions import LearnedPositions, interpolate_positions
from ptacl_core.models.parts.steps import cine_step_features, ecg_step_features
from ptacl_core.models.patch_transformer import PatchTransformer
from ptacl_core.models.pooled_encoder import Regressor, SimclrModel
from ptacl_core.models.residual_cine_encoder import ResidualCineEncoder
from ptacl_core.models.token_encoder import TokenEncoder, count_parameters
from ptacl_core.models.two_tower import PairFeatures, TwoTower
from ptacl_core.models.vector_encoder import VectorEncoder
from ptacl_core.models.weights import load_encoder_weights

__all__ = [
    "AttentionPooling",
    "BeatPatches",
    "CinePatches",
    "ConvEcgEncoder",
    "EcgPatches",
    "EncoderView",
    "LatentDecoder",
    "LearnedPositions",
    "MaskedAutoencoder",
    "MaskedReconstruction",
    "MeanPooling",
    "PairFeatures",
    "PatchTransformer",
    "PooledCinePatches",
    "ProjectionHead",
    "RegressionHead",
    "Regressor",
    "ResidualCineEncoder",
    "SimclrHead",
    "SimclrModel",
    "TokenEncoder",
    "TokenMask",
    "TwoTower",
    "VectorEncoder",
    "build_cine_encoder",
    "build_ecg_encoder",
    "build_masked_autoencoder",
    "build_two_tower",
    "cine_step_features",
    "count_parameters",
    "draw_token_mask",
    "ecg_step_features",
    "interpolate_positions",
    "load_encoder_weights",
    "mean_pool",
    "num_visible_tokens",
]
