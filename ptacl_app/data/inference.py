"""The only way from the app to the model: a child process, kept warm after the first file."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ptacl_app.data.file_view import build_view
from ptacl_app.data.patient_view import FileSource, PatientView
from ptacl_app.drawing.saliency import Saliency, read_saliency
from ptacl_core.errors import MissingUnitError, PtaclError, RecordError
from ptacl_core.records import parse_person
from ptacl_core.safety.processes.worker import Message, Worker, WorkerEndedError, WorkerFailedError

DEADLINE_S = 180.0
KEEP_DEADLINE_S = 6 * 3600.0
"""Keeping a file embeds the whole cohort where its run never was embedded, or has no read-out."""
ADDRESS_SPACE_BYTES = 24 * 2**30
"""Virtual memory: importing the model's library alone maps several GiB."""


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
        details = parse_person(person)
        return replace(
            view,
            sex=details.sex,
            age_years=details.age_years,
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
        """Add the file to the cohort, embedded and predicted from by `run`.

        Returns the patients that are new. Raises PtaclError when it cannot be added,
        PredictionCancelledError after `cancel`.
        """
        request = {"task": "keep", "file": str(path), "cohort": str(cohort), "run": run}
        document, _ = self._ask(request, deadline_s=KEEP_DEADLINE_S)
        if "error" in document:
            raise PtaclError(document["error"])
        return tuple(document["patients"])

    def _ask(
        self, request: Mapping[str, object], *, deadline_s: float = DEADLINE_S
    ) -> tuple[Message, bytes]:
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
