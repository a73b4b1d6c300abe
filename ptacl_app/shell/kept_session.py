"""Where each screen stands, kept when the app is left."""

from pathlib import Path
from typing import Any

from ptacl_app.shell.patient_flow import PatientFlow
from ptacl_app.shell.session import SessionState, save_session
from ptacl_app.shell.settings import AppSettings
from ptacl_app.text.formatting import safe


class KeptSession(PatientFlow):
    """Part of the app: it remembers its session unless it was told not to."""

    settings: AppSettings
    session: SessionState
    _session_path: Path

    @property
    def remembers(self) -> bool:
        """True when the session is kept: not with `--privacy`, not when told not to."""
        return self.settings.remember and not self.settings.use_privacy

    def exit(self, *arguments: Any, **keywords: Any) -> None:
        """Keep the session, then leave; say so where it could not be kept."""
        if self.remembers and self.is_running and not self.keep_session():
            folder = safe(self._session_path.parent)
            keywords["message"] = f"the session was not kept: {folder} cannot be written to"
        super().exit(*arguments, **keywords)

    def keep_session(self) -> bool:
        """Write where each screen stands; False when the folder takes nothing."""
        session = self.session.model_dump()
        for stack in self._screen_stacks.values():
            for screen in stack:
                describe = getattr(screen, "describe_session", None)
                if describe is not None:
                    session |= describe()
        shown = self.patient if self.patient and self.patient.origin == "cohort" else None
        session |= {
            "mode": self.current_mode,
            "patient": None if shown is None else shown.patient,
            "visit": None if shown is None else shown.visit,
            "theme": self.theme,
        }
        self.session = SessionState(**session)
        if self.reader is not None and self.reader.has_erased():
            self.session = self.session.without_people()
        return save_session(self._session_path, self.session)
