"""Checkpoints: safetensors and JSON, whole or not there, verified before they are used.

checkpoints/<stage>/step-00000200/weights.safetensors   the trained modules
                                 /state.safetensors     optimizer, best weights so far
                                 /checkpoint.json       what they are, and their SHA-256
checkpoints/<stage>/final/                              weights of a finished stage

`checkpoint.json` is written last: a folder without it was cut off and does not count. Files
are read whole, hashed, and only then parsed; nothing here can run code from a file.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import safetensors.torch
import torch
from pydantic import Field
from safetensors import SafetensorError
from torch import nn

from ptacl_core import __version__
from ptacl_core.config.model import Settings
from ptacl_core.config.preprocess import PreprocessSettings
from ptacl_core.config.training import RunSettings
from ptacl_core.errors import CheckpointError, ConfigError
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.records import LEAD_NAMES, PHENOTYPE_NAMES, PHENOTYPE_UNITS
from ptacl_core.safety.files.atomic import make_folder, write_bytes, write_json
from ptacl_core.tensors import Tensor

KIND = "ptacl-checkpoint"
VERSION = 1
WEIGHTS_FILE = "weights.safetensors"
STATE_FILE = "state.safetensors"
DOCUMENT_FILE = "checkpoint.json"
FINAL = "final"
_MAX_DOCUMENT_BYTES = 2**22


class StoredFile(Settings):
    """Size and hash of one file of a checkpoint."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    num_bytes: int = Field(ge=0)


class CheckpointDocument(Settings):
    """What a checkpoint says about itself (`checkpoint.json`)."""

    kind: Literal["ptacl-checkpoint"] = KIND
    version: Literal[1] = VERSION
    software: str = __version__
    stage: str
    """Stage that trained the weights: ecg, cmr, align, finetune-ecg, supervised-cmr …"""
    step: int = Field(ge=0)
    """Steps done; of a final checkpoint, the step whose weights were kept."""
    settings: RunSettings
    """The run's settings."""
    preprocessing: PreprocessSettings
    """How its recordings were preprocessed; new ones must be treated the same."""
    preprocessing_hash: str
    """Hash of `preprocessing`."""
    data_sha256: str | None = None
    """SHA-256 of shards/manifest.parquet as the stage read it; None: written before 25 November
    2026, when it was not kept."""
    lead_names: tuple[str, ...] = LEAD_NAMES
    """Order of the leads."""
    target_names: tuple[str, ...] = PHENOTYPE_NAMES
    """Order of the phenotypes that a head predicts."""
    target_units: tuple[str, ...] = tuple(PHENOTYPE_UNITS[name] for name in PHENOTYPE_NAMES)
    """Their units."""
    target_mean: tuple[float, ...] | None = None
    """Means that a head's targets were z-scored with, in their units; None: no head."""
    target_sd: tuple[float, ...] | None = None
    """Standard deviations that a head's targets were z-scored with; None: no head."""
    position: dict[str, int | float | None] = Field(default_factory=dict)
    """Where the loop stood (`FitState`); data order and generators follow from seed and step."""
    files: dict[str, StoredFile]
    """The tensors' files."""


def save_checkpoint(
    folder: Path, document: CheckpointDocument, tensors: Mapping[str, Mapping[str, Tensor]]
) -> None:
    """Write `tensors` (by file name) and then the document, which makes the folder count.

    Raises CheckpointError when the disk is full or refuses; earlier checkpoints stay.
    """
    try:
        if folder.exists():
            remove_checkpoint(folder)
        make_folder(folder)
        files = {}
        for name, values in tensors.items():
            packed = {key: value.detach().cpu().contiguous() for key, value in values.items()}
            data = safetensors.torch.save(packed)
            write_bytes(folder / name, data)
            files[name] = StoredFile(sha256=hashlib.sha256(data).hexdigest(), num_bytes=len(data))
        body = document.model_copy(update={"files": files}).model_dump(mode="json")
        write_json(folder / DOCUMENT_FILE, {"sha256": _hash_json(body), "document": body})
    except (OSError, RuntimeError, SafetensorError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise CheckpointError(
            f"checkpoint {_place(folder)} could not be written ({error}); earlier checkpoints "
            "are intact: free disk space, then go on with --resume"
        ) from error


def load_document(folder: Path) -> CheckpointDocument:
    """The verified document of a checkpoint. Raises CheckpointError."""
    path = folder / DOCUMENT_FILE
    try:
        if path.stat().st_size > _MAX_DOCUMENT_BYTES:
            raise CheckpointError(f"{_place(folder)}: {DOCUMENT_FILE} is larger than any of ours")
        outer = json.loads(path.read_bytes())
        body, recorded = outer["document"], outer["sha256"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(
            f"{_place(folder)}: {DOCUMENT_FILE} cannot be read ({type(error).__name__})"
        ) from None
    if _hash_json(body) != recorded:
        raise CheckpointError(f"{_place(folder)}: {DOCUMENT_FILE} was changed after it was written")
    if not isinstance(body, dict) or body.get("kind") != KIND or body.get("version") != VERSION:
        raise CheckpointError(
            f"{_place(folder)}: expected {KIND} version {VERSION}, got "
            f"{_peek(body, 'kind')} version {_peek(body, 'version')}"
        )
    try:
        document = CheckpointDocument.from_mapping(body, source=f"{_place(folder)}")
    except ConfigError as error:
        raise CheckpointError(str(error)) from None
    has_own_targets = (
        document.stage.startswith("finetune-") and document.settings.finetune.targets == "cohort"
    )
    is_order_ours = has_own_targets or document.target_names == PHENOTYPE_NAMES
    if document.lead_names != LEAD_NAMES or not is_order_ours:
        raise CheckpointError(
            f"{_place(folder)}: leads or phenotypes stand in another order than this software's"
        )
    if document.preprocessing.hash() != document.preprocessing_hash:
        raise CheckpointError(f"{_place(folder)}: preprocessing settings do not match their hash")
    return document


def load_tensors(folder: Path, document: CheckpointDocument, name: str) -> dict[str, Tensor]:
    """Tensors of one file, after its size and hash agreed with the document.

    Raises CheckpointError for a file that is missing, changed, malformed or not finite.
    """
    stored = document.files.get(name)
    if stored is None:
        raise CheckpointError(f"{_place(folder)}: has no {name}")
    try:
        with (folder / name).open("rb") as stream:
            data = stream.read(stored.num_bytes + 1)
    except OSError as error:
        raise CheckpointError(
            f"{_place(folder)}: {name} cannot be read ({type(error).__name__})"
        ) from None
    if len(data) != stored.num_bytes or hashlib.sha256(data).hexdigest() != stored.sha256:
        raise CheckpointError(f"{_place(folder)}: {name} is damaged (size or SHA-256 differ)")
    try:
        tensors = safetensors.torch.load(data)
    except (SafetensorError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{_place(folder)}: {name} is not a safetensors file of ours ({type(error).__name__})"
        ) from None
    for key, value in tensors.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise CheckpointError(
                f"{_place(folder)}: {name} holds values that are not finite: {key}"
            )
    return tensors


class CheckpointFolder:
    """Checkpoints of one stage; the newest `keep` are kept."""

    def __init__(self, directory: Path, *, keep: int = 3, progress: ProgressSink = SILENT):
        self.directory, self.keep, self.progress = directory, keep, progress

    @property
    def has_any(self) -> bool:
        """Whether the stage was started."""
        return any(self.directory.glob(f"*/{DOCUMENT_FILE}"))

    @property
    def is_finished(self) -> bool:
        """Whether the stage has its final weights."""
        return (self.directory / FINAL / DOCUMENT_FILE).exists()

    def save(
        self,
        document: CheckpointDocument,
        weights: Mapping[str, Tensor],
        state: Mapping[str, Tensor],
    ) -> None:
        """Store the state after `document.step` steps and drop the oldest checkpoints."""
        folder = self.directory / f"step-{document.step:08d}"
        save_checkpoint(folder, document, {WEIGHTS_FILE: weights, STATE_FILE: state})
        for old in self._folders()[self.keep :]:
            remove_checkpoint(old)

    def finish(self, document: CheckpointDocument, weights: Mapping[str, Tensor]) -> None:
        """Store the final weights and drop the checkpoints of the way there."""
        save_checkpoint(self.directory / FINAL, document, {WEIGHTS_FILE: weights})
        for old in self._folders():
            remove_checkpoint(old)

    def load_latest(
        self,
    ) -> tuple[CheckpointDocument, dict[str, Tensor], dict[str, Tensor]] | None:
        """Newest whole checkpoint as (document, weights, state); None when there is none.

        A damaged one is passed over with a warning. Raises CheckpointError when all are
        damaged: training is never restarted silently. A first checkpoint that was cut off
        while it was written counts as none, and is said.
        """
        faults = []
        folders = self._folders()
        if len(folders) == 1 and not (folders[0] / DOCUMENT_FILE).exists():
            self.progress.say(f"{_place(folders[0])} was cut off: the stage starts anew")
            return None
        for folder in folders:
            try:
                document = load_document(folder)
                weights = load_tensors(folder, document, WEIGHTS_FILE)
                state = load_tensors(folder, document, STATE_FILE)
            except CheckpointError as error:
                faults.append(str(error))
                self.progress.say(f"warning: {error}; falling back to the checkpoint before it")
                continue
            return document, weights, state
        if faults:
            raise CheckpointError(
                f"no checkpoint of stage {self.directory.name} can be used: {'; '.join(faults)}. "
                "Restore them, or remove the folder to train the stage from the start"
            )
        return None

    def _folders(self) -> list[Path]:
        return sorted(self.directory.glob("step-*"), reverse=True)


def load_weights(module: nn.Module, weights: Mapping[str, Tensor], *, place: str) -> None:
    """Load all weights of `module`; names and shapes must agree. Raises CheckpointError."""
    expected = module.state_dict()
    missing = sorted(set(expected) - set(weights))
    unknown = sorted(set(weights) - set(expected))
    misshapen = [
        f"{name} {tuple(weights[name].shape)} instead of {tuple(expected[name].shape)}"
        for name in sorted(set(expected) & set(weights))
        if weights[name].shape != expected[name].shape
    ]
    if missing or unknown or misshapen:
        parts = (("missing", missing), ("unknown", unknown), ("of another shape", misshapen))
        faults = "; ".join(f"{word}: {', '.join(names[:3])}" for word, names in parts if names)
        raise CheckpointError(
            f"{place}: the stored weights do not fit the model ({faults}); "
            "the settings and the checkpoint do not belong together"
        )
    module.load_state_dict(dict(weights))


def remove_checkpoint(folder: Path) -> None:
    """Remove a checkpoint, its document first, so that a cut-off removal leaves none."""
    (folder / DOCUMENT_FILE).unlink(missing_ok=True)
    shutil.rmtree(folder)


def _hash_json(body: Any) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _place(folder: Path) -> str:
    return f"{folder.parent.name}/{folder.name}"


def _peek(body: Any, key: str) -> str:
    return repr(body.get(key))[:40] if isinstance(body, dict) else type(body).__name__
