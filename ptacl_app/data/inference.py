"""The only way from the app to the model: a child process, kept warm after the first file."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from ptacl_app.data.ecg_marks import find_marks
from ptacl_app.data.patient_view import (
    EcgView,
    FileSource,
    Neighbour,
    OutOfDistribution,
    PatientView,
    PhenotypeValue,
    Prediction,
)
from ptacl_app.drawing.ecg_page import SAMPLING_RATE_HZ
from ptacl_app.drawing.saliency import Saliency, read_saliency
from ptacl_app.drawing.trace import Trace
from ptacl_app.text.formatting import safe
from ptacl_core.arrays import Array
from ptacl_core.errors import MissingUnitError, PtaclError, RecordError
from ptacl_core.records import LEAD_NAMES, PHENOTYPE_NAMES, Finding, parse_person
from ptacl_core.safety.processes.worker import Worker, WorkerEndedError, WorkerFailedError

DEADLINE_S = 180.0
KEEP_DEADLINE_S = 6 * 3600.0
"""Keeping a file embeds the whole cohort."""
ADDRESS_SPACE_BYTES = 24 * 2**30
"""Virtual memory: importing the model's library alone maps several GiB."""
NUM_LEADS = 12


class PredictionCancelledError(PtaclError):
    """The reader changed their mind."""


class Predictor:
    """Asks the child; `predict` blocks and belongs in a thread, `cancel` may come any time."""

    def __init__(self, target: str = "ptacl_app.data.inference_worker:handle") -> None:
        self._worker = Worker(target, name="model", address_space_bytes=ADDRESS_SPACE_BYTES)

    @property
    def is_warm(self) -> bool:
        """True when the child is there, so that the next file is answered soon."""
        return self._worker.is_running

    def predict(
        self,
        path: Path,
        *,
        cohort: Path | None,
        run: str | None,
        num_neighbours: int = 10,
        hints: Mapping[str, Any] | None = None,
        person: str = "",
    ) -> PatientView:
        """The file as a patient to show; `person` is `sex=F,age=61,height=165,weight=70`.

        Raises MissingUnitError when `hints` must tell what the file lacks, RecordError for a
        file that is not an ECG, PtaclError when the model's process
        ended, PredictionCancelledError after `cancel`.
        """
        request = {
            "task": "predict",
            "file": str(path.absolute()),
            "cohort": None if cohort is None else str(cohort),
            "run": run,
            "num_neighbours": num_neighbours,
            "hints": dict(hints or {}),
            "person": person,
        }
        document, leads = self._ask(request)
        if "error" in document:
            kind = MissingUnitError if document["needs_hints"] else RecordError
            raise kind(document["error"])
        view = build_view(path.name, document, leads)
        told = parse_person(person)
        return replace(
            view,
            sex=told.sex,
            age_years=told.age_years,
            source=FileSource(path.absolute(), MappingProxyType(dict(hints or {}))),
        )

    def explain(self, view: PatientView, *, cohort: Path, run: str | None) -> dict[str, Saliency]:
        """What each predicted phenotype of the patient shown rests on.

        Raises PtaclError when it cannot be told, PredictionCancelledError after `cancel`.
        """
        source = view.source
        request = {
            "task": "explain",
            "file": None if source is None else str(source.path),
            "hints": {} if source is None else dict(source.hints),
            "patient": view.patient,
            "visit": view.visit,
            "cohort": str(cohort),
            "run": run,
        }
        document, _ = self._ask(request)
        if "error" in document:
            raise PtaclError(document["error"])
        return read_saliency(document["saliency"])

    def keep(self, path: Path, *, cohort: Path, run: str | None) -> tuple[str, ...]:
        """Add the file to the cohort, with `run`'s embeddings and predictions made anew.

        Returns the patients that are new. Raises PtaclError when it cannot be added,
        PredictionCancelledError after `cancel`.
        """
        request = {"task": "keep", "file": str(path), "cohort": str(cohort), "run": run}
        document, _ = self._ask(request, deadline_s=KEEP_DEADLINE_S)
        if "error" in document:
            raise PtaclError(document["error"])
        return tuple(document["patients"])

    def _ask(
        self, request: Mapping[str, Any], *, deadline_s: float = DEADLINE_S
    ) -> tuple[dict[str, Any], bytes]:
        try:
            return self._worker.call(request, deadline_s=deadline_s)
        except WorkerEndedError as error:
            if error.reason == "cancelled":
                raise PredictionCancelledError("cancelled") from None
            raise PtaclError(f"{error}; try again, or run `ptacl predict` to see more") from None
        except WorkerFailedError as error:
            raise PtaclError(
                f"the model's process failed ({error.kind}); `ptacl doctor` checks the installation"
            ) from None

    def cancel(self) -> None:
        """End the child; the next file starts another."""
        self._worker.cancel()

    def close(self) -> None:
        """End the child."""
        self._worker.cancel()
        self._worker.close()


def build_view(name: str, document: Mapping[str, Any], leads: bytes) -> PatientView:
    """The child's answer as a patient to show; everything in it is made safe to print."""
    values = np.frombuffer(leads, np.float32)
    num_model = NUM_LEADS * document["num_samples"]
    signal_mv = values[:num_model].reshape(NUM_LEADS, document["num_samples"])
    raw = _read_raw(values[num_model:], document)
    answer: Mapping[str, Any] = document.get("answer") or {}
    findings = [
        _read_finding(finding) for finding in answer.get("findings") or document["findings"]
    ]
    if "model_error" in document:
        findings.append(Finding("no_prediction", "info", safe(document["model_error"])))
    elif answer and not answer.get("accepted", False):
        findings.append(Finding("no_prediction", "warning", safe(answer.get("error", ""))))
    verdict = answer.get("out_of_distribution")
    predicted = answer.get("phenotypes") or {}
    peaks = np.asarray(document["r_peak_samples"], np.float64) / SAMPLING_RATE_HZ
    model = Trace(signal_mv, SAMPLING_RATE_HZ, LEAD_NAMES)
    return PatientView(
        patient=safe(name, max_length=60),
        visit=0,
        split=None,
        sex=None,
        age_years=None,
        run=safe(answer["run"], max_length=60) if answer.get("run") else None,
        ecg=EcgView(
            signal_mv=signal_mv,
            r_peak_times_s=tuple(peaks.tolist()),
            heart_rate_bpm=document["heart_rate_bpm"],
            measurements={
                key: float(value)
                for key, value in (answer.get("measurements") or {}).items()
                if value is not None
            },
            raw=raw,
            raw_note="" if raw is not None else "the file's own samples are not there",
            marks=find_marks(raw or model, tuple(peaks.tolist())),
            device={
                key: float(value)
                for key, value in ((answer.get("device") or {}).get("measurements") or {}).items()
                if value is not None
            },
        ),
        cine=None,
        phenotypes=tuple(
            PhenotypeValue(
                name=phenotype_name,
                predicted=Prediction(
                    float(predicted[phenotype_name]["value"]),
                    float(predicted[phenotype_name]["low"]),
                    float(predicted[phenotype_name]["high"]),
                    z_score=predicted[phenotype_name].get("z_score"),
                    interval_group=safe(answer.get("interval_group", "all"), max_length=20),
                )
                if phenotype_name in predicted
                else None,
            )
            for phenotype_name in PHENOTYPE_NAMES
        ),
        findings=tuple(findings),
        out_of_distribution=None
        if verdict is None
        else OutOfDistribution(bool(verdict["flag"]), float(verdict["score"])),
        neighbours=tuple(
            Neighbour(
                patient=neighbour["patient"], rank=rank, similarity=float(neighbour["similarity"])
            )
            for rank, neighbour in enumerate(answer.get("neighbours") or (), start=1)
        ),
        map_note="a file has no cine to compare with",
        coverage=answer.get("coverage"),
        origin="file",
    )


def _read_raw(values: Array, document: Mapping[str, Any]) -> Trace | None:
    """The recording as the file has it; None from a child that did not send it."""
    names = tuple(safe(name, max_length=8) for name in document.get("raw_lead_names") or ())
    if not names or values.size == 0 or values.size % len(names):
        return None
    signal_mv = values.reshape(len(names), -1)
    return Trace(signal_mv, float(document["raw_rate_hz"]), names)


def _read_finding(document: Mapping[str, Any]) -> Finding:
    severity = document.get("severity")
    return Finding(
        safe(document.get("code", ""), max_length=40),
        severity if severity in ("info", "warning", "reject") else "warning",
        safe(document.get("message", ""), max_length=300),
        tuple(safe(lead, max_length=8) for lead in document.get("leads") or ()),
    )
