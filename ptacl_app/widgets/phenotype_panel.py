"""The ten phenotypes: predicted with interval on the reference range, measured beside it."""

from dataclasses import dataclass
from textwrap import wrap
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.strip import Strip
from textual.widget import Widget

from ptacl_app.data.patient_view import PatientView, PhenotypeValue
from ptacl_app.text.formatting import (
    MISSING,
    PREDICTED,
    format_interval,
    format_number,
    format_signed,
)
from ptacl_core.records import PHENOTYPE_NAMES

MAIN_PHENOTYPES = ("lvedv_ml", "lvesv_ml", "lvef_pct", "lvm_g", "rvedv_ml", "rvef_pct")
"""What is shown first when there is room for six rows only."""
_LABEL, _VALUE, _MEASURED, _INTERVAL, _Z = 10, 5, 5, 10, 5
_MIN_BAR = 6
"""Columns that the bar keeps before z-scores join: 47 hold both, 42 the prediction's, 37 none."""
_COMPACT_ROWS = 3
"""Up to this height the line that says where the numbers come from is left out."""
_DOT, _OUTSIDE, _LINE, _DIAMOND = "●", "!", "━", "◆"


@dataclass(frozen=True, slots=True)
class _Columns:
    bar: int
    has_z: bool
    has_measured_z: bool


class PhenotypePanel(Widget):
    """One header, one row per phenotype, one line that says where the numbers come from."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "phenotype--head",
        "phenotype--label",
        "phenotype--predicted",
        "phenotype--outside",
        "phenotype--ground",
        "phenotype--reference",
        "phenotype--measured",
        "phenotype--quiet",
    }
    DEFAULT_CSS = """
    PhenotypePanel {
        height: 12;
        background: $background;
        & .phenotype--head { color: $primary; background: $background; text-style: bold; }
        & .phenotype--label { color: $foreground; background: $background; }
        & .phenotype--predicted { color: $interval-ink; background: $background; }
        & .phenotype--outside {
            color: $interval-outside; background: $background; text-style: bold;
        }
        & .phenotype--ground { background: $interval-ground; }
        & .phenotype--reference { background: $interval-reference; }
        & .phenotype--measured {
            color: $measured-ink; background: $background; text-style: bold;
        }
        & .phenotype--quiet { color: $quiet-ink; background: $background; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.patient: PatientView | None = None
        self.explained: str | None = None

    def explain(self, name: str | None) -> None:
        """Mark the phenotype that the overlay on the ECG is about."""
        self.explained = name
        self.refresh()

    def show(self, patient: PatientView | None) -> None:
        """Show another patient's phenotypes."""
        self.patient = patient
        self.explained = None
        self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Header, ten rows, one line of provenance."""
        del container, viewport, width
        return 12

    def render_line(self, y: int) -> Strip:
        """Header, then phenotypes, then provenance."""
        width = self.size.width
        lines = self._build_lines(width)
        if y < len(lines):
            return Strip(lines[y]).adjust_cell_length(width, self._style("label"))
        return Strip.blank(width, self._style("label"))

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"phenotype--{name}")

    def _build_lines(self, width: int) -> list[list[Segment]]:
        patient = self.patient
        if patient is None:
            return []
        shown = self._choose_rows(patient)
        if not shown:
            return [[Segment(line[:width], self._style("quiet"))] for line in _explain(patient)]
        columns = _lay_out(width)
        origin = wrap(_describe_origin(patient), max(width, 1))
        room = max(self.size.height - 1 - len(shown), 0)
        return [
            self._build_head(columns),
            *(self._build_row(value, columns) for value in shown),
            *([Segment(line, self._style("quiet"))] for line in origin[:room]),
        ]

    @property
    def _has_phenotypes(self) -> bool:
        """Whether any of the ten is known; else the panel is about the cohort's own targets."""
        patient = self.patient
        return (
            patient is None
            or not patient.targets
            or any(
                value.measured is not None or value.predicted is not None
                for value in patient.phenotypes
            )
        )

    def _choose_rows(self, patient: PatientView) -> list[PhenotypeValue]:
        known = [
            value
            for value in (*patient.phenotypes, *patient.targets)
            if value.measured is not None or value.predicted is not None
        ]
        height = self.size.height
        room = height - 2 if height > _COMPACT_ROWS else height - 1
        if room >= len(known):
            return known
        kept = {value.name for value in sorted(known, key=_rank)[: max(room, 0)]}
        return [value for value in known if value.name in kept]

    def _build_head(self, columns: _Columns) -> list[Segment]:
        known = None if self.patient is None else self.patient.coverage
        coverage = "interval" if known is None else f"{100 * known:.0f} %"
        text = "predicted".rjust(_LABEL + _VALUE)
        if columns.has_z:
            text += "z".rjust(_Z)
        text += coverage.rjust(_INTERVAL)
        title = "usual range" if columns.bar >= len("usual range") else "usual"
        text += " " + title.center(columns.bar)[: columns.bar]
        text += ("CMR" if self._has_phenotypes else "meas.").rjust(_MEASURED)
        if columns.has_measured_z:
            text += "z".rjust(_Z)
        return [Segment(text, self._style("head"))]

    def _build_row(self, value: PhenotypeValue, columns: _Columns) -> list[Segment]:
        unit, predicted = value.unit, value.predicted
        ink = self._style("outside" if value.is_outside else "predicted")
        is_explained = value.name == self.explained
        label = _fit_label(value, is_explained=is_explained)
        segments = [Segment(label.ljust(_LABEL), self._style("head" if is_explained else "label"))]
        shown, interval = MISSING, ""
        if predicted is not None:
            shown = PREDICTED + format_number(predicted.value, unit=unit)
            interval = format_interval(predicted.low, predicted.high, unit)
        segments.append(Segment(shown.rjust(_VALUE), ink))
        if columns.has_z:
            segments.append(Segment(_format_z(value.z_score).rjust(_Z), ink))
        segments.append(Segment(interval.rjust(_INTERVAL), ink))
        segments.append(Segment(" ", self._style("label")))
        measured = format_number(value.measured, unit=unit)
        texts = ((shown, _VALUE), (interval, _INTERVAL), (measured, _MEASURED))
        wider = sum(max(len(text) - width, 0) for text, width in texts)
        segments.extend(self._build_bar(value, max(columns.bar - wider, 0)))
        is_known = value.measured is not None
        segments.append(
            Segment(measured.rjust(_MEASURED), self._style("measured" if is_known else "quiet"))
        )
        if columns.has_measured_z:
            z_score = _format_z(value.measured_z_score)
            segments.append(Segment(z_score.rjust(_Z), self._style("quiet")))
        return segments

    def _build_bar(self, value: PhenotypeValue, width: int) -> list[Segment]:
        """Ground, reference range, interval line, predicted dot (! outside), measured ◆."""
        scale = _choose_scale(value)
        if scale is None or width < 3:
            return [Segment(" " * width, self._style("ground"))]

        def place(number: float) -> int:
            low, high = scale
            return min(max(int((number - low) / (high - low) * width), 0), width - 1)

        characters = [" "] * width
        grounds = ["ground"] * width
        inks = ["predicted"] * width
        if value.reference is not None:
            first, last = place(value.reference.low), place(value.reference.high)
            grounds[first : last + 1] = ["reference"] * (last + 1 - first)
        if value.predicted is not None:
            first, last = place(value.predicted.low), place(value.predicted.high)
            characters[first : last + 1] = _LINE * (last + 1 - first)
            dot = place(value.predicted.value)
            characters[dot] = _OUTSIDE if value.is_outside else _DOT
            if value.is_outside:
                inks[first : last + 1] = ["outside"] * (last + 1 - first)
        if value.measured is not None:
            diamond = place(value.measured)
            characters[diamond] = _DIAMOND
            inks[diamond] = "measured"
        return [
            Segment(
                character,
                Style(
                    color=self._style(ink).color,
                    bold=self._style(ink).bold,
                    bgcolor=self._style(ground).bgcolor,
                ),
            )
            for character, ink, ground in zip(characters, inks, grounds, strict=True)
        ]


def _lay_out(width: int) -> _Columns:
    room = width - (_LABEL + _VALUE + _INTERVAL + 1 + _MEASURED)
    num_z = min(max((room - _MIN_BAR) // _Z, 0), 2)
    return _Columns(max(room - num_z * _Z, 0), num_z >= 1, num_z == 2)


def _format_z(z_score: float | None) -> str:
    return "" if z_score is None else format_signed(z_score)


def _fit_label(value: PhenotypeValue, *, is_explained: bool) -> str:
    """Label and unit in the column's width; a long title of a target is cut."""
    unit = value.unit[: _LABEL - 4]
    room = _LABEL - 1 - len(unit)
    label = value.label if len(value.label) <= room else f"{value.label[: room - 1]}…"
    return f"{label}{'◂' if is_explained else ' '}{unit}"


def _rank(value: PhenotypeValue) -> int:
    """The ejection fraction first, then the cohort's own targets, then the other phenotypes."""
    order = ("lvef_pct", "", *MAIN_PHENOTYPES, *PHENOTYPE_NAMES)
    return order.index("" if value.title else value.name)


def _choose_scale(value: PhenotypeValue) -> tuple[float, float] | None:
    """The ends of the bar: the reference range with its own width to spare, and all marks."""
    marks: list[float] = []
    if value.reference is not None:
        spare = (value.reference.high - value.reference.low) / 2
        marks += [value.reference.low - spare, value.reference.high + spare]
    if value.predicted is not None:
        marks += [value.predicted.low, value.predicted.high]
    if value.measured is not None:
        marks.append(value.measured)
    if not marks or max(marks) - min(marks) <= 0:
        return None
    return min(marks), max(marks)


def _explain(patient: PatientView) -> list[str]:
    if patient.is_rejected:
        return ["no prediction: the ECG was rejected", "(see the findings above)"]
    if patient.ecg is None:
        return ["no ECG for this visit, so no prediction"]
    return [
        "no prediction yet",
        "train a model, then run  ptacl embed",
    ]


def _describe_origin(patient: PatientView) -> str:
    reference = next(
        (value.reference for value in patient.phenotypes if value.reference is not None), None
    )
    parts = [f"run {patient.run}" if patient.has_predictions else "measured only"]
    has_cmr = any(value.measured is not None for value in patient.phenotypes)
    measured = "CMR" if has_cmr or not patient.targets else "measured"
    parts.append(f"● predicted ◆ {measured}" if patient.has_predictions else f"◆ {measured}")
    if reference is not None:
        people = {"F": "women", "M": "men"}.get(patient.sex or "", "of the same sex")
        parts.append(f"usual: 95 % of {reference.num_patients} {people}")
    predicted = [
        value.predicted
        for value in (*patient.phenotypes, *patient.targets)
        if value.predicted is not None
    ]
    group = next(
        (prediction.interval_group for prediction in predicted if prediction.interval_group), "all"
    )
    if group != "all":
        parts.append(f"intervals of {group}")
    if any(prediction.z_score is not None for prediction in predicted):
        parts.append("z by sex, age, body size")
    return " · ".join(parts)
