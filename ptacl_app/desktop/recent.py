"""Cohorts that were opened last, and where the window stood; private, in the app's state folder."""

from pathlib import Path

from pydantic import Field, ValidationError

from ptacl_core.cohort.erasure.app_state import get_state_dir
from ptacl_core.config.model import Settings
from ptacl_core.safety.files.atomic import write_text

FILE = "desktop.json"
MAX_COHORTS = 8


class WindowPlace(Settings):
    """Size and place of the window, in pixels; None: where the desktop puts it."""

    width: int = Field(default=1280, ge=200, le=16_384)
    height: int = Field(default=820, ge=150, le=16_384)
    x: int | None = Field(default=None, ge=-32_768, le=32_767)
    y: int | None = Field(default=None, ge=-32_768, le=32_767)
    is_maximized: bool = False
    """Over the whole screen; the others say where it stood before."""


class Memory(Settings):
    """What the window remembers."""

    cohorts: tuple[str, ...] = ()
    """Folders, the last first."""
    place: WindowPlace = WindowPlace()
    """Where the window stood."""

    def with_cohort(self, cohort: Path) -> "Memory":
        """The same with `cohort` first."""
        others = [name for name in self.cohorts if name != str(cohort)]
        return self.model_copy(update={"cohorts": (str(cohort), *others)[:MAX_COHORTS]})


def load_memory(folder: Path | None = None) -> Memory:
    """What was remembered; nothing when it cannot be understood."""
    path = (folder or get_state_dir()) / FILE
    try:
        return Memory.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError):
        return Memory()


def save_memory(memory: Memory, folder: Path | None = None) -> None:
    """Keep it, readable by its owner only. Raises OSError."""
    write_text((folder or get_state_dir()) / FILE, memory.model_dump_json(indent=1))
