"""A packed model as a run of a cohort: its weights and read-out, frozen, under runs/."""

from pathlib import Path

import torch

from ptacl_core.bundle.model_file import ENCODER_FILES, ModelFile
from ptacl_core.checkpoint import (
    DOCUMENT_FILE,
    FINAL,
    WEIGHTS_FILE,
    CheckpointDocument,
    load_document,
    save_checkpoint,
)
from ptacl_core.config.health import HealthSettings
from ptacl_core.documents.bundle import BundleDocument
from ptacl_core.documents.health import HealthLimits, RunHealth
from ptacl_core.embedding.readout_fit import READOUT_FOLDER
from ptacl_core.errors import BundleError, CohortError
from ptacl_core.progress import ProgressSink
from ptacl_core.runs.bundled import load_bundled_tower, read_settings
from ptacl_core.runs.choose import ALIGN
from ptacl_core.runs.folder import LOCK_FILE, store_settings
from ptacl_core.runs.health import write_health
from ptacl_core.runs.lineage import record_end, record_start
from ptacl_core.safety.files.atomic import close_folder, write_json
from ptacl_core.safety.files.lock import hold_lock
from ptacl_core.train.metrics_log import METRICS_FILE, MetricsLog
from ptacl_core.trained.ecg_model import load_bundled_readout, load_bundled_targets

PACKED_FILE = "packed.json"
"""In the folder of a run that came as a file: what the file said. Its read-out stays as it is."""
_TOWERS = {"ecg": "ecg", "cmr": "cine"}


def is_packed(run_dir: Path) -> bool:
    """Whether a run came as a packed file, so that its read-out is not fitted here."""
    return (run_dir / PACKED_FILE).exists()


def install(cohort_dir: Path, path: Path, progress: ProgressSink) -> str:
    """Put a packed model under runs/ and return the name of the run.

    A run of the same name with the same weights is taken as it is. Nobody of this cohort was in
    its training, which the lineage records. Raises BundleError for a file that holds not both
    encoders and a read-out, CohortError when another run has the name.
    """
    model = ModelFile(path)
    name = model.document.name
    directory = cohort_dir / "runs" / name
    final = directory / "checkpoints" / ALIGN / FINAL
    if (final / DOCUMENT_FILE).exists():
        _check_same(model, directory, final)
        progress.say(f"run {name} is there already, with these weights")
        return name
    if any(directory.glob("checkpoints/*/*")) and not is_packed(directory):
        raise _taken(name)
    if set(model.document.encoders) != set(ENCODER_FILES):
        raise BundleError(
            f"{model.place}: a cohort is embedded with both encoders, and it holds "
            f"{', '.join(model.document.encoders)} alone; `ptacl predict --model` takes it"
        )
    settings, preprocessing = read_settings(model)
    readout = load_bundled_readout(model)
    targets = load_bundled_targets(model, readout)
    for modality in ENCODER_FILES:
        load_bundled_tower(model, modality)
    close_folder(directory)
    with hold_lock(directory / LOCK_FILE, purpose="unpacking"):
        store_settings(directory, settings)
        document = CheckpointDocument(
            stage=ALIGN,
            step=0,
            settings=settings,
            preprocessing=preprocessing,
            preprocessing_hash=preprocessing.hash(),
            data_sha256=model.document.training.data_sha256,
            files={},
        )
        # nothing is trained here: the log of the run begins and ends with where it came from
        MetricsLog(directory / METRICS_FILE).append(stage=ALIGN, step=0, packed=model.sha256)
        write_json(directory / PACKED_FILE, model.document.as_dict())
        write_health(directory, _tell_health(model, settings.health))
        save_checkpoint(final, document, {WEIGHTS_FILE: _collect_weights(model)})
        sha256 = load_document(final).files[WEIGHTS_FILE].sha256
        targets.renamed(sha256).save(directory / READOUT_FOLDER)
        readout.renamed(sha256).save(directory / READOUT_FOLDER)
        record_start(
            cohort_dir, run=name, stage=ALIGN, people=[], data_sha256=None, progress=progress
        )
        record_end(cohort_dir, run=name, stage=ALIGN, weights_sha256=sha256)
    return name


def _check_same(model: ModelFile, directory: Path, final: Path) -> None:
    """Raise CohortError unless the run's weights are those of the file."""
    theirs = {encoder.checkpoint_sha256 for encoder in model.document.encoders.values()}
    is_unpacked = is_packed(directory) and model.document.as_dict() == _read_packed(directory)
    if not is_unpacked and load_document(final).files[WEIGHTS_FILE].sha256 not in theirs:
        raise _taken(directory.name)


def _taken(name: str) -> CohortError:
    return CohortError(
        f"runs/{name}: another run has the name of the packed model; pack it from a run of another "
        "name, or take that run away"
    )


def _read_packed(directory: Path) -> dict[str, object]:
    return BundleDocument.read(directory / PACKED_FILE).as_dict()


def _tell_health(model: ModelFile, limits: HealthSettings) -> RunHealth:
    names = HealthLimits.model_fields
    return RunHealth(
        run=model.document.name,
        limits=HealthLimits(**{name: getattr(limits, name) for name in names}),
        stages=model.document.health,
    )


def _collect_weights(model: ModelFile) -> dict[str, torch.Tensor]:
    return {
        f"towers.{_TOWERS[modality]}_{name}": torch.from_numpy(values)
        for modality, file in ENCODER_FILES.items()
        for name, values in model.tensors(file).items()
    }
