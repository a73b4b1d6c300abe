"""Settings to modules: the only place of the models that reads settings."""

from ptacl_core.config.encoders import (
    CineEncoderSettings,
    EcgEncoderSettings,
    MaskedAutoencoderSettings,
    ProjectionSettings,
    TransformerSettings,
)
from ptacl_core.errors import ConfigError
from ptacl_core.models.conv_ecg_encoder import ConvEcgEncoder
from ptacl_core.models.masked_autoencoder import MaskedAutoencoder, ReconstructionLoss
from ptacl_core.models.parts.beat_patches import BeatPatches, PooledCinePatches
from ptacl_core.models.parts.heads import ProjectionHead
from ptacl_core.models.parts.patch_layout import PatchLayout
from ptacl_core.models.parts.patches import CinePatches, EcgPatches
from ptacl_core.models.patch_transformer import PatchTransformer
from ptacl_core.models.residual_cine_encoder import ResidualCineEncoder
from ptacl_core.models.token_encoder import TokenEncoder
from ptacl_core.models.two_tower import TwoTower
from ptacl_core.models.vector_encoder import VectorEncoder
from ptacl_core.preprocess.beat_spans import NUM_RHYTHM_VALUES
from ptacl_core.tensors import Generator


def build_ecg_encoder(
    settings: EcgEncoderSettings | None = None, *, generator: Generator | None = None
) -> TokenEncoder:
    """The ECG encoder; by default the paper's, with 19,251,712 parameters.

    All starting weights are drawn from `generator`, or from torch's default one.
    """
    settings = settings or EcgEncoderSettings()
    if settings.family == "conv":
        return ConvEcgEncoder(
            num_leads=settings.num_leads,
            num_samples=settings.num_samples,
            patch_samples=settings.patch_samples,
            dim=settings.dim,
            width=settings.conv_width,
            mixes_leads=settings.mixes_leads,
            generator=generator,
        )
    layout: PatchLayout = EcgPatches(
        settings.num_leads, settings.num_samples, settings.patch_samples
    )
    if settings.family == "beat":
        layout = BeatPatches(
            settings.num_leads, settings.num_steps, settings.samples_per_step, NUM_RHYTHM_VALUES
        )
    return _build_transformer(layout, settings.depth, settings, generator)


def build_cine_encoder(
    settings: CineEncoderSettings | None = None, *, generator: Generator | None = None
) -> TokenEncoder:
    """The cine encoder; by default the paper's, with 13,086,720 parameters."""
    settings = settings or CineEncoderSettings()
    if settings.family == "vectors":
        return VectorEncoder(num_values=settings.num_values, dim=settings.dim, generator=generator)
    if settings.family == "resnet":
        return ResidualCineEncoder(
            num_frames=settings.num_frames,
            size_px=settings.size_px,
            dim=settings.dim,
            width=settings.conv_width,
            generator=generator,
        )
    layout: PatchLayout = CinePatches(
        settings.num_frames, settings.size_px, settings.patch_frames, settings.patch_px
    )
    if settings.family == "pooled":
        layout = PooledCinePatches(
            settings.num_frames, settings.size_px, settings.patch_frames, settings.pooled_px
        )
    return _build_transformer(layout, settings.depth, settings, generator)


def build_masked_autoencoder(
    encoder: TokenEncoder,
    reconstruction_loss: ReconstructionLoss,
    settings: MaskedAutoencoderSettings,
    encoder_settings: TransformerSettings,
    *,
    generator: Generator | None = None,
) -> MaskedAutoencoder:
    """The encoder with its decoder; LayerScale and positions start as the encoder's do.

    Raises ConfigError for an encoder that cannot leave tokens out.
    """
    return MaskedAutoencoder(
        _require_transformer(encoder, "masked pretraining"),
        reconstruction_loss,
        mask_ratio=settings.mask_ratio,
        normalises_targets=settings.normalises_targets,
        decoder_dim=settings.decoder_dim,
        decoder_depth=settings.decoder_depth,
        decoder_heads=settings.decoder_heads,
        decoder_mlp_dim=settings.decoder_mlp_dim,
        layer_scale_init=encoder_settings.layer_scale_init,
        position_init_std=encoder_settings.position_init_std,
        attention=encoder_settings.attention,
        generator=generator,
    )


def build_two_tower(
    ecg_settings: EcgEncoderSettings,
    cine_settings: CineEncoderSettings,
    projection: ProjectionSettings | None = None,
    *,
    generator: Generator | None = None,
) -> TwoTower:
    """Both encoders, each with a projection head of its own."""
    projection = projection or ProjectionSettings()
    ecg_encoder = build_ecg_encoder(ecg_settings, generator=generator)
    cine_encoder = build_cine_encoder(cine_settings, generator=generator)
    heads = [
        ProjectionHead(
            encoder.dim,
            projection.dim,
            kind=projection.kind,
            standardises=projection.standardises,
            generator=generator,
        )
        for encoder in (ecg_encoder, cine_encoder)
    ]
    return TwoTower(ecg_encoder, cine_encoder, *heads)


def _require_transformer(encoder: TokenEncoder, purpose: str) -> PatchTransformer:
    if not isinstance(encoder, PatchTransformer):
        raise ConfigError(
            f"family: {purpose} needs the encoder family 'vit', got "
            f"{type(encoder).__name__}; choose SimCLR or supervised training for it"
        )
    return encoder


def _build_transformer(
    layout: PatchLayout, depth: int, settings: TransformerSettings, generator: Generator | None
) -> PatchTransformer:
    return PatchTransformer(
        layout,
        dim=settings.dim,
        depth=depth,
        num_heads=settings.num_heads,
        mlp_dim=settings.mlp_dim or 4 * settings.dim,
        layer_scale_init=settings.layer_scale_init,
        drop_path=settings.drop_path,
        position_init_std=settings.position_init_std,
        weight_init_std=settings.weight_init_std,
        attention=settings.attention,
        generator=generator,
    )
