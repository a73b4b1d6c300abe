"""A trained model in a Python session, from a packed file or a run of a cohort."""

from pathlib import Path
from typing import Any, Literal

import numpy as np

from ptacl_core.api.inputs import EcgSources, read_sources
from ptacl_core.api.results import EcgPredictions
from ptacl_core.arrays import Array, Float32
from ptacl_core.bundle.model_file import is_bundle
from ptacl_core.documents.prediction import PredictionDocument
from ptacl_core.errors import ConfigError, RecordError
from ptacl_core.records import EcgRecord, Person, PreparedEcg, parse_person
from ptacl_core.safety.text.printable import clean_text
from ptacl_core.stages.predict.run import (
    EcgPredictor,
    HowToAnswer,
    answer_record,
    refuse_record,
)

Space = Literal["pooled", "projected"]
_PIECE = 64


class Model:
    """An ECG encoder with its preprocessing and read-out; `load_model` opens one.

    `name` is the run's, `unfit` says why it should not be relied on (None: nothing). Research
    use only.
    """

    def __init__(self, predictor: EcgPredictor) -> None:
        self._predictor = predictor
        self.name, self.unfit = predictor.run_name, predictor.unfit

    def embed(
        self,
        sources: EcgSources,
        *,
        space: Space = "projected",
        sampling_rate_hz: float | None = None,
        on_error: Literal["raise", "nan"] = "raise",
        **hints: Any,
    ) -> Float32[Array, "recording dim"]:
        """Embeddings of ECGs, in the order they were given.

        Args:
            sources: files, `EcgRecord`s, or an array [recording, 12, sample] in mV.
            space: "projected" is the unit sphere that retrieval searches, "pooled" what a probe
                of one's own is fitted on.
            sampling_rate_hz: of arrays, which do not state it.
            on_error: "nan" gives a row of NaN for an ECG that cannot be used.
            **hints: what a file does not say, as `read_ecg` takes it.

        Raises:
            RecordError: an ECG cannot be used, and `on_error` is "raise".
        """
        vectors: list[Float32[Array, " dim"] | None] = []
        waiting: list[PreparedEcg] = []
        for name, source in read_sources(sources, sampling_rate_hz=sampling_rate_hz, hints=hints):
            prepared, why = self._prepare(source)
            if prepared is None and on_error == "raise":
                raise RecordError(f"{clean_text(Path(name).name)}: {why}")
            vectors.append(None)
            if prepared is not None:
                waiting.append(prepared)
                vectors[-1] = _PENDING
            if len(waiting) == _PIECE:
                self._fill(vectors, waiting, space)
        self._fill(vectors, waiting, space)
        dim = next((len(vector) for vector in vectors if vector is not None), 0)
        empty = np.full(dim, np.nan, np.float32)
        rows = [empty if vector is None else vector for vector in vectors]
        return np.stack(rows) if rows else np.empty((0, dim), np.float32)

    def predict(
        self,
        sources: EcgSources,
        *,
        person: str | Person = "",
        with_saliency: bool = False,
        sampling_rate_hz: float | None = None,
        **hints: Any,
    ) -> EcgPredictions:
        """Findings, measurements, phenotypes with intervals and outlier scores of ECGs.

        The same figures as `ptacl predict` gives, without nearest patients, who are a cohort's.
        `person` is whose they are (`sex=F,age=61,height=165,weight=70`); the rest is as for
        `embed`. An ECG that cannot be used has `accepted` False and an `error` of one line.
        """
        whose = parse_person(person) if isinstance(person, str) else person
        how = HowToAnswer(person=whose, with_saliency=with_saliency)
        documents: list[PredictionDocument] = []
        for name, source in read_sources(sources, sampling_rate_hz=sampling_rate_hz, hints=hints):
            documents.append(self._answer(name, source, how))
        return EcgPredictions(tuple(documents))

    def _answer(
        self, name: str, source: EcgRecord | RecordError, how: HowToAnswer
    ) -> PredictionDocument:
        if isinstance(source, RecordError):
            return refuse_record(name, self._predictor, str(source), ())
        return answer_record(name, source, self._predictor, how)

    def _prepare(self, source: EcgRecord | RecordError) -> tuple[PreparedEcg | None, str]:
        if isinstance(source, RecordError):
            return None, str(source)
        prepared = self._predictor.prepare_record(source)
        why = self._predictor.explain_rejection(prepared)
        return (prepared, "") if why is None else (None, why)

    def _fill(
        self,
        vectors: list[Float32[Array, " dim"] | None],
        waiting: list[PreparedEcg],
        space: Space,
    ) -> None:
        """Put the features of those waiting into their places."""
        if not waiting:
            return
        features = self._predictor.encode_many(waiting)
        made = features.pooled if space == "pooled" else features.projected
        assert made is not None
        places = [at for at, vector in enumerate(vectors) if vector is _PENDING]
        for at, vector in zip(places, made, strict=True):
            vectors[at] = vector
        waiting.clear()


_PENDING = np.empty(0, np.float32)


def load_model(path: str | Path, *, run: str | None = None, device: str = "auto") -> Model:
    """A model from a packed file (`NAME.ptacl`), or of a run of a cohort directory.

    Raises BundleError, CheckpointError or CohortError, in one line, for what cannot be used.
    """
    source = Path(path)
    if source.is_dir():
        return Model(EcgPredictor.of_run(source, run, device=device))
    if run is not None:
        raise ConfigError("run names a run of a cohort directory; a packed file holds one model")
    if not is_bundle(source):
        raise ConfigError(
            f"{clean_text(source.name)}: expected a packed model (NAME.ptacl) or a cohort directory"
        )
    return Model(EcgPredictor.of_file(source, device=device))
