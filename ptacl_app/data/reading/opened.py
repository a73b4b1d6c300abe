"""The store as it is open: life, publications, and which run is in use."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from ptacl_app.data.patient_view import (
    Reference,
)
from ptacl_app.data.recording_reader import RecordingReader
from ptacl_app.data.run_choice import choose_default, describe_faults, list_standings
from ptacl_app.text.formatting import safe
from ptacl_core.cohort import Cohort
from ptacl_core.errors import CohortError


class OpenedReader:
    """One cohort directory, opened read-only, and the run in use."""

    def __init__(self, cohort: Cohort) -> None:
        self._cohort = cohort
        self._guard = threading.Lock()
        self._recordings = RecordingReader(cohort.path)
        self._references: dict[str, Mapping[str, Reference]] = {}
        self._chosen_run: str | None = None
        self._num_erasures = self._count_erasures()

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the cohort at `path`. Raises CohortError when it is none or damaged."""
        return cls(Cohort.open(path))

    @property
    def path(self) -> Path:
        """The cohort directory."""
        return self._cohort.path

    @property
    def export_dir(self) -> Path:
        """The only folder that the app writes results to."""
        return self._cohort.layout.exports

    def close(self) -> None:
        """Close store and shards."""
        self._cohort.close()
        self._recordings.close()

    def has_erased(self) -> bool:
        """True when people were erased from the cohort since it was opened here."""
        return self._count_erasures() != self._num_erasures

    def _count_erasures(self) -> int:
        return len(list(self._cohort.layout.erasures.glob("*.json")))

    def refresh(self) -> bool:
        """Change to a newer publication if there is one; True when it did."""
        if not self._cohort.is_stale():
            return False
        self._cohort.reopen()
        if self._chosen_run not in {run_name.run for run_name in self._cohort.runs()}:
            self._chosen_run = None
        with self._guard:
            self._references.clear()
        self._recordings.close()
        return True

    # --- the run in use

    def find_run(self) -> str | None:
        """The run whose predictions and neighbours are shown.

        The one that was chosen, else the newest that has learned and is not a control.
        """
        if self._chosen_run is not None:
            return self._chosen_run
        return choose_default(list_standings(self._cohort.fetch))

    def describe_run_faults(self, run: str | None) -> tuple[str, ...]:
        """What is said before any number of a run that is not to be taken unasked."""
        if run is None:
            return ()
        standing = next(
            (
                run_standing
                for run_standing in list_standings(self._cohort.fetch)
                if run_standing.run == run
            ),
            None,
        )
        return tuple(describe_faults(standing, self._cohort.evaluation_document(run)))

    def choose_run(self, run: str | None) -> None:
        """Show the predictions and neighbours of `run`; None: the newest.

        Raises CohortError when the store holds no such run.
        """
        known = [run_name.run for run_name in self._cohort.runs()]
        if run is not None and run not in known:
            names = ", ".join(safe(run_name, max_length=40) for run_name in known) or "none"
            raise CohortError(f"expected one of the store's runs ({names}), got {safe(run)!r}")
        self._chosen_run = run
