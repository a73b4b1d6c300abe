"""The ECG page as a picture: paper, traces, labels, calibration pulse, marks; then what moves.

`draw_page` makes what stands still while the heart runs; `draw_over` lays cursor and calipers
on a copy. Colours are palette entries: the grounds first, then one entry for each pair of ink
and coverage that occurs over each ground, so that a page needs no more than 256.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from ptacl_app.drawing.antialias import compute_coverage
from ptacl_app.drawing.glyphs import draw_text
from ptacl_app.drawing.paper import BOX_MM, GUTTER_MM, MIN_FINE_PX, PaperPage, PaperPanel
from ptacl_app.drawing.paper_inks import OVERLAYS, TINTS, Ink, Overlay, PaperInks
from ptacl_app.drawing.picture import Picture
from ptacl_app.drawing.trace import Trace
from ptacl_core.arrays import Array, Float32, Int64, UInt8

MAX_LEVEL = 7
"""Steps of coverage of an anti-aliased edge."""
NUM_LINES = 3
CURSOR_PX = 2
STROKE_MM = 0.32
MIN_STROKE_PX, MAX_STROKE_PX = 1.25, 3.0


class Wave(IntEnum):
    """What a mark delimits."""

    P = 0
    QRS = 1
    T = 2


@dataclass(frozen=True, slots=True)
class Mark:
    """Onset or offset of a wave, in seconds of the recording; `name` and `beat` say which."""

    time_s: float
    wave: Wave
    name: str = ""
    beat: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class PageDetails:
    """What is on the page besides grid and trace.

    `tints` hold a level −4 … 4 for every pixel column (saliency), or None; `ghosts` are other
    recordings drawn under the trace; `lead_notes` stand behind the lead's name.
    """

    selected_lead: int | None = None
    marks: tuple[Mark, ...] = ()
    tints: Int64[Array, " column"] | None = None
    ghosts: tuple[Trace, ...] = ()
    lead_notes: tuple[str, ...] = field(default=())


@dataclass(slots=True)
class _Canvas:
    """Ground, ink and coverage of each pixel while a page is drawn."""

    grounds: UInt8[Array, "row column"]
    inks: UInt8[Array, "row column"]
    levels: UInt8[Array, "row column"]

    def lay(self, coverage: Float32[Array, "row column"], ink: Ink, *, top: int, left: int) -> None:
        """Ink where it covers at least as much as what is there; parts off the page are cut."""
        first_row, first_column = max(top, 0), max(left, 0)
        last_row = min(top + coverage.shape[0], self.inks.shape[0])
        last_column = min(left + coverage.shape[1], self.inks.shape[1])
        if last_row <= first_row or last_column <= first_column:
            return
        part = coverage[first_row - top : last_row - top, first_column - left : last_column - left]
        level = np.floor(part * MAX_LEVEL + 0.5).astype(np.uint8)
        rows, columns = slice(first_row, last_row), slice(first_column, last_column)
        is_ours = (level > 0) & (level >= self.levels[rows, columns])
        self.levels[rows, columns][is_ours] = level[is_ours]
        self.inks[rows, columns][is_ours] = ink


def draw_page(
    page: PaperPage, trace: Trace, inks: PaperInks, details: PageDetails | None = None
) -> Picture:
    """Everything of a page that stands still. Voltages are drawn as they are, unsmoothed."""
    details = details or PageDetails()
    grounds = _draw_grid(page)
    if details.tints is not None:
        grounds = grounds + (NUM_LINES * _tint_codes(details.tints)).astype(np.uint8)[None, :]
    canvas = _Canvas(grounds, np.zeros_like(grounds), np.zeros_like(grounds))
    for mark in details.marks:
        _draw_mark(canvas, page, mark)
    for ghost in details.ghosts:
        for panel in page.panels:
            _draw_trace(canvas, page, panel, ghost, Ink.GHOST)
    for panel in page.panels:
        _draw_trace(canvas, page, panel, trace, Ink.TRACE)
    _draw_pulses(canvas, page)
    _draw_labels(canvas, page, trace, details)
    return _compose(canvas, inks)


def draw_over(
    picture: Picture,
    page: PaperPage,
    *,
    left_px: int = 0,
    cursor_s: float | None = None,
    step_span_s: tuple[float, float] | None = None,
    calipers_s: Sequence[float] = (),
) -> Picture:
    """A copy with cursor, step shading and calipers on it.

    `picture` may be a part of the page, whose left edge lies at `left_px` of the page.
    """
    indices = picture.indices.copy()
    width_px = indices.shape[1]
    if step_span_s is not None:
        edges = [round(page.x_of(time_s)) for time_s in step_span_s]
        first, last = max(edges[0], round(page.left_px)) - left_px, edges[1] - left_px
        part = indices[:, max(first, 0) : max(last, 0)]
        for ground in range(NUM_LINES):
            part[part == ground] = NUM_LINES * TINTS.STEP + ground
    lines = [(time_s, Overlay.CALIPER, 1) for time_s in calipers_s]
    if cursor_s is not None:
        lines.append((cursor_s, Overlay.CURSOR, CURSOR_PX))
    for time_s, overlay, line_px in lines:
        column = int(page.x_of(time_s)) - left_px
        if page.holds(time_s) and -line_px < column < width_px:
            indices[:, max(column, 0) : column + line_px] = OVERLAYS[overlay]
    return Picture(indices, picture.palette)


def _tint_codes(levels: Int64[Array, " column"]) -> Int64[Array, " column"]:
    return np.where(levels == 0, TINTS.NONE, TINTS.LOWEST + levels + TINTS.NUM_LEVELS)


def _draw_grid(page: PaperPage) -> UInt8[Array, "row column"]:
    """0 paper, 1 a line of 1 mm, 2 a line of 5 mm."""
    rows = np.zeros(page.height_px, np.uint8)
    columns = np.zeros(page.width_px, np.uint8)
    steps = ((1.0, 1), (BOX_MM, 2)) if page.px_per_mm >= MIN_FINE_PX else ((BOX_MM, 2),)
    for step_mm, line in steps:
        rows[_whole(page.horizontal_lines(step_mm), page.height_px)] = line
        columns[_whole(page.vertical_lines(step_mm), page.width_px)] = line
    return np.maximum(rows[:, None], columns[None, :])


def _whole(places_px: Array, size_px: int) -> Int64[Array, " line"]:
    """The pixels that hold the places; those off the page are left out."""
    pixels = np.floor(places_px).astype(np.int64)
    return pixels[(pixels >= 0) & (pixels < size_px)]


def choose_stroke_px(page: PaperPage) -> float:
    """Width of the trace's stroke: 0.32 mm of paper, within what a screen shows well."""
    return float(np.clip(STROKE_MM * page.px_per_mm, MIN_STROKE_PX, MAX_STROKE_PX))


def _draw_trace(
    canvas: _Canvas, page: PaperPage, panel: PaperPanel, trace: Trace, ink: Ink
) -> None:
    if panel.lead >= trace.signal_mv.shape[0]:
        return
    rate_hz = trace.sampling_rate_hz
    first = max(int(np.floor((panel.start_s - trace.offset_s) * rate_hz)), 0)
    end_s = panel.start_s + panel.width_px / page.px_per_s - trace.offset_s
    signal = trace.signal_mv[panel.lead, first : max(int(np.ceil(end_s * rate_hz)) + 1, 0)]
    if signal.size < 2:
        return
    left = int(np.floor(panel.left_px))
    times_s = trace.offset_s + (first + np.arange(signal.size)) / rate_hz
    x_px = page.x_of(0.0) + times_s * page.px_per_s - left
    y_px = panel.baseline_px - signal.astype(np.float64) * page.px_per_mv
    y_px[~np.isfinite(y_px)] = np.nan
    if np.isnan(y_px).all():
        return
    stroke_px = choose_stroke_px(page)
    top = max(int(np.nanmin(y_px) - stroke_px - 1), 0)
    bottom = min(int(np.nanmax(y_px) + stroke_px + 2), page.height_px)
    width_px = int(np.ceil(panel.left_px + panel.width_px)) - left
    if bottom <= top:
        return
    coverage = compute_coverage(
        x_px, y_px - top, width_px=width_px, height_px=bottom - top, stroke_px=stroke_px
    )
    canvas.lay(coverage, ink, top=top, left=left)


def _draw_pulses(canvas: _Canvas, page: PaperPage) -> None:
    """One millivolt for 5 mm, the mark by which paper is calibrated."""
    px_per_mm = page.px_per_mm
    start = (GUTTER_MM - BOX_MM - 1.0) * px_per_mm
    stroke_px = choose_stroke_px(page)
    for baseline in page.baselines_px:
        crest = baseline - page.px_per_mv
        tiny = 1e-3
        x_px = np.array([0.0, 1.0, 1.0, 4.0, 4.0, 5.0]) * px_per_mm + start
        x_px += np.array([0, 0, tiny, 0, tiny, 0])
        y_px = np.array([baseline, baseline, crest, crest, baseline, baseline])
        top = max(int(crest - stroke_px - 1), 0)
        bottom = min(int(baseline + stroke_px + 2), page.height_px)
        if bottom > top:
            coverage = compute_coverage(
                x_px,
                y_px - top,
                width_px=int(page.left_px),
                height_px=bottom - top,
                stroke_px=stroke_px,
            )
            canvas.lay(coverage, Ink.PULSE, top=top, left=0)


def _draw_labels(canvas: _Canvas, page: PaperPage, trace: Trace, details: PageDetails) -> None:
    size_px = int(np.clip(3.2 * page.px_per_mm, 10, 22))
    for panel in page.panels:
        if panel.lead >= len(trace.lead_names):
            continue
        is_selected = panel.lead == details.selected_lead
        text = trace.lead_names[panel.lead]
        if panel.lead < len(details.lead_notes):
            text += f"  {details.lead_notes[panel.lead]}"
        coverage = draw_text(text, size_px).astype(np.float32) / 255
        left = int(panel.left_px + 0.8 * page.px_per_mm)
        top = int(panel.top_px + 0.6 * page.px_per_mm)
        canvas.lay(coverage, Ink.SELECTED if is_selected else Ink.LABEL, top=top, left=left)


def _draw_mark(canvas: _Canvas, page: PaperPage, mark: Mark) -> None:
    """A dashed line over the panels that hold the moment."""
    ink = (Ink.MARK_P, Ink.MARK_QRS, Ink.MARK_T)[mark.wave]
    for panel in page.panels:
        inside_s = mark.time_s - panel.start_s
        if not 0.0 <= inside_s < panel.width_px / page.px_per_s:
            continue
        dashes = np.zeros((int(panel.height_px), 1), np.float32)
        dashes[(np.arange(dashes.shape[0]) // 3) % 2 == 0] = 1.0
        canvas.lay(dashes, ink, top=int(panel.top_px), left=int(page.x_of(mark.time_s)))


def _compose(canvas: _Canvas, inks: PaperInks) -> Picture:
    """Grounds keep their entries; each pair of ink and coverage over a ground gets its own."""
    palette = inks.build_ground_palette(NUM_LINES)
    indices = canvas.grounds.copy()
    is_inked = canvas.levels > 0
    keys = (
        canvas.grounds[is_inked].astype(np.int64) * len(Ink) + canvas.inks[is_inked]
    ) * MAX_LEVEL + (canvas.levels[is_inked] - 1)
    counts = np.bincount(keys, minlength=1)
    used = np.flatnonzero(counts)
    ground, rest = np.divmod(used, len(Ink) * MAX_LEVEL)
    ink, level = np.divmod(rest, MAX_LEVEL)
    share = ((level + 1) / MAX_LEVEL)[:, None]
    colours = palette[ground] * (1 - share) + inks.ink_colours[ink] * share
    first = inks.num_ground_entries(NUM_LINES)
    room = min(OVERLAYS.values()) - first
    entries = _merge(colours, counts[used], room)
    table = np.zeros(counts.size, np.uint8)
    table[used] = first + entries.places
    indices[is_inked] = table[keys]
    palette[first : first + entries.colours.shape[0]] = np.floor(entries.colours + 0.5)
    return Picture(indices, palette)


@dataclass(frozen=True, slots=True)
class _Entries:
    places: Int64[Array, " key"]
    colours: Array


def _merge(colours: Array, counts: Array, room: int) -> _Entries:
    """At most `room` colours: the rarest give way to the nearest of the others."""
    if colours.shape[0] <= room:
        return _Entries(np.arange(colours.shape[0]), colours)
    kept = np.sort(np.argsort(-counts, kind="stable")[:room])
    distance = ((colours[:, None, :] - colours[kept][None, :, :]) ** 2).sum(axis=2)
    return _Entries(distance.argmin(axis=1), colours[kept])
