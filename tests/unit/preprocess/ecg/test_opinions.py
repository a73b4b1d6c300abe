"""Ours, neurokit2's and the device's figures side by side."""

import pytest

from ptacl_core.preprocess import analyse_ecg, prepare_ecg
from ptacl_core.preprocess.measurements import DISAGREEMENT_LIMITS, compare_opinions
from ptacl_core.preprocess.measurements.second_opinion import ask_neurokit
from ptacl_core.records import FIGURE_NAMES


def test_disagreement_is_marked_beyond_the_stated_limit():
    ours = {"pr_ms": 160.0, "qrs_ms": 96.0, "axis_deg": 175.0}
    rows = compare_opinions(
        ours, {"pr_ms": 179.0, "axis_deg": -178.0}, {"pr_ms": 181.0, "qrs_ms": 135.0}
    )
    by_figure = {row.figure: row for row in rows}
    assert by_figure["pr_ms"].disagrees_with == ("device",)
    assert by_figure["qrs_ms"].disagrees_with == ("device",)
    assert by_figure["qrs_ms"].neurokit2 is None
    assert by_figure["axis_deg"].disagrees_with == ()  # 7 degrees around the circle
    assert "qt_ms" not in by_figure
    assert set(DISAGREEMENT_LIMITS) <= set(FIGURE_NAMES)


def test_the_second_opinion_is_independent_and_near(real_records):
    prepared = prepare_ecg(real_records["pydicom_waveform_ecg.dcm"])
    ours, second = analyse_ecg(prepared).figures, ask_neurokit(prepared)
    for name, limit in (("pr_ms", 20), ("qrs_ms", 15), ("qt_ms", 25)):
        assert second[name] == pytest.approx(ours[name], abs=limit)
    assert ask_neurokit(prepared) == second
