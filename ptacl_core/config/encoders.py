"""Sizes of the encoders; the defaults are the paper's (method.md §2, §4)."""

from typing import Literal

from pydantic import Field, model_validator

from ptacl_core.config.model import Settings


class TransformerSettings(Settings):
    """Width, depth and regularisation that both encoders share."""

    dim: int = Field(default=512, ge=1)
    """Width of the tokens."""
    num_heads: int = Field(default=8, ge=1)
    """Attention heads; must divide `dim`."""
    mlp_dim: int | None = Field(default=None, ge=1)
    """Hidden width of the feed-forward part; None: 4 × dim."""
    layer_scale_init: float | None = Field(default=1e-5, ge=0)
    """Start of the LayerScale factors on both branches; None or 0: no LayerScale."""
    drop_path: float = Field(default=0.0, ge=0, lt=1)
    """Share of branches left out in the last block while training; linear from 0 with depth."""
    position_init_std: float = Field(default=0.0, ge=0)
    """Standard deviation of the positions' truncated-normal start; 0: zeros."""
    weight_init_std: float = Field(default=0.02, gt=0)
    """Standard deviation of the linear layers' normal start: 0.02 suits 512 wide; a layer keeps
    the scale of its input at 1/√dim (0.125 at 64)."""
    attention: Literal["auto", "fused", "explicit"] = "auto"
    """Fused scaled-dot-product attention or an explicit softmax; auto: explicit for bf16 on CPU."""
    conv_width: int = Field(default=64, ge=8)
    """First width of the convolutional families; doubles with every stage up to `dim`."""

    @model_validator(mode="after")
    def _heads_divide_width(self) -> "TransformerSettings":
        if self.dim % self.num_heads:
            raise ValueError(f"dim {self.dim} must be a multiple of num_heads {self.num_heads}")
        return self


class EcgEncoderSettings(TransformerSettings):
    """The ECG encoder: 12 leads × 50 tokens of 100 ms, 6 blocks."""

    family: Literal["vit", "conv", "beat"] = "vit"
    """The paper's transformer, a small residual convolutional network as a baseline, or the
    same transformer over the steps of a recording's mean beat, R to R (ours)."""
    num_leads: int = Field(default=12, ge=1)
    """Leads of the input."""
    num_samples: int = Field(default=2500, ge=1)
    """Samples of the crop at 500 Hz (2500: 5 s)."""
    patch_samples: int = Field(default=50, ge=1)
    """Samples of one token (50: 100 ms); must divide `num_samples`."""
    depth: int = Field(default=6, ge=1)
    """Transformer blocks."""
    mixes_leads: bool = False
    """Family conv only: True merges all leads into one row of tokens (grid 1 × 50)."""
    num_steps: int = Field(default=13, ge=1)
    """Family beat only: tokens of a beat; equals `data.num_steps`."""
    samples_per_step: int = Field(default=8, ge=1)
    """Family beat only: samples of each lead that a beat is resampled to per token."""
    beats_per_view: int = Field(default=5, ge=1)
    """Family beat only: beats in a row that a training view averages; evaluation takes all."""

    @model_validator(mode="after")
    def _patches_fill_the_crop(self) -> "EcgEncoderSettings":
        if self.num_samples % self.patch_samples:
            raise ValueError(
                f"num_samples {self.num_samples} must be a multiple of "
                f"patch_samples {self.patch_samples}"
            )
        return self


class CineEncoderSettings(TransformerSettings):
    """The cine encoder: 13 × 7 × 7 tokens of 2 frames × 12 × 12 px, 4 blocks."""

    family: Literal["vit", "resnet", "pooled", "vectors"] = "vit"
    """The paper's transformer, a residual network that takes the frames as channels, the same
    transformer over the steps of the cycle, whole frames averaged to few pixels (ours), or a layer
    over precomputed vectors, which `align.vectors` sets."""
    num_frames: int = Field(default=26, ge=1)
    """Frames fed to the encoder; 26 gives the paper's 13 steps."""
    size_px: int = Field(default=84, ge=1)
    """Side of the square frames in pixels."""
    patch_frames: int = Field(default=2, ge=1)
    """Frames of one token; must divide `num_frames`."""
    patch_px: int = Field(default=12, ge=1)
    """Side of one token in pixels; must divide `size_px`."""
    pooled_px: int = Field(default=14, ge=1)
    """Family pooled only: side that frames are averaged to, in pixels; must divide `size_px`."""
    depth: int = Field(default=4, ge=1)
    """Transformer blocks."""
    num_values: int = Field(default=0, ge=0)
    """Family vectors only: values of a vector; taken from the vectors of the cohort."""

    @model_validator(mode="after")
    def _patches_fill_the_clip(self) -> "CineEncoderSettings":
        if self.num_frames % self.patch_frames or self.size_px % self.patch_px:
            raise ValueError(
                f"num_frames {self.num_frames} must be a multiple of patch_frames "
                f"{self.patch_frames}, and size_px {self.size_px} of patch_px {self.patch_px}"
            )
        if self.family == "pooled" and self.size_px % self.pooled_px:
            raise ValueError(
                f"size_px {self.size_px} must be a multiple of pooled_px {self.pooled_px}"
            )
        return self


class MaskedAutoencoderSettings(Settings):
    """The decoder that pretraining adds and throws away (method.md §4)."""

    mask_ratio: float = Field(default=0.75, gt=0, lt=1)
    """Share of tokens hidden: 0.75 for ECG, 0.9 for cine."""
    normalises_targets: bool = False
    """Predict each token's values brought to mean 0 and variance 1; False: the raw values."""
    decoder_dim: int = Field(default=256, ge=1)
    """Width of the decoder; the paper gives none."""
    decoder_depth: int = Field(default=1, ge=1)
    """Decoder blocks."""
    decoder_heads: int = Field(default=4, ge=1)
    """Attention heads of the decoder."""
    decoder_mlp_dim: int | None = Field(default=None, ge=1)
    """Hidden width of its feed-forward part; None: 4 × decoder_dim."""


class ProjectionSettings(Settings):
    """The layer between the pooled tokens and the space of the global loss."""

    kind: Literal["linear", "mlp"] = "linear"
    """One bias-free linear layer, or two with a ReLU between."""
    dim: int = Field(default=128, ge=1)
    """Width of the projected embedding."""
    standardises: bool = False
    """Bring every pooled feature to mean 0 and variance 1 over the batch before the projection
    (running statistics in evaluation): what all patients share then takes no part."""
