"""Refuses, before the screen is taken over, what the app could not show."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ptacl_core.errors import CohortError, ConfigError


def check_cohort(path: Path) -> Path:
    """The directory, absolute. Raises CohortError in one line when it is not a cohort.

    Only the description is read: the store is opened while the first screen is drawn.
    """
    from ptacl_core.cohort import CohortDescription, CohortLayout

    if not path.exists():
        raise CohortError(
            f"{path}: expected a cohort directory, found nothing there; "
            "make one with `ptacl demo` or `ptacl simulate`"
        )
    if not path.is_dir():
        raise CohortError(
            f"{path}: expected a cohort directory, got a file; "
            "to predict from an ECG file, open a cohort and press ctrl+o"
        )
    layout = CohortLayout(path.absolute())
    CohortDescription.read(layout)
    return layout.root


def check_terminal() -> None:
    """Raises ConfigError when there is no terminal to draw on."""
    if os.environ.get("TEXTUAL_DRIVER"):
        return  # a browser, through `ptacl-app web`
    streams = (sys.__stdin__, sys.__stderr__)  # the two that the screen is driven through
    if not all(stream is not None and stream.isatty() for stream in streams):
        raise ConfigError(
            "expected a terminal, found a pipe or a file; for scripts use `ptacl query --json`, "
            "for a browser `ptacl-app web`"
        )
    if os.environ.get("TERM", "dumb") == "dumb":
        raise ConfigError("TERM is 'dumb', which cannot be drawn on; set TERM=xterm-256color")


def check_folders(folders: Sequence[Path]) -> tuple[Path, ...]:
    """The folders (or archives), absolute. Raises ConfigError for one that is not there."""
    for folder in folders:
        if not folder.exists():
            raise ConfigError(
                f"--originals: expected a folder or an archive, {folder} is not there"
            )
    return tuple(folder.absolute() for folder in folders)
