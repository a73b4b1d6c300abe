"""Notes and tags of one person: what is written stays beside the cohort, with the time."""

from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from ptacl_app.data.patient_view import PersonNotes
from ptacl_app.screens.dialogs.dialog import Dialog
from ptacl_app.shell import messages
from ptacl_app.text.formatting import safe
from ptacl_app.widgets.safe_input import SafeInput
from ptacl_core.errors import PtaclError

HELP = "Enter writes · a tag written twice is taken away · Delete removes the note under the cursor"


class NotesScreen(Dialog[None]):
    """Reads, writes and removes; every change is read back from the store before it is shown."""

    DEFAULT_CSS = """
    NotesScreen OptionList { max-height: 16; }
    NotesScreen #tags { color: $accent; }
    """
    BINDINGS: ClassVar = [("escape", "dismiss", "Close"), ("delete", "remove", "Remove the note")]

    def __init__(self, patient: str) -> None:
        super().__init__()
        self.patient = patient
        self.notes = PersonNotes((), ())

    def compose(self) -> ComposeResult:
        """Tags, notes, and a line to write each."""
        with Vertical():
            name = self._app.names.name_of(self.patient)
            yield Static(f"Notes and tags of {safe(name, max_length=60)}", markup=False)
            yield Static("", id="tags", markup=False)
            yield OptionList(id="notes", markup=False)
            yield SafeInput(placeholder="a note", id="note-text")
            yield SafeInput(placeholder="a tag", id="tag-text")
            yield Static(HELP, id="note", markup=False)

    def on_mount(self) -> None:
        """Read what there is."""
        self.change()
        self.query_one("#note-text").focus()

    def on_input_submitted(self, event: SafeInput.Submitted) -> None:
        """Enter writes."""
        event.stop()
        text = event.value.strip()
        if text:
            is_tag = event.input.id == "tag-text"
            self.change(tag=text) if is_tag else self.change(note=text)

    def action_remove(self) -> None:
        """The note under the cursor."""
        place = self.query_one("#notes", OptionList).highlighted
        if place is not None and place < len(self.notes.notes):
            self.change(removed=self.notes.notes[place].note_id)

    @work(thread=True, exclusive=True, group="notes", exit_on_error=False)
    def change(self, *, note: str = "", tag: str = "", removed: str = "") -> None:
        """Write what is given, then read all; `NotesLoaded` or `PaneFailed` follows."""
        reader = self._app.reader
        if reader is None:
            return
        try:
            if note:
                reader.add_note(self.patient, note)
            if tag:
                reader.toggle_tag(self.patient, tag)
            if removed:
                reader.remove_note(removed)
            notes = reader.load_notes(self.patient)
        except PtaclError as error:
            self.post_message(messages.PaneFailed("notes", safe(error, max_length=400)))
            return
        self.post_message(messages.NotesLoaded(notes, was_changed=bool(note or tag or removed)))

    def on_notes_loaded(self, message: messages.NotesLoaded) -> None:
        """Show them; what was written is no longer in its line."""
        self.notes = message.notes
        tags = ", ".join(self.notes.tags) or "none"
        self.query_one("#tags", Static).update(f"tags: {tags}")
        listed = self.query_one("#notes", OptionList)
        listed.clear_options()
        listed.add_options(
            [Option(Text(f"{note.written_at}  {note.text}")) for note in self.notes.notes]
        )
        if not self.notes.notes:
            listed.add_option(Option(Text("no note yet"), disabled=True))
        if message.was_changed:
            for field in self.query(SafeInput):
                field.value = ""
        self.say(HELP)

    def on_pane_failed(self, message: messages.PaneFailed) -> None:
        """Say why; what was typed stays."""
        message.stop()
        self.say(message.text, is_failure=True)
