"""A training run as data: encoders, single-modality pretraining, alignment, fine-tuning."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from ptacl_core.arrays import Modality
from ptacl_core.config.augment import (
    SIZE_KEEPING_CINE,
    CineAugmentSettings,
    EcgAugmentSettings,
)
from ptacl_core.config.encoders import (
    CineEncoderSettings,
    EcgEncoderSettings,
    MaskedAutoencoderSettings,
    ProjectionSettings,
)
from ptacl_core.config.health import HealthSettings
from ptacl_core.config.model import Settings
from ptacl_core.config.optimisation import Optimisation

StageName = Literal["ecg", "cmr", "align", "finetune", "supervised"]


class DataSettings(Settings):
    """What the encoders see of a recording, and how recordings reach them."""

    ecg_crop_samples: int = Field(default=2500, gt=0)
    """Samples of the ECG crop: random in training, the first ones in evaluation. Equals
    `ecg_encoder.num_samples`."""
    num_cine_frames: int = Field(default=26, gt=0)
    """Frames of the clip, phase-uniform over the cycle. Equals `cmr_encoder.num_frames`."""
    num_steps: int = Field(default=13, gt=1)
    """Time steps of the local alignment; equals the cine encoder's temporal grid."""
    beat_mode: Literal["phase", "tokens"] = "phase"
    """How tokens of a beat become steps: exact phase, or whole tokens resized."""
    memory_budget_gib: float | None = Field(default=None, ge=0)
    """Recordings are held in memory (on a GPU: in its memory) up to this size, in GiB; unset:
    as much as is free when the stage starts, less what training needs."""
    prefetch_batches: int = Field(default=2, ge=0)
    """Batches read ahead by a thread when recordings are not held in memory."""


class ComputeSettings(Settings):
    """How a step is computed; the gradient is the same."""

    rows_per_piece: int = Field(default=0, ge=0)
    """Recordings (pairs) of a process that pass the model at once; the batch is taken in such
    pieces, at the price of one more forward pass, so that a large batch fits a small GPU. 0:
    the whole batch at once."""
    recompute_blocks: bool = False
    """Keep no activations within transformer blocks, and compute them again on the way back:
    less memory for about a third more time."""
    compile: bool = False
    """Let torch.compile fuse the model's part of a training step for the batch's shape. Compiling
    takes minutes and needs a C++ compiler (on a GPU also triton); losses equal the uncompiled ones
    up to rounding. Whether it gains time depends on the device; on the CPUs measured it does
    not."""


class PretrainEcgSettings(Settings):
    """Single-modality pretraining of the ECG encoder."""

    method: Literal["mae", "simclr", "none"] = "mae"
    """Masked autoencoder, contrast of two views, or none (random weights)."""
    autoencoder: MaskedAutoencoderSettings = MaskedAutoencoderSettings()
    """Masking and decoder of the masked autoencoder."""
    temperature: float = Field(default=0.1, gt=0)
    """Temperature of the SimCLR loss."""
    projection_dim: int = Field(default=128, ge=1)
    """Width of the SimCLR projection."""
    augmentation: EcgAugmentSettings = EcgAugmentSettings()
    """Augmentations of the crops."""
    optimisation: Optimisation = Optimisation(epochs=400, batch_size=128)
    """Optimiser and length."""


class PretrainCmrSettings(Settings):
    """Single-modality pretraining of the cine encoder."""

    method: Literal["mae", "simclr", "none"] = "mae"
    """Masked autoencoder, contrast of two views, or none (random weights)."""
    autoencoder: MaskedAutoencoderSettings = MaskedAutoencoderSettings(mask_ratio=0.9)
    """Masking and decoder of the masked autoencoder."""
    temperature: float = Field(default=0.1, gt=0)
    """Temperature of the SimCLR loss."""
    projection_dim: int = Field(default=128, ge=1)
    """Width of the SimCLR projection."""
    augmentation: CineAugmentSettings = SIZE_KEEPING_CINE
    """Augmentations of the clips; size carries volume, so the crop is mild."""
    optimisation: Optimisation = Optimisation(epochs=400, batch_size=64)
    """Optimiser and length."""


class AlignSettings(Settings):
    """Alignment of the two encoders, Eqs. (1)-(4)."""

    temperature_global: float = Field(default=0.1, gt=0)
    """Temperature of the patient loss, Eq. (1)."""
    temperature_local: float = Field(default=1.0, gt=0)
    """Temperature of the temporal loss, Eq. (3)."""
    sigma: float = Field(default=0.1, ge=0)
    """Width of the soft alignment in shares of a beat, Eq. (2); 0: hard."""
    beta: float = Field(default=1.0, ge=0)
    """Weight of the temporal loss, Eq. (4); 0: the Global baseline."""
    local_loss: Literal[
        "contrast", "cosine", "ed_es", "none", "unknown_shift", "same_phase", "shift_and_phase"
    ] = "contrast"
    """Temporal contrast, cosine without negatives (CosSim++), two anchors only, none; or those
    of PTACL-2: contrast under an unknown shift, the same phase across patients, both."""
    same_phase_share: float = Field(default=0.5, ge=0, le=1)
    """Share of the same-phase contrast in the local loss shift_and_phase."""
    control: Literal["none", "stranger", "break_phase", "shuffled_steps", "shuffled_pairs"] = "none"
    """Negative control that is trained: the local loss against another patient's cine, each
    cine turned around the cycle by a fixed random share, the cine's steps in random order, or
    every ECG with another patient's cine in both losses (what κ = 0 leaves of a pair)."""
    ecg_to_cmr_weight: float = Field(default=0.5, ge=0, le=1)
    """Weight of the direction ECG → CMR in both losses; the other has the rest."""
    projection: ProjectionSettings = ProjectionSettings()
    """Projection to the contrastive space, one per modality."""
    num_frozen_blocks: int = Field(default=2, ge=0)
    """First blocks of each encoder that are not trained; pretrained encoders only."""
    freeze_embeddings: bool = True
    """Also keep patch and position embeddings of pretrained encoders."""
    method: Literal["contrast", "autoencoder"] = "contrast"
    """Eqs. (1)-(4), or a cross-modal autoencoder in their place (CMAE)."""
    contrast_weight: float = Field(default=0.1, ge=0)
    """Weight of Eq. (1) beside the reconstructions of the cross-modal autoencoder."""
    decoder: MaskedAutoencoderSettings = MaskedAutoencoderSettings()
    """Decoders of the cross-modal autoencoder (nothing is masked)."""
    freeze_cine_encoder: bool = False
    """Train only the ECG encoder and the projections (ECCL)."""
    ecg_augmentation: EcgAugmentSettings = EcgAugmentSettings()
    """Augmentations of the crops; none of them breaks the order of the beat."""
    cine_augmentation: CineAugmentSettings = CineAugmentSettings()
    """Augmentations of the clips."""
    optimisation: Optimisation = Optimisation(
        epochs=100, batch_size=256, learning_rate=1e-4, betas=(0.9, 0.999), patience=20
    )
    """Optimiser and length."""
    vectors: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9_]{0,39}$")
    """Vectors of the cohort (`ptacl vectors add`) that stand in the place of the cines; unset:
    cines. Only the patient loss is then left: beta = 0 or local_loss = "none"."""

    @property
    def has_local_loss(self) -> bool:
        """Whether the temporal loss takes part."""
        return self.method == "contrast" and self.beta > 0 and self.local_loss != "none"


class FinetuneSettings(Settings):
    """Training of all weights of one encoder and a head on phenotypes or targets."""

    targets: Literal["phenotypes", "cohort"] = "phenotypes"
    """What the head predicts: the ten phenotypes, or the cohort's own targets, of which binary
    ones are trained by log loss (`ptacl targets list`)."""
    modality: Modality = "ecg"
    """Encoder that is fine-tuned."""
    start: Literal["align", "pretrain"] = "align"
    """Stage whose encoder is taken."""
    pooling: Literal["attention", "mean"] = "attention"
    """Attention pooling (FN+AP) or mean of the tokens (FN)."""
    layer_decay: float = Field(default=0.75, gt=0, le=1)
    """Factor on the learning rate from one layer to the layer before it."""
    drop_path: float = Field(default=0.1, ge=0, lt=1)
    """Largest drop-path rate, reached in the last block."""
    ecg_augmentation: EcgAugmentSettings = EcgAugmentSettings(
        surrogate_strength=0.075, jitter_std=0.2, rescale_std=0.0
    )
    """Augmentations of the crops."""
    cine_augmentation: CineAugmentSettings = SIZE_KEEPING_CINE
    """Augmentations of the clips."""
    optimisation: Optimisation = Optimisation(
        epochs=100, batch_size=64, learning_rate=1e-4, betas=(0.9, 0.999), patience=25
    )
    """Optimiser and length."""


class SupervisedSettings(Settings):
    """Training of encoder and head on the phenotypes from random weights."""

    modalities: tuple[Modality, ...] = ("ecg", "cmr")
    """Encoders that are trained, each alone."""
    pooling: Literal["attention", "mean"] = "mean"
    """Pooling before the head."""
    drop_path: float = Field(default=0.1, ge=0, lt=1)
    """Largest drop-path rate, reached in the last block."""
    ecg_augmentation: EcgAugmentSettings = EcgAugmentSettings(
        surrogate_strength=0.075, jitter_std=0.2, rescale_std=0.0
    )
    """Augmentations of the crops."""
    cine_augmentation: CineAugmentSettings = SIZE_KEEPING_CINE
    """Augmentations of the clips."""
    optimisation: Optimisation = Optimisation(
        epochs=200, batch_size=128, learning_rate=3e-4, betas=(0.9, 0.999), patience=25
    )
    """Optimiser and length."""


class PretrainedFrom(Settings):
    """Runs whose encoders are taken instead of training anew.

    Each is the name of a run of the same cohort, or the absolute path of a run's folder in
    another one (`/data/ecg-cohort/runs/paper-mae-ecg`), or of a packed model
    (`/data/public-ecg.ptacl`), whose recordings must have been prepared in the same way.
    """

    ecg: str | None = None
    """Run that has the ECG encoder."""
    cmr: str | None = None
    """Run that has the cine encoder."""
    align: str | None = None
    """Run that has the alignment which fine-tuning starts from."""

    @model_validator(mode="after")
    def _paths_are_absolute(self) -> Self:
        for stage, source in self:
            is_path = source is not None and ("/" in source or source.endswith(".ptacl"))
            if source is not None and is_path and not Path(source).is_absolute():
                raise ValueError(
                    f"{stage}: expected the name of a run, or the absolute path of a run's "
                    f"folder in another cohort or of a packed model, got the relative path {source}"
                )
        return self


class RunSettings(Settings):
    """Everything that decides what a run computes; stored with the run and its checkpoints."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")
    """Name of the run, unless another is given."""
    notes: str = ""
    """What the run is for and in what it departs from the method it stands for."""
    seed: int = Field(default=0, ge=0)
    """Seed of weights, orders and augmentations."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""
    precision: Literal["fp32", "bf16"] = "bf16"
    """Number format of matrix products in training; losses are always in fp32."""
    stages: tuple[StageName, ...] = ("ecg", "cmr", "align")
    """What `--stage all` trains, in this order."""
    data: DataSettings = DataSettings()
    """Crops, frames, steps, memory."""
    compute: ComputeSettings = ComputeSettings()
    """Pieces of a batch and recomputation, for GPUs with little memory."""
    ecg_encoder: EcgEncoderSettings = EcgEncoderSettings()
    """Architecture of the ECG encoder."""
    cmr_encoder: CineEncoderSettings = CineEncoderSettings()
    """Architecture of the cine encoder."""
    pretrained_from: PretrainedFrom = PretrainedFrom()
    """Pretraining taken from other runs."""
    pretrain_ecg: PretrainEcgSettings = PretrainEcgSettings()
    """Stage `ecg`."""
    pretrain_cmr: PretrainCmrSettings = PretrainCmrSettings()
    """Stage `cmr`."""
    align: AlignSettings = AlignSettings()
    """Stage `align`."""
    finetune: FinetuneSettings = FinetuneSettings()
    """Stage `finetune`."""
    supervised: SupervisedSettings = SupervisedSettings()
    """Stage `supervised`."""
    health: HealthSettings = HealthSettings()
    """From where on a stage counts as not learned."""

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if self.data.ecg_crop_samples != self.ecg_encoder.num_samples:
            raise ValueError(
                f"data.ecg_crop_samples {self.data.ecg_crop_samples} must equal "
                f"ecg_encoder.num_samples {self.ecg_encoder.num_samples}"
            )
        if self.data.num_cine_frames != self.cmr_encoder.num_frames:
            raise ValueError(
                f"data.num_cine_frames {self.data.num_cine_frames} must equal "
                f"cmr_encoder.num_frames {self.cmr_encoder.num_frames}"
            )
        if self.ecg_encoder.family == "beat" and self.ecg_encoder.num_steps != self.data.num_steps:
            raise ValueError(
                f"ecg_encoder.num_steps {self.ecg_encoder.num_steps} must equal "
                f"data.num_steps {self.data.num_steps}"
            )
        if self.align.projection.standardises and self.compute.rows_per_piece > 0:
            raise ValueError(
                "align.projection.standardises needs whole batches: "
                f"set compute.rows_per_piece to 0, got {self.compute.rows_per_piece}"
            )
        uses_steps = "align" in self.stages and self.align.has_local_loss
        num_times = self.cmr_encoder.num_frames // self.cmr_encoder.patch_frames
        if uses_steps and self.cmr_encoder.family == "resnet":
            raise ValueError(
                f"cmr_encoder.family '{self.cmr_encoder.family}' keeps no time axis: "
                "the local loss needs 'vit' or 'pooled', or align.local_loss = \"none\""
            )
        if uses_steps and self.data.num_steps != num_times:
            raise ValueError(
                f"data.num_steps {self.data.num_steps} must equal the {num_times} tokens along "
                "time that cmr_encoder.num_frames / patch_frames gives"
            )
        if uses_steps:
            self.align.ecg_augmentation.require_beat_order()
        self._check_vectors()
        return self

    def _check_vectors(self) -> None:
        """Vectors have neither steps nor pixels. Raises ValueError."""
        if self.align.vectors is None:
            if self.cmr_encoder.family == "vectors":
                raise ValueError("cmr_encoder.family 'vectors': align.vectors names the vectors")
            return
        if self.align.has_local_loss:
            raise ValueError(
                "align.vectors: a vector has no steps for the local loss: set align.beta = 0 or "
                'align.local_loss = "none"'
            )
        if self.align.method != "contrast" or self.align.control not in ("none", "shuffled_pairs"):
            raise ValueError(
                f"align.vectors: goes with align.method contrast and align.control none or "
                f"shuffled_pairs, got {self.align.method} and {self.align.control}"
            )
        trained = {"supervised": self.supervised.modalities, "finetune": (self.finetune.modality,)}
        names = [name for name in self.stages if "cmr" in trained.get(name, ())]
        if names:
            raise ValueError(
                f"align.vectors: stage {names[0]} trains a cine encoder, and there are no cines; "
                "leave it out of stages, or train the ECG encoder there"
            )
