"""What the window shows: a cohort, or one made for as long as the window of files and a model."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from ptacl_app.data.cohort_check import check_cohort
from ptacl_app.data.passing_cohort import EXAMPLE, open_example, open_files
from ptacl_app.desktop.recent import load_memory, save_memory
from ptacl_app.desktop.wishes import Wish
from ptacl_app.text.formatting import safe
from ptacl_app.web.command import build_command
from ptacl_core.errors import ConfigError, PtaclError


class CohortChoice:
    """The cohort that new pages show; None until one is opened.

    What has to be made first is made in a thread; the start page says so, and what went wrong.
    """

    def __init__(self, state: Path, *, theme: str | None, is_private: bool) -> None:
        self._state = state
        self._theme, self._is_private = theme, is_private
        self.cohort: Path | None = None
        self._busy: str | None = None
        self._fault: str | None = None
        self._number = 0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._must_end = threading.Event()
        self._made = ExitStack()
        self._examples: dict[Path, Path] = {}

    def open(self, path: Path) -> None:
        """Show this cohort from now on, and remember it. Raises CohortError, OSError."""
        cohort = check_cohort(path)
        if not self._is_private:
            save_memory(load_memory(self._state).with_cohort(cohort), self._state)
        self._show(cohort)

    def begin(self, wish: Wish) -> None:
        """Open it, at once or in a thread. Raises CohortError, OSError, ConfigError while busy."""
        if wish.is_empty:
            return
        with self._lock:
            if self._busy is not None:
                raise ConfigError(f"{self._busy}; wait for its end")
            self._fault = None
            if wish.cohort is not None:
                self.open(wish.cohort)
                return
            model = wish.model or EXAMPLE
            if wish.files:
                count = f"{len(wish.files)} file{'s' if len(wish.files) > 1 else ''}"
                busy = f"Reading {count}, and asking the model …"
                self._start(busy, lambda: open_files(model, wish.files, stop=self._must_end))
            else:
                self._begin_example(model)

    def begin_example(self) -> None:
        """Show simulated patients, made once a window. Raises ConfigError while busy."""
        self.begin(Wish(model=EXAMPLE))

    def tell_fault(self, error: Exception) -> None:
        """Have the start page say what went wrong."""
        self._fault = safe(error, max_length=400)

    @property
    def number(self) -> int:
        """How many openings came to their end."""
        return self._number

    def describe(self) -> dict[str, object]:
        """What the start page shows."""
        return {
            "busy": self._busy,
            "fault": self._fault,
            "number": self._number,
            "cohorts": self.list_recent(),
        }

    def command(self) -> str | None:
        """What starts the app; None where no cohort is open."""
        if self.cohort is None:
            return None
        return build_command(self.cohort, theme=self._theme, is_private=self._is_private)

    def list_recent(self) -> list[str]:
        """Cohorts opened last that are still there."""
        return [name for name in load_memory(self._state).cohorts if Path(name).is_dir()]

    def close(self) -> None:
        """End what is still being made, and remove what was made."""
        self._must_end.set()
        if self._thread is not None:
            self._thread.join()
        self._made.close()

    def _begin_example(self, model: Path) -> None:
        made = self._examples.get(model)
        if made is not None:
            self._show(made)
            return
        self._start(
            "Simulating patients, and asking the model …",
            lambda: open_example(model, stop=self._must_end),
            keep=lambda cohort: self._examples.update({model: cohort}),
        )

    def _start(
        self,
        busy: str,
        make: Callable[[], AbstractContextManager[Path]],
        keep: Callable[[Path], None] = lambda _: None,
    ) -> None:
        def run() -> None:
            try:
                cohort = self._made.enter_context(make())
                keep(cohort)
                self._show(cohort)
            except (PtaclError, OSError) as error:
                self.tell_fault(error)
            finally:
                self._busy = None

        self._busy = busy
        self._thread = threading.Thread(target=run, name="opening")
        self._thread.start()

    def _show(self, cohort: Path) -> None:
        self.cohort = cohort
        self._number += 1
