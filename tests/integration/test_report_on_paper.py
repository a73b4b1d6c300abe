"""The report on paper: printed by a browser on A4 and Letter, a second measures 25 millimetres."""

import base64
import re
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from ptacl_app.__main__ import main as run_app
from ptacl_app.drawing.ecg_picture import draw_page
from ptacl_app.drawing.paper_inks import PINK
from ptacl_app.drawing.trace import Trace
from ptacl_app.output.report import lay_out_paper
from tests.app.conftest import build_cohort
from tests.app.drawing.test_ecg_picture import FINDINGS, Beats

DPI = 254  # ten pixels to the millimetre
SHEETS_MM = {"A4": (297.0, 210.0), "Letter": (279.4, 215.9)}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    cohort = build_cohort(tmp_path_factory.mktemp("paper") / "cohort", num_patients=24)
    path = cohort.parent / "report.html"
    assert run_app(["report", str(cohort), "--patient", "p0002", "--out", str(path)]) == 0
    return path


def print_page(page, sheet, folder):
    """The sheets as RGB arrays, at `DPI`."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    assert browser, "chromium is not installed: scripts/integration installs it"
    html = page.read_text().replace("size: landscape", f"size: {sheet} landscape")
    source, pdf = folder / f"{sheet}.html", folder / f"{sheet}.pdf"
    source.write_text(html)
    subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/user",
         "--no-pdf-header-footer", f"--print-to-pdf={pdf}", source.as_uri()],
        check=True, capture_output=True, timeout=180,
    )  # fmt: skip
    subprocess.run(["pdftoppm", "-r", str(DPI), "-png", str(pdf), str(folder / sheet)], check=True)
    names = sorted(folder.glob(f"{sheet}-*.png"))
    return [np.asarray(Image.open(name).convert("RGB")).astype(int) for name in names]


def find_lines(image, axis):
    """Places of the 5 mm lines along an axis, also where one is spread over two pixels."""
    green = np.median(image[:, :, 1], axis=axis)
    places = np.flatnonzero(green < (PINK.fine_line[1] + PINK.coarse_line[1]) / 2 + 18)
    groups = np.split(places, np.flatnonzero(np.diff(places) > 3) + 1)
    weights = [PINK.paper[1] - green[group] for group in groups]
    return np.array([(g * w).sum() / w.sum() for g, w in zip(groups, weights, strict=True)])


@pytest.mark.parametrize("sheet", SHEETS_MM)
def test_a_second_measures_25_mm_and_a_millivolt_10(page, sheet, tmp_path):
    sheets = print_page(page, sheet, tmp_path)
    width_mm, height_mm = SHEETS_MM[sheet]
    for image in sheets:
        assert image.shape[1] / 10 == pytest.approx(width_mm, abs=0.3)
        assert image.shape[0] / 10 == pytest.approx(height_mm, abs=0.3)
    is_paper = [(np.abs(image - PINK.paper).max(axis=2) < 4).sum() for image in sheets]
    image = sheets[int(np.argmax(is_paper))]
    rows, columns = np.nonzero(np.abs(image - PINK.paper).max(axis=2) < 4)
    paper = image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert paper.shape[1] == pytest.approx(2570, abs=3)
    assert paper.shape[0] == pytest.approx(1000, abs=3)
    for axis, count in ((0, 50), (1, 19)):
        lines = find_lines(paper, axis)
        assert len(lines) >= count
        steps = np.diff(lines)
        assert steps == pytest.approx(np.full(steps.size, 50.0), abs=2.0)
        # the whole page within 0.15 mm: a pixel of the print is 0.1 mm
        assert lines[-1] - lines[0] == pytest.approx(50.0 * (len(lines) - 1), abs=1.5)


@pytest.mark.parametrize("sheet", SHEETS_MM)
def test_r_peaks_lie_where_their_times_say(page, sheet, tmp_path):
    """The rhythm strip's peaks, read from the print, against the samples of the store."""
    from ptacl_app.data.cohort_reader import CohortReader

    reader = CohortReader.open(page.parent / "cohort")
    ecg = reader.load_patient("p0002").ecg
    reader.close()
    assert ecg is not None
    layout = lay_out_paper(Trace(ecg.signal_mv, 500.0, ecg.model_trace.lead_names))
    sheets = print_page(page, sheet, tmp_path)
    image = max(sheets, key=lambda sheet: (np.abs(sheet - PINK.paper).max(axis=2) < 4).sum())
    rows, columns = np.nonzero(np.abs(image - PINK.paper).max(axis=2) < 4)
    top, left = rows.min(), columns.min()
    strip = image[top + 770 : top + 1000, left + 80 : left + 2570]
    is_ink = np.abs(strip - PINK.trace).max(axis=2) < 60
    heights = np.where(is_ink.any(axis=0), is_ink.argmax(axis=0), strip.shape[0])
    panel = layout.panels[-1]
    for time_s in ecg.r_peak_times_s[1:-1]:
        expected = layout.x_of(time_s) - 80
        near = slice(int(expected) - 15, int(expected) + 16)
        peak = near.start + np.flatnonzero(heights[near] == heights[near].min()).mean()
        assert peak == pytest.approx(expected, abs=6)  # within 12 ms of the sample
        millivolts = ecg.signal_mv[1, round(time_s * 500) - 5 : round(time_s * 500) + 6].max()
        crest = panel.baseline_px - millivolts * 100 - 770
        assert heights[near].min() == pytest.approx(crest, abs=4)


@pytest.mark.parametrize("sheet", SHEETS_MM)
def test_each_finding_is_seen_on_paper(page, sheet, tmp_path):
    """As on the screen: 50 pixels of the rhythm strip, a hundredth of a square millimetre each."""
    html = page.read_text()
    ecg_section = re.search(r"<section class='ecg'>.*?</section>", html, re.DOTALL)
    assert ecg_section
    normal = Beats()
    changed = [normal, normal, *(change(normal) for change in FINDINGS.values())]
    layout = lay_out_paper(normal.draw())
    sections = ""
    for beats in changed:
        png = draw_page(layout, beats.draw(), PINK).encode_png()
        source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
        section = re.sub("src='[^']*'", f"src='{source}'", ecg_section[0])
        sections += section.replace("<section", "<section style='break-before: page'")
    copy = tmp_path / "findings.html"
    copy.write_text(html.replace(ecg_section[0], sections))
    strips = []
    for image in print_page(copy, sheet, tmp_path):
        is_paper = np.abs(image - PINK.paper).max(axis=2) < 4
        if is_paper.sum() > 250_000:
            rows, columns = np.nonzero(is_paper)
            top, left = rows.min(), columns.min()
            strips.append(image[top + 770 : top + 990, left + 80 : left + 2560])
    assert len(strips) == len(changed)
    counts = [int((np.abs(strip - strips[0]).max(axis=2) >= 32).sum()) for strip in strips]
    assert counts[1] == 0, "the same page is printed the same"
    assert min(counts[2:]) >= 50, dict(zip(FINDINGS, counts[2:], strict=True))


def test_the_page_is_made_for_both_sheets(page):
    style = page.read_text()
    assert re.search(r"@page \{ size: landscape; margin: 10mm; \}", style)
