"""A trained ECG model ready to answer, of a run in a cohort or of a packed file alike."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch

from ptacl_core.bundle.model_file import READOUT_FILE, TARGETS_FILE, ModelFile
from ptacl_core.config.preprocess import PreprocessSettings
from ptacl_core.config.training import RunSettings
from ptacl_core.embedding.readout import ReadOut
from ptacl_core.embedding.readout_fit import READOUT_FOLDER
from ptacl_core.embedding.target_readout import TargetReadOut, load_targets_of
from ptacl_core.errors import BundleError, CheckpointError
from ptacl_core.models import EncoderView, TokenEncoder
from ptacl_core.runs.bundled import load_bundled_tower, read_settings
from ptacl_core.runs.choose import load_trained_run, resolve_device
from ptacl_core.runs.encoders import build_view
from ptacl_core.runs.health import explain_unfit


@dataclass(frozen=True, slots=True, eq=False)
class EcgModel:
    """ECG encoder, projection and read-out with all that a new recording must agree with.

    `unfit` says why the model should not be relied on (not learned, a control); None: nothing.
    """

    name: str
    settings: RunSettings
    preprocessing: PreprocessSettings
    checkpoint_sha256: str
    encoder: TokenEncoder
    projection: torch.nn.Module
    readout: ReadOut
    targets: TargetReadOut
    unfit: str | None

    @property
    def view(self) -> EncoderView:
        """How its encoder looks at prepared recordings."""
        return build_view(self.settings)

    @classmethod
    def of_run(cls, cohort_dir: Path, run: str | None, *, device: str = "auto") -> Self:
        """The model of a run (None: the latest). Raises CohortError, CheckpointError."""
        aligned = load_trained_run(cohort_dir, run, device=device)
        readout = ReadOut.load(aligned.directory / READOUT_FOLDER)
        if readout.checkpoint_sha256 != aligned.checkpoint_sha256:
            raise CheckpointError(
                f"run {aligned.name}: its read-out was made for other weights; "
                f"`ptacl embed COHORT --run {aligned.name}` makes it anew"
            )
        return cls(
            name=aligned.name,
            settings=aligned.settings,
            preprocessing=aligned.preprocessing,
            checkpoint_sha256=aligned.checkpoint_sha256,
            encoder=aligned.ecg_encoder,
            projection=aligned.ecg_projection,
            readout=readout,
            targets=load_targets_of(
                aligned.directory / READOUT_FOLDER,
                aligned.checkpoint_sha256,
                coverage=readout.coverage,
            ),
            unfit=explain_unfit(aligned.directory),
        )

    @classmethod
    def of_file(cls, path: Path, *, device: str = "auto") -> Self:
        """The model in a packed file. Raises BundleError, ConfigError."""
        model = ModelFile(path)
        target = resolve_device(device)
        settings, _ = read_settings(model)
        readout = load_bundled_readout(model)
        tower = load_bundled_tower(model, "ecg")
        projection = tower.projection
        if projection is None and model.document.encoders["ecg"].stage == "align":
            raise BundleError(f"{model.place}: its ECG encoder lacks its projection")
        if readout.probe.coefficients.shape[0] != tower.encoder.dim:
            raise BundleError(f"{model.place}: its read-out does not fit its encoder")
        return cls(
            name=model.document.name,
            settings=settings,
            preprocessing=tower.preprocessing,
            checkpoint_sha256=readout.checkpoint_sha256,
            encoder=tower.encoder.to(target),
            projection=(projection or torch.nn.Identity()).to(target),
            readout=readout,
            targets=load_bundled_targets(model, readout),
            unfit=model.document.unfit,
        )


def load_bundled_readout(model: ModelFile) -> ReadOut:
    """The read-out of a packed model. Raises BundleError when there is none, or it is damaged."""
    described, encoder = model.document.readout, model.document.encoders.get("ecg")
    if described is None or encoder is None:
        raise BundleError(
            f"{model.place}: holds no read-out, so it cannot predict; it is a packed encoder for "
            "`pretrained_from`"
        )
    try:
        return ReadOut.from_tensors(
            model.tensors(READOUT_FILE),
            groups=described.groups,
            coverage=described.coverage,
            checkpoint_sha256=encoder.checkpoint_sha256,
            preprocessing_hash=model.document.preprocessing_hash,
            names=[target.name for target in model.document.targets],
        )
    except CheckpointError as error:
        raise BundleError(f"{model.place}: {error}") from None


def load_bundled_targets(model: ModelFile, readout: ReadOut) -> TargetReadOut:
    """What predicts the training cohort's own targets; empty where the file holds none.

    Raises BundleError when its parts do not belong together.
    """
    own = model.document.own_targets
    if not own:
        return TargetReadOut.none(readout.checkpoint_sha256, readout.coverage)
    try:
        targets = TargetReadOut.from_parts(
            [entry.model_dump(mode="json") for entry in own],
            model.tensors(TARGETS_FILE),
            unfitted={},
            coverage=readout.coverage,
            checkpoint_sha256=readout.checkpoint_sha256,
        )
    except CheckpointError as error:
        raise BundleError(f"{model.place}: {error}") from None
    dim = readout.probe.coefficients.shape[0]
    if any(len(fitted.probe.coefficients) != dim for fitted in targets.fitted):
        raise BundleError(f"{model.place}: its targets do not fit its encoder")
    return targets
