"""The way from the app to files of ECGs: a child process of its own, beside the model's."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from ptacl_app.data.file_view import build_view, read_raw
from ptacl_app.data.patient_view import FileSource, PatientView
from ptacl_app.drawing.trace import Trace
from ptacl_core.errors import MissingUnitError, PtaclError, RecordError
from ptacl_core.records import parse_person
from ptacl_core.safety.processes.worker import Message, Worker, WorkerEndedError, WorkerFailedError

DEADLINE_S = 60.0
FIND_PATIENCE_S = 2.0
"""The child looks for so long before it says how far it is."""
ADDRESS_SPACE_BYTES = 12 * 2**30
NOBODY_TOLD = (
    "the cohort keeps the denoised ECG; ptacl-app COHORT --originals FOLDER shows the files "
    "themselves, found by their contents"
)


class ReadingCancelledError(PtaclError):
    """The reader changed their mind."""


@dataclass(frozen=True, slots=True)
class Original:
    """The recording that a cohort's ECG was made from, or why it is not shown."""

    raw: Trace | None
    note: str = ""


class FileReader:
    """Asks the child; its methods block and belong in a thread, `cancel` may come any time."""

    def __init__(self, target: str = "ptacl_app.data.file_reading_worker:handle") -> None:
        self._worker = Worker(target, name="files", address_space_bytes=ADDRESS_SPACE_BYTES)

    def read(
        self, path: Path, *, hints: Mapping[str, Any] | None = None, person: str = ""
    ) -> PatientView:
        """The file as a patient to show, before any model has seen it.

        Raises MissingUnitError when `hints` must tell what the file lacks, RecordError for a file
        that is not an ECG, PtaclError when the child ended.
        """
        hints = dict(hints or {})
        request = {"task": "read", "file": str(path.absolute()), "hints": hints}
        document, leads = self._ask(request)
        if "error" in document:
            kind = MissingUnitError if document["needs_hints"] else RecordError
            raise kind(document["error"])
        details = parse_person(person)
        return replace(
            build_view(path.name, document, leads),
            sex=details.sex,
            age_years=details.age_years,
            source=FileSource(path.absolute(), MappingProxyType(hints)),
        )

    def find_original(
        self, digest: str, roots: Sequence[Path], *, is_wanted: Callable[[], bool] = lambda: True
    ) -> Original:
        """The file in `roots` whose contents have the hash `digest`, as it was recorded.

        `is_wanted` is asked every two seconds of a long search. Raises PtaclError when the child
        ended.
        """
        request = {
            "task": "find",
            "sha256": digest,
            "roots": [str(root) for root in roots],
            "patience_s": FIND_PATIENCE_S,
        }
        while is_wanted():
            document, leads = self._ask(request)
            if "error" in document:
                return Original(None, document["error"])
            if leads:
                return Original(read_raw(np.frombuffer(leads, np.float32), document))
            if document["is_all"]:
                return Original(
                    None,
                    f"none of the {document['num_files']} ECG files in the folders of originals "
                    "has the contents that this ECG was read from",
                )
        return Original(None, "the search was left")

    def _ask(self, request: Mapping[str, object]) -> tuple[Message, bytes]:
        try:
            return self._worker.call(request, deadline_s=DEADLINE_S)
        except WorkerEndedError as error:
            if error.reason == "cancelled":
                raise ReadingCancelledError("cancelled") from None
            raise PtaclError(f"{error}; try again, or look with `ptacl doctor FILE`") from None
        except WorkerFailedError as error:
            raise PtaclError(
                f"the process that reads files failed ({error.kind}); `ptacl doctor` checks the "
                "installation"
            ) from None

    def cancel(self) -> None:
        """End the child; the next file starts another."""
        self._worker.cancel()

    def close(self) -> None:
        """End the child."""
        self._worker.cancel()
        self._worker.close()
