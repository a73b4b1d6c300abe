"""Layouts of public sets and of common exports: what lies beside the samples, its names."""

import numpy as np
import pytest

from ptacl_core.errors import MissingUnitError
from ptacl_core.io import read_ecg
from ptacl_core.records import LEAD_NAMES

FACTS = {"lead_names": LEAD_NAMES, "unit": "mV"}


def codes(record):
    return [finding.code for finding in record.findings]


def test_code_15_identifiers_beside_the_tracings(files, tmp_path):
    """`exam_id` [B] beside `tracings` [B, 4096, 12], zeros at both ends."""
    h5py = pytest.importorskip("h5py")
    steps = files.make_steps(3600)
    steps[:, [0, -1]] = 4
    with h5py.File(tmp_path / "exams.hdf5", "w") as file:
        file["exam_id"] = np.arange(3)
        tracings = np.zeros((3, 4096, 12), np.float32)
        tracings[1, 248:3848] = files.to_mv(steps).T
        file["tracings"] = tracings
    record = read_ecg(tmp_path / "exams.hdf5", record_index=1, sampling_rate_hz=400, **FACTS)
    assert codes(record) == ["padding_cut"]
    np.testing.assert_array_equal(record.signal_mv, files.to_mv(steps))


def test_npz_with_the_names_that_the_wfdb_package_uses(files, tmp_path, refuse):
    steps = files.make_steps(600)
    names = np.array(LEAD_NAMES)
    facts = {"signal": files.to_mv(steps).T, "fs": 500, "sig_name": names, "age": np.arange(4)}
    np.savez(tmp_path / "a.npz", units=np.array(["mV"] * 12), **facts)
    record = read_ecg(tmp_path / "a.npz")
    assert record.sampling_rate_hz == 500.0 and codes(record) == []
    np.testing.assert_array_equal(record.signal_mv, files.to_mv(steps))
    np.savez(tmp_path / "b.npz", units=np.array(["mV"] * 11 + ["uV"]), **facts)
    assert "unit=" in refuse(tmp_path / "b.npz", MissingUnitError)


@pytest.mark.parametrize("kind", ["float s", "integer ms", "time stamps"])
def test_parquet_with_a_column_called_time(files, tmp_path, kind):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    steps = files.make_steps(600)
    times = {
        "float s": np.arange(600) / 500,
        "integer ms": np.arange(600) * 2,
        "time stamps": np.datetime64("2019-02-03T10:11:12", "us") + np.arange(600) * 2000,
    }[kind]
    columns = {f"{lead}_mV": row for lead, row in zip(LEAD_NAMES, files.to_mv(steps), strict=True)}
    parquet.write_table(pyarrow.table({"time": times, **columns}), tmp_path / "a.parquet")
    record = read_ecg(tmp_path / "a.parquet")
    assert record.sampling_rate_hz == 500.0 and codes(record) == ["time_unit_inferred"]
    np.testing.assert_array_equal(record.signal_mv, files.to_mv(steps))


def test_wfdb_baseline_written_as_a_decimal(files, tmp_path):
    steps = files.make_steps(600)
    record = read_ecg(files.write_wfdb(tmp_path, steps + 7, gain="200.0(7.0)/mV"))
    np.testing.assert_allclose(record.signal_mv, files.to_mv(steps), atol=1e-6)


def test_muse_rhythm_of_twelve_leads_after_a_single_lead_one(files, tmp_path):
    steps = files.make_steps(600)
    single = files.muse_lead("II", steps[1, ::-1], units_per_bit="5")
    text = files.muse_of(steps)
    at = text.index("<Waveform><WaveformType>Rhythm")
    first = "<Waveform><WaveformType>Rhythm</WaveformType><NumberofLeads>1</NumberofLeads>"
    first += f"<SampleBase>500</SampleBase><SampleExponent>0</SampleExponent>{single}</Waveform>"
    path = tmp_path / "a.xml"
    path.write_text(text[:at] + first + text[at:])
    record = read_ecg(path)
    assert codes(record) == ["several_recordings", "derived_leads"]
    np.testing.assert_allclose(record.signal_mv, files.to_mv(steps), atol=1e-6)
