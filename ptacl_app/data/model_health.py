"""Whether the run whose figures are shown has learned: what stands before any of its numbers."""

from pathlib import Path

from ptacl_app.text.formatting import safe
from ptacl_core.documents.health import explain_failure
from ptacl_core.documents.model import DocumentError


def read_warning(cohort_dir: Path, run: str | None) -> str | None:
    """One line why the figures of `run` are not to be relied on; None when nothing is known.

    Safe to be shown: the text is of a file that anybody may have written.
    """
    if run is None or run in ("", ".", "..") or "/" in run or "\0" in run:
        return None
    try:
        reason = explain_failure(cohort_dir / "runs" / run)
    except DocumentError as error:
        reason = f"run {run}: its health cannot be read ({error})"
    return None if reason is None else safe(reason, max_length=300)
