"""What a new ECG says: findings first, then phenotypes with intervals and nearest patients."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ptacl_core.arrays import Array, Float32
from ptacl_core.cohort import Cohort, Neighbour
from ptacl_core.cohort.notes.readings import log_reading
from ptacl_core.documents.prediction import PredictionDocument
from ptacl_core.embedding.ecg_input import find_beat_layout
from ptacl_core.embedding.encoding import Features, encode_ecgs
from ptacl_core.embedding.readout import ReadOut
from ptacl_core.embedding.saliency import explain_ecg
from ptacl_core.errors import CheckpointError, PtaclError, RecordError
from ptacl_core.io import read_ecg
from ptacl_core.preprocess import analyse_ecg, prepare_ecg
from ptacl_core.preprocess.beat_spans import beat_spans
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.records import (
    LEAD_NAMES,
    PHENOTYPE_NAMES,
    EcgRecord,
    Finding,
    Person,
    PreparedEcg,
)
from ptacl_core.runs.choose import load_aligned_run
from ptacl_core.runs.health import explain_unfit
from ptacl_core.safety.text.printable import clean_text
from ptacl_core.stages.predict.answer import (
    NO_MEASUREMENTS,
    NUM_DESCRIBED,
    answer_measurements,
    answer_neighbours,
    answer_phenotypes,
)
from ptacl_core.stages.predict.withdrawal import WITHDRAWN, ask_register, tell_mark

UNKNOWN_PERSON = Person()
NO_COMPLETE_BEAT = (
    "no complete beat of 0.3 to 2.0 s, R to R, was found; this run's encoder takes single "
    "beats: record a longer ECG, or use a run of the family vit"
)


class EcgPredictor:
    """A run's ECG encoder and read-out, loaded once, answering for one file after another.

    `unfit` says why the run should not be relied on (not learned, a control); None: nothing.

    Raises CohortError or CheckpointError when the run or its read-out cannot be used.
    """

    def __init__(self, cohort_dir: Path, run: str | None, *, device: str = "auto") -> None:
        self._run = load_aligned_run(cohort_dir, run, device=device)
        self.run_name = self._run.name
        self.unfit = explain_unfit(self._run.directory)
        self.readout = ReadOut.load(self._run.directory / "readout")
        if self.readout.checkpoint_sha256 != self._run.checkpoint_sha256:
            raise CheckpointError(
                f"run {self.run_name}: its read-out was made for other weights; "
                f"`ptacl embed COHORT --run {self.run_name}` makes it anew"
            )

    def describe_use(self) -> dict[str, str]:
        """What the audit log says of a use of this model: run and weights."""
        return {"run": self.run_name, "checkpoint_sha256": self._run.checkpoint_sha256}

    def prepare(self, path: Path, hints: Mapping[str, Any]) -> tuple[EcgRecord, PreparedEcg]:
        """Read and preprocess one file as the run's training data were. Raises RecordError."""
        record = read_ecg(path, **hints)
        return record, prepare_ecg(record, self._run.preprocessing.ecg)

    def can_encode(self, prepared: PreparedEcg) -> bool:
        """False where the run's encoder takes beats and the ECG holds no complete one."""
        if find_beat_layout(self._run.ecg_encoder) is None:
            return True
        num_samples = self._run.settings.data.ecg_crop_samples
        spans = beat_spans([prepared.r_peak_samples], num_samples=num_samples)
        return bool(spans[0, 0, 0] >= 0)

    def encode(self, prepared: PreparedEcg) -> Features:
        """Features of one prepared ECG."""
        return encode_ecgs(
            self._run.ecg_encoder,
            self._run.ecg_projection,
            prepared.signal[None],
            [prepared.r_peak_samples],
            self._run.view,
        )

    def explain(self, prepared: PreparedEcg) -> dict[str, Any]:
        """How each prediction changes when a lead, or a phase of the beat, is masked.

        {"leads": {phenotype: {lead: change}}, "steps": {phenotype: [13 changes]}}, masked minus
        as recorded, in the phenotype's unit; `steps` is None without a complete beat.
        """
        settings = self._run.settings
        saliency = explain_ecg(
            self._run.ecg_encoder,
            self.readout.probe,
            prepared.signal[:, : settings.data.ecg_crop_samples],
            prepared.r_peak_samples,
            num_steps=settings.data.num_steps,
            precision=settings.precision,
        )
        return {
            "leads": {
                name: dict(zip(LEAD_NAMES, saliency.leads[:, column].tolist(), strict=True))
                for column, name in enumerate(PHENOTYPE_NAMES)
            },
            "steps": None
            if saliency.steps is None
            else {
                name: saliency.steps[:, column].tolist()
                for column, name in enumerate(PHENOTYPE_NAMES)
            },
        }

    def embed_file(self, path: Path) -> Float32[Array, " embedding"]:
        """Embedding of one file in the shared space. Raises RecordError."""
        _, prepared = self.prepare(path, {})
        if not prepared.is_accepted:
            raise RecordError(f"{clean_text(path.name)}: {_rejection(prepared.findings)}")
        if not self.can_encode(prepared):
            raise RecordError(f"{clean_text(path.name)}: {NO_COMPLETE_BEAT}")
        projected = self.encode(prepared).projected
        assert projected is not None
        return projected[0]


def run(
    files: Sequence[Path],
    cohort_dir: Path,
    *,
    run: str | None = None,
    k: int = 5,
    hints: Mapping[str, Any] | None = None,
    person: Person = UNKNOWN_PERSON,
    with_saliency: bool = False,
    device: str = "auto",
    progress: ProgressSink = SILENT,
) -> list[dict[str, Any]]:
    """One answer per file, in order.

    `person` is whose ECGs they are: intervals are then those of their sex and age where the
    run has them, and predictions get z-scores. A file that cannot be used has `accepted` False
    and an `error` of one line; the others are answered all the same. Raises CohortError or
    CheckpointError when no file could be answered for.
    """
    predictor = EcgPredictor(cohort_dir, run, device=device)
    if predictor.unfit is not None:
        progress.say(f"WARNING: {predictor.unfit}")
    answers = []
    progress.start("predict", len(files), "ECGs")
    with Cohort.open(cohort_dir) as cohort:
        log_reading(cohort.description, "predict", **predictor.describe_use(), num_files=len(files))
        tell_mark(cohort, predictor.run_name, progress)
        is_withdrawn = ask_register(cohort, progress)
        for path in files:
            if is_withdrawn(path, hints or {}):
                answer = _refusal(path, predictor, WITHDRAWN, ())
            else:
                answer = _answer(path, predictor, cohort, k, hints or {}, person, with_saliency)
            answers.append(_as_document(answer, with_saliency=with_saliency))
            progress.advance("predict")
    progress.finish("predict")
    return answers


def _as_document(answer: Mapping[str, Any], *, with_saliency: bool) -> dict[str, Any]:
    """The answer as the published document has it; saliency only where it was asked for."""
    values = {"version": PredictionDocument.VERSION, **answer}
    document = PredictionDocument.parse(values, source="prediction").as_dict()
    if not with_saliency:
        document.pop("saliency")
    return document


def _answer(
    path: Path,
    predictor: EcgPredictor,
    cohort: Cohort,
    k: int,
    hints: Mapping[str, Any],
    person: Person,
    with_saliency: bool,
) -> dict[str, Any]:
    try:
        record, prepared = predictor.prepare(path, hints)
    except PtaclError as error:
        return _refusal(path, predictor, str(error), ())
    if not prepared.is_accepted:
        return _refusal(path, predictor, _rejection(prepared.findings), prepared.findings)
    if not predictor.can_encode(prepared):
        return _refusal(path, predictor, NO_COMPLETE_BEAT, prepared.findings)
    features = predictor.encode(prepared)
    assert features.projected is not None
    nearest: list[Neighbour] = []
    if k:
        num_wanted = max(k, NUM_DESCRIBED)
        nearest = cohort.neighbours(features.projected[0], k=num_wanted, run=predictor.run_name)
    analysis = analyse_ecg(prepared, record)
    return {
        "file": str(path),
        "accepted": True,
        "run": predictor.run_name,
        "model_warning": predictor.unfit,
        "findings": [finding.as_dict() for finding in (*prepared.findings, *analysis.findings)],
        "heart_rate_bpm": prepared.heart_rate_bpm,
        **answer_measurements(analysis, record),
        **answer_phenotypes(predictor.readout, features.pooled, person),
        "neighbours": [
            {"patient": neighbour.patient, "similarity": neighbour.similarity}
            for neighbour in nearest[:k]
        ],
        "neighbour_phenotypes": answer_neighbours(nearest[:NUM_DESCRIBED]),
        **({"saliency": predictor.explain(prepared)} if with_saliency else {}),
    }


def _refusal(
    path: Path, predictor: EcgPredictor, error: str, findings: Sequence[Finding]
) -> dict[str, Any]:
    return {
        "file": str(path),
        "accepted": False,
        "run": predictor.run_name,
        "model_warning": predictor.unfit,
        "error": error,
        "findings": [finding.as_dict() for finding in findings],
        "heart_rate_bpm": None,
        **NO_MEASUREMENTS,
        "phenotypes": {},
        "out_of_distribution": None,
        "neighbours": [],
        "neighbour_phenotypes": {},
    }


def _rejection(findings: Sequence[Finding]) -> str:
    return "; ".join(str(finding) for finding in findings if finding.severity == "reject")
