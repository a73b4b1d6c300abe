"""Named statements of an ECG, each by a published criterion that stands beside it.

They describe what the figures show, for research; none is a diagnosis.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ptacl_core.arrays import Array, Float32, Float64
from ptacl_core.preprocess.measurements.lead_waves import Deflection
from ptacl_core.records.analysis import LEAD_FIGURE_NAMES, Statement
from ptacl_core.records.ecg import LEAD_NAMES
from ptacl_core.records.marks import BeatMarks

_CONDUCTION = "Surawicz et al., AHA/ACCF/HRS recommendations III, J Am Coll Cardiol 2009;53:976"
_GROUPS = (("I", "aVL"), ("II", "III", "aVF"), ("V4", "V5", "V6"))
_R_PEAK_TIME_MS = 60.0
_BROAD_R_MS = 50.0
_TERMINAL_S_MS = 40.0


class Complexes(NamedTuple):
    """What the statements look at: figures, amplitudes, and the deflections of every lead."""

    figures: Mapping[str, float]
    leads_mv: Float64[Array, "12 figure"]
    deflections: Mapping[str, Sequence[Deflection]]
    qrs_onset: int
    qrs_offset: int
    beat_mv: Float32[Array, "12 sample"]

    def amplitude(self, lead: str, name: str) -> float:
        """One amplitude in mV, NaN where the lead is off."""
        return float(self.leads_mv[LEAD_NAMES.index(lead), LEAD_FIGURE_NAMES.index(name)])


class _Criterion(NamedTuple):
    code: str
    criterion: str
    source: str
    applies: Callable[[Complexes], str]
    """The text of the statement, empty when it does not apply."""


def make_statements(
    figures: Mapping[str, float],
    leads_mv: Float64[Array, "12 figure"],
    beat_mv: Float32[Array, "12 sample"],
    marks: BeatMarks,
    deflections: Sequence[Sequence[Deflection]],
) -> tuple[Statement, ...]:
    """The statements whose criteria the representative beat meets, in the order of `CRITERIA`."""
    if marks.qrs_onset is None or marks.qrs_offset is None:
        return ()
    named: dict[str, Sequence[Deflection]] = dict(zip(LEAD_NAMES, deflections, strict=True))
    complexes = Complexes(figures, leads_mv, named, marks.qrs_onset, marks.qrs_offset, beat_mv)
    return tuple(
        Statement(criterion.code, text, criterion.criterion, criterion.source)
        for criterion in CRITERIA
        if (text := criterion.applies(complexes))
    )


def _first_degree_block(ecg: Complexes) -> str:
    pr_ms = ecg.figures.get("pr_ms", 0.0)
    return f"PR {pr_ms:.0f} ms: first-degree atrioventricular block" if pr_ms > 200.0 else ""


def _left_bundle_branch_block(ecg: Complexes) -> str:
    if ecg.figures.get("qrs_ms", 0.0) < 120.0:
        return ""
    has_no_q = all(ecg.amplitude(lead, "q_mv") > -0.03 for lead in ("I", "V6"))
    is_v1_negative = _net(ecg, "V1") < 0
    is_late = any(
        _r_peak_time_ms(ecg, lead) > _R_PEAK_TIME_MS or _r_width_ms(ecg, lead) >= _BROAD_R_MS
        for lead in ("V5", "V6")
    )
    is_upright = _net(ecg, "I") > 0 and _net(ecg, "V6") > 0
    if has_no_q and is_v1_negative and is_late and is_upright:
        return f"QRS {ecg.figures['qrs_ms']:.0f} ms with left bundle branch block morphology"
    return ""


def _right_bundle_branch_block(ecg: Complexes) -> str:
    if ecg.figures.get("qrs_ms", 0.0) < 120.0:
        return ""
    has_late_r = any(_ends_upright(ecg, lead) for lead in ("V1", "V2"))
    has_broad_s = any(
        deflection.height_mv < 0 and deflection.duration_ms > _TERMINAL_S_MS
        for lead in ("I", "V6")
        for deflection in ecg.deflections[lead][1:]
    )
    if has_late_r and has_broad_s:
        return f"QRS {ecg.figures['qrs_ms']:.0f} ms with right bundle branch block morphology"
    return ""


def _sokolow_lyon(ecg: Complexes) -> str:
    value_mv = ecg.figures.get("sokolow_lyon_mv", 0.0)
    return f"Sokolow-Lyon voltage {value_mv:.2f} mV" if value_mv >= 3.5 else ""


def _cornell(ecg: Complexes) -> str:
    value_mv = ecg.figures.get("cornell_mv", 0.0)
    if value_mv > 2.8:
        return f"Cornell voltage {value_mv:.2f} mV, over the limits of both sexes"
    return f"Cornell voltage {value_mv:.2f} mV, over the limit of women" if value_mv > 2.0 else ""


def _low_voltage(ecg: Complexes) -> str:
    span_mv = np.array([_span(ecg, lead) for lead in LEAD_NAMES])
    is_limb_low = bool(np.all(span_mv[:6] < 0.5))
    is_chest_low = bool(np.all(span_mv[6:] < 1.0))
    if is_limb_low and is_chest_low:
        return "low QRS voltage in all leads"
    if is_limb_low:
        return "low QRS voltage in the limb leads"
    return "low QRS voltage in the precordial leads" if is_chest_low else ""


def _q_waves(ecg: Complexes) -> str:
    if ecg.figures.get("qrs_ms", 0.0) >= 120.0:
        return ""
    early = [lead for lead in ("V2", "V3") if _q_duration_ms(ecg, lead) >= 20.0]
    deep = [
        lead
        for lead in LEAD_NAMES
        if lead not in ("aVR", "V1", "V2", "V3")
        and _q_duration_ms(ecg, lead) >= 30.0
        and ecg.amplitude(lead, "q_mv") <= -0.1
    ]
    paired = {
        lead
        for group in _GROUPS
        for lead in group
        if lead in deep and sum(other in deep for other in group) >= 2
    }
    named = [lead for lead in LEAD_NAMES if lead in paired or lead in early]
    return f"Q waves in {', '.join(named)}" if named else ""


def _left_axis(ecg: Complexes) -> str:
    axis_deg = ecg.figures.get("axis_deg")
    is_left = axis_deg is not None and -90.0 <= axis_deg < -30.0
    return f"left axis deviation, {axis_deg:.0f}°" if is_left else ""


def _right_axis(ecg: Complexes) -> str:
    axis_deg = ecg.figures.get("axis_deg")
    is_right = axis_deg is not None and 90.0 < axis_deg <= 180.0
    return f"right axis deviation, {axis_deg:.0f}°" if is_right else ""


def _long_qt(ecg: Complexes) -> str:
    value_ms = ecg.figures.get("qtc_ms", 0.0)
    if value_ms < 450.0 or ecg.figures.get("qrs_ms", 0.0) >= 120.0:
        return ""
    people = "both sexes" if value_ms >= 460.0 else "men"
    return f"QTc (Bazett) {value_ms:.0f} ms, prolonged by the limit of {people}"


def _net(ecg: Complexes, lead: str) -> float:
    samples = ecg.beat_mv[LEAD_NAMES.index(lead), ecg.qrs_onset : ecg.qrs_offset + 1]
    return float(samples.sum())


def _span(ecg: Complexes, lead: str) -> float:
    """Peak to peak; a lead that is off is not low."""
    samples = ecg.beat_mv[LEAD_NAMES.index(lead), ecg.qrs_onset : ecg.qrs_offset + 1]
    span = float(np.ptp(samples))
    return span if span > 0 else np.inf


def _r_peak_time_ms(ecg: Complexes, lead: str) -> float:
    samples = ecg.beat_mv[LEAD_NAMES.index(lead), ecg.qrs_onset : ecg.qrs_offset + 1]
    return 2.0 * float(np.argmax(samples))


def _r_width_ms(ecg: Complexes, lead: str) -> float:
    """How long the lead is above half of its highest voltage."""
    samples = ecg.beat_mv[LEAD_NAMES.index(lead), ecg.qrs_onset : ecg.qrs_offset + 1]
    highest = float(samples.max())
    return 2.0 * float(np.count_nonzero(samples > 0.5 * highest)) if highest > 0.1 else 0.0


def _ends_upright(ecg: Complexes, lead: str) -> bool:
    """The last deflection is a positive one of 0.1 mV or more that comes late."""
    deflections = ecg.deflections[lead]
    if not deflections or deflections[-1].height_mv < 0.1:
        return False
    return _r_peak_time_ms(ecg, lead) > 50.0


def _q_duration_ms(ecg: Complexes, lead: str) -> float:
    """Of the first deflection when it is negative; a QS complex lasts all of it."""
    deflections = ecg.deflections[lead]
    return deflections[0].duration_ms if deflections and deflections[0].height_mv < 0 else 0.0


CRITERIA: tuple[_Criterion, ...] = (
    _Criterion(
        "first_degree_av_block",
        "PR over 200 ms",
        "Kusumoto et al., ACC/AHA/HRS bradycardia guideline, Circulation 2019;140:e382",
        _first_degree_block,
    ),
    _Criterion(
        "lbbb_morphology",
        "QRS 120 ms or more, no Q in I and V6, V1 negative on balance, I and V6 positive, R in V5 "
        "or V6 late (peak after 60 ms) or broad (50 ms at half height); notches are not looked for",
        _CONDUCTION,
        _left_bundle_branch_block,
    ),
    _Criterion(
        "rbbb_morphology",
        "QRS 120 ms or more, late terminal R in V1 or V2 (peak after 50 ms, 0.1 mV), S longer than "
        "40 ms in I or V6",
        _CONDUCTION,
        _right_bundle_branch_block,
    ),
    _Criterion(
        "lvh_sokolow_lyon",
        "S in V1 plus the larger R of V5 and V6 at least 3.5 mV",
        "Sokolow & Lyon, Am Heart J 1949;37:161",
        _sokolow_lyon,
    ),
    _Criterion(
        "lvh_cornell",
        "R in aVL plus S in V3 over 2.8 mV (men) or 2.0 mV (women)",
        "Casale et al., Circulation 1987;75:565",
        _cornell,
    ),
    _Criterion(
        "low_voltage",
        "QRS under 0.5 mV peak to peak in all limb leads, or under 1.0 mV in all precordial leads",
        "Kligfield et al., AHA/ACC/HRS recommendations I, Circulation 2007;115:1306; limits as in "
        "Usoro et al., Am J Cardiol 2014;113:1575",
        _low_voltage,
    ),
    _Criterion(
        "q_waves",
        "Q of 20 ms or more (or QS) in V2 or V3, or Q of 30 ms and 0.1 mV (or QS) in two leads "
        "of I-aVL, II-III-aVF or V4-V6; not stated with QRS of 120 ms or more",
        "Thygesen et al., Fourth Universal Definition of Myocardial Infarction, Circulation "
        "2018;138:e618",
        _q_waves,
    ),
    _Criterion("left_axis_deviation", "QRS axis between -30° and -90°", _CONDUCTION, _left_axis),
    _Criterion("right_axis_deviation", "QRS axis over 90°", _CONDUCTION, _right_axis),
    _Criterion(
        "long_qtc",
        "QTc 450 ms or more in men, 460 ms in women; not stated with QRS of 120 ms or more",
        "Rautaharju et al., AHA/ACCF/HRS recommendations IV, J Am Coll Cardiol 2009;53:982",
        _long_qt,
    ),
)
"""Every statement that can be made, with its criterion and source."""
