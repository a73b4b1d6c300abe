"""The drawn page read back: its scales against the arrays, to the pixel."""

import numpy as np
import pytest

from ptacl_app.drawing.ecg_picture import (
    Mark,
    PageDetails,
    Wave,
    choose_stroke_px,
    draw_over,
    draw_page,
)
from ptacl_app.drawing.paper import PaperPage, describe_scale, measure_extremes
from ptacl_app.drawing.paper_inks import CONTRAST, OVERLAYS, PAPERS, PINK, Overlay
from ptacl_app.drawing.trace import Trace
from ptacl_core.records import LEAD_NAMES

THREE_BY_FOUR = ((0, 3, 6, 9), (1, 4, 7, 10), (2, 5, 8, 11), (1,))
PANES = [(592, 304), (800, 384), (927, 432), (1600, 1000), (260, 120)]
"""The ECG pane at 120×36 and 146×40 in cells of 8×16, and others."""


def make_trace(signal_mv, rate_hz=500.0):
    return Trace(np.asarray(signal_mv, np.float32), rate_hz, LEAD_NAMES)


def make_page(width, height, trace, *, bands=THREE_BY_FOUR, **options):
    extremes = measure_extremes(trace.signal_mv)
    return PaperPage(width, height, bands, trace.duration_s, extremes, **options)


def is_ink(picture, colour):
    """Pixels that are the ink's colour and nothing else."""
    return (picture.to_rgb() == np.array(colour)).all(axis=2)


def weigh_trace(page, trace, inks=CONTRAST):
    """How much ink of the trace every pixel holds, 0 … 1: the page against the empty page."""
    nothing = make_trace(np.full_like(trace.signal_mv, np.nan), trace.sampling_rate_hz)
    empty = draw_page(page, nothing, inks).to_rgb().astype(float)
    drawn = draw_page(page, trace, inks).to_rgb().astype(float)
    full = np.abs(np.array(inks.trace, float) - empty).sum(axis=2)
    return np.abs(drawn - empty).sum(axis=2) / np.maximum(full, 1)


@pytest.mark.parametrize(("width", "height"), PANES)
@pytest.mark.parametrize("speed", [25.0, 50.0])
def test_lines_of_the_paper_lie_at_whole_millimetres(width, height, speed):
    trace = make_trace(np.zeros((12, 5000)))
    page = make_page(width, height, trace, speed_mm_per_s=speed, start_s=1.234)
    picture = draw_page(page, trace, PINK)
    coarse = is_ink(picture, PINK.coarse_line)
    columns = np.flatnonzero(coarse.mean(axis=0) > 0.5)
    times_s = page.start_shown_s + (columns + 0.5 - page.left_px) / page.px_per_s
    step_s = 5.0 / speed
    off_px = (times_s / step_s - np.round(times_s / step_s)) * step_s * page.px_per_s
    assert np.abs(off_px).max() <= 1.0
    assert np.diff(columns).mean() == pytest.approx(5 * page.px_per_mm, abs=0.05 * page.px_per_mm)
    rows = np.flatnonzero(coarse.mean(axis=1) > 0.5)
    off_px = (rows + 0.5 - page.baselines_px[0]) / (5 * page.px_per_mm)
    assert np.abs((off_px - np.round(off_px)) * 5 * page.px_per_mm).max() <= 1.0
    sizes = np.median(np.diff(rows)), np.median(np.diff(columns))  # squares
    assert abs(sizes[0] - sizes[1]) <= 1


@pytest.mark.parametrize(("width", "height"), PANES)
@pytest.mark.parametrize("zoom", [1.0, 2.0, 6.0])
def test_impulses_and_steps_lie_where_the_array_has_them(width, height, zoom):
    signal = np.zeros((12, 5000), np.float32)
    times = {0: 0.61, 3: 3.203, 6: 6.4, 9: 9.118, 1: 0.9}
    for lead, time_s in times.items():
        signal[lead, round(time_s * 500)] = 0.8
    trace = make_trace(signal)
    for lead, time_s in times.items():
        bands = ((lead,),)
        page = make_page(width, height, trace, bands=bands, zoom=zoom, start_s=time_s - 0.1)
        weight = weigh_trace(page, trace)
        row = round(page.baselines_px[0] - 0.4 * page.px_per_mv)
        columns = np.arange(page.width_px) + 0.5
        expected_x = page.x_of(round(time_s * 500) / 500)
        assert abs(np.average(columns, weights=weight[row]) - expected_x) <= 1.0
        column = int(expected_x)
        top = np.flatnonzero(weight[:, column - 1 : column + 2].max(axis=1) > 0.25)[0]
        edge = page.baselines_px[0] - 0.8 * page.px_per_mv - choose_stroke_px(page) / 2
        assert abs(top - edge) <= 1.0


@pytest.mark.parametrize("level_mv", [-1.0, -0.35, 0.2, 0.7])
@pytest.mark.parametrize(("width", "height"), PANES)
def test_a_level_voltage_is_one_line_at_its_height(level_mv, width, height):
    signal = np.full((12, 5000), level_mv, np.float32)
    trace = make_trace(signal)
    page = make_page(width, height, trace, bands=((1,),))
    profile = weigh_trace(page, trace)[:, int(0.5 * width) : int(0.9 * width)].mean(axis=1)
    centre = np.average(np.arange(height) + 0.5, weights=profile)
    assert abs(centre - (page.baselines_px[0] - level_mv * page.px_per_mv)) <= 0.5
    assert (profile > 0.1).sum() <= 4


def test_the_calibration_pulse_is_a_millivolt_high_and_five_millimetres_wide():
    trace = make_trace(np.zeros((12, 5000)))
    page = make_page(1600, 1000, trace)
    gutter = is_ink(draw_page(page, trace, PINK), PINK.pulse)[:, : int(page.left_px)]
    band = gutter[: int(page.band_px)]
    rows, columns = np.flatnonzero(band.any(axis=1)), np.flatnonzero(band.any(axis=0))
    assert rows.max() - rows.min() == pytest.approx(page.px_per_mv, abs=1.6)
    assert columns.max() - columns.min() == pytest.approx(5 * page.px_per_mm, abs=1.6)


FINDINGS = {
    "absent P wave": lambda beat: beat.with_waves(p_mv=0.0),
    "QRS 90 to 130 ms": lambda beat: beat.with_waves(qrs_ms=130.0),
    "ST -0.05 mV": lambda beat: beat.with_waves(st_mv=-0.05),
    "small Q": lambda beat: beat.with_waves(q_mv=-0.1),
}


class Beats:
    """Ten seconds of beats from plain waves, in all leads, 72 a minute."""

    def __init__(self, *, p_mv=0.12, qrs_ms=90.0, st_mv=0.0, q_mv=0.0):
        self.waves = {"p_mv": p_mv, "qrs_ms": qrs_ms, "st_mv": st_mv, "q_mv": q_mv}

    def with_waves(self, **changes):
        return Beats(**{**self.waves, **changes})

    def draw(self):
        times_s = np.arange(5000) / 500.0
        signal = np.zeros(5000)
        width_s = self.waves["qrs_ms"] / 1000 / 6
        for peak in np.arange(0.4, 10.0, 60 / 72):
            after = times_s - peak
            signal += self.waves["p_mv"] * np.exp(-((after + 0.16) ** 2) / (2 * 0.02**2))
            signal += 1.0 * np.exp(-(after**2) / (2 * width_s**2))
            signal += self.waves["q_mv"] * np.exp(-((after + 0.045) ** 2) / (2 * 0.008**2))
            signal += self.waves["st_mv"] * ((after > 0.07) & (after < 0.2))
            signal += 0.3 * np.exp(-((after - 0.28) ** 2) / (2 * 0.04**2))
        return make_trace(np.tile(signal, (12, 1)))


@pytest.mark.parametrize("finding", FINDINGS)
@pytest.mark.parametrize("pane", PANES[:2])
def test_a_finding_changes_at_least_fifty_pixels_of_one_lead(finding, pane):
    """The rhythm strip alone: one lead of ten seconds, at 120×36 and at 146×40."""
    pictures = []
    for beats in (Beats(), FINDINGS[finding](Beats())):
        trace = beats.draw()
        extremes = measure_extremes(Beats().draw().signal_mv)
        page = PaperPage(pane[0], pane[1], THREE_BY_FOUR, 10.0, extremes)
        pictures.append(draw_page(page, trace, PINK).to_rgb().astype(int))
    changed = np.abs(pictures[0] - pictures[1]).max(axis=2) >= 32
    strip = changed[int(page.band_px * 3) :]
    assert strip.sum() >= 50


@pytest.mark.parametrize("width", [40, 260, 927, 2000])
def test_no_spike_is_lost_at_any_width(width):
    signal = np.zeros((12, 5000), np.float32)
    signal[1, 2500] = 0.9
    trace = make_trace(signal)
    page = make_page(width, 200, trace, bands=((1,),))
    ink = draw_page(page, trace, CONTRAST).to_rgb().sum(axis=2)
    flat = draw_page(page, make_trace(np.zeros((12, 5000))), CONTRAST).to_rgb().sum(axis=2)
    column = int(page.x_of(5.0))
    top = int(page.baselines_px[0] - 0.7 * page.px_per_mv)
    changed = (ink != flat)[top : top + 3, max(column - 2, 0) : column + 3]
    assert changed.any()


def test_a_low_pane_takes_a_smaller_gain_and_says_so():
    signal = np.zeros((12, 5000), np.float32)
    signal[:, ::400] = 2.4
    trace = make_trace(np.repeat(signal[:, ::5], 5, axis=1))
    high, low = make_page(927, 900, trace), make_page(927, 250, trace)
    assert high.gain_mm_per_mv == 10.0
    assert low.gain_mm_per_mv in (2.5, 5.0)
    assert describe_scale(high) == "25 mm/s  10 mm/mV"
    assert "(to fit)" in describe_scale(low)
    assert low.num_bands_shown == 4


def test_pixels_and_times_are_each_others_inverse():
    trace = make_trace(np.zeros((12, 19000)))
    page = make_page(800, 384, trace, start_s=12.3, zoom=3.0)
    for time_s in (12.3, 13.0, 15.6):
        assert page.time_of(page.x_of(time_s)) == pytest.approx(time_s, abs=1e-9)
    assert page.time_of(page.left_px - 1) is None
    assert make_page(800, 384, trace, start_s=99.0).start_shown_s == pytest.approx(28.0)
    panel = page.panel_at(page.left_px + 5, 10)
    assert panel is not None
    assert page.millivolts_at(panel, panel.baseline_px - page.px_per_mv) == pytest.approx(1.0)


def test_gaps_are_gaps_and_short_recordings_end():
    signal = np.zeros((12, 3000), np.float32)
    signal[1, 1000:1500] = np.nan
    trace = make_trace(signal)
    page = make_page(927, 432, trace, bands=((1,),))
    has_trace = weigh_trace(page, trace).max(axis=0) > 0.3
    for time_s, expected in ((1.5, True), (2.5, False), (3.5, True), (5.9, True), (6.2, False)):
        assert has_trace[int(page.x_of(time_s))] == expected
    nothing = make_trace(np.full((12, 100), np.nan))
    drawn = draw_page(make_page(300, 200, nothing), nothing, PINK)
    assert drawn.indices.shape == (200, 300)


def test_cursor_calipers_and_marks_stand_at_their_times():
    trace = make_trace(np.zeros((12, 5000)))
    page = make_page(927, 432, trace)
    marks = (Mark(1.0, Wave.P), Mark(3.0, Wave.QRS), Mark(9.0, Wave.T))
    picture = draw_page(page, trace, PINK, PageDetails(marks=marks))
    for mark in marks:
        column = picture.to_rgb()[:, int(page.x_of(mark.time_s))]
        assert (column == np.array(PINK.marks[mark.wave])).all(axis=1).mean() > 0.4
    over = draw_over(picture, page, cursor_s=2.0, calipers_s=(4.0, 4.9), step_span_s=(1.9, 2.1))
    assert (over.indices[:, int(page.x_of(2.0))] == OVERLAYS[Overlay.CURSOR]).all()
    for time_s in (4.0, 4.9):
        assert (over.indices[:, int(page.x_of(time_s))] == OVERLAYS[Overlay.CALIPER]).all()
    changed = np.flatnonzero((over.indices != picture.indices).any(axis=0))
    assert changed.min() >= int(page.x_of(1.9)) - 1
    assert picture.indices is not over.indices


def test_saliency_tints_its_columns_only():
    trace = make_trace(np.zeros((12, 5000)))
    page = make_page(927, 432, trace)
    levels = np.zeros(927, np.int64)
    levels[300:340], levels[500:540] = 4, -4
    tinted = draw_page(page, trace, PINK, PageDetails(tints=levels)).to_rgb().astype(int)
    plain = draw_page(page, trace, PINK).to_rgb().astype(int)
    changed = np.flatnonzero((tinted != plain).any(axis=(0, 2)))
    assert set(changed) == {*range(300, 340), *range(500, 540)}
    assert tinted[:, 300:340, 2].mean() < plain[:, 300:340, 2].mean()
    assert tinted[:, 500:540, 0].mean() < plain[:, 500:540, 0].mean()


@pytest.mark.parametrize("name", PAPERS)
def test_every_paper_keeps_to_its_palette_with_everything_on_it(name):
    rng = np.random.default_rng(1)
    trace = make_trace(rng.normal(0, 0.4, (12, 5000)))
    page = make_page(927, 432, trace)
    details = PageDetails(
        selected_lead=1,
        marks=tuple(Mark(0.1 * n, Wave(n % 3)) for n in range(90)),
        tints=(np.arange(927) // 9) % 9 - 4,
        ghosts=(make_trace(rng.normal(0, 0.4, (12, 5000))),),
    )
    picture = draw_page(page, trace, PAPERS[name], details)
    assert picture.palette.shape == (256, 3)
    assert picture.indices.max() < min(OVERLAYS.values())
    assert is_ink(picture, PAPERS[name].trace).sum() > 1000
