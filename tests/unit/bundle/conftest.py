"""A packed model with random weights: whole, small, and made without a cohort."""

from pathlib import Path

import numpy as np
import pytest

from ptacl_core.arrays import Modality
from ptacl_core.bundle.model_file import (
    ENCODER_FILES,
    READOUT_FILE,
    TARGETS_FILE,
    write_model_file,
)
from ptacl_core.config.preprocess import PreprocessSettings
from ptacl_core.config.run_presets import load_run_settings
from ptacl_core.documents.bundle import (
    BundledEncoder,
    BundleDocument,
    BundledOwnTarget,
    BundledReadOut,
    BundledTarget,
    BundledTraining,
    BundledView,
)
from ptacl_core.embedding.readout import fit_readout
from ptacl_core.embedding.target_fit import fit_targets
from ptacl_core.embedding.target_labels import TargetLabels
from ptacl_core.models import ProjectionHead, TokenEncoder
from ptacl_core.records import LEAD_NAMES, PHENOTYPE_NAMES, PHENOTYPE_UNITS, Target
from ptacl_core.runs.encoders import build_towers, build_view

SHA256 = "0" * 64


def build_parts() -> tuple[BundleDocument, dict[str, dict[str, np.ndarray]]]:
    """Document and tensors of a model that was never trained."""
    settings = load_run_settings("tiny")
    towers = build_towers(settings)
    preprocessing = PreprocessSettings()
    generator = np.random.default_rng(0)
    dim = towers.ecg_encoder.dim
    features = generator.normal(size=(160, dim))
    targets = features[:, :10] @ generator.normal(size=(10, 10)) + 50.0
    readout = fit_readout(
        features[:110], targets[:110], features[110:], targets[110:],
        checkpoint_sha256=SHA256, preprocessing_hash=preprocessing.hash(),
    )  # fmt: skip
    own = fit_targets(
        features,
        TargetLabels(
            (Target("value", unit="mL"), Target("event", "binary")),
            np.column_stack([targets[:, 0], targets[:, 1] > 50.0]),
        ),
        splits=["train"] * 110 + ["val"] * 50,
        people=[str(row) for row in range(160)],
        groups=["all"] * 160,
        checkpoint_sha256=SHA256,
    )
    assert len(own.fitted) == 2
    view = build_view(settings)
    document = BundleDocument(
        name="random",
        software="0.1.0",
        packed_on="2026-11-29",
        note="Random weights.",
        settings=settings.model_dump(mode="json", exclude_none=True),
        preprocessing=preprocessing.model_dump(mode="json"),
        preprocessing_hash=preprocessing.hash(),
        lead_names=LEAD_NAMES,
        view=BundledView(
            crop_samples=view.crop_samples,
            patch_samples=view.patch_samples,
            num_steps=view.num_steps,
            num_frames=view.num_frames,
            beat_mode=view.beat_mode,
            precision=view.precision,
        ),
        targets=tuple(
            BundledTarget(name=name, unit=PHENOTYPE_UNITS[name]) for name in PHENOTYPE_NAMES
        ),
        own_targets=tuple(BundledOwnTarget.model_validate(part) for part in own.describe()),
        encoders={
            modality: BundledEncoder(
                stage="align", checkpoint_sha256=SHA256, has_projection=True, num_parameters=1
            )
            for modality in ENCODER_FILES
        },
        readout=BundledReadOut(coverage=readout.coverage, groups=readout.groups),
        training=BundledTraining(
            cohort="none", source="simulated", people={}, share_of_women=None, variables={},
            data_sha256=None,
        ),
        files={},
    )  # fmt: skip
    modules: dict[Modality, tuple[TokenEncoder, ProjectionHead]] = {
        "ecg": (towers.ecg_encoder, towers.ecg_projection),
        "cmr": (towers.cine_encoder, towers.cine_projection),
    }
    tensors = {
        ENCODER_FILES[modality]: {
            f"{part}.{name}": value.numpy()
            for part, module in zip(("encoder", "projection"), pair, strict=True)
            for name, value in module.state_dict().items()
        }
        for modality, pair in modules.items()
    }
    return document, {**tensors, READOUT_FILE: readout.as_tensors(), TARGETS_FILE: own.as_tensors()}


@pytest.fixture(scope="session")
def parts():
    return build_parts()


@pytest.fixture(scope="session")
def bundle(tmp_path_factory, parts) -> Path:
    document, tensors = parts
    path = tmp_path_factory.mktemp("bundle") / "random.ptacl"
    write_model_file(path, document, tensors=tensors, evaluation=None, card="# Random weights\n")
    return path
