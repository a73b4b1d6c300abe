"""Acceptance on real recordings: the same ECG through every container, tails, flat leads."""

import numpy as np
import pytest

from ptacl_core.io import read_ecg
from ptacl_core.io.ecg.leads import compute_limb_residuals_mv
from ptacl_core.records import LEAD_NAMES

SAMPLES = {
    "HR06000.hea": ("wfdb", 500, 5000),
    "JS20004.mat": ("wfdb", 500, 5000),
    "00001_lr.dat": ("wfdb", 100, 1000),
    "pydicom_waveform_ecg.dcm": ("dicom", 1000, 10000),
    "ecgtoolkit_Example.scp": ("scp", 500, 5000),
    "hl7_Example_aECG.xml": ("hl7_aecg", 500, 5000),
    "philips_1.04_demo.xml": ("philips_xml", 500, 5000),
    "sierra_1.03_129DYPRG.xml": ("philips_xml", 500, 5000),
    "HR06000_cardiosoft.xml": ("cardiosoft_xml", 500, 5000),
    "HR06000_muse.xml": ("muse_xml", 500, 5000),
    "HR06000.edf": ("edf", 500, 5000),
}


def codes(record):
    return [finding.code for finding in record.findings]


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_is_twelve_leads_in_millivolts(samples, name):
    source_format, rate_hz, num_samples = SAMPLES[name]
    record = read_ecg(samples / name)
    assert record.source_format == source_format
    assert record.sampling_rate_hz == rate_hz
    assert record.signal_mv.shape == (12, num_samples)
    assert record.signal_mv.dtype == np.float32
    assert record.lead_names == LEAD_NAMES
    assert np.isfinite(record.signal_mv).all()
    assert not {"unit_implausible", "checksum_mismatch", "missing_samples"} & set(codes(record))


@pytest.mark.parametrize("name", SAMPLES)
def test_einthoven_holds_on_every_sample(samples, name):
    record = read_ecg(samples / name)
    limit_mv = 0.0101 if record.source_format == "philips_xml" else 0.0051
    assert max(compute_limb_residuals_mv(record.signal_mv[:6]).values()) <= limit_mv
    assert "einthoven_mismatch" not in codes(record)


def test_scp_and_aecg_of_one_ecg_are_equal_sample_by_sample(samples):
    scp = read_ecg(samples / "ecgtoolkit_Example.scp")
    aecg = read_ecg(samples / "hl7_Example_aECG.xml")
    assert aecg.device_r_peak_samples is not None
    assert aecg.device_r_peak_samples.tolist() == [166, 560, 965, 1388]  # the first four, lead I
    assert aecg.device_statements == ("Sinus Rhythm",)
    np.testing.assert_array_equal(scp.signal_mv, aecg.signal_mv)
    shared = {"pr_ms": 148.0, "qrs_ms": 120.0, "qt_ms": 420.0, "axis_deg": -61.0}
    assert dict(scp.device_measurements) == shared
    more = {"qtc_ms": 443.0, "p_ms": 102.0, "p_axis_deg": 44.0, "t_axis_deg": 86.0}
    assert dict(aecg.device_measurements) == shared | more


def test_the_devices_marks_agree_with_its_intervals_in_every_container(samples):
    for name in ("ecgtoolkit_Example.scp", "hl7_Example_aECG.xml"):
        record = read_ecg(samples / name)
        marks = record.device_marks
        assert marks is not None
        for interval, first, last in (
            ("pr_ms", marks.p_onset, marks.qrs_onset),
            ("qrs_ms", marks.qrs_onset, marks.qrs_offset),
            ("qt_ms", marks.qrs_onset, marks.t_end),
        ):
            assert first is not None and last is not None
            assert 2 * (last - first) == record.device_measurements[interval]


@pytest.mark.parametrize(
    "name",
    [
        "hl7_Example_aECG.xml",
        "HR06000_cardiosoft.xml",
        "HR06000_muse.xml",
        "philips_1.04_demo.xml",
        "pydicom_waveform_ecg.dcm",
        "ecgtoolkit_Example.scp",
    ],
)
def test_the_devices_beat_is_kept_beside_the_rhythm(samples, name):
    record = read_ecg(samples / name)
    beat_mv, rate_hz = record.device_beat_mv, record.device_beat_rate_hz
    assert beat_mv is not None
    assert rate_hz in (500.0, 1000.0)
    assert beat_mv.shape[0] == 12
    assert 1.0 <= beat_mv.shape[1] / rate_hz <= 1.2
    assert max(compute_limb_residuals_mv(beat_mv[:6]).values()) <= 0.1
    assert 0.3 < np.ptp(beat_mv) < 20


def test_the_devices_statements_are_kept_in_its_words(samples):
    sierra = read_ecg(samples / "sierra_1.03_129DYPRG.xml").device_statements
    assert "Sinus bradycardia: rate< 50" in sierra
    assert read_ecg(samples / "pydicom_waveform_ecg.dcm").device_statements == (
        "RITMO SINUSALE",
        "ECG NORMALE",
    )


@pytest.mark.parametrize(
    ("name", "limit_uv"),
    [("HR06000_cardiosoft.xml", 2.5), ("HR06000_muse.xml", 2.44), ("HR06000.edf", 0.0)],
)
def test_one_ecg_through_three_containers(samples, name, limit_uv):
    truth = read_ecg(samples / "HR06000.hea").signal_mv
    record = read_ecg(samples / name)
    derived = {lead for finding in record.findings for lead in finding.leads}
    stored = [index for index, lead in enumerate(LEAD_NAMES) if lead not in derived]
    assert len(stored) >= 8
    difference_uv = 1000 * np.abs(record.signal_mv - truth)
    assert difference_uv[stored].max() <= limit_uv + 1e-3
    assert difference_uv.max() <= 3 * limit_uv  # derived leads add the rounding of two


def test_muse_derives_four_limb_leads(samples):
    (finding,) = read_ecg(samples / "HR06000_muse.xml").findings
    assert finding.code == "derived_leads" and finding.severity == "info"
    assert finding.leads == ("III", "aVR", "aVL", "aVF")


def test_flat_leads_are_named(samples):
    record = read_ecg(samples / "JS20004.hea")
    (finding,) = record.findings
    assert (finding.code, finding.severity) == ("lead_off", "warning")
    assert finding.leads == ("V2", "V4", "V6")


@pytest.mark.parametrize("name", ["philips_1.04_demo.xml", "sierra_1.03_129DYPRG.xml"])
def test_philips_calibration_tail_is_cut(samples, name):
    record = read_ecg(samples / name)
    assert codes(record) == ["tail_cut"]
    assert record.duration_s == 10.0
    last = record.signal_mv[:, -500:]
    assert not (last == last[:1]).all(axis=0).any()


def test_philips_measurements(samples):
    figures = read_ecg(samples / "sierra_1.03_129DYPRG.xml").device_measurements
    assert figures["heart_rate_bpm"] == 41.0 and figures["qt_ms"] == 476.0
    assert figures["axis_deg"] == -21.0


@pytest.mark.parametrize(
    "name",
    [
        "pydicom_waveform_ecg.dcm",
        "hl7_Example_aECG.xml",
        "HR06000_cardiosoft.xml",
        "HR06000_muse.xml",
        "philips_1.04_demo.xml",
        "ecgtoolkit_Example.scp",
    ],
)
def test_median_beats_are_never_returned(samples, name):
    """All these files also hold a beat of about 1.2 s, most of them before the rhythm."""
    assert read_ecg(samples / name).duration_s == 10.0


def test_dicom_device_beats_and_measurements(samples):
    record = read_ecg(samples / "pydicom_waveform_ecg.dcm")
    peaks = record.device_r_peak_samples
    assert peaks is not None and len(peaks) == 10
    strength = np.abs(np.diff(record.signal_mv, axis=1)).sum(axis=0)
    near = np.stack([strength[peak - 60 : peak + 60].max() for peak in peaks[1:-1]])
    assert near.min() > 10 * np.median(strength)
    assert record.device_measurements["heart_rate_bpm"] == pytest.approx(60_000 / 982)
    assert record.device_measurements["qt_ms"] == 368.0


@pytest.mark.parametrize("given", ["HR06000", "HR06000.hea", "HR06000.mat"])
def test_a_wfdb_record_by_stem_header_or_signal_file(samples, given):
    record = read_ecg(str(samples / given))
    np.testing.assert_array_equal(record.signal_mv, read_ecg(samples / "HR06000.hea").signal_mv)


def test_no_finding_repeats_what_a_header_says(samples):
    for name in SAMPLES:
        text = " ".join(str(finding) for finding in read_ecg(samples / name).findings)
        for word in ("HR06000", "Clark", "SBJ", "642341", "Anonymous", "FEMALE", "ZZDEMO", "9999"):
            assert word not in text
