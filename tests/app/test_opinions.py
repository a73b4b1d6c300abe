"""Three opinions on an ECG, side by side in the app."""

import numpy as np
import pytest
from textual.widgets import Static

from ptacl_app.data.opinions import describe_opinions
from ptacl_app.data.patient_view import EcgView, PatientView
from ptacl_core.preprocess.measurements import compare_opinions
from tests.app.conftest import draw_ecg


def test_the_table_marks_what_differs_beyond_the_limit():
    rows = compare_opinions(
        {"pr_ms": 160.0, "qrs_ms": 96.0}, {"pr_ms": 166.0}, {"pr_ms": 190.0, "qrs_ms": 98.0}
    )
    lines = describe_opinions(rows).splitlines()
    assert lines[0].split() == ["PTACL", "neurokit2", "device", "limit"]
    assert lines[1].split() == ["PR", "160", "166", "190*", "20", "ms"]
    assert lines[2].split() == ["QRS", "96", "–", "98", "15", "ms"]
    assert "more than the limit" in lines[-1] and "Research use only" in lines[-1]
    assert "nothing that could be measured" in describe_opinions([])


async def test_a_key_asks_all_three_for_one_ecg(make_app, settle):
    signal_mv, peaks = draw_ecg(70.0)
    view = PatientView(
        patient="9000000", visit=0, split=None, sex=None, age_years=None, run=None, cine=None,
        origin="file",
        ecg=EcgView(
            signal_mv=signal_mv,
            r_peak_times_s=tuple((peaks / 500).tolist()),
            heart_rate_bpm=70.0,
            measurements={"pr_ms": 150.0, "qrs_ms": 90.0},
            device={"qrs_ms": 140.0},
        ),
    )  # fmt: skip
    app = make_app()
    async with app.run_test(size=(146, 40)) as pilot:
        await settle(pilot)
        app.show_patient(view)
        await settle(pilot)
        await pilot.press("c")
        await settle(pilot)
        text = str(app.screen.query_one("#opinions", Static).render())
        rows = {line.split()[0]: line for line in text.splitlines() if line.strip()}
        assert "140*" in rows["QRS"]
        heart_rate = [float(part) for part in rows["heart"].split()[2:4]]
        assert heart_rate == pytest.approx([70.0, 70.0], abs=2)
        assert np.isfinite(heart_rate).all()
        await pilot.press("escape")
        assert not app.screen.query("#opinions")
