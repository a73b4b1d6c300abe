"""The frame of every dialog: centred, as high as its contents, a line for what is to be said."""

from textual.screen import ModalScreen, ScreenResultType
from textual.widgets import Static

from ptacl_app.screens.worker_faults import WorkerFaults


class Dialog(WorkerFaults, ModalScreen[ScreenResultType]):
    """Holds one container; `say` writes into its line `#note`, `-busy` shows that work goes on."""

    DEFAULT_CSS = """
    Dialog {
        align: center middle;
        & > Vertical, & > VerticalScroll {
            width: 90%; max-width: 96; height: auto; max-height: 90%;
            background: $surface; padding: 1 2;
        }
        & Static { height: auto; }
        & #note { color: $quiet-ink; }
        & #note.-failure { color: $warning-ink; }
        & SafeInput, & SafeInput:focus {
            border: none; height: 1; background: $panel; padding: 0 1;
        }
        & OptionList, & OptionList:focus { height: auto; border: none; background: $panel; }
        & LoadingIndicator { height: 1; display: none; }
        &.-busy LoadingIndicator { display: block; }
    }
    """

    @property
    def is_busy(self) -> bool:
        """True while what was asked for is under way."""
        return self.has_class("-busy")

    def stop_waiting(self) -> None:
        """The work has ended without an answer."""
        self.remove_class("-busy")

    def say(self, text: str, *, is_failure: bool = False) -> None:
        """Write `text` (safe) into the line below; a failure in the colour of warnings."""
        note = self.query_one("#note", Static)
        note.update(text)
        note.set_class(is_failure, "-failure")
