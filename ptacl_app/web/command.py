"""What each page of the browser starts: the app, as a process of its own."""

import shlex
import subprocess
import sys
from pathlib import Path

_BOOTSTRAP = (
    "import sys; sys.path.append(sys.argv.pop(1)); "
    "from ptacl_app.__main__ import main; sys.exit(main())"
)


def build_command(cohort: Path, *, theme: str | None, is_private: bool) -> str:
    """The shell command that each session runs; no file of the current folder is imported."""
    root = str(Path(__file__).resolve().parents[2])
    words = [sys.executable, "-P", "-c", _BOOTSTRAP, root, str(cohort)]
    if theme is not None:
        words += ["--theme", theme]
    if is_private:
        words.append("--privacy")
    if sys.platform == "win32":
        return subprocess.list2cmdline(words)
    return "exec " + shlex.join(words)
