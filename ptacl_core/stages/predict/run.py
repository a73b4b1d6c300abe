"""What a new ECG says: findings first, then phenotypes with intervals and nearest patients."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from ptacl_core.arrays import Array, Float32
from ptacl_core.cohort import Cohort, Neighbour
from ptacl_core.cohort.notes.readings import log_reading
from ptacl_core.documents.ecg_figures import FindingPart
from ptacl_core.documents.prediction import NeighbourPart, PredictionDocument, Saliency
from ptacl_core.embedding.ecg_input import find_beat_layout
from ptacl_core.embedding.encoding import Features, encode_ecgs
from ptacl_core.embedding.saliency import explain_ecg
from ptacl_core.errors import CohortError, PtaclError, RecordError
from ptacl_core.io import read_ecg
from ptacl_core.json_values import JsonObject
from ptacl_core.preprocess import analyse_ecg, prepare_ecg
from ptacl_core.preprocess.beat_spans import beat_spans
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.records import (
    LEAD_NAMES,
    EcgRecord,
    Finding,
    Person,
    PreparedEcg,
)
from ptacl_core.safety.text.printable import clean_text
from ptacl_core.stages.predict.answer import (
    NUM_DESCRIBED,
    answer_measurements,
    answer_neighbours,
    answer_phenotypes,
    answer_targets,
)
from ptacl_core.stages.predict.withdrawal import WITHDRAWN, IsWithdrawn, ask_register, tell_mark
from ptacl_core.trained.ecg_model import EcgModel

UNKNOWN_PERSON = Person()
NO_COMPLETE_BEAT = (
    "no complete beat of 0.3 to 2.0 s, R to R, was found; this run's encoder takes single "
    "beats: record a longer ECG, or use a run of the family vit"
)


class EcgPredictor:
    """A model's ECG encoder and read-out, loaded once, answering for one file after another.

    `unfit` says why the model should not be relied on (not learned, a control); None: nothing.
    """

    def __init__(self, model: EcgModel) -> None:
        self._model = model
        self.run_name, self.unfit, self.readout = model.name, model.unfit, model.readout
        self.targets = model.targets

    @classmethod
    def of_run(cls, cohort_dir: Path, run: str | None, *, device: str = "auto") -> Self:
        """The model of a run of a cohort. Raises CohortError, CheckpointError."""
        return cls(EcgModel.of_run(cohort_dir, run, device=device))

    @classmethod
    def of_file(cls, path: Path, *, device: str = "auto") -> Self:
        """The model in a packed file, without a cohort. Raises BundleError."""
        return cls(EcgModel.of_file(path, device=device))

    def describe_use(self) -> dict[str, str]:
        """What the audit log says of a use of this model: run and weights."""
        return {"run": self.run_name, "checkpoint_sha256": self._model.checkpoint_sha256}

    def prepare(self, path: Path, hints: Mapping[str, Any]) -> tuple[EcgRecord, PreparedEcg]:
        """Read and preprocess one file as the run's training data were. Raises RecordError."""
        record = read_ecg(path, **hints)
        return record, self.prepare_record(record)

    def prepare_record(self, record: EcgRecord) -> PreparedEcg:
        """Preprocess one recording as the model's training data were."""
        return prepare_ecg(record, self._model.preprocessing.ecg)

    def can_encode(self, prepared: PreparedEcg) -> bool:
        """False where the run's encoder takes beats and the ECG holds no complete one."""
        if find_beat_layout(self._model.encoder) is None:
            return True
        num_samples = self._model.settings.data.ecg_crop_samples
        spans = beat_spans([prepared.r_peak_samples], num_samples=num_samples)
        return bool(spans[0, 0, 0] >= 0)

    def encode(self, prepared: PreparedEcg) -> Features:
        """Features of one prepared ECG."""
        return self.encode_many([prepared])

    def encode_many(self, prepared: Sequence[PreparedEcg]) -> Features:
        """Features of prepared ECGs, in one pass."""
        return encode_ecgs(
            self._model.encoder,
            self._model.projection,
            np.stack([ecg.signal for ecg in prepared]),
            [ecg.r_peak_samples for ecg in prepared],
            self._model.view,
        )

    def explain_rejection(self, prepared: PreparedEcg) -> str | None:
        """Why this ECG cannot be answered for, in one line; None where it can."""
        if not prepared.is_accepted:
            return "; ".join(
                str(finding) for finding in prepared.findings if finding.severity == "reject"
            )
        return None if self.can_encode(prepared) else NO_COMPLETE_BEAT

    def explain(self, prepared: PreparedEcg) -> Saliency:
        """How each prediction changes when a lead, or a phase of the beat, is masked.

        Changes are masked minus as recorded, in the phenotype's unit; `steps` is None without a
        complete beat.
        """
        settings = self._model.settings
        saliency = explain_ecg(
            self._model.encoder,
            self.readout.probe,
            prepared.signal[:, : settings.data.ecg_crop_samples],
            prepared.r_peak_samples,
            num_steps=settings.data.num_steps,
            precision=settings.precision,
        )
        return Saliency(
            leads={
                name: dict(zip(LEAD_NAMES, saliency.leads[:, column].tolist(), strict=True))
                for column, name in enumerate(self.readout.names)
            },
            steps=None
            if saliency.steps is None
            else {
                name: tuple(saliency.steps[:, column].tolist())
                for column, name in enumerate(self.readout.names)
            },
        )

    def embed_file(self, path: Path) -> Float32[Array, " embedding"]:
        """Embedding of one file in the shared space. Raises RecordError."""
        _, prepared = self.prepare(path, {})
        why = self.explain_rejection(prepared)
        if why is not None:
            raise RecordError(f"{clean_text(path.name)}: {why}")
        projected = self.encode(prepared).projected
        assert projected is not None
        return projected[0]


def run(
    files: Sequence[Path],
    cohort_dir: Path | None,
    *,
    run: str | None = None,
    model: Path | None = None,
    k: int = 5,
    hints: Mapping[str, Any] | None = None,
    person: Person = UNKNOWN_PERSON,
    with_saliency: bool = False,
    device: str = "auto",
    progress: ProgressSink = SILENT,
) -> list[JsonObject]:
    """One answer per file, in order.

    `model` is a packed file in place of a run; nearest patients are then those of `cohort_dir`,
    where one is given that holds embeddings of the same weights, and none without a cohort.
    `person` is whose ECGs they are: intervals are then those of their sex and age where the
    run has them, and predictions get z-scores. A file that cannot be used has `accepted` False
    and an `error` of one line; the others are answered all the same. Raises CohortError,
    CheckpointError or BundleError when no file could be answered for.
    """
    if model is None and cohort_dir is None:
        raise CohortError("a prediction needs a cohort with a run, or a packed model")
    if model is not None and run is not None:
        raise CohortError("--run names a run of a cohort, --model a packed file: give one of them")
    if model is not None:
        predictor = EcgPredictor.of_file(model, device=device)
    else:
        assert cohort_dir is not None
        predictor = EcgPredictor.of_run(cohort_dir, run, device=device)
    if predictor.unfit is not None:
        progress.say(f"WARNING: {predictor.unfit}")
    how = HowToAnswer(k, hints or {}, person, with_saliency)
    if cohort_dir is None:
        return _answer_all(files, predictor, how, None, lambda _path, _hints: False, progress)
    with Cohort.open(cohort_dir) as cohort:
        log_reading(cohort.description, "predict", **predictor.describe_use(), num_files=len(files))
        tell_mark(cohort, predictor.run_name, progress)
        is_withdrawn = ask_register(cohort, progress)
        searched = _find_embedded(cohort, predictor, progress) if k else None
        return _answer_all(files, predictor, how, searched, is_withdrawn, progress)


@dataclass(frozen=True, slots=True)
class HowToAnswer:
    """What is asked of each ECG: `k` nearest patients, hints for its file, whose it is."""

    k: int = 0
    hints: Mapping[str, Any] = field(default_factory=dict)
    person: Person = UNKNOWN_PERSON
    with_saliency: bool = False


Searched = Callable[[Float32[Array, " embedding"], int], list[Neighbour]]
"""Finds the nearest patients of an embedding."""


def _find_embedded(
    cohort: Cohort, predictor: EcgPredictor, progress: ProgressSink
) -> Searched | None:
    """Search among the embeddings that these very weights made of the cohort."""
    sha256 = predictor.describe_use()["checkpoint_sha256"]
    runs = [run.run for run in cohort.runs() if run.checkpoint_sha256 == sha256]
    name = predictor.run_name if predictor.run_name in runs or not runs else runs[0]
    if not runs:
        progress.say(
            "no nearest patients: the cohort holds no embeddings of these weights; "
            "`ptacl embed COHORT --model FILE` or `--run RUN` makes them"
        )
        return None
    return lambda vector, num_wanted: cohort.neighbours(vector, k=num_wanted, run=name)


def _answer_all(
    files: Sequence[Path],
    predictor: EcgPredictor,
    how: HowToAnswer,
    searched: Searched | None,
    is_withdrawn: IsWithdrawn,
    progress: ProgressSink,
) -> list[JsonObject]:
    answers = []
    progress.start("predict", len(files), "ECGs")
    for path in files:
        if is_withdrawn(path, how.hints):
            answer = refuse_record(str(path), predictor, WITHDRAWN, ())
        else:
            answer = _answer(path, predictor, how, searched)
        answers.append(as_plain(answer, with_saliency=how.with_saliency))
        progress.advance("predict")
    progress.finish("predict")
    return answers


def as_plain(answer: PredictionDocument, *, with_saliency: bool) -> JsonObject:
    """The document as it is printed; saliency only where it was asked for."""
    document = answer.as_dict()
    if not with_saliency:
        document.pop("saliency")
    return document


def _answer(
    path: Path, predictor: EcgPredictor, how: HowToAnswer, searched: Searched | None
) -> PredictionDocument:
    try:
        record = read_ecg(path, **how.hints)
        return answer_record(str(path), record, predictor, how, searched)
    except PtaclError as error:
        return refuse_record(str(path), predictor, str(error), ())


def answer_record(
    name: str,
    record: EcgRecord,
    predictor: EcgPredictor,
    how: HowToAnswer,
    searched: Searched | None = None,
) -> PredictionDocument:
    """What one recording says; `name` is what the answer calls it. Raises RecordError."""
    prepared = predictor.prepare_record(record)
    why = predictor.explain_rejection(prepared)
    if why is not None:
        return refuse_record(name, predictor, why, prepared.findings)
    features = predictor.encode(prepared)
    assert features.projected is not None
    nearest: list[Neighbour] = []
    if how.k and searched is not None:
        nearest = searched(features.projected[0], max(how.k, NUM_DESCRIBED))
    analysis = analyse_ecg(prepared, record)
    return PredictionDocument(
        file=name,
        accepted=True,
        run=predictor.run_name,
        model_warning=predictor.unfit,
        findings=_list_findings((*prepared.findings, *analysis.findings)),
        heart_rate_bpm=prepared.heart_rate_bpm,
        **answer_measurements(analysis, record),
        **answer_phenotypes(predictor.readout, features.pooled, how.person),
        targets=answer_targets(predictor.targets, features.pooled, how.person),
        neighbours=tuple(
            NeighbourPart(patient=neighbour.patient, similarity=neighbour.similarity)
            for neighbour in nearest[: how.k]
        ),
        neighbour_phenotypes=answer_neighbours(nearest[:NUM_DESCRIBED]),
        saliency=predictor.explain(prepared) if how.with_saliency else None,
    )


def refuse_record(
    name: str, predictor: EcgPredictor, error: str, findings: Sequence[Finding]
) -> PredictionDocument:
    """The answer of an ECG that cannot be used, with the reason."""
    return PredictionDocument(
        file=name,
        accepted=False,
        run=predictor.run_name,
        model_warning=predictor.unfit,
        error=error,
        findings=_list_findings(findings),
    )


def _list_findings(findings: Sequence[Finding]) -> tuple[FindingPart, ...]:
    return tuple(FindingPart.model_validate(finding.as_dict()) for finding in findings)
