"""How a patient comes onto the screens: from the store or a file, then what follows later.

The trace is there first. The model's answer to a file, and the original recording of a cohort's
ECG, are laid over what is shown when they arrive.
"""

from dataclasses import replace
from pathlib import Path

from textual import work
from textual.reactive import reactive
from textual.worker import get_current_worker

from ptacl_app.data.cohort_reader import CohortReader
from ptacl_app.data.ecg_marks import find_marks
from ptacl_app.data.file_reading import NOBODY_TOLD, FileReader, Original
from ptacl_app.data.inference import PredictionCancelledError, Predictor
from ptacl_app.data.patient_view import CohortSummary, PatientView
from ptacl_app.shell import messages
from ptacl_app.shell.early_keys import EarlyKeys
from ptacl_app.text.formatting import safe
from ptacl_core.cohort.source_folders import read_source_folders, remember_source_folders
from ptacl_core.errors import PtaclError
from ptacl_core.records import Finding


class PatientFlow(EarlyKeys):
    """Half of the app: which patient is shown. Screens watch `patient`."""

    summary: reactive[CohortSummary | None] = reactive(None)
    """The cohort that is open."""
    patient: reactive[PatientView | None] = reactive(None)
    """The patient that every screen is about."""
    is_loading: reactive[bool] = reactive(False)
    """A patient is on the way."""
    failure: reactive[str] = reactive("")
    """Why no patient could be shown."""

    reader: CohortReader | None
    predictor: Predictor
    files: FileReader
    cohort_path: Path
    state_dir: Path
    worklist: tuple[str, ...]
    originals: tuple[Path, ...]
    _asked: tuple[str, int | None] | None
    _is_answering: bool = False

    def open_patient(
        self,
        patient: str,
        visit: int | None = None,
        *,
        worklist: tuple[str, ...] | None = None,
    ) -> None:
        """Show a patient; `worklist` is what `[` and `]` walk through from now on."""
        if worklist is not None:
            self.worklist = worklist
        self.is_loading = True
        self.failure = ""
        self._asked = (patient, visit)
        self.load_patient(patient, visit)
        if self.current_mode != "patient":
            self.switch_mode("patient")

    @work(thread=True, exclusive=True, group="patient", exit_on_error=False)
    def load_patient(self, patient: str, visit: int | None = None) -> None:
        """Read one patient; `PatientLoaded` or `PaneFailed` follows."""
        reader = self.reader
        if reader is None:
            return
        try:
            self.post_message(messages.PatientLoaded(reader.load_patient(patient, visit)))
        except PtaclError as error:
            self.post_message(messages.PaneFailed("patient", safe(error, max_length=400)))

    def on_patient_loaded(self, message: messages.PatientLoaded) -> None:
        """Every screen that is about the patient watches `patient`."""
        self.is_loading = False
        before, patient = self.patient, message.patient
        if before is not None and patient.ecg is not None and patient.shows_same_recordings(before):
            self.patient = replace(patient, ecg=before.ecg)  # the original is known already
            return
        self.patient = patient
        if patient.ecg is not None:
            self.look_for_original(patient)

    def show_patient(self, patient: PatientView) -> None:
        """Show a patient that is already in memory: a file that was just read."""
        self.is_loading = False
        self.failure = ""
        self._asked = None
        self.patient = patient
        if self.current_mode != "patient":
            self.switch_mode("patient")

    def action_walk(self, offset: int) -> None:
        """The next or previous patient of the list in use."""
        if self.patient is None or not self.worklist:
            self.notify("open a patient from a list first", markup=False)
            return
        here = self.patient.patient
        place = self.worklist.index(here) if here in self.worklist else -offset
        there = place + offset
        if 0 <= there < len(self.worklist):
            self.open_patient(self.worklist[there])
        else:
            self.notify("end of the list", markup=False)

    # --- the recording that a cohort's ECG was made from

    @work(thread=True, exclusive=True, group="original", exit_on_error=False)
    def look_for_original(self, patient: PatientView) -> None:
        """Find the file with the contents that the store names; `OriginalLooked` follows."""
        worker = get_current_worker()
        with_original = self.with_original(patient, is_wanted=lambda: not worker.is_cancelled)
        if not worker.is_cancelled:
            self.post_message(messages.OriginalLooked(with_original))

    def with_original(self, patient: PatientView, *, is_wanted: messages.Asked) -> PatientView:
        """The patient with the recording as it was made, or with why it is not there.

        Blocks, for a thread; `is_wanted` is asked while a long search goes on.
        """
        reader, ecg = self.reader, patient.ecg
        if reader is None or ecg is None:
            return patient
        try:
            original = self._find_original(reader, patient, is_wanted=is_wanted)
        except PtaclError as error:
            original = Original(None, safe(error, max_length=300))
        marks = None if original.raw is None else find_marks(original.raw, ecg.r_peak_times_s)
        ecg = replace(ecg, raw=original.raw, raw_note=original.note, marks=marks or ecg.marks)
        return replace(patient, ecg=ecg)

    def _find_original(
        self, reader: CohortReader, patient: PatientView, *, is_wanted: messages.Asked
    ) -> Original:
        source = reader.load_source(patient.patient, patient.visit)
        if not source.digest:
            return Original(None, source.note)
        remembered = read_source_folders(self.cohort_path, state_dir=self.state_dir)
        roots = dict.fromkeys((*self.originals, *remembered))
        there = [root for root in roots if root.exists()]
        if not there:
            return Original(None, NOBODY_TOLD)
        return self.files.find_original(source.digest, there, is_wanted=is_wanted)

    def on_original_looked(self, message: messages.OriginalLooked) -> None:
        """Show the recording as it was made, or know why it is not there."""
        patient = self.patient
        if patient is not None and patient.shows_same_recordings(message.patient):
            self.patient = replace(patient, ecg=message.patient.ecg)

    def remember_originals(self) -> None:
        """Find them the next time without being told. Raises OSError."""
        remember_source_folders(self.cohort_path, self.originals, state_dir=self.state_dir)

    # --- a file, and the model's answer to it

    def receive_file(self, patient: PatientView, person: str) -> None:
        """Show a file that was read, then ask the model; `person` says whose it is."""
        if self.reader is None:
            self.show_patient(patient)
            return
        self.show_patient(replace(patient, is_awaiting=True))
        if self._is_answering:
            self.predictor.cancel()  # nobody waits for the answer to the file before
        self.ask_model(patient, person)

    @work(thread=True, exclusive=True, group="answer", exit_on_error=False)
    def ask_model(self, patient: PatientView, person: str) -> None:
        """`ModelAnswered` follows, with a finding where there is no answer."""
        reader, source, worker = self.reader, patient.source, get_current_worker()
        if reader is None or source is None:
            return
        self._is_answering = True
        try:
            view = self.predictor.predict(
                source.path,
                cohort=reader.path,
                run=reader.find_run(),
                hints=source.hints,
                person=person,
            )
            view = reader.describe_neighbours(view)
            view = replace(view, run_faults=reader.describe_run_faults(view.run))
        except PredictionCancelledError:
            view = _without_answer(patient, "cancelled")
        except PtaclError as error:
            view = _without_answer(patient, safe(error, max_length=300))
        finally:
            self._is_answering = False
        if not worker.is_cancelled:
            self.post_message(messages.ModelAnswered(view))

    def on_model_answered(self, message: messages.ModelAnswered) -> None:
        """Lay the numbers over the trace that is shown, unless something else is shown by now."""
        shown, answered = self.patient, message.patient
        if shown is None or shown.source != answered.source or not shown.is_awaiting:
            return
        self.patient = replace(answered, ecg=shown.ecg)

    def stop_awaiting(self) -> None:
        """No answer will come."""
        if self.patient is not None and self.patient.is_awaiting:
            self.patient = replace(self.patient, is_awaiting=False)


def _without_answer(patient: PatientView, text: str) -> PatientView:
    finding = Finding("no_prediction", "warning", f"the model gave no answer: {text}")
    return replace(patient, findings=(*patient.findings, finding))
