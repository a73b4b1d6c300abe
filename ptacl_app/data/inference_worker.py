"""Runs in the child process: a file → findings, prediction, leads; a recording → what it rests on.

The stage is imported by name, here only: the app's own process never imports torch, and
`import-linter` holds it to that.
"""

import importlib
from pathlib import Path

import numpy as np

from ptacl_app.data.file_reading_worker import read_file
from ptacl_core.errors import (
    CheckpointError,
    CohortError,
    ConfigError,
    PtaclError,
    ShardError,
)
from ptacl_core.ingest.new_files import add_files
from ptacl_core.progress import SILENT
from ptacl_core.records import PreparedEcg, parse_person
from ptacl_core.safety.processes.worker import Message
from ptacl_core.safety.text.printable import clean_text
from ptacl_core.shards import ShardReader

_PREDICT_STAGE = "ptacl_core.stages.predict.run"
_ADD_STAGE = "ptacl_core.stages.embed.added"


def handle(request: Message, payload: bytes) -> tuple[dict[str, object], bytes]:
    """Answer one request of `inference.Predictor`: a document, and for a file its leads.

    A file that cannot be read, or a cohort without a model, is part of the answer.
    """
    del payload
    if request["task"] == "explain":
        return _explain(request), b""
    if request["task"] == "keep":
        return _keep(request), b""
    return _read(request)


def _read(request: Message) -> tuple[dict[str, object], bytes]:
    path = Path(request["file"])
    document, leads = read_file(path, request["hints"])
    if document.get("is_accepted") and request["cohort"] is not None:
        document |= _predict(path, request)
    return document, leads


def _predict(path: Path, request: Message) -> dict[str, object]:
    stage = importlib.import_module(_PREDICT_STAGE)
    try:
        answers = stage.run(
            [path],
            Path(request["cohort"]),
            run=request["run"],
            k=request["num_neighbours"],
            hints=request["hints"],
            person=parse_person(request["person"]),
        )
    except (CohortError, CheckpointError, ConfigError) as error:
        return {"model_error": clean_text(str(error), max_length=600)}
    return {"answer": answers[0]}


def _explain(request: Message) -> dict[str, object]:
    stage = importlib.import_module(_PREDICT_STAGE)
    cohort = Path(request["cohort"])
    try:
        predictor = stage.EcgPredictor.of_run(cohort, request["run"])
        if request["file"] is not None:
            _, prepared = predictor.prepare(Path(request["file"]), request["hints"])
        else:
            prepared = _load_prepared(cohort, request["patient"], request["visit"])
        return {"saliency": predictor.explain(prepared).model_dump(mode="json")}
    except PtaclError as error:
        return {"error": clean_text(str(error), max_length=600)}


def _keep(request: Message) -> dict[str, object]:
    """Add the file to the cohort as one of its recordings; it alone is embedded, by its model."""
    cohort, path = Path(request["cohort"]), Path(request["file"])
    try:
        before = _list_patients(cohort)
        if request["run"] is None:
            with ShardReader.open(cohort) as shards:
                settings = shards.preprocessing
            add_files(cohort, [path], settings, progress=SILENT)
        else:
            stage = importlib.import_module(_ADD_STAGE)
            stage.run(cohort, [path], run=request["run"])
        added = sorted(_list_patients(cohort) - before)
    except PtaclError as error:
        return {"error": clean_text(str(error), max_length=600)}
    return {"patients": added}


def _list_patients(cohort: Path) -> set[str]:
    with ShardReader.open(cohort) as shards:
        return set(shards.patients)


def _load_prepared(cohort: Path, patient: str, visit: int) -> PreparedEcg:
    """One ECG of the cohort as it was prepared."""
    with ShardReader.open(cohort) as shards:
        for row in shards.rows(needs=("ecg",)):
            if shards.patients[row] == patient and int(shards.visits[row]) == visit:
                at = np.array([row], np.int64)
                return PreparedEcg(
                    shards.read_ecg(at)[0].astype(np.float32),
                    shards.read_ecg_mv(at)[0],
                    shards.r_peaks(at)[0],
                    None,
                )
    raise ShardError("this visit has no ECG in shards/; run `ptacl verify`")
