"""ECG paper in pixels: where every lead, second and millivolt lies, whatever the pane's size.

The paper is square: a millimetre has `px_per_mm` pixels across and down. At zoom 1 the pane's
width holds ten seconds at 25 mm/s. The height is shared by the bands of the layout; where the
gain asked for would push traces out of their bands, the page takes the next smaller one, and
`gain_mm_per_mv` says which. Lines of 5 mm stand at whole fifths of a second (at 25 mm/s) and
at every band's 0 mV.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ptacl_core.arrays import Array, Float32, Float64

PAGE_MM = 250.0
"""Ten seconds at 25 mm/s."""
GUTTER_MM = 7.0
"""Left of the traces: the calibration pulse, 5 mm wide and 1 mV high."""
BOX_MM = 5.0
MIN_BAND_MM = 20.0
"""Enlarged pages show fewer bands rather than lower ones."""
SMALLEST_GAIN_SHARE = 0.25
CROWDING = 1.3
"""A trace may reach this share of its band before the gain is halved: bands overlap on paper."""
MIN_FINE_PX = 2.5
"""Millimetre lines closer than this are left out."""


@dataclass(frozen=True, slots=True)
class PaperPanel:
    """One lead's stretch: pixel columns, baseline and the time of its left edge."""

    lead: int
    left_px: float
    width_px: float
    top_px: float
    height_px: float
    baseline_px: float
    start_s: float


@dataclass(frozen=True)
class PaperPage:
    """What is on the page: leads by band, from `start_s` on, at the scale that fits.

    `duration_s` is the recording's; `extremes_mv` hold each lead's usual lowest and highest
    value (`measure_extremes`), by which gain and baselines are chosen.
    """

    width_px: int
    height_px: int
    bands: tuple[tuple[int, ...], ...]
    duration_s: float
    extremes_mv: tuple[tuple[float, float], ...]
    start_s: float = 0.0
    zoom: float = 1.0
    first_band: int = 0
    wanted_gain_mm_per_mv: float = 10.0
    speed_mm_per_s: float = 25.0

    @cached_property
    def px_per_mm(self) -> float:
        """Pixels of a millimetre of paper."""
        return self.width_px / (PAGE_MM / self.zoom + GUTTER_MM)

    @property
    def px_per_s(self) -> float:
        """Pixels of a second."""
        return self.px_per_mm * self.speed_mm_per_s

    @property
    def px_per_mv(self) -> float:
        """Pixels of a millivolt."""
        return self.px_per_mm * self.gain_mm_per_mv

    @property
    def left_px(self) -> float:
        """Where the traces begin."""
        return GUTTER_MM * self.px_per_mm

    @cached_property
    def page_s(self) -> float:
        """Seconds from the left edge of the traces to the right one."""
        return PAGE_MM / self.zoom / self.speed_mm_per_s

    @cached_property
    def start_shown_s(self) -> float:
        """Time at the left edge, within the recording."""
        return min(max(self.start_s, 0.0), max(self.duration_s - self.page_s, 0.0))

    @cached_property
    def num_bands_shown(self) -> int:
        """All at zoom 1; enlarged, as many as keep `MIN_BAND_MM`."""
        if self.zoom <= 1.0:
            return len(self.bands)
        fitting = int(self.height_px / self.px_per_mm // MIN_BAND_MM)
        return max(1, min(len(self.bands), fitting))

    @cached_property
    def first_band_shown(self) -> int:
        """The band at the top."""
        return min(max(self.first_band, 0), len(self.bands) - self.num_bands_shown)

    @cached_property
    def shown_bands(self) -> tuple[tuple[int, ...], ...]:
        """The leads of each band on the page."""
        return self.bands[self.first_band_shown :][: self.num_bands_shown]

    @property
    def band_px(self) -> float:
        """Height of a band."""
        return self.height_px / self.num_bands_shown

    @cached_property
    def gain_mm_per_mv(self) -> float:
        """The gain asked for, or the half or quarter of it that keeps traces in their bands."""
        spans = [
            max(self.extremes_mv[lead][1] - self.extremes_mv[lead][0] for lead in band)
            for band in self.shown_bands
        ]
        room_mm = CROWDING * self.band_px / self.px_per_mm
        gain = self.wanted_gain_mm_per_mv
        smallest = gain * SMALLEST_GAIN_SHARE
        while gain > smallest and max(spans) * gain > room_mm:
            gain /= 2
        return gain

    @cached_property
    def baselines_px(self) -> tuple[float, ...]:
        """Height of 0 mV for each band shown: a multiple of 5 mm below the first."""
        box_px = BOX_MM * self.px_per_mm
        wanted = []
        for number, band in enumerate(self.shown_bands):
            high = max(self.extremes_mv[lead][1] for lead in band) * self.px_per_mv
            low = min(self.extremes_mv[lead][0] for lead in band) * self.px_per_mv
            middle = (number + 0.5) * self.band_px
            wanted.append(middle + (high + low) / 2)
        origin = wanted[0]
        return tuple(origin + round((lead_name - origin) / box_px) * box_px for lead_name in wanted)

    @cached_property
    def panels(self) -> tuple[PaperPanel, ...]:
        """Every panel on the page, from the top left."""
        panels = []
        for number, band in enumerate(self.shown_bands):
            span_s = self.page_s / len(band)
            width = span_s * self.px_per_s
            for slot, lead in enumerate(band):
                panels.append(
                    PaperPanel(
                        lead=lead,
                        left_px=self.left_px + slot * width,
                        width_px=width,
                        top_px=number * self.band_px,
                        height_px=self.band_px,
                        baseline_px=self.baselines_px[number],
                        start_s=self.start_shown_s + slot * span_s,
                    )
                )
        return tuple(panels)

    # --- pixels and what they mean

    def x_of(self, time_s: float) -> float:
        """Pixels from the left of a time; it may lie off the page."""
        return self.left_px + (time_s - self.start_shown_s) * self.px_per_s

    def holds(self, time_s: float) -> bool:
        """True when the time is on the page."""
        return 0.0 <= time_s - self.start_shown_s < self.page_s

    def time_of(self, x_px: float) -> float | None:
        """The time under a pixel, None left of the traces or behind the recording."""
        time_s = self.start_shown_s + (x_px - self.left_px) / self.px_per_s
        is_inside = x_px >= self.left_px and time_s < min(
            self.start_shown_s + self.page_s, self.duration_s
        )
        return time_s if is_inside else None

    def panel_at(self, x_px: float, y_px: float) -> PaperPanel | None:
        """The panel under a pixel."""
        for panel in self.panels:
            is_across = panel.left_px <= x_px < panel.left_px + panel.width_px
            if is_across and panel.top_px <= y_px < panel.top_px + panel.height_px:
                return panel
        return None

    def millivolts_at(self, panel: PaperPanel, y_px: float) -> float:
        """The voltage that a height in a panel stands for."""
        return (panel.baseline_px - y_px) / self.px_per_mv

    # --- the grid

    def vertical_lines(self, step_mm: float) -> Float64[Array, " line"]:
        """X of the lines of whole multiples of `step_mm` from the recording's start."""
        step_s = step_mm / self.speed_mm_per_s
        first = np.ceil((self.start_shown_s - self.left_px / self.px_per_s) / step_s)
        last = np.floor(
            (self.start_shown_s + (self.width_px - self.left_px) / self.px_per_s) / step_s
        )
        times_s = np.arange(first, last + 1) * step_s
        return self.left_px + (times_s - self.start_shown_s) * self.px_per_s

    def horizontal_lines(self, step_mm: float) -> Float64[Array, " line"]:
        """Y of the lines of whole multiples of `step_mm` from the bands' 0 mV."""
        step_px = step_mm * self.px_per_mm
        origin = self.baselines_px[0]
        first = np.ceil(-origin / step_px)
        last = np.floor((self.height_px - 1 - origin) / step_px)
        return origin + np.arange(first, last + 1) * step_px


def measure_extremes(
    signal_mv: Float32[Array, "lead sample"],
) -> tuple[tuple[float, float], ...]:
    """Lowest and highest value of each lead, without the outermost 0.05 % (an artefact), 0 in it.

    Leads without any sample give (0, 0).
    """
    extremes = []
    for lead in signal_mv:
        values = lead[np.isfinite(lead)]
        if values.size == 0:
            extremes.append((0.0, 0.0))
            continue
        spare = int(0.0005 * values.size)
        ordered = np.partition(values, (spare, values.size - 1 - spare))
        low, high = float(ordered[spare]), float(ordered[values.size - 1 - spare])
        extremes.append((min(low, 0.0), max(high, 0.0)))
    return tuple(extremes)


def describe_scale(page: PaperPage) -> str:
    """`25 mm/s  10 mm/mV`, with a note where the gain had to be smaller than asked for."""
    note = "" if page.gain_mm_per_mv == page.wanted_gain_mm_per_mv else " (to fit)"
    return f"{page.speed_mm_per_s:g} mm/s  {page.gain_mm_per_mv:g} mm/mV{note}"
