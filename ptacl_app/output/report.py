"""One patient as one self-contained HTML page: no script, nothing fetched, research use only."""

import base64
import html

import numpy as np

from ptacl_app.data.patient_view import CineView, EcgView, PatientView, measure_spread
from ptacl_app.drawing.cine_picture import draw_cine_picture
from ptacl_app.drawing.cine_raster import compute_auto_window
from ptacl_app.drawing.ecg_picture import draw_page
from ptacl_app.drawing.map_colours import colour_map
from ptacl_app.drawing.paper import (
    BOX_MM,
    GUTTER_MM,
    PAGE_MM,
    PaperPage,
    describe_scale,
    measure_extremes,
)
from ptacl_app.drawing.paper_inks import PINK
from ptacl_app.drawing.picture import Picture
from ptacl_app.drawing.trace import EcgFilter, Trace
from ptacl_app.text.formatting import (
    PHENOTYPE_LABELS,
    RESEARCH_USE_SENTENCE,
    format_interval,
    format_number,
    format_prediction,
    format_quantity,
    format_sex_age,
    format_signed,
    format_similarity,
)
from ptacl_core import __version__
from ptacl_core.arrays import Array, Float32
from ptacl_core.records import LEAD_NAMES

PRINT_PX_PER_MM = 10.0
"""254 dots to the inch: a line of the page lies within 0.05 mm of its place."""
BAND_MM = 25.0
MAX_ROWS = 6
"""Rows of a recording that is not of the twelve leads: more do not fit a sheet."""
NUM_STRIP_FRAMES = 10
FRAME_PX = 168
MAP_PX = 12
_STYLE = """
@page { size: landscape; margin: 10mm; }
@media print {
  body { margin: 0; max-width: none; } .ecg, figure, tr, img { break-inside: avoid; }
  .ecg { break-before: page; } * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
body { font: 12px/1.35 system-ui, sans-serif; color: #1c1b1a; max-width: 259mm; margin: 8mm auto; }
h1 { font-size: 18px; } h2 { font-size: 14px; margin: 10px 0 4px; break-after: avoid; }
.notice { background: #ffe3a6; color: #5c3d00; padding: 4px 12px; font-weight: 600; }
table { border-collapse: collapse; max-width: 100%; }
td, th { padding: 1px 9px; text-align: right; }
td:first-child, th:first-child { text-align: left; } th { color: #63605d; font-weight: 600; }
figure { display: inline-block; margin: 0 1mm 0 0; vertical-align: top; }
figcaption { color: #63605d; max-width: 24.4mm; font-size: 10px; }
.hearts img { width: 24.4mm; height: 24.4mm; background: #000; display: block; }
.map img { width: 42mm; height: 42mm; image-rendering: pixelated; display: block; }
.map figcaption { max-width: 90mm; } .outside { color: #a84300; } img.paper { display: block; }
"""
"""Nothing is wider than a sheet of Letter on its side within its margins (259 mm): a browser
that has to shrink a page to its paper would print the ECG at another scale."""


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
    if patient.ecg is not None:
        parts.append(_write_ecg(patient.ecg))
    if patient.cine is not None:
        parts.append(_write_hearts(patient.cine))
    parts.append(_write_map(patient.similarity_map, patient.map_note))
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
    for value in (*patient.phenotypes, *patient.targets):
        predicted, reference, unit = value.predicted, value.reference, value.unit
        if predicted is None and value.measured is None:
            continue
        cells = (
            value.label,
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
            _format_z(value.z_score),
            format_quantity(value.measured, unit),
            _format_z(value.measured_z_score),
        )
        mark = " class='outside'" if value.is_outside else ""
        rows.append(
            f"<tr{mark}>" + "".join(f"<td>{_escape(cell)}</td>" for cell in cells) + "</tr>"
        )
    if not rows:
        return "<h2>Phenotypes</h2><p>none predicted, none measured</p>"
    level = "interval" if patient.coverage is None else f"{100 * patient.coverage:.0f} % interval"
    heads = (
        "", "predicted from the ECG", level, "usual, same sex here", "z", "measured", "z",
    )  # fmt: skip
    head = "".join(f"<th>{_escape(title)}</th>" for title in heads)
    note = (
        "z of a prediction: against training patients of the same sex, age and size where the run "
        "has them, else against the same sex here; z of a measured value: against the same sex here"
    )
    return f"<h2>Phenotypes</h2><table><tr>{head}</tr>{''.join(rows)}</table><p>{note}</p>"


def _format_z(z_score: float | None) -> str:
    return "" if z_score is None else format_signed(z_score)


def _write_hearts(cine: CineView) -> str:
    """A strip of frames over the cycle; end-diastole and end-systole are named."""
    window = compute_auto_window(cine.frames)
    names = {0: "end-diastole", cine.end_systole_frame: "end-systole (estimated from the picture)"}
    last = len(cine.frames) - 1
    spread = np.linspace(0, last, NUM_STRIP_FRAMES).round().astype(int).tolist()
    nearest = min(spread[1:], key=lambda frame: abs(frame - cine.end_systole_frame))
    frames = [cine.end_systole_frame if frame == nearest else frame for frame in spread]
    figures = []
    for frame in frames:
        picture = draw_cine_picture(
            cine.frames[frame], side_px=FRAME_PX, level=window.level, width=window.width
        )
        label = names.get(frame, "")
        figures.append(
            f"<figure><img alt='frame {frame + 1}' src='{_embed(picture)}'>"
            f"<figcaption>{frame + 1} {_escape(label)}</figcaption></figure>"
        )
    timing = "the frame interval is not stated"
    if cine.frame_interval_ms is not None:
        timing = f"{cine.frame_interval_ms:.1f} ms from frame to frame"
    return (
        f"<h2>Cine</h2><div class='hearts'>{''.join(figures)}</div>"
        f"<p>{len(cine.frames)} frames of one cycle, {_escape(timing)}; "
        "numbers are frames, from the R peak</p>"
    )


def _write_map(values: Float32[Array, "13 13"] | None, note: str) -> str:
    """The visit's own map, ECG steps down and CMR steps across."""
    if values is None:
        return f"<h2>ECG × CMR steps</h2><p>{_escape(note)}</p>"
    colours = colour_map(values, None)
    size = values.shape[0]
    indices = np.arange(size * size, dtype=np.uint8).reshape(size, size)
    large = np.repeat(np.repeat(indices, MAP_PX, axis=0), MAP_PX, axis=1)
    picture = Picture(large, colours.reshape(-1, 3))
    low, high = (
        f"{bound:.2f}".replace("-", "−") for bound in (np.nanmin(values), np.nanmax(values))
    )
    return (
        "<h2>ECG × CMR steps</h2><figure class='map'>"
        f"<img alt='similarity of ECG and CMR steps' src='{_embed(picture)}'>"
        f"<figcaption>ECG steps 1 … {size} down, CMR steps 1 … {size} across; similarity from "
        f"{low} (blue) to {high} (yellow)</figcaption></figure>"
    )


def _embed(picture: Picture) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture.encode_png()).decode()}"


def lay_out_paper(trace: Trace) -> PaperPage:
    """Three rows of four leads and a rhythm strip, `PRINT_PX_PER_MM` pixels to a millimetre.

    Leads beyond the twelve follow in rows of four; a file with other leads has a row for each.
    """
    leads = range(len(trace.lead_names))
    bands: tuple[tuple[int, ...], ...]
    if trace.lead_names[:12] == LEAD_NAMES:
        more = tuple(tuple(leads[start : start + 4]) for start in range(12, len(leads), 4))
        bands = ((0, 3, 6, 9), (1, 4, 7, 10), (2, 5, 8, 11), *more, (1,))[:MAX_ROWS]
    else:
        bands = tuple((lead,) for lead in leads[:MAX_ROWS])
    return PaperPage(
        width_px=round((PAGE_MM + GUTTER_MM) * PRINT_PX_PER_MM),
        height_px=round(len(bands) * BAND_MM * PRINT_PX_PER_MM),
        bands=bands,
        duration_s=trace.duration_s,
        extremes_mv=measure_extremes(trace.signal_mv),
    )


def _write_ecg(ecg: EcgView) -> str:
    """The page of the screen's own raster, at its true size on paper."""
    trace, processing = ecg.model_trace, EcgFilter.MODEL.value
    if ecg.raw is not None:
        trace, processing = ecg.raw, EcgFilter.RAW.value
    page = lay_out_paper(trace)
    picture = draw_page(page, trace, PINK)
    width_mm, height_mm = page.width_px / PRINT_PX_PER_MM, page.height_px / PRINT_PX_PER_MM
    rate = format_number(ecg.heart_rate_bpm, unit="bpm")
    caption = (
        f"{describe_scale(page)} when printed at 100 % · {processing} · heart rate {rate} bpm · "
        f"the pulse at the left is 1 mV high and {BOX_MM:g} mm wide"
    )
    return (
        f"<section class='ecg'><h2>ECG</h2><img class='paper' alt='the ECG on millimetre paper' "
        f"style='width:{width_mm:g}mm;height:{height_mm:g}mm' src='{_embed(picture)}'>"
        f"<p>{_escape(caption)}</p></section>"
    )


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
    head = "".join(f"<th>{_escape(title)}</th>" for title in heads)
    return f"<h2>Nearest patients, measured</h2><table><tr>{head}</tr>{''.join(rows)}</table>"
