"""A Chromium without its bars as the window, where no native one is installed."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from ptacl_app.desktop.recent import WindowPlace
from ptacl_app.desktop.window import Command, Kind
from ptacl_core.errors import ConfigError

BROWSERS = (
    "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "brave-browser",
    "microsoft-edge", "msedge", "chrome",
)  # fmt: skip
APPLICATIONS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
NO_SANDBOX = "PTACL_TEST_NO_SANDBOX"
"""Set only by tests that run as root, where Chromium refuses to start with its sandbox."""
_SIGNALS = (-15, -1)


class BrowserWindow:
    """A Chromium in app mode, with a profile of its own that goes with the window."""

    has_dialogs = False

    def __init__(self, program: str) -> None:
        self.program = program
        self._process: subprocess.Popen[bytes] | None = None

    def show(
        self,
        address: str,
        place: WindowPlace,
        keep_place: Callable[[WindowPlace], None],
        menu: Sequence[Command],
    ) -> None:
        """Show `address` and wait for the browser's end."""
        del keep_place, menu  # the page tells where it stands; a browser has no menu of ours
        with tempfile.TemporaryDirectory(
            prefix="ptacl-window-", ignore_cleanup_errors=True
        ) as profile:
            options = [
                f"--app={address}", f"--user-data-dir={profile}", "--no-first-run",
                "--no-default-browser-check", f"--window-size={place.width},{place.height}",
            ]  # fmt: skip
            if place.x is not None and place.y is not None:
                options.append(f"--window-position={place.x},{place.y}")
            if place.is_maximized:
                options.append("--start-maximized")
            if os.environ.get(NO_SANDBOX) == "1":
                options.append("--no-sandbox")
            self._process = process = subprocess.Popen(
                [self.program, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            try:
                process.wait()
            finally:
                self.close()
                process.wait()
        if process.returncode not in (0, *_SIGNALS):
            raise ConfigError(
                f"{Path(self.program).name} ended with status {process.returncode}; use "
                "`ptacl-app web COHORT` with another browser"
            )

    def go_to(self, address: str) -> None:
        """Not possible from here: the page goes where it wants to."""
        del address

    def bring_to_front(self) -> bool:
        """A browser cannot be asked to."""
        return False

    def ask_to_open(self, kind: Kind) -> tuple[Path, ...]:
        """A browser does not tell where a file lies."""
        del kind
        return ()

    def ask_where_to_save(self, name: str) -> Path | None:
        """A browser saves what it downloads."""
        del name
        return None

    def close(self) -> None:
        """End the browser."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()


def find_browser() -> str | None:
    """A program that shows pages without bars."""
    for name in BROWSERS:
        program = shutil.which(name)
        if program is not None:
            return program
    return next((path for path in APPLICATIONS if Path(path).exists()), None)
