"""Where each lead stands on the ECG page, and the page as characters: no colours, no widgets.

The page keeps the geometry of ECG paper at every zoom z: a large box (5 mm) is 2·z columns
wide and z rows high, a true square for cells of 1:2. At zoom 1, 25 mm/s and 10 mm/mV that
makes 10 columns per second and 2 rows per millivolt. A narrow page shows less time per
lead, a low page fewer leads; the grid itself is never squeezed. Every panel shares one
relation of column and time, so that one vertical cursor is right for all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum
from functools import cached_property

import numpy as np

from ptacl_app.drawing import raster
from ptacl_app.drawing.trace import Trace
from ptacl_core.arrays import Array, Bool, Float32, Int64, UInt8
from ptacl_core.records import LEAD_NAMES

SAMPLING_RATE_HZ = 500.0
DURATION_S = 10.0
NUM_SAMPLES = 5000
BOX_MM = 5.0
GAINS_MM_PER_MV = (5.0, 10.0, 20.0)
SPEEDS_MM_PER_S = (25.0, 50.0)
ZOOMS = (1, 2, 3, 4)
GUTTER_COLUMNS = 3
"""Columns before the traces that hold the calibration pulse."""
MIN_ROWS_PER_LEAD = 4


class Layout(Enum):
    """How the twelve leads stand on the page: label, grid of lead numbers, rhythm lead."""

    THREE_BY_FOUR = ("3×4 + II", ((0, 3, 6, 9), (1, 4, 7, 10), (2, 5, 8, 11)), True)
    SIX_BY_TWO = ("6×2", tuple((row, row + 6) for row in range(6)), False)
    TWELVE_BY_ONE = ("12×1", tuple((row,) for row in range(12)), False)
    ONE_LEAD = ("1 lead", (), False)
    MEDIAN_BEAT = ("median beat", ((0, 3, 6, 9), (1, 4, 7, 10), (2, 5, 8, 11)), False)

    @property
    def label(self) -> str:
        """Name on the screen."""
        return self.value[0]


class Ink(IntEnum):
    """What a cell shows; the widget gives each its colour."""

    TRACE = 0
    LABEL = 1
    CLIPPED = 2
    PULSE = 3
    GHOST = 4


class Ground(IntEnum):
    """What lies behind a cell."""

    EVEN_BOX = 0
    ODD_BOX = 1
    MARGIN = 2


@dataclass(frozen=True, slots=True)
class Panel:
    """One lead's place: its columns and rows on the page and the time of its first column."""

    lead: int
    first_column: int
    num_columns: int
    first_row: int
    num_rows: int
    start_s: float


@dataclass(frozen=True)
class PageView:
    """What the reader has chosen, and the cells there are."""

    num_columns: int
    num_rows: int
    layout: Layout = Layout.THREE_BY_FOUR
    lead: int = 1
    first_band: int = 0
    start_s: float = 0.0
    zoom: float = 1
    gain_mm_per_mv: float = 10.0
    speed_mm_per_s: float = 25.0
    duration_s: float = DURATION_S
    sampling_rate_hz: float = SAMPLING_RATE_HZ
    lead_names: tuple[str, ...] = LEAD_NAMES

    @property
    def columns_per_s(self) -> float:
        """Columns that one second takes."""
        return self.speed_mm_per_s / BOX_MM * 2 * self.zoom

    @property
    def rows_per_mv(self) -> float:
        """Rows that one millivolt takes."""
        return self.gain_mm_per_mv / BOX_MM * self.zoom

    @property
    def samples_per_dot(self) -> float:
        """Samples that one dot column covers."""
        return self.sampling_rate_hz / (self.columns_per_s * raster.DOTS_PER_COLUMN)

    @cached_property
    def bands(self) -> tuple[tuple[int, ...], ...]:
        """The leads of every horizontal band of the layout, the rhythm strip included."""
        if self.layout is Layout.ONE_LEAD:
            return ((self.lead,),)
        if self.layout is Layout.TWELVE_BY_ONE:
            return tuple((lead,) for lead in range(len(self.lead_names)))
        _, grid, has_rhythm = self.layout.value
        return (*grid, (1,)) if has_rhythm else grid

    @cached_property
    def num_bands_shown(self) -> int:
        """Bands that fit when each has the least number of rows; the others are paged to."""
        return max(1, min(len(self.bands), self.num_rows // MIN_ROWS_PER_LEAD))

    @cached_property
    def first_band_shown(self) -> int:
        """The band at the top of the page."""
        return min(max(self.first_band, 0), len(self.bands) - self.num_bands_shown)

    @cached_property
    def rows_per_band(self) -> int:
        """Rows of each band."""
        return self.num_rows // self.num_bands_shown

    @cached_property
    def columns_per_panel(self) -> int:
        """Columns of the narrowest panel; the traces use a whole multiple of it."""
        per_band = max(len(band) for band in self.bands)
        wanted = int(self.duration_s * self.columns_per_s)
        there = max(self.num_columns - GUTTER_COLUMNS, per_band)
        return min(there, wanted) // per_band

    @cached_property
    def page_columns(self) -> int:
        """Columns of trace."""
        return self.columns_per_panel * max(len(band) for band in self.bands)

    @cached_property
    def page_s(self) -> float:
        """Seconds from the left edge of the traces to the right one."""
        return self.page_columns / self.columns_per_s

    @cached_property
    def start_shown_s(self) -> float:
        """Time at the left edge: `start_s` on a whole column, within the recording."""
        last = max(0.0, self.duration_s - self.page_s)
        column = np.floor(min(max(self.start_s, 0.0), last) * self.columns_per_s + 1e-6)
        return float(column / self.columns_per_s)

    @cached_property
    def panels(self) -> tuple[Panel, ...]:
        """Every panel on the page, from the top left."""
        panels = []
        shown = self.bands[self.first_band_shown :][: self.num_bands_shown]
        for position, band in enumerate(shown):
            width = self.page_columns // len(band)
            for slot, lead in enumerate(band):
                panels.append(
                    Panel(
                        lead=lead,
                        first_column=GUTTER_COLUMNS + slot * width,
                        num_columns=width,
                        first_row=position * self.rows_per_band,
                        num_rows=self.rows_per_band,
                        start_s=self.start_shown_s + slot * width / self.columns_per_s,
                    )
                )
        return tuple(panels)

    def column_of(self, time_s: float) -> int | None:
        """The page column of a time, None when it is off the page."""
        column = int(np.floor((time_s - self.start_shown_s) * self.columns_per_s + 1e-6))
        return GUTTER_COLUMNS + column if 0 <= column < self.page_columns else None

    def time_of(self, column: int) -> float | None:
        """The time at the left edge of a page column, None outside the traces."""
        inside = column - GUTTER_COLUMNS
        if not 0 <= inside < self.page_columns:
            return None
        return self.start_shown_s + inside / self.columns_per_s

    def holds(self, time_s: float) -> bool:
        """True when the time is on the page."""
        return self.column_of(time_s) is not None

    def panel_at(self, column: int, row: int) -> Panel | None:
        """The panel under a cell of the page."""
        for panel in self.panels:
            if (
                panel.first_column <= column < panel.first_column + panel.num_columns
                and panel.first_row <= row < panel.first_row + panel.num_rows
            ):
                return panel
        return None


@dataclass(frozen=True, slots=True)
class PageCells:
    """The drawn page: character codes (uint32), inks and grounds, each [row, column]."""

    characters: Array
    inks: UInt8[Array, "row column"]
    grounds: UInt8[Array, "row column"]


def draw_page(
    view: PageView,
    signal_mv: Float32[Array, "12 sample"],
    *,
    ghosts: Sequence[Trace] = (),
) -> PageCells:
    """The page of `view` for one recording in millivolts, over `ghosts`.

    A trace that leaves its band ends at the band's edge, and a ▲ or ▼ stands there. A cell that
    holds dots of the trace shows them alone.
    """
    shape = (view.num_rows, view.num_columns)
    cells = PageCells(
        characters=np.full(shape, raster.BLANK, np.uint32),
        inks=np.zeros(shape, np.uint8),
        grounds=_draw_grid(view),
    )
    baselines = _choose_baselines(view, signal_mv)
    for panel in view.panels:
        for ghost in ghosts:
            _draw_ghost(cells, view, panel, ghost, baseline_row=baselines[panel.first_row])
        _draw_panel(cells, view, panel, signal_mv, baseline_row=baselines[panel.first_row])
    for first_row, baseline_row in baselines.items():
        _draw_pulse(cells, view, first_row=first_row, baseline_row=baseline_row)
    return cells


def _draw_grid(view: PageView) -> UInt8[Array, "row column"]:
    grounds = np.full((view.num_rows, view.num_columns), Ground.MARGIN, np.uint8)
    first = round(view.start_shown_s * view.columns_per_s)
    boxes = (np.arange(view.page_columns) + first) // (2 * view.zoom)
    rows = np.arange(view.num_bands_shown * view.rows_per_band) // view.zoom
    left, right = GUTTER_COLUMNS, GUTTER_COLUMNS + view.page_columns
    grounds[: rows.size, left:right] = (boxes[None, :] + rows[:, None]) % 2
    return grounds


def _choose_baselines(view: PageView, signal_mv: Float32[Array, "12 sample"]) -> dict[int, int]:
    """The row whose lower edge is 0 mV, for each band: the one that cuts least of its leads."""
    baselines: dict[int, int] = {}
    for first_row in dict.fromkeys(panel.first_row for panel in view.panels):
        extremes = [
            (
                np.nanmax(part, initial=0.0) * view.rows_per_mv,
                -np.nanmin(part, initial=0.0) * view.rows_per_mv,
            )
            for panel in view.panels
            if panel.first_row == first_row
            for part in (_samples_of(view, panel, signal_mv),)
        ]
        above = max(value for value, _ in extremes)
        below = max(value for _, value in extremes)
        spare = view.rows_per_band - above - below
        wanted = round(above + spare / 2) - 1
        baselines[first_row] = min(max(wanted, 0), view.rows_per_band - 1)
    return baselines


def _samples_of(
    view: PageView, panel: Panel, signal_mv: Float32[Array, "12 sample"]
) -> Float32[Array, " part"]:
    first = round(panel.start_s * view.sampling_rate_hz)
    count = round(panel.num_columns / view.columns_per_s * view.sampling_rate_hz)
    return signal_mv[panel.lead, first : first + count]


def _draw_panel(
    cells: PageCells,
    view: PageView,
    panel: Panel,
    signal_mv: Float32[Array, "12 sample"],
    *,
    baseline_row: int,
) -> None:
    samples = _samples_of(view, panel, signal_mv)
    top, bottom = _find_dots(view, panel, samples, view.samples_per_dot, baseline_row)
    num_dot_rows = panel.num_rows * raster.DOTS_PER_ROW
    _ink_dots(cells, panel, raster.fill_dots(top, bottom, num_dot_rows=num_dot_rows), Ink.TRACE)
    for is_beyond, row, mark in (
        (top < 0, panel.first_row, "▲"),
        (bottom >= num_dot_rows, panel.first_row + panel.num_rows - 1, "▼"),
    ):
        for column in np.unique(np.flatnonzero(is_beyond) // raster.DOTS_PER_COLUMN):
            cells.characters[row, panel.first_column + column] = ord(mark)
            cells.inks[row, panel.first_column + column] = Ink.CLIPPED
    name = view.lead_names[panel.lead][: panel.num_columns]
    for offset, letter in enumerate(name):
        cells.characters[panel.first_row, panel.first_column + offset] = ord(letter)
        cells.inks[panel.first_row, panel.first_column + offset] = Ink.LABEL


def _draw_ghost(
    cells: PageCells, view: PageView, panel: Panel, ghost: Trace, *, baseline_row: int
) -> None:
    """Another recording's part, at its own rate and shifted as it is."""
    if panel.lead >= ghost.signal_mv.shape[0]:
        return
    rate_hz = ghost.sampling_rate_hz
    first = round((panel.start_s - ghost.offset_s) * rate_hz)
    count = round(panel.num_columns / view.columns_per_s * rate_hz)
    there = ghost.signal_mv[panel.lead, max(first, 0) : max(first + count, 0)]
    samples = np.pad(there, (max(-first, 0), 0), constant_values=np.nan)[:count]
    samples_per_dot = rate_hz / (view.columns_per_s * raster.DOTS_PER_COLUMN)
    top, bottom = _find_dots(view, panel, samples, samples_per_dot, baseline_row)
    dots = raster.fill_dots(top, bottom, num_dot_rows=panel.num_rows * raster.DOTS_PER_ROW)
    _ink_dots(cells, panel, dots, Ink.GHOST)


def _find_dots(
    view: PageView,
    panel: Panel,
    samples_mv: Float32[Array, " part"],
    samples_per_dot: float,
    baseline_row: int,
) -> tuple[Int64[Array, " dot"], Int64[Array, " dot"]]:
    """Top and bottom dot row of each dot column of a panel."""
    envelope = raster.compute_envelope(
        samples_mv,
        num_dots=panel.num_columns * raster.DOTS_PER_COLUMN,
        samples_per_dot=samples_per_dot,
    )
    return raster.compute_dot_rows(
        *envelope,
        dots_per_mv=view.rows_per_mv * raster.DOTS_PER_ROW,
        baseline_dot=(baseline_row + 1) * raster.DOTS_PER_ROW - 1,
    )


def _ink_dots(cells: PageCells, panel: Panel, dots: Bool[Array, "dot_row dot"], ink: Ink) -> None:
    """Write the cells that hold dots; the others stay as they are."""
    rows = slice(panel.first_row, panel.first_row + panel.num_rows)
    columns = slice(panel.first_column, panel.first_column + panel.num_columns)
    codes = raster.pack_braille(dots)
    is_inked = codes != raster.BLANK
    cells.characters[rows, columns][is_inked] = codes[is_inked]
    cells.inks[rows, columns][is_inked] = ink


def _draw_pulse(cells: PageCells, view: PageView, *, first_row: int, baseline_row: int) -> None:
    """One millivolt for 5 mm, the mark by which paper is calibrated."""
    num_dot_rows = view.rows_per_band * raster.DOTS_PER_ROW
    num_dots = GUTTER_COLUMNS * raster.DOTS_PER_COLUMN
    baseline = (baseline_row + 1) * raster.DOTS_PER_ROW - 1
    crest = baseline - round(view.rows_per_mv * raster.DOTS_PER_ROW)
    top = np.full(num_dots, crest)
    bottom = np.full(num_dots, crest)
    bottom[[1, 4]] = baseline
    top[[0, 5]] = bottom[[0, 5]] = baseline
    drawn = raster.pack_braille(raster.fill_dots(top, bottom, num_dot_rows=num_dot_rows))
    rows = slice(first_row, first_row + view.rows_per_band)
    cells.characters[rows, :GUTTER_COLUMNS] = drawn
    cells.inks[rows, :GUTTER_COLUMNS] = Ink.PULSE
