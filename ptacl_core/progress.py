"""How long work reports what it has done, without knowing who listens."""

from typing import Protocol


class ProgressSink(Protocol):
    """Receives the progress of one or several tasks; the command line draws bars from it."""

    def start(self, task: str, total: int | None, unit: str) -> None:
        """Open `task` of `total` units (None: unknown) named `unit`, such as "patients"."""
        ...

    def advance(self, task: str, amount: int = 1, **figures: float) -> None:
        """Report `amount` more units done, with figures worth showing beside the bar."""
        ...

    def finish(self, task: str) -> None:
        """Close `task`."""
        ...

    def say(self, line: str) -> None:
        """Show one line of narration."""
        ...


class SilentProgress:
    """A sink that shows nothing."""

    def start(self, task: str, total: int | None, unit: str) -> None:
        """Ignore the opening of a task."""

    def advance(self, task: str, amount: int = 1, **figures: float) -> None:
        """Ignore a step."""

    def finish(self, task: str) -> None:
        """Ignore the end of a task."""

    def say(self, line: str) -> None:
        """Ignore a line."""


SILENT = SilentProgress()
