"""What an ECG measures: figures, amplitudes by lead, named statements, and why some are absent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ptacl_core.arrays import Array, Float64
from ptacl_core.records.ecg import LEAD_NAMES
from ptacl_core.records.finding import Finding
from ptacl_core.records.marks import EcgMarks

FIGURE_UNITS = {
    "heart_rate_bpm": "bpm",
    "rr_ms": "ms",
    "p_ms": "ms",
    "pr_ms": "ms",
    "qrs_ms": "ms",
    "qt_ms": "ms",
    "qtc_ms": "ms",
    "qtc_fridericia_ms": "ms",
    "qtc_framingham_ms": "ms",
    "qtc_hodges_ms": "ms",
    "axis_deg": "deg",
    "p_axis_deg": "deg",
    "t_axis_deg": "deg",
    "sokolow_lyon_mv": "mV",
    "cornell_mv": "mV",
}
"""Figures of the whole recording with their units; `rr_ms` is the mean RR that QTc is corrected
for, `qtc_ms` is Bazett's, `axis_deg` that of QRS."""

FIGURE_NAMES = tuple(FIGURE_UNITS)

LEAD_FIGURE_NAMES = ("p_mv", "q_mv", "r_mv", "s_mv", "st_j_mv", "st_j60_mv", "st_j80_mv", "t_mv")
"""Amplitudes of each lead from the level just before QRS; ST at its end, 60 and 80 ms later."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A named remark with the published criterion that it follows; never a diagnosis."""

    code: str
    text: str
    criterion: str
    source: str

    def as_dict(self) -> dict[str, str]:
        """As it stands in JSON documents and tables."""
        return {
            "code": self.code,
            "text": self.text,
            "criterion": self.criterion,
            "source": self.source,
        }


@dataclass(frozen=True, slots=True, eq=False)
class EcgAnalysis:
    """One ECG measured: what cannot be told is absent from `figures`, with the reason in `marks`.

    `lead_figures_mv` has a row per lead and a column per name in `LEAD_FIGURE_NAMES`, NaN where
    absent. `findings` name what is absent or doubtful, for the recording's own findings.
    """

    marks: EcgMarks
    figures: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    lead_figures_mv: Float64[Array, "12 figure"] | None = None
    statements: tuple[Statement, ...] = ()
    findings: tuple[Finding, ...] = ()

    def leads_as_dict(self) -> dict[str, dict[str, float]]:
        """The amplitudes by lead and name, those that are there."""
        if self.lead_figures_mv is None:
            return {}
        return {
            lead: {
                name: round(value, 4)
                for name, value in zip(LEAD_FIGURE_NAMES, row, strict=True)
                if value == value  # noqa: PLR0124 - NaN is absent
            }
            for lead, row in zip(LEAD_NAMES, self.lead_figures_mv.tolist(), strict=True)
        }

    def marks_as_dict(self) -> dict[str, object]:
        """The marks as JSON documents carry them, in samples at `sampling_rate_hz`."""
        marks = self.marks
        representative = marks.representative
        return {
            "sampling_rate_hz": marks.sampling_rate_hz,
            "beats": [beat.as_dict() for beat in marks.beats],
            "representative": None if representative is None else representative.as_dict(),
            "num_averaged": marks.num_averaged,
            "class_counts": list(marks.class_counts),
            "absent": dict(marks.absent),
            "unsure": dict(marks.unsure),
        }
