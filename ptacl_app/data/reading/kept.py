"""What people keep beside a store: moved marks, saved cohorts."""

from collections.abc import Sequence

from ptacl_app.data.cohort_comparison import build_comparison, summarise_group
from ptacl_app.data.patient_view import (
    NoteView,
    PersonNotes,
    RunTable,
    SavedCohortView,
)
from ptacl_app.data.reading.opened import OpenedReader
from ptacl_app.text.formatting import safe
from ptacl_core.cohort.notes.moved_marks import MovedMark, move_mark, read_moved_marks
from ptacl_core.cohort.notes.notebook import SavedCohort
from ptacl_core.records.marks import MARKS_RATE_HZ


class KeptReading(OpenedReader):
    """Reads and writes the cohort's notes."""

    # --- marks that people moved

    def load_moved_marks(self, patient: str, visit: int) -> tuple[MovedMark, ...]:
        """The newest place of every mark that a person moved. Raises CohortError."""
        moves = read_moved_marks(self._cohort.notes, patient, visit)
        return tuple({(move.beat, move.mark): move for move in moves}.values())

    def move_mark(self, patient: str, visit: int, *, beat: int, mark: str, time_s: float) -> None:
        """Keep where a person put a mark, beside the computed one. Raises CohortError."""
        sample = round(time_s * MARKS_RATE_HZ)
        move_mark(self._cohort.notes, patient, visit, beat=beat, mark=mark, sample=sample)

    # --- notes and tags

    def load_notes(self, patient: str) -> PersonNotes:
        """Tags and notes of a person, the oldest note first. Raises CohortError."""
        kept = self._cohort.notes
        tags = kept.tags(patient).get(patient, [])
        return PersonNotes(
            tuple(safe(tag, max_length=40) for tag in tags),
            tuple(
                NoteView(
                    note.note_id,
                    f"{note.created_at:%Y-%m-%d %H:%M}",
                    safe(note.text, max_length=2000),
                )
                for note in kept.notes(patient)
            ),
        )

    def add_note(self, patient: str, text: str) -> None:
        """Write a note. Raises CohortError."""
        self._cohort.notes.add_note(patient, text)

    def remove_note(self, note_id: str) -> None:
        """Delete a note. Raises CohortError."""
        self._cohort.notes.remove_note(note_id)

    def toggle_tag(self, patient: str, tag: str) -> None:
        """Give a tag, or take it away where it is there already. Raises CohortError."""
        kept = self._cohort.notes
        if tag in kept.tags(patient).get(patient, []):
            kept.remove_tag(patient, tag)
        else:
            kept.add_tag(patient, tag)

    # --- saved cohorts

    def save_cohort(self, name: str, criteria: Sequence[str]) -> SavedCohortView:
        """Keep the rows that meet all `criteria` under `name`. Raises CohortError, QueryError."""
        saved = self._cohort.save_cohort(name, [(criterion, criterion) for criterion in criteria])
        return view_saved(saved)

    def load_saved_cohorts(self) -> tuple[SavedCohortView, ...]:
        """What was saved, by name."""
        return tuple(view_saved(saved) for saved in self._cohort.notes.saved_cohorts())

    def remove_saved_cohort(self, name: str) -> None:
        """Forget a saved cohort; the rows that it named stay. Raises CohortError."""
        self._cohort.notes.remove_saved_cohort(name)

    def compare_cohorts(self, first: str, second: str | None) -> RunTable:
        """Two saved cohorts (None: everybody) side by side. Raises CohortError."""
        groups = []
        for name in (first, second):
            members = None if name is None else self._cohort.notes.saved_cohort_members(name)
            groups.append(summarise_group(self._cohort.fetch, name or "all visits", members))
        return build_comparison(*groups)


def view_saved(saved: SavedCohort) -> SavedCohortView:
    """A saved cohort in texts that are safe to print."""
    return SavedCohortView(
        name=safe(saved.name, max_length=60),
        steps=tuple(
            (safe(step.label, max_length=60), step.num_rows, step.num_patients)
            for step in saved.attrition
        ),
        criteria=tuple(safe(step.filter_sql, max_length=20_000) for step in saved.attrition[1:]),
    )
