"""From a prepared recording to what it measures: marks, figures, amplitudes, statements."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ptacl_core.arrays import Array, Float32
from ptacl_core.preprocess.delineation import delineate
from ptacl_core.preprocess.measurements.axes import measure_axes
from ptacl_core.preprocess.measurements.intervals import INTERVALS, correct_qt, measure_intervals
from ptacl_core.preprocess.measurements.lead_waves import (
    Deflection,
    find_deflections,
    measure_leads,
)
from ptacl_core.preprocess.measurements.statements import make_statements
from ptacl_core.preprocess.quality import MIN_BEATS_FOR_INTERVALS
from ptacl_core.preprocess.rhythm import MAX_RR_S, MIN_RR_S
from ptacl_core.records import (
    LEAD_FIGURE_NAMES,
    LEAD_NAMES,
    MARK_NAMES,
    BeatMarks,
    EcgAnalysis,
    EcgMarks,
    EcgRecord,
    Finding,
    PreparedEcg,
    Statement,
)

_RATE_HZ = 500.0
_MIN_ECTOPIC = 1
_SHORTEST_RR_MS = 333.0
_LONGEST_QT_SHARE = 0.85


def analyse_ecg(prepared: PreparedEcg, record: EcgRecord | None = None) -> EcgAnalysis:
    """Marks, intervals, axes, amplitudes and statements of one ECG.

    What cannot be measured is absent: everything for a rejected recording, everything but the
    heart rate with under five R peaks. QTc is for the mean RR of the recording, as on carts;
    it stands in `rr_ms`. `record` is the recording itself: its findings are heeded too, should
    `prepared` have been built without them.
    """
    if not prepared.is_accepted or prepared.heart_rate_bpm is None:
        return _nothing(prepared, "the recording was rejected")
    if record is not None and any(finding.severity == "reject" for finding in record.findings):
        return _nothing(prepared, "the recording was rejected")
    figures = {"heart_rate_bpm": float(prepared.heart_rate_bpm)}
    if len(prepared.r_peak_samples) < MIN_BEATS_FOR_INTERVALS:
        reason = f"{len(prepared.r_peak_samples)} beats, {MIN_BEATS_FOR_INTERVALS} are needed"
        return _nothing(prepared, reason, figures)
    signal_mv = prepared.signal_mv if prepared.unfiltered_mv is None else prepared.unfiltered_mv
    marks = delineate(signal_mv, sampling_rate_hz=_RATE_HZ, r_peak_samples=prepared.r_peak_samples)
    beat, beat_mv = marks.representative, marks.representative_mv
    if beat is None or beat_mv is None:
        return EcgAnalysis(marks, figures, findings=_remarks(marks, figures))
    codes = {finding.code for finding in prepared.findings}
    if "paced" in codes:
        marks, beat = _without(marks, beat, ("p_onset", "p_offset"), "the rhythm is paced")
    rr_ms = _mean_rr_ms(prepared)
    if rr_ms is not None and rr_ms < _SHORTEST_RR_MS:
        marks, beat = _doubt_at_fast_rate(marks, beat)
    figures |= measure_intervals(marks)
    if rr_ms is not None:
        figures["rr_ms"] = rr_ms
        if "qt_ms" in figures:
            figures |= correct_qt(figures["qt_ms"], rr_ms)
        if figures.get("qt_ms", 0.0) > _LONGEST_QT_SHARE * rr_ms:
            doubt = "T ends just before the next beat, whose P wave may be taken for a part of it"
            marks = replace(marks, unsure={"t_end": doubt, **marks.unsure})
    figures |= measure_axes(beat_mv, beat)
    deflections = _find_deflections(beat_mv, beat)
    leads_mv = measure_leads(beat_mv, beat, deflections)
    figures |= _voltages(leads_mv)
    statements = make_statements(figures, leads_mv, beat_mv, beat, deflections)
    if rr_ms is not None and rr_ms < _SHORTEST_RR_MS:
        statements = tuple(s for s in statements if s.code not in _OF_QRS_LENGTH)
    if "paced" in codes:
        statements = (_PACED,)
    return EcgAnalysis(marks, figures, leads_mv, statements, _remarks(marks, figures))


def measure_ecg(prepared: PreparedEcg, record: EcgRecord | None = None) -> dict[str, float]:
    """The figures of `analyse_ecg` alone, by the names of `FIGURE_NAMES`."""
    return dict(analyse_ecg(prepared, record).figures)


_LABELS = {"p_onset": "pr", "qrs_offset": "qrs", "t_end": "qt"}
"""The interval that hangs on each mark that may be unsure."""
_OF_QRS_LENGTH = ("lbbb_morphology", "rbbb_morphology", "q_waves")
"""Statements that stand on where QRS begins and ends."""

_PACED = Statement(
    "paced",
    "most beats follow a pacing spike; other statements are not made",
    "a spike narrower than 6 ms within 250 ms before 60 % of the beats",
    "Kligfield et al., AHA/ACC/HRS recommendations I, Circulation 2007;115:1306",
)


def _find_deflections(
    beat_mv: Float32[Array, "12 sample"], beat: BeatMarks
) -> list[list[Deflection]]:
    onset, offset = beat.qrs_onset, beat.qrs_offset
    if onset is None or offset is None:
        return [[] for _ in beat_mv]
    return [find_deflections(samples, onset, offset) for samples in beat_mv]


def _without(
    marks: EcgMarks, beat: BeatMarks, names: Sequence[str], reason: str
) -> tuple[EcgMarks, BeatMarks]:
    """The marks without some of each beat, and the representative beat so."""
    nothing = dict.fromkeys(names)
    changed = beat.moved(**nothing)
    return (
        EcgMarks(
            beats=tuple(beat.moved(**nothing) for beat in marks.beats),
            representative=changed,
            representative_mv=marks.representative_mv,
            num_averaged=marks.num_averaged,
            class_counts=marks.class_counts,
            absent={**marks.absent, **dict.fromkeys(names, reason)},
            unsure={name: doubt for name, doubt in marks.unsure.items() if name not in names},
        ),
        changed,
    )


def _doubt_at_fast_rate(marks: EcgMarks, beat: BeatMarks) -> tuple[EcgMarks, BeatMarks]:
    """Above 180 a minute one wave runs into the next: QRS alone is kept, and doubted."""
    reason = "above 180 beats a minute P and T are not told apart"
    names = ("p_onset", "p_offset", "t_peak", "t_end")
    marks, beat = _without(marks, beat, names, reason)
    doubt = "QRS may hold a part of T: above 180 beats a minute one runs into the other"
    return replace(marks, unsure={"qrs_offset": doubt, **marks.unsure}), beat


def _mean_rr_ms(prepared: PreparedEcg) -> float | None:
    """Mean of the possible RR intervals; None without two of them."""
    rr_s = np.diff(prepared.r_peak_samples) / _RATE_HZ
    possible = rr_s[(rr_s >= MIN_RR_S) & (rr_s <= MAX_RR_S)]
    return float(1000.0 * possible.mean()) if possible.size >= 2 else None


def _voltages(leads_mv: np.ndarray) -> dict[str, float]:
    """Sokolow-Lyon (S of V1 plus R of V5 or V6) and Cornell (R of aVL plus S of V3) in mV."""

    def of(lead: str, name: str) -> float:
        return float(leads_mv[LEAD_NAMES.index(lead), LEAD_FIGURE_NAMES.index(name)])

    # A QS complex has its depth as Q.
    depth = {lead: -min(of(lead, "q_mv"), of(lead, "s_mv")) for lead in ("V1", "V3")}
    sokolow = depth["V1"] + max(of("V5", "r_mv"), of("V6", "r_mv"))
    cornell = depth["V3"] + of("aVL", "r_mv")
    return {
        name: value
        for name, value in (("sokolow_lyon_mv", sokolow), ("cornell_mv", cornell))
        if np.isfinite(value)
    }


def _remarks(marks: EcgMarks, figures: dict[str, float]) -> tuple[Finding, ...]:
    """What is absent, what is doubtful, and beats of another shape, as findings."""
    findings = []
    for name in ("pr_ms", "qrs_ms", "qt_ms"):
        if name in figures:
            continue
        reasons = [marks.absent[mark] for mark in INTERVALS[name] if mark in marks.absent]
        reason = reasons[0] if reasons else "its length is not possible"
        label = name.removesuffix("_ms")
        findings.append(Finding(f"{label}_absent", "info", f"no {label.upper()}: {reason}"))
    for mark, doubt in marks.unsure.items():
        label = _LABELS[mark]
        findings.append(Finding(f"{label}_unsure", "info", doubt))
    others = sum(marks.class_counts[1:])
    if others >= _MIN_ECTOPIC and marks.representative is not None:
        message = f"{others} of {sum(marks.class_counts)} beats have another QRS shape"
        findings.append(Finding("other_beats", "info", message))
    return tuple(findings)


def _nothing(
    prepared: PreparedEcg, reason: str, figures: dict[str, float] | None = None
) -> EcgAnalysis:
    marks = EcgMarks(
        beats=tuple(BeatMarks(r_peak=int(sample)) for sample in prepared.r_peak_samples),
        representative=None,
        representative_mv=None,
        absent=dict.fromkeys(MARK_NAMES, reason),
    )
    return EcgAnalysis(marks, figures or {})
