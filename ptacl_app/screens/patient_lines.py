"""What the patient screen's title, heads and status say. Pure."""

from ptacl_app.data.patient_view import PatientView
from ptacl_app.drawing.cine_raster import GreyWindow
from ptacl_app.drawing.ecg_page import PageView
from ptacl_app.drawing.paper import PaperPage, describe_scale
from ptacl_app.drawing.playback import NUM_STEPS, PlaybackClock, Position
from ptacl_app.text.formatting import MISSING, format_number, format_sex_age, format_share


def describe_patient(patient: PatientView, *, name: str, cohort: str | None) -> str:
    """Who is shown: name, sex, age, visit, heart rate, split, cohort."""
    if patient.origin == "file":
        parts = [name, "a file, not in the cohort"]
    else:
        parts = [name, format_sex_age(patient.sex, patient.age_years), f"visit {patient.visit}"]
    if patient.ecg is not None:
        parts.append(f"HR {format_number(patient.ecg.heart_rate_bpm, unit='bpm')} bpm")
    if patient.split:
        parts.append(f"{patient.split} split")
    if cohort is not None and patient.origin != "file":
        parts.append(cohort)
    if patient.is_awaiting:
        parts.append("the model is answering …")
    return " · ".join(parts)


def describe_page(view: PageView, page: PageView | PaperPage, *, processing: str) -> str:
    """Scale, layout, the seconds on the page, and the processing that the trace has had."""
    end_s = min(page.start_shown_s + page.page_s, view.duration_s)
    layout = view.layout.label
    if page.num_bands_shown < len(view.bands):
        first, last = page.panels[0].lead, page.panels[-1].lead
        layout += f"  {view.lead_names[first]} … {view.lead_names[last]} ↓↑"
    scale = f"{view.speed_mm_per_s:g} mm/s  {view.gain_mm_per_mv:g} mm/mV"
    if isinstance(page, PaperPage):
        scale = describe_scale(page)
    return f"{scale}  {layout}  {page.start_shown_s:.1f}–{end_s:.1f} s  {processing}"


def describe_status(
    clock: PlaybackClock,
    position: Position,
    *,
    window: GreyWindow | None,
    rate: str,
    width: int,
) -> str:
    """Where playback stands; with `window` the grey window instead of the step.

    `rate`, where frames are dropped, takes the place of the phase. The words stand closer where
    `width` columns do not take them all.
    """
    sign = "▶" if clock.is_playing else "❚❚"
    parts = [sign if clock.speed == 1.0 else f"{sign} ×{clock.speed:g}"]
    if position.frame is not None:
        parts.append(f"frame {position.frame + 1:>2}/{clock.num_frames}")
    parts.append(rate or f"phase {format_share(position.phase)}")
    if position.frame is not None and window is not None:
        parts.append(f"WL {window.level:.0f}/{window.width:.0f}")
    else:
        parts.append(f"step {position.step + 1}/{NUM_STEPS}")
    gap = "  " if sum(len(part) + 2 for part in parts) < width else " "
    return " " + gap.join(parts)


def describe_measurements(patient: PatientView | None) -> str:
    """PR, QRS and QTc as far as they were measured."""
    if patient is None or patient.ecg is None:
        return ""
    values = patient.ecg.measurements
    parts = [
        f"{label} {format_number(values.get(name), unit='ms')}"
        for label, name in (("PR", "pr_ms"), ("QRS", "qrs_ms"), ("QTc", "qtc_ms"))
        if name in values
    ]
    return "  ".join(parts) + (" ms" if parts else "")


def describe_cine(patient: PatientView | None) -> str:
    """The view, and the rate that its frame interval makes."""
    if patient is None or patient.cine is None:
        return MISSING
    cycle_s = patient.cine.cycle_s
    rate = "rate not stated" if cycle_s is None else f"{60 / cycle_s:.0f} bpm"
    return f"short axis, mid  {rate}"
