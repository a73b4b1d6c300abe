"""A frozen ECG encoder that was not trained here, as a row of Table 2.

It is a function: signals in, features out. It is measured as PTACL's own encoders are, by a
linear probe, with the label curve, the nested question and the rows without learning.
"""

import hashlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np

from ptacl_core.arrays import Array, Float32
from ptacl_core.cohort import Cohort
from ptacl_core.documents.evaluation import ForeignEvaluationDocument
from ptacl_core.documents.figures import SOURCE_NOTES
from ptacl_core.embedding.patients import EvaluationSplit, load_split
from ptacl_core.errors import EncoderError
from ptacl_core.evaluate import draw_resamples
from ptacl_core.evaluate.resampling import BOOTSTRAP_SEED
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.shards import ShardReader
from ptacl_core.stages.evaluate.bars import measure_bars
from ptacl_core.stages.evaluate.rows import EvaluationRows
from ptacl_core.stages.evaluate.run import find_unjudged

EncodeSignals = Callable[[Float32[Array, "patient 12 sample"], float], Array]
"""(Signals, sampling rate in Hz) → features [patient, feature].

The signals are those that PTACL's own encoders take: leads I, II, III, aVR, aVL, aVF, V1 to V6,
prepared and normalised as the cohort's preprocessing says.
"""

ROWS_PER_CALL = 64


def load_function(place: str) -> tuple[EncodeSignals, str]:
    """The function that FILE.py:NAME names, and the file's SHA-256.

    The file runs with the rights of whoever calls: take only what you trust. Raises EncoderError.
    """
    path_text, _, name = place.rpartition(":")
    path = Path(path_text)
    if path.suffix != ".py" or not name.isidentifier():
        raise EncoderError(f"--encoder: expected FILE.py:FUNCTION, got {place}")
    try:
        source = path.read_bytes()
        spec = importlib.util.spec_from_file_location("ptacl_foreign_encoder", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    except Exception as error:
        raise EncoderError(
            f"--encoder: {path.name} cannot be loaded ({type(error).__name__}: {error})"
        ) from error
    function = getattr(module, name, None)
    if not callable(function):
        raise EncoderError(f"--encoder: {path.name} has no function {name}")
    return cast(EncodeSignals, function), hashlib.sha256(source).hexdigest()


def run(
    cohort_dir: Path,
    encode: EncodeSignals,
    *,
    name: str,
    encoder_sha256: str | None = None,
    num_resamples: int = 2000,
    progress: ProgressSink = SILENT,
) -> ForeignEvaluationDocument:
    """Measure `encode` on the cohort's test split; nothing is stored.

    Raises EncoderError when it gives anything but finite features, one row a patient, of one
    width, and CohortError when train or test lack pairs.
    """
    with Cohort.open(cohort_dir) as cohort:
        note = SOURCE_NOTES[cohort.description.source]
    with ShardReader.open(cohort_dir) as reader:
        train, test = load_split(reader, "train"), load_split(reader, "test")
        features = (
            _encode(reader, train, encode, f"{name}, train", progress),
            _encode(reader, test, encode, f"{name}, test", progress),
        )
        if features[0].shape[1] != features[1].shape[1]:
            raise EncoderError(
                f"{name}: {features[0].shape[1]} features of training and "
                f"{features[1].shape[1]} of test patients; expected one width"
            )
        resamples = draw_resamples(
            len(test),
            generator=np.random.default_rng(BOOTSTRAP_SEED),
            num_resamples=num_resamples,
            patients=test.patients,
        )
        rows = EvaluationRows(train, test, resamples, measure_bars(reader, train, test, progress))
        data_sha256 = reader.manifest_sha256
    rows.add_features("foreign-ecg", name, "ecg", features)
    rows.ask(features, failures=())
    return ForeignEvaluationDocument.parse(
        {
            "version": ForeignEvaluationDocument.VERSION,
            "encoder": name,
            "encoder_sha256": encoder_sha256,
            "num_features": features[0].shape[1],
            "rows": rows.table.rows(),
            "nested": rows.nested,
            "unjudged": find_unjudged(test),
            "patients": {"train": len(train), "validation": 0, "test": len(test)},
            "resamples": num_resamples,
            "data_sha256": data_sha256,
            "note": note,
        },
        source=f"evaluation of {name}",
    )


def _encode(
    reader: ShardReader,
    split: EvaluationSplit,
    encode: EncodeSignals,
    task: str,
    progress: ProgressSink,
) -> Array:
    progress.start(task, len(split.rows), "ECGs")
    rate_hz = reader.preprocessing.ecg.sampling_rate_hz
    parts = []
    for start in range(0, len(split.rows), ROWS_PER_CALL):
        piece = split.rows[start : start + ROWS_PER_CALL]
        signals = np.asarray(reader.read_ecg(piece), np.float32)
        parts.append(_check(np.asarray(encode(signals, rate_hz)), len(piece), task))
        if parts[0].shape[1] != parts[-1].shape[1]:
            raise EncoderError(f"{task}: features of {parts[0].shape[1]} and {parts[-1].shape[1]}")
        progress.advance(task, len(piece))
    progress.finish(task)
    return np.concatenate(parts)


def _check(features: Array, num_patients: int, task: str) -> Array:
    if features.ndim != 2 or len(features) != num_patients or features.shape[1] == 0:
        raise EncoderError(
            f"{task}: expected features of shape [{num_patients}, feature], got "
            f"{list(features.shape)}"
        )
    if features.dtype.kind not in "fiu" or not np.isfinite(features).all():
        raise EncoderError(f"{task}: the features hold values that are not finite numbers")
    return features.astype(np.float64)
