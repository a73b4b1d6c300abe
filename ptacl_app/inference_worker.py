"""Runs in the child process: one file → findings, prediction, the leads to draw.

The stage is imported by name, here only: the app's own process never imports torch, and
`import-linter` holds it to that.
"""

import importlib
from pathlib import Path
from typing import Any

import numpy as np

from ptacl_core.errors import CheckpointError, CohortError, RecordError
from ptacl_core.io import read_ecg
from ptacl_core.preprocess import prepare_ecg
from ptacl_core.safety.text import clean_text

_PREDICT_STAGE = "ptacl_core.stages.predict"


def handle(request: dict[str, Any], payload: bytes) -> tuple[dict[str, Any], bytes]:
    """Answer one request of `inference.Predictor`: a document, and the leads as float32.

    A file that cannot be read, or a cohort without a model, is part of the answer.
    """
    del payload
    path = Path(request["file"])
    try:
        record = read_ecg(path, **request["hints"])
        prepared = prepare_ecg(record)
    except RecordError as error:
        return {"error": clean_text(str(error), max_length=600)}, b""
    document: dict[str, Any] = {
        "format": record.source_format,
        "findings": [finding.as_dict() for finding in prepared.findings],
        "is_accepted": prepared.is_accepted,
        "heart_rate_bpm": prepared.heart_rate_bpm,
        "r_peak_samples": prepared.r_peak_samples.tolist(),
        "num_samples": int(prepared.signal_mv.shape[1]),
    }
    if prepared.is_accepted and request["cohort"] is not None:
        document |= _predict(path, request)
    return document, np.ascontiguousarray(prepared.signal_mv, np.float32).tobytes()


def _predict(path: Path, request: dict[str, Any]) -> dict[str, Any]:
    stage = importlib.import_module(_PREDICT_STAGE)
    try:
        answers = stage.run(
            [path],
            Path(request["cohort"]),
            run=request["run"],
            k=request["num_neighbours"],
            hints=request["hints"],
        )
    except (CohortError, CheckpointError) as error:
        return {"model_error": clean_text(str(error), max_length=600)}
    return {"answer": answers[0]}
