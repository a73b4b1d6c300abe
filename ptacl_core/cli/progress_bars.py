"""Progress bars on stderr; plain lines when stderr is not a terminal."""

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from ptacl_core.safety.text.printable import clean_text


class ProgressBars:
    """A ProgressSink that draws. Use as a context manager, so that the terminal is restored."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._is_terminal = sys.stderr.isatty()
        self._progress = Progress(
            TextColumn("{task.description:<24}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}", style="cyan"),
            console=self._console,
            disable=not self._is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._started_s: dict[str, float] = {}
        self._done: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def start(self, task: str, total: int | None, unit: str) -> None:
        """Open a bar."""
        self._tasks[task] = self._progress.add_task(
            clean_text(task), total=total, unit=unit, figures=""
        )
        self._started_s[task] = time.monotonic()
        self._done[task] = 0

    def advance(self, task: str, amount: int = 1, **figures: float) -> None:
        """Move a bar and show figures beside it."""
        self._done[task] += amount
        shown = "  ".join(f"{name} {value:.4g}" for name, value in figures.items())
        if shown:
            self._progress.update(self._tasks[task], advance=amount, figures=shown)
        else:
            self._progress.update(self._tasks[task], advance=amount)

    def finish(self, task: str) -> None:
        """Close a bar; without a terminal, say in one line how long it took."""
        identity = self._tasks.pop(task)
        self._progress.update(identity, total=self._done[task])
        self._progress.stop_task(identity)
        if not self._is_terminal:
            elapsed_s = time.monotonic() - self._started_s[task]
            self.say(f"{task}: {self._done[task]} in {elapsed_s:.1f} s")

    def say(self, line: str) -> None:
        """One line above the bars."""
        self._progress.console.print(clean_text(line, max_length=1000), markup=False)
