"""A packed model on disk: its document and tensors, verified against their hashes and bounds."""

import hashlib
import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from ptacl_core.arrays import Modality
from ptacl_core.bundle.container import MAX_FILE_BYTES, SUFFIX, Container, write_members
from ptacl_core.documents.bundle import AggregateEvaluation, BundledFile, BundleDocument
from ptacl_core.documents.model import DocumentError
from ptacl_core.errors import BundleError
from ptacl_core.records import LEAD_NAMES, PHENOTYPE_NAMES, PHENOTYPE_UNITS

DOCUMENT_FILE = "bundle.json"
READOUT_FILE = "readout.safetensors"
TARGETS_FILE = "targets.safetensors"
EVALUATION_FILE = "evaluation.json"
CARD_FILE = "model_card.md"
ENCODER_FILES: Mapping[Modality, str] = {"ecg": "ecg.safetensors", "cmr": "cmr.safetensors"}
MEMBER_NAMES = frozenset(
    {DOCUMENT_FILE, READOUT_FILE, TARGETS_FILE, EVALUATION_FILE, CARD_FILE, *ENCODER_FILES.values()}
)
MAX_TEXT_BYTES = 4 * 2**20
MAX_READOUT_BYTES = 64 * 2**20
MAX_JSON_DEPTH = 24

Tensors = Mapping[str, np.ndarray]


EXAMPLE = "example"
"""Names the model that comes with the package, trained on the simulated demo cohort."""


def is_bundle(path: Path | str) -> bool:
    """Whether a path is meant as a packed model: by its ending, or as the example."""
    return str(path).endswith(SUFFIX) or str(path) == EXAMPLE


def find_bundle(path: Path) -> Path:
    """The path of a packed model; "example" is the package's own, where no such file lies."""
    if str(path) != EXAMPLE or path.exists():
        return path
    return Path(str(resources.files("ptacl_core") / "presets" / "models" / "example.ptacl"))


class ModelFile:
    """A packed model, opened: `document` is read and checked, tensors are read when asked for.

    Raises BundleError, in one line, for a file that is damaged, hostile, or of a newer version.
    """

    def __init__(self, path: Path) -> None:
        self.path = find_bundle(path)
        self._container = Container(self.path, names=MEMBER_NAMES)
        self.place = self._container.place
        data = self._container.read(DOCUMENT_FILE, max_bytes=MAX_TEXT_BYTES)
        self.sha256 = hashlib.sha256(data).hexdigest()
        """Names the model: the hash of its document, which holds the hashes of the rest."""
        values = self._parse(DOCUMENT_FILE, data)
        try:
            self.document = BundleDocument.parse(values, source=self.place)
        except DocumentError as error:
            raise BundleError(str(error)) from None
        self._check()

    def _check(self) -> None:
        """Members and the orders of leads and phenotypes are those that this software reads."""
        document = self.document
        listed, there = set(document.files), set(self._container.sizes()) - {DOCUMENT_FILE}
        if listed != there:
            odd = ", ".join(sorted(listed ^ there))
            raise BundleError(f"{self.place}: its members are not those it lists: {odd}")
        targets = tuple((target.name, target.unit) for target in document.targets)
        ours = tuple((name, PHENOTYPE_UNITS[name]) for name in PHENOTYPE_NAMES)
        if document.lead_names != LEAD_NAMES or targets not in ((), ours):
            raise BundleError(
                f"{self.place}: leads or phenotypes stand in another order than this software's"
            )
        held = {modality for modality, name in ENCODER_FILES.items() if name in listed}
        if set(document.encoders) != held:
            raise BundleError(f"{self.place}: lists other encoders than it holds")
        if any(e.has_projection != (e.stage == "align") for e in document.encoders.values()):
            raise BundleError(f"{self.place}: a projection goes with an aligned encoder alone")
        if (document.readout is not None) != (READOUT_FILE in listed):
            raise BundleError(f"{self.place}: lists a read-out that it does not hold")
        if bool(document.own_targets) != (TARGETS_FILE in listed):
            raise BundleError(f"{self.place}: lists targets that it does not hold")
        if document.own_targets and document.readout is None:
            raise BundleError(f"{self.place}: holds targets without a read-out")

    @property
    def num_bytes(self) -> int:
        """Size of the whole file."""
        return self._container.num_bytes

    def tensors(self, name: str) -> dict[str, np.ndarray]:
        """Tensors of one member: floating point and finite, but for counters.

        Raises BundleError when size, hash or form differ from what the document says.
        """
        is_readout = name in (READOUT_FILE, TARGETS_FILE)
        limit = MAX_READOUT_BYTES if is_readout else MAX_FILE_BYTES
        try:
            tensors = load_tensors(self._read(name, max_bytes=limit))
        except (SafetensorError, ValueError, KeyError, TypeError, OverflowError) as error:
            raise BundleError(
                f"{self.place}: {name} is not a safetensors file of ours ({type(error).__name__})"
            ) from None
        for key, values in tensors.items():
            is_number = values.dtype.kind in "fiu"
            if not is_number or (name != READOUT_FILE and not np.isfinite(values).all()):
                raise BundleError(
                    f"{self.place}: {name} holds values that are not finite numbers: {key[:60]}"
                )
        return tensors

    def evaluation(self) -> AggregateEvaluation | None:
        """Aggregates of the run's evaluation; None of a run that was not evaluated."""
        if EVALUATION_FILE not in self.document.files:
            return None
        values = self._parse(EVALUATION_FILE, self._read(EVALUATION_FILE, max_bytes=MAX_TEXT_BYTES))
        try:
            return AggregateEvaluation.parse(values, source=f"{self.place}, {EVALUATION_FILE}")
        except DocumentError as error:
            raise BundleError(str(error)) from None

    def card(self) -> str:
        """The model card, as Markdown."""
        data = self._read(CARD_FILE, max_bytes=MAX_TEXT_BYTES)
        return data.decode("utf-8", errors="replace")

    def verify(self) -> None:
        """Read everything once. Raises BundleError."""
        for name in self.document.files:
            if name.endswith(".safetensors"):
                self.tensors(name)
            else:
                self._read(name, max_bytes=MAX_TEXT_BYTES)
        self.evaluation()

    def _read(self, name: str, *, max_bytes: int) -> bytes:
        stored = self.document.files.get(name)
        if stored is None:
            raise BundleError(f"{self.place}: has no {name}")
        data = self._container.read(name, max_bytes=max_bytes)
        if len(data) != stored.num_bytes or hashlib.sha256(data).hexdigest() != stored.sha256:
            raise BundleError(f"{self.place}: {name} is damaged (size or SHA-256 differ)")
        return data

    def _parse(self, name: str, data: bytes) -> Any:
        try:
            values = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise BundleError(
                f"{self.place}: {name} cannot be read ({type(error).__name__})"
            ) from None
        if _is_deeper(values, MAX_JSON_DEPTH):
            raise BundleError(f"{self.place}: {name} is nested deeper than {MAX_JSON_DEPTH}")
        return values


def write_model_file(
    path: Path,
    document: BundleDocument,
    *,
    tensors: Mapping[str, Tensors],
    evaluation: AggregateEvaluation | None,
    card: str,
) -> None:
    """Write a packed model; sizes and hashes of `document` are filled in. Raises OSError."""
    members = {
        name: save_tensors({key: np.asarray(values, order="C") for key, values in arrays.items()})
        for name, arrays in tensors.items()
    }
    if evaluation is not None:
        members[EVALUATION_FILE] = _encode(evaluation.as_dict())
    members[CARD_FILE] = card.encode()
    files = {
        name: BundledFile(sha256=hashlib.sha256(data).hexdigest(), num_bytes=len(data))
        for name, data in members.items()
    }
    whole = document.model_copy(update={"files": files})
    write_members(path, {DOCUMENT_FILE: _encode(whole.as_dict()), **members})


def _encode(values: Any) -> bytes:
    return (json.dumps(values, indent=1, allow_nan=False, ensure_ascii=False) + "\n").encode()


def _is_deeper(values: Any, limit: int) -> bool:
    level = [values]
    for _ in range(limit):
        level = [
            child
            for container in level
            if isinstance(container, dict | list)
            for child in (container.values() if isinstance(container, dict) else container)
        ]
        if not level:
            return False
    return True
