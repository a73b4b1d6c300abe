"""Quality findings and the out-of-distribution verdict: read before any number."""

from textwrap import wrap

from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from ptacl_app.data.patient_view import PatientView

_SIGNS = {"info": "·", "warning": "!", "reject": "✗"}
_ORDER = {"reject": 0, "warning": 1, "info": 2}


class FindingsPanel(Widget):
    """The verdict first, then the findings, the gravest first."""

    DEFAULT_CSS = """
    FindingsPanel { height: auto; max-height: 7; background: $panel; padding: 0 1; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.patient: PatientView | None = None

    def show(self, patient: PatientView | None) -> None:
        """Show what is known about another recording."""
        self.patient = patient
        self.refresh(layout=True)

    @property
    def lines(self) -> list[tuple[str, str]]:
        """(style, text) of every line."""
        patient = self.patient
        if patient is None:
            return []
        lines = [_describe_distribution(patient)]
        lines += [("$warning-ink bold", f"! {fault}") for fault in patient.run_faults]
        ranked = sorted(patient.findings, key=lambda finding: _ORDER[finding.severity])
        lines += [
            (
                "$quiet-ink" if finding.severity == "info" else "$warning-ink",
                f"{_SIGNS[finding.severity]} {finding}",
            )
            for finding in ranked
        ]
        if not ranked and patient.ecg is not None:
            lines.append(("$quiet-ink", "✓ quality: nothing found"))
        return lines

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """One row per line, more for what is never cut; the pane may be lower."""
        del container, viewport
        return max(len(self._lay_out(width)), 1)

    def _lay_out(self, width: int) -> list[tuple[str, str]]:
        """The verdict and what speaks against the run wrapped, findings cut to a row each."""
        patient = self.patient
        num_whole = 0 if patient is None else 1 + len(patient.run_faults)
        width = max(width, 8)
        rows: list[tuple[str, str]] = []
        for number, (style, text) in enumerate(self.lines):
            if number < num_whole:
                rows += [(style, row) for row in wrap(text, width, subsequent_indent="  ")]
            else:
                rows.append((style, text if len(text) <= width else text[: width - 1] + "…"))
        return rows

    def render(self) -> Content:
        """The rows that fit."""
        rows = self._lay_out(self.size.width)
        room = max(self.size.height, 1)
        if len(rows) > room:
            hidden = len(rows) - room + 1
            rows = [*rows[: room - 1], ("$quiet-ink", f"… {hidden} more: F2")]
        return Content("\n").join([Content.styled(text, style) for style, text in rows])


def _describe_distribution(patient: PatientView) -> tuple[str, str]:
    if patient.ecg is None:
        return "$warning-ink", "! no ECG for this visit"
    if patient.is_rejected:
        return "$warning-ink", "✗ ECG rejected: no prediction is made from it"
    verdict = patient.out_of_distribution
    if verdict is None:
        return "$quiet-ink", "· not yet compared with the training data"
    if verdict.is_flagged:
        return (
            "$warning-ink bold",
            f"! unlike the training data ({verdict.score:.2f}): do not trust the numbers",
        )
    return "$success", f"✓ like the training data ({verdict.score:.2f})"
