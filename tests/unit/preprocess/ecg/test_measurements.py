"""Figures, amplitudes and statements of an ECG, against devices' figures and closed forms."""

import gzip
import math
from pathlib import Path

import numpy as np
import pytest

from ptacl_core.io import read_ecg
from ptacl_core.preprocess import analyse_ecg, measure_ecg, prepare_ecg
from ptacl_core.preprocess.measurements.axes import measure_axes
from ptacl_core.preprocess.measurements.intervals import correct_qt
from ptacl_core.preprocess.measurements.lead_waves import find_deflections, measure_leads
from ptacl_core.preprocess.measurements.statements import CRITERIA, make_statements
from ptacl_core.records import (
    FIGURE_NAMES,
    FIGURE_UNITS,
    LEAD_FIGURE_NAMES,
    LEAD_NAMES,
    BeatMarks,
)

PACKED = Path(__file__).parents[3] / "data" / "ecg"
WITH_DEVICE_FIGURES = (
    "pydicom_waveform_ecg.dcm",
    "hl7_Example_aECG.xml",
    "philips_1.04_demo.xml",
    "sierra_1.03_129DYPRG.xml",
)


@pytest.fixture(scope="module")
def measured(real_records):
    return {name: measure_ecg(prepare_ecg(record), record) for name, record in real_records.items()}


@pytest.fixture(scope="module")
def device_pairs(tmp_path_factory):
    """(our analysis, the device's own figures) of the ECGs whose carts wrote figures."""
    folder = tmp_path_factory.mktemp("device_ecgs")
    pairs = {}
    for name in WITH_DEVICE_FIGURES:
        path = folder / name
        path.write_bytes(gzip.decompress((PACKED / f"{name}.gz").read_bytes()))
        record = read_ecg(path)
        pairs[name] = (analyse_ecg(prepare_ecg(record), record), record.device_measurements)
    return pairs


@pytest.mark.parametrize(("name", "median_limit"), [("pr_ms", 6), ("qrs_ms", 6), ("qt_ms", 10)])
def test_agrees_with_the_carts(device_pairs, name, median_limit):
    differences = []
    for analysis, device in device_pairs.values():
        difference = analysis.figures[name] - device[name]
        codes = {finding.code for finding in analysis.findings}
        if abs(difference) > 25:  # then a finding says why
            assert f"{name.removesuffix('_ms')}_unsure" in codes
        differences.append(abs(difference))
    assert np.median(differences) <= median_limit


def test_axes_and_corrected_qt_agree_with_the_carts(device_pairs):
    for analysis, device in device_pairs.values():
        assert analysis.figures["axis_deg"] == pytest.approx(device["axis_deg"], abs=8)
        assert analysis.figures["qtc_ms"] == pytest.approx(device["qtc_ms"], abs=26)


def test_only_known_figures_in_possible_ranges(measured):
    for figures in measured.values():
        assert set(figures) <= set(FIGURE_NAMES)
        assert 30 < figures["heart_rate_bpm"] < 200
        assert 90 <= figures.get("pr_ms", 150) <= 350
        assert 55 <= figures.get("qrs_ms", 90) <= 210
        assert 230 <= figures.get("qt_ms", 400) <= 620
        assert -180 <= figures.get("axis_deg", 0) <= 180


def test_every_figure_has_a_unit():
    assert all(FIGURE_UNITS[name] in ("bpm", "ms", "deg", "mV") for name in FIGURE_NAMES)


def test_corrected_qt_by_four_formulas():
    # At an RR of one second no formula corrects; at 0.64 s the square root is 0.8.
    assert set(correct_qt(400.0, 1000.0).values()) == {400.0}
    corrected = correct_qt(400.0, 640.0)
    assert corrected["qtc_ms"] == pytest.approx(500.0)
    assert corrected["qtc_fridericia_ms"] == pytest.approx(400.0 / 0.64 ** (1 / 3))
    assert corrected["qtc_framingham_ms"] == pytest.approx(400.0 + 154.0 * 0.36)
    assert corrected["qtc_hodges_ms"] == pytest.approx(400.0 + 1.75 * (93.75 - 60.0))


def test_qtc_is_for_the_mean_rr_that_is_stated(measured, real_records):
    for name, figures in measured.items():
        peaks = prepare_ecg(real_records[name]).r_peak_samples
        assert figures["rr_ms"] == pytest.approx(2.0 * np.diff(peaks).mean())
        if "qt_ms" in figures:
            expected = figures["qt_ms"] / math.sqrt(figures["rr_ms"] / 1000.0)
            assert figures["qtc_ms"] == pytest.approx(expected)


def beat_of(shapes):
    """A representative beat of square deflections: {lead: {(start, stop): mV}}."""
    beat_mv = np.zeros((12, 650), np.float32)
    for lead, pieces in shapes.items():
        for (start, stop), height in pieces.items():
            beat_mv[LEAD_NAMES.index(lead), start:stop] = height
    return beat_mv


MARKS = BeatMarks(
    r_peak=250,
    p_onset=150, p_offset=200, qrs_onset=230, qrs_offset=290, t_peak=370, t_end=430,
)  # fmt: skip


def statements_of(figures, shapes):
    beat_mv = beat_of(shapes)
    deflections = [find_deflections(samples, 230, 290) for samples in beat_mv]
    leads_mv = measure_leads(beat_mv, MARKS, deflections)
    made = make_statements(figures, leads_mv, beat_mv, MARKS, deflections)
    return {statement.code: statement for statement in made}


def test_the_axis_is_the_direction_of_the_net_voltage():
    for angle_deg in (-150, -60, 0, 45, 90, 170):
        one = math.cos(math.radians(angle_deg))
        avf = math.sin(math.radians(angle_deg)) * math.sqrt(3) / 2
        axes = measure_axes(beat_of({"I": {(240, 260): one}, "aVF": {(240, 260): avf}}), MARKS)
        assert axes["axis_deg"] == pytest.approx(angle_deg, abs=1e-3)


def test_deflections_are_named_in_order():
    beat_mv = beat_of({"V5": {(232, 240): -0.2, (240, 260): 1.5, (260, 275): -0.4, (280, 282): 1}})
    deflections = [find_deflections(samples, 230, 290) for samples in beat_mv]
    assert [deflection.height_mv for deflection in deflections[10]] == pytest.approx(
        [-0.2, 1.5, -0.4]
    )
    assert deflections[10][0].duration_ms == 16.0
    row = dict(zip(LEAD_FIGURE_NAMES, measure_leads(beat_mv, MARKS, deflections)[10], strict=True))
    assert row["q_mv"] == pytest.approx(-0.2)
    assert row["r_mv"] == pytest.approx(1.5)
    assert row["s_mv"] == pytest.approx(-0.4)


def test_st_is_measured_at_j_and_after_it():
    beat_mv = beat_of(
        {"V2": {(285, 300): 0.10, (315, 325): 0.20, (326, 335): 0.30, (360, 380): 0.5}}
    )
    deflections = [find_deflections(samples, 230, 290) for samples in beat_mv]
    row = dict(zip(LEAD_FIGURE_NAMES, measure_leads(beat_mv, MARKS, deflections)[7], strict=True))
    assert row["st_j_mv"] == pytest.approx(0.10)
    assert row["st_j60_mv"] == pytest.approx(0.20)
    assert row["st_j80_mv"] == pytest.approx(0.30)
    assert row["t_mv"] == pytest.approx(0.5)


def test_statements_follow_their_criteria():
    normal = {"I": {(240, 260): 0.8}, "II": {(240, 260): 1.0}, "V1": {(240, 250): -1.0}}
    normal |= {f"V{number}": {(240, 260): 1.2} for number in range(2, 7)}
    assert statements_of({"pr_ms": 199.0, "axis_deg": 40.0}, normal) == {}
    assert "first_degree_av_block" in statements_of({"pr_ms": 201.0}, normal)
    assert "left_axis_deviation" in statements_of({"axis_deg": -31.0}, normal)
    assert "right_axis_deviation" in statements_of({"axis_deg": 91.0}, normal)
    assert "long_qtc" in statements_of({"qtc_ms": 455.0, "qrs_ms": 90.0}, normal)
    assert "men" in statements_of({"qtc_ms": 455.0, "qrs_ms": 90.0}, normal)["long_qtc"].text
    assert "lvh_sokolow_lyon" in statements_of({"sokolow_lyon_mv": 3.6}, normal)
    assert "women" in statements_of({"cornell_mv": 2.1}, normal)["lvh_cornell"].text
    low = {lead: {(240, 260): 0.3} for lead in LEAD_NAMES}
    assert "all leads" in statements_of({}, low)["low_voltage"].text


def test_bundle_branch_blocks_are_told_apart():
    wide = {"qrs_ms": 140.0}
    left = {"V1": {(235, 280): -1.0}, "aVL": {(235, 285): 0.8}}
    left |= {lead: {(235, 262): 0.4, (262, 285): 1.0} for lead in ("I", "V5", "V6")}
    right = {"V1": {(232, 240): 0.2, (240, 260): -0.4, (260, 289): 0.8}}
    right |= {lead: {(235, 255): 0.9, (255, 285): -0.3} for lead in ("I", "V5", "V6")}
    assert "lbbb_morphology" in statements_of(wide, left)
    assert "rbbb_morphology" not in statements_of(wide, left)
    assert "rbbb_morphology" in statements_of(wide, right)
    assert "lbbb_morphology" not in statements_of(wide, right)
    assert "lbbb_morphology" not in statements_of({"qrs_ms": 110.0}, left)


def test_q_waves_need_width_depth_and_a_neighbour():
    q = {(232, 249): -0.2, (249, 265): 1.0}
    shallow = {(232, 249): -0.05, (249, 265): 1.0}
    tall = {lead: {(240, 260): 1.0} for lead in LEAD_NAMES}
    assert "III, aVF" in statements_of({}, tall | {"III": q, "aVF": q})["q_waves"].text
    assert "q_waves" not in statements_of({}, tall | {"III": q, "I": q})
    assert "q_waves" not in statements_of({}, tall | {"III": shallow, "aVF": shallow})


def test_every_statement_names_its_criterion_and_source():
    assert all(
        criterion.criterion and any(char.isdigit() for char in criterion.source)
        for criterion in CRITERIA
    )
    assert len({criterion.code for criterion in CRITERIA}) == len(CRITERIA)


def test_phantom_rate_and_axis(phantom, as_record):
    # I and aVF of the phantom: a vector in the lower left quadrant between 0 and 90 degrees.
    figures = measure_ecg(prepare_ecg(as_record(phantom(1, heart_rate_bpm=75)[0])))
    assert figures["heart_rate_bpm"] == pytest.approx(75, abs=2)
    assert 0 < figures["axis_deg"] < 90


def test_under_five_beats_only_the_rate(phantom, as_record):
    prepared = prepare_ecg(as_record(phantom(8, heart_rate_bpm=21, rr_variation=0.0)[0]))
    assert set(measure_ecg(prepared)) == {"heart_rate_bpm"}


def test_rejected_recordings_have_no_figures(phantom, as_record):
    signal, _ = phantom(2)
    for damaged in (signal * 1000, signal * 0, np.random.default_rng(0).normal(size=(12, 5000))):
        assert measure_ecg(prepare_ecg(as_record(damaged)), as_record(damaged)) == {}


def test_paced_rhythms_are_named_and_have_no_pr(phantom, as_record):
    signal, true_s = phantom(3)
    for time_s in true_s[true_s > 0.3]:
        signal[:, int((time_s - 0.2) * 500)] += 2.0
    analysis = analyse_ecg(prepare_ecg(as_record(signal)))
    assert "pr_ms" not in analysis.figures
    assert analysis.marks.absent["p_onset"] == "the rhythm is paced"
    assert [statement.code for statement in analysis.statements] == ["paced"]
    assert "qrs_ms" in analysis.figures


def test_noise_may_remove_a_figure_but_hardly_change_it(phantom, as_record):
    clean = measure_ecg(prepare_ecg(as_record(phantom(4, noise_mv=0.0)[0])))
    noisy = measure_ecg(prepare_ecg(as_record(phantom(4, noise_mv=0.1)[0])))
    for name in ("qrs_ms", "qt_ms"):
        assert noisy.get(name, clean[name]) == pytest.approx(clean[name], abs=30)
