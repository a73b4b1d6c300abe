"""Where the last session ended: JSON, private, one file per cohort; never with `--privacy`."""

import json
from pathlib import Path

from pydantic import ValidationError

from ptacl_core.cohort.erasure.app_state import get_session_path
from ptacl_core.config.model import Settings
from ptacl_core.safety.files.atomic import write_text

__all__ = ["SessionState", "get_session_path", "load_session", "save_session"]


class SessionState(Settings):
    """What is restored; fields of another version are left out as a whole."""

    mode: str = "cohort"
    """Screen."""
    patient: str | None = None
    """Patient shown."""
    visit: int | None = None
    """Visit shown."""
    criteria: tuple[str, ...] = ()
    """Predicates of the table."""
    sort: str = "patient"
    """Column sorted by."""
    is_descending: bool = False
    """The other way round."""
    columns: tuple[str, ...] = ()
    """Columns of the table; empty: the usual ones."""
    theme: str | None = None
    """Colours."""
    statement: str | None = None
    """Text of the SQL editor."""
    history: tuple[str, ...] = ()
    """Earlier statements."""
    ecg_layout: str = "THREE_BY_FOUR"
    """Layout of the leads."""
    gain_mm_per_mv: float = 10.0
    """Gain."""
    speed_mm_per_s: float = 25.0
    """Speed."""

    def without_people(self) -> "SessionState":
        """The same without anything that may name a person: some were erased meanwhile."""
        named = {"patient": None, "visit": None, "criteria": (), "statement": None, "history": ()}
        return self.model_copy(update=named)


def load_session(path: Path) -> SessionState:
    """The last session; the defaults when there is none or it cannot be understood."""
    try:
        return SessionState.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError):
        return SessionState()


def save_session(path: Path, state: SessionState) -> bool:
    """Write it, readable by its owner only; False when the folder cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_text(path, json.dumps(state.model_dump(mode="json"), indent=1) + "\n")
    except OSError:
        return False
    return True
