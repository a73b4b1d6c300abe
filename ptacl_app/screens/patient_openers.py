"""What is opened from the patient screen: dialogs, notes, another ECG beside this one."""

from textual.screen import Screen

from ptacl_app.shell.services import Services, services_of


class PatientOpeners(Screen[None]):
    """A part of the patient screen; what it opens is imported when it is asked for."""

    @property
    def _services(self) -> Services:
        return services_of(self)

    def action_copy(self) -> None:
        """The numbers shown, as lines of text."""
        from ptacl_app.output.export import write_patient_text

        if self._services.patient is not None:
            self._services.copy_text(
                write_patient_text(self._services.patient, name_of=self._services.names.name_of)
            )

    def action_export(self) -> None:
        """A report of the patient in exports/."""
        from ptacl_app.screens.dialogs.export import ExportScreen

        if self._services.patient is not None:
            self.app.push_screen(ExportScreen(self._services.patient))

    def action_keep(self) -> None:
        """Put the loaded file into the cohort, after a question."""
        from ptacl_app.screens.dialogs.keep_file import KeepFileScreen

        patient = self._services.patient
        if patient is not None and patient.source is not None:
            self.app.push_screen(KeepFileScreen(patient.source))
        else:
            self.notify("only a file that was loaded (ctrl+o) can be kept", markup=False)

    def action_notes(self) -> None:
        """Notes and tags."""
        from ptacl_app.screens.notes import NotesScreen

        patient = self._services.patient
        if patient is not None and patient.origin == "cohort":
            self.app.push_screen(NotesScreen(patient.patient))
        else:
            self.notify("notes are of patients of the cohort: keep the file first", markup=False)

    def action_compare(self) -> None:
        """Another ECG beside this one."""
        from ptacl_app.screens.compare import CompareScreen

        patient = self._services.patient
        if patient is not None and patient.ecg is not None:
            self.app.push_screen(CompareScreen(patient))

    def action_findings(self) -> None:
        """Every finding in full."""
        from ptacl_app.screens.dialogs.findings import FindingsScreen

        if self._services.patient is not None:
            self.app.push_screen(FindingsScreen(self._services.patient))

    def action_opinions(self) -> None:
        """PTACL's, neurokit2's and the device's figures side by side."""
        from ptacl_app.screens.opinions import OpinionsScreen

        if self._services.patient is not None:
            self.app.push_screen(OpinionsScreen(self._services.patient))
