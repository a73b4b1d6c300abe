"""EDF and EDF+ against pyedflib: labels, ranges, annotations, rates."""

import numpy as np
import pytest

from ptacl_core.io import read_ecg
from ptacl_core.records import LEAD_NAMES


def codes(record):
    return [finding.code for finding in record.findings]


def write(tmp_path, data):
    path = tmp_path / "a.edf"
    path.write_bytes(data)
    return path


def test_round_trip_and_pyedflib_agree(files, tmp_path):
    pyedflib = pytest.importorskip("pyedflib")
    steps = files.make_steps(1500)
    path = write(tmp_path, files.edf_bytes(steps, physical=("-3276.8", "3276.7"), units="uV"))
    record = read_ecg(path)
    with pyedflib.EdfReader(str(path)) as oracle:
        expected_uv = np.stack([oracle.readSignal(index) for index in range(12)])
        assert record.sampling_rate_hz == oracle.getSampleFrequency(0)
    np.testing.assert_allclose(record.signal_mv, expected_uv / 1000, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(record.signal_mv, steps * 1e-4, rtol=1e-5, atol=1e-7)


def test_real_file_equals_pyedflib(samples):
    pyedflib = pytest.importorskip("pyedflib")
    record = read_ecg(samples / "HR06000.edf")
    with pyedflib.EdfReader(str(samples / "HR06000.edf")) as oracle:
        expected_uv = np.stack([oracle.readSignal(index) for index in range(12)])
    np.testing.assert_allclose(record.signal_mv, expected_uv / 1000, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("prefix", ["", "ECG ", "EKG ", "Lead ", "ECG-"])
@pytest.mark.parametrize("unit", ["uV", "\u00b5V", "mV"])
def test_labels_and_units(files, tmp_path, prefix, unit):
    steps = files.make_steps(1000)
    physical = ("-163.840", "163.835") if unit == "mV" else ("-163840", "163835")
    labels = [prefix + lead for lead in LEAD_NAMES]
    path = write(tmp_path, files.edf_bytes(steps, labels=labels, units=unit, physical=physical))
    np.testing.assert_allclose(read_ecg(path).signal_mv, files.to_mv(steps), atol=1e-5)


def test_asymmetric_ranges_and_inverted_polarity(files, tmp_path):
    steps = files.make_steps(1000)
    path = write(
        tmp_path, files.edf_bytes(steps, physical=("4000", "-6000"), digital=("-2000", "2000"))
    )
    expected_uv = 4000 + (steps + 2000) * (-10000 / 4000)
    np.testing.assert_allclose(read_ecg(path).signal_mv, expected_uv / 1000, rtol=1e-5)


def test_annotations_and_other_signals_are_left_out(files, tmp_path):
    steps = files.make_steps(1000)
    with_resp = np.concatenate([steps, steps[:1]])
    labels = [*LEAD_NAMES, "Resp"]
    path = write(
        tmp_path, files.edf_bytes(with_resp, labels=labels, annotations=True, reserved="EDF+C")
    )
    record = read_ecg(path)
    np.testing.assert_array_equal(record.signal_mv, files.to_mv(steps))
    assert codes(record) == ["ignored_channels"] and "1 channels" in record.findings[0].message


def test_records_of_another_length_give_the_rate(files, tmp_path):
    steps = files.make_steps(1000)
    path = write(tmp_path, files.edf_bytes(steps, per_record=100, record_s="0.25"))
    record = read_ecg(path)
    assert record.sampling_rate_hz == 400.0
    np.testing.assert_array_equal(record.signal_mv, files.to_mv(steps))


def test_an_open_record_count_is_taken_from_the_size(files, tmp_path):
    path = write(tmp_path, files.edf_bytes(files.make_steps(1500), num_records="-1"))
    assert read_ecg(path).signal_mv.shape == (12, 1500)


@pytest.mark.parametrize(("digital_min", "num_missing"), [("-32768", 0), ("-32767", 3)])
def test_lowest_code_is_missing_only_outside_the_digital_range(
    files, tmp_path, digital_min, num_missing
):
    steps = files.make_steps(1000)
    steps[8, :3] = -32768
    path = write(tmp_path, files.edf_bytes(steps, digital=(digital_min, "32767")))
    assert np.isnan(read_ecg(path).signal_mv).sum() == num_missing
