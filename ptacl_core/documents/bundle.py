"""The documents inside a packed model (`.ptacl`): what it is, and aggregates of its evaluation."""

from typing import Any, Literal

from pydantic import Field

from ptacl_core.documents.figures import Bounded
from ptacl_core.documents.health import StageHealth
from ptacl_core.documents.model import Document, Part
from ptacl_core.documents.targets import TargetPart
from ptacl_core.json_values import JsonObject

MAX_TARGETS = 64


class BundledFile(Part):
    """Size and hash of one member of the file."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    num_bytes: int = Field(ge=0)


class BundledEncoder(Part):
    """One encoder: the stage that left it, the run's weights that it came from, its size."""

    stage: Literal["pretrain", "align", "finetune"]
    checkpoint_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    has_projection: bool
    num_parameters: int = Field(ge=0)


class BundledView(Part):
    """How the encoders look at a prepared recording (`EncoderView`)."""

    crop_samples: int
    patch_samples: int
    num_steps: int
    num_frames: int
    beat_mode: str
    precision: str


class BundledTarget(Part):
    """One phenotype that the read-out predicts."""

    name: str
    unit: str


class BundledReadOut(Part):
    """What the read-out in `readout.safetensors` promises."""

    coverage: float = Field(gt=0, lt=1)
    groups: tuple[str, ...] = Field(max_length=64)


class BundledOwnTarget(Part):
    """A target of the training cohort's own: its definition and the groups of its intervals."""

    target: TargetPart
    groups: tuple[str, ...] = Field(max_length=64)


class NumberAggregate(Part):
    """A variable over the training people; None where fewer than ten have it."""

    n: int | None
    mean: float | None
    sd: float | None


class BundledTraining(Part):
    """Whom it was trained on, in aggregates: nothing here is of fewer than ten people."""

    cohort: str
    source: str
    people: dict[str, int | None]
    """By split; None: under ten."""
    share_of_women: float | None
    variables: dict[str, NumberAggregate]
    data_sha256: str | None
    """Hash of the manifest of the recordings that it was trained on."""


class Membership(Part):
    """How well a figure tells training people from held-out ones: 0.5 is not at all."""

    figure: str
    auc: Bounded
    training: int
    held_out: int
    needs: str
    """What somebody must already hold of a person to compute it."""


class BundleDocument(Document):
    """What a packed model is: settings, preprocessing, encoders, read-out, where it comes from.

    `settings` and `preprocessing` are those of the run. `health` is the verdict on each stage,
    `unfit` why the model should not be relied on. `membership` was measured when it was packed.
    Research use only.
    """

    KIND = "ptacl-bundle"
    VERSION = 2

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")
    software: str
    code: str | None = None
    packed_on: str
    author: str | None = None
    licence: str | None = None
    note: str
    settings: JsonObject
    preprocessing: JsonObject
    preprocessing_hash: str
    lead_names: tuple[str, ...]
    view: BundledView
    targets: tuple[BundledTarget, ...]
    """The ten phenotypes; none where the training cohort had no CMR."""
    own_targets: tuple[BundledOwnTarget, ...] = Field(default=(), max_length=MAX_TARGETS)
    """What `targets.safetensors` predicts beside them."""
    encoders: dict[str, BundledEncoder]
    readout: BundledReadOut | None = None
    training: BundledTraining
    health: dict[str, StageHealth] = Field(default_factory=dict)
    unfit: str | None = None
    membership: tuple[Membership, ...] = ()
    files: dict[str, BundledFile]

    @classmethod
    def upgrade(cls, values: dict[str, Any], version: int) -> dict[str, Any]:
        """Version 1 had no targets of a cohort's own."""
        return values if version == 1 else super().upgrade(values, version)


class PhenotypeAggregate(Part):
    """R², mean absolute error and bias of one phenotype, with 95 % intervals over people."""

    n: int
    r2: Bounded
    mean_absolute_error: Bounded
    bias: Bounded


class GroupAggregate(Part):
    """Figures of one group of at least ten people."""

    n: int
    phenotypes: dict[str, PhenotypeAggregate]


class RowAggregate(Part):
    """One row of Table 2."""

    name: str
    modality: str
    evaluation: str
    mean_r2: Bounded
    phenotypes: dict[str, PhenotypeAggregate]


class CoverageAggregate(Part):
    """Share of labels inside their intervals; below ten outside only a lower bound is told."""

    n: int
    share: float | None
    at_least: float | None
    verdict: str


class TargetAggregate(Part):
    """Figures of a target: R² or AUC beside sex and age, error, Brier score, calibration."""

    kind: Literal["continuous", "binary"]
    n: int
    figures: dict[str, Bounded]
    coverage: CoverageAggregate | None = None


class AggregateEvaluation(Document):
    """The evaluation of a run without small cells: no count of one to nine people, in sum or part.

    `suppressed` says what was left out. A group of fewer than ten people is left out, and with it
    the whole grouping where those left out are fewer than ten together, since they would follow
    from the total.
    """

    KIND = "ptacl-aggregates"
    VERSION = 2

    run: str
    patients: dict[str, int | None]
    rows: tuple[RowAggregate, ...]
    retrieval: dict[str, dict[str, Bounded]]
    pair_recall: dict[str, dict[str, Bounded]]
    alignment: dict[str, float | None]
    coverage: dict[str, CoverageAggregate]
    coverage_text: str
    subgroups: dict[str, dict[str, GroupAggregate]]
    targets: dict[str, TargetAggregate] = Field(default_factory=dict)
    suppressed: tuple[str, ...]
    note: str

    @classmethod
    def upgrade(cls, values: dict[str, Any], version: int) -> dict[str, Any]:
        """Version 1 had no targets of a cohort's own."""
        return values if version == 1 else super().upgrade(values, version)
