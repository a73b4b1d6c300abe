"""One patient as one self-contained HTML page: no script, nothing fetched, research use only."""

import base64
import html
import io

import numpy as np

from ptacl_app.data.patient_view import CineView, EcgView, PatientView, measure_spread
from ptacl_app.drawing.ecg_page import DURATION_S, SAMPLING_RATE_HZ
from ptacl_app.text.formatting import (
    PHENOTYPE_LABELS,
    RESEARCH_USE_SENTENCE,
    format_interval,
    format_number,
    format_prediction,
    format_quantity,
    format_sex_age,
    format_similarity,
)
from ptacl_core import __version__
from ptacl_core.arrays import Array, UInt8
from ptacl_core.records import LEAD_NAMES

MM_PER_S, MM_PER_MV = 25.0, 10.0
_ROW_MM = 24.0
_LABEL_MM = 4.0
PULSE_MM = 5.0
_STYLE = """
@page { size: landscape; margin: 8mm; }
@media print { body { margin: 0; max-width: none; } svg, figure, tr { break-inside: avoid; } }
body { font: 14px/1.4 system-ui, sans-serif; color: #1c1b1a; max-width: 280mm; margin: 8mm auto; }
.notice { background: #ffe3a6; color: #5c3d00; padding: 6px 12px; font-weight: 600; }
table { border-collapse: collapse; } td, th { padding: 2px 12px; text-align: right; }
td:first-child, th:first-child { text-align: left; } th { color: #63605d; }
.hearts img { width: 240px; image-rendering: auto; background: #000; } figure { display:
inline-block; margin: 0 12px 0 0; } figcaption { color: #63605d; }
path.pulse { stroke-width: 0.3; } .outside { color: #a84300; }
"""


def write_report(patient: PatientView, *, name: str) -> str:
    """The page. Every text is escaped; a predicted number stands beside its interval."""
    title = f"{name} · {format_sex_age(patient.sex, patient.age_years)} · visit {patient.visit}"
    parts = [
        "<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'>",
        "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'; "
        "style-src 'unsafe-inline'; img-src data:\">",
        f"<title>{_escape(title)}</title><style>{_STYLE}</style></head><body>",
        f"<p class='notice'>{_escape(RESEARCH_USE_SENTENCE)}</p>",
        f"<h1>{_escape(title)}</h1>",
        _write_findings(patient),
        _write_phenotypes(patient),
    ]
    if patient.cine is not None:
        parts.append(_write_hearts(patient.cine))
    if patient.ecg is not None:
        parts.append(_write_ecg(patient.ecg))
    if patient.neighbours:
        parts.append(_write_neighbours(patient))
    run = "no model" if patient.run is None else f"run {patient.run}"
    parts.append(f"<p class='notice'>{_escape(RESEARCH_USE_SENTENCE)}</p>")
    parts.append(f"<p>PTACL {_escape(__version__)} · {_escape(run)}</p></body></html>")
    return "\n".join(parts)


def _escape(text: object) -> str:
    return html.escape(str(text), quote=True)


def _write_findings(patient: PatientView) -> str:
    lines = [f"{finding.severity}: {finding}" for finding in patient.findings]
    lines[:0] = patient.run_faults
    verdict = patient.out_of_distribution
    if verdict is not None:
        known = (
            "unlike the training data: do not trust the numbers"
            if verdict.is_flagged
            else ("like the training data")
        )
        lines.insert(0, f"{known} (score {verdict.score:.2f})")
    items = "".join(f"<li>{_escape(line)}</li>" for line in lines or ["no finding"])
    return f"<h2>Quality</h2><ul>{items}</ul>"


def _write_phenotypes(patient: PatientView) -> str:
    rows = []
    for value in patient.phenotypes:
        predicted, reference, unit = value.predicted, value.reference, value.unit
        if predicted is None and value.measured is None:
            continue
        cells = (
            PHENOTYPE_LABELS[value.name],
            format_prediction(None if predicted is None else predicted.value, unit),
            format_interval(
                None if predicted is None else predicted.low,
                None if predicted is None else predicted.high,
                unit,
            ),
            format_interval(
                None if reference is None else reference.low,
                None if reference is None else reference.high,
                unit,
            ),
            format_quantity(value.measured, unit),
        )
        mark = " class='outside'" if value.is_outside else ""
        rows.append(
            f"<tr{mark}>" + "".join(f"<td>{_escape(cell)}</td>" for cell in cells) + "</tr>"
        )
    if not rows:
        return "<h2>Phenotypes</h2><p>none predicted, none measured</p>"
    level = "interval" if patient.coverage is None else f"{100 * patient.coverage:.0f} % interval"
    heads = ("", "predicted from the ECG", level, "usual, same sex here", "measured by CMR")
    head = "".join(f"<th>{_escape(each)}</th>" for each in heads)
    return f"<h2>Phenotypes</h2><table><tr>{head}</tr>{''.join(rows)}</table>"


def _write_hearts(cine: CineView) -> str:
    figures = []
    for label, frame in (
        ("end-diastole", 0),
        ("end-systole (estimated from the picture)", cine.end_systole_frame),
    ):
        data = base64.b64encode(_write_png(cine.frames[frame])).decode()
        figures.append(
            f"<figure><img alt='{_escape(label)}' src='data:image/png;base64,{data}'>"
            f"<figcaption>{_escape(label)}, frame {frame + 1}</figcaption></figure>"
        )
    return f"<h2>Cine</h2><div class='hearts'>{''.join(figures)}</div>"


def _write_png(frame: UInt8[Array, "height width"]) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(frame).save(stream, format="PNG")
    return stream.getvalue()


def _write_ecg(ecg: EcgView) -> str:
    """Three rows of four leads and a rhythm strip, on millimetre paper in millimetres."""
    width_mm, height_mm = DURATION_S * MM_PER_S, 4 * _ROW_MM
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{width_mm}mm' height='{height_mm}mm' "
        f"viewBox='0 0 {width_mm} {height_mm}' style='background:#fff5f3;overflow:visible;"
        f"margin-left:{PULSE_MM + 2}mm'>",
        _write_grid(width_mm, height_mm),
    ]
    bands = [[row + 3 * column for column in range(4)] for row in range(3)] + [[1]]
    for row, band in enumerate(bands):
        middle = (row + 0.5) * _ROW_MM
        span_s = DURATION_S / len(band)
        for column, lead in enumerate(band):
            start = round(column * span_s * SAMPLING_RATE_HZ)
            end = round((column + 1) * span_s * SAMPLING_RATE_HZ)
            points = _write_points(ecg.signal_mv[lead, start:end], start, middle)
            parts.append(
                f"<polyline fill='none' stroke='#141414' stroke-width='0.3' points='{points}'/>"
            )
            if column == 0:
                pulse = _write_pulse(middle)
                parts.append(f"<path class='pulse' fill='none' stroke='#444' d='{pulse}'/>")
            left = column * span_s * MM_PER_S + 1
            parts.append(
                f"<text x='{left}' y='{row * _ROW_MM + _LABEL_MM}' font-size='3.4' "
                f"fill='#8a2b22'>{LEAD_NAMES[lead]}</text>"
            )
    rate = format_number(ecg.heart_rate_bpm, unit="bpm")
    caption = f"25 mm/s, 10 mm/mV · heart rate {rate} bpm"
    return f"<h2>ECG</h2>{''.join(parts)}</svg><p>{_escape(caption)}</p>"


def _write_grid(width_mm: float, height_mm: float) -> str:
    lines = []
    for step, ink, stroke in ((1, "#fbd9d3", 0.08), (5, "#f2b3a8", 0.18)):
        path = "".join(f"M{x} 0V{height_mm}" for x in range(0, int(width_mm) + 1, step))
        path += "".join(f"M0 {y}H{width_mm}" for y in range(0, int(height_mm) + 1, step))
        lines.append(f"<path d='{path}' stroke='{ink}' stroke-width='{stroke}' fill='none'/>")
    return "".join(lines)


def _write_pulse(middle: float) -> str:
    """1 mV for 5 mm, left of the traces: the mark by which paper is calibrated."""
    crest = middle - MM_PER_MV
    return f"M{-PULSE_MM - 1} {middle}h1V{crest}h{PULSE_MM - 1}V{middle}h1"


def _write_points(signal_mv: Array, start: int, middle: float) -> str:
    times = (start + np.arange(signal_mv.size)) / SAMPLING_RATE_HZ * MM_PER_S
    heights = middle - np.nan_to_num(signal_mv) * MM_PER_MV
    return " ".join(f"{x:.2f},{y:.2f}" for x, y in zip(times, heights, strict=True))


def _write_neighbours(patient: PatientView) -> str:
    heads = (
        "rank",
        "similarity",
        "sex, age",
        *(PHENOTYPE_LABELS[value.name] for value in patient.phenotypes),
    )
    rows = []
    spread = measure_spread(patient.neighbours)
    for neighbour in patient.neighbours:
        cells = [
            str(neighbour.rank),
            format_similarity(neighbour.similarity, spread=spread),
            format_sex_age(neighbour.sex, neighbour.age_years),
            *(
                format_number(neighbour.measured.get(value.name), unit=value.unit)
                for value in patient.phenotypes
            ),
        ]
        rows.append("<tr>" + "".join(f"<td>{_escape(cell)}</td>" for cell in cells) + "</tr>")
    head = "".join(f"<th>{_escape(each)}</th>" for each in heads)
    return f"<h2>Nearest patients, measured</h2><table><tr>{head}</tr>{''.join(rows)}</table>"
