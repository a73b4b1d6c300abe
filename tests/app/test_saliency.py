"""What a prediction rests on: levels, columns, words, and the overlay of the patient screen."""

import numpy as np
import pytest

from ptacl_app.data.inference_worker import handle
from ptacl_app.drawing.ecg_page import GUTTER_COLUMNS, PageView, draw_page
from ptacl_app.drawing.raster import decode_characters
from ptacl_app.drawing.saliency import (
    Saliency,
    annotate_leads,
    compute_levels,
    describe_saliency,
    place_levels,
    read_saliency,
)
from ptacl_app.shell import messages
from ptacl_app.widgets.ecg.plot import EcgPlot
from ptacl_app.widgets.ecg.step_strip import StepStrip
from ptacl_app.widgets.pane_head import PaneHead
from ptacl_app.widgets.phenotype_panel import PhenotypePanel
from ptacl_core.errors import PtaclError
from ptacl_core.records import LEAD_NAMES

LEADS = (0.0, 1.0, -2.0, 0.1, 0.0, 0.0, 0.0, 0.0, -4.0, 0.0, 0.0, 2.0)
STEPS = (0.0, 0.0, 0.0, 0.5, 2.0, -1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
EJECTION = Saliency("lvef_pct", LEADS, STEPS)
MASS = Saliency("lvm_g", LEADS[::-1], STEPS[::-1])


def text_of(widget, y=0):
    return "".join(segment.text for segment in widget.render_line(y))


def test_levels_are_relative_to_the_largest_change_and_keep_its_sign():
    assert compute_levels((0.0, 1.0, -4.0, 2.0)).tolist() == [0, 1, -4, 2]
    assert compute_levels((0.0, 0.0)).tolist() == [0, 0]
    assert compute_levels((float("nan"), 3.0)).tolist() == [0, 4]
    assert compute_levels(()).tolist() == []


def test_every_column_has_the_level_of_its_step_in_its_own_beat():
    view = PageView(num_columns=GUTTER_COLUMNS + 100, num_rows=16)
    peaks = (1.0, 2.3, 4.9)  # beats of 13 and of 26 columns
    levels = np.arange(13) - 4
    placed = place_levels(view, peaks, levels)
    inside = placed[GUTTER_COLUMNS:]
    np.testing.assert_array_equal(inside[10:23], levels)
    np.testing.assert_array_equal(inside[23:49], np.repeat(levels, 2))
    assert not inside[:10].any()
    assert not inside[49:].any()
    assert not placed[:GUTTER_COLUMNS].any()
    assert not place_levels(view, (1.0,), levels).any()


def test_each_lead_carries_its_change_behind_its_name():
    view = PageView(num_columns=GUTTER_COLUMNS + 100, num_rows=16)
    cells = draw_page(view, np.zeros((12, 5000), np.float32))
    drawn = annotate_leads(cells, view, EJECTION)
    first = decode_characters(drawn.characters[0])
    assert "I +0.00" in first
    rows = "\n".join(decode_characters(row) for row in drawn.characters)
    assert "III −2.00" in rows
    assert "V6 +2.00" in rows
    assert "V3 −4.00" in rows
    assert "−" not in decode_characters(cells.characters[0])  # the page itself is untouched


def test_words_name_the_strongest_lead_and_step():
    assert describe_saliency(EJECTION) == "hiding V3 −4.00 %, step 5 +2.00 %"


def test_an_answer_of_another_shape_is_refused():
    leads = dict.fromkeys(LEAD_NAMES, 0.5)
    good = {"leads": {"lvef_pct": leads}, "steps": {"lvef_pct": [0.0] * 13}}
    assert read_saliency(good)["lvef_pct"].leads == (0.5,) * 12
    for bad in (
        {"leads": {"lvef_pct": leads}, "steps": {"lvef_pct": [0.0] * 12}},
        {"leads": {"lvef_pct": {"I": 1.0}}, "steps": {"lvef_pct": [0.0] * 13}},
        {"leads": {"lvef_pct": dict.fromkeys(LEAD_NAMES, "x")}, "steps": {"lvef_pct": [0.0] * 13}},
        {"leads": {"lvef_pct": leads}},
        {},
    ):
        with pytest.raises(PtaclError):
            read_saliency(bad)


def test_the_child_says_in_words_why_it_cannot_explain(bare_cohort_dir):
    request = {
        "task": "explain",
        "file": None,
        "hints": {},
        "patient": "p0000",
        "visit": 2,
        "cohort": str(bare_cohort_dir),
        "run": None,
    }
    document, payload = handle(request, b"")
    assert "no run has finished its alignment" in str(document["error"])
    assert payload == b""


async def test_overlay_tints_steps_and_names_changes_then_goes(in_cells, make_app, settle):
    app = make_app(first_patient="p0002")
    async with app.run_test(size=(146, 40)) as pilot:
        await settle(pilot)
        screen = app.screen
        await pilot.press("space")
        plain = [
            segment.style.bgcolor for segment in screen.query_one("#ecg", EcgPlot).render_line(9)
        ]
        screen.post_message(
            messages.SaliencyLoaded(app.patient, {"lvef_pct": EJECTION, "lvm_g": MASS})
        )
        await settle(pilot)
        ecg = screen.query_one("#ecg", EcgPlot)
        head = screen.query_one("#ecg-head", PaneHead)
        assert head.detail.startswith("~LVEF: hiding V3 −4.00 %")
        assert "I +0.00" in text_of(ecg)
        tinted = {segment.style.bgcolor for segment in ecg.render_line(9)}
        assert tinted - set(plain)
        assert "+2.00" in text_of(screen.query_one("#steps", StepStrip))
        panel = screen.query_one("#phenotypes", PhenotypePanel)
        marked = [text_of(panel, y) for y in range(12) if "◂" in text_of(panel, y)]
        assert [row[:4] for row in marked] == ["LVEF"]
        await pilot.press("p")
        assert head.detail.startswith("~LVM: hiding aVR −4.0 g")
        assert ecg.saliency is MASS
        await pilot.press("o")
        assert ecg.saliency is None
        assert "mm/mV" in head.detail
        await pilot.press("o")  # kept: the model is not asked again
        assert ecg.saliency is MASS
        await pilot.press("escape")
        assert ecg.saliency is None
        await pilot.press("o")
        app.load_patient("p0004")
        await settle(pilot)
        assert ecg.saliency is None
        assert "hiding" not in head.detail


async def test_an_answer_for_another_patient_is_kept_not_shown(make_app, settle):
    app = make_app(first_patient="p0002")
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        before = app.patient
        app.load_patient("p0004")
        await settle(pilot)
        app.screen.post_message(messages.SaliencyLoaded(before, {"lvef_pct": EJECTION}))
        await settle(pilot)
        assert app.screen.query_one("#ecg", EcgPlot).saliency is None
        app.load_patient("p0002")
        await settle(pilot)
        await pilot.press("o")
        assert app.screen.query_one("#ecg", EcgPlot).saliency is EJECTION


async def test_a_run_without_weights_is_explained_in_words(make_app, settle, said):
    app = make_app(first_patient="p0002")
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("o")
        assert app.screen.overlay.is_busy
        assert "asking" in app.screen.query_one("#ecg-head", PaneHead).detail
        await settle(pilot)
        assert not app.screen.overlay.is_busy
        assert "no aligned run" in said[-1]


async def test_nothing_to_explain_without_a_prediction(make_app, settle, said):
    app = make_app(first_patient="p0005")  # it has no ECG
    async with app.run_test(size=(120, 36)) as pilot:
        await settle(pilot)
        await pilot.press("o")
        assert not app.screen.overlay.is_busy
        assert "nothing to explain" in said[-1]
