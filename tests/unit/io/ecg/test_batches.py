"""Files of many recordings: listed by key, read one at a time, known by their layout."""

import h5py
import numpy as np
import pytest

from ptacl_core.errors import MissingUnitError, RecordError, UnsupportedFormatError
from ptacl_core.io import read_ecg
from ptacl_core.io.ecg.batch import iter_recordings, list_recordings
from ptacl_core.records import LEAD_NAMES, EcgRecord

HINTS = {"lead_names": LEAD_NAMES, "unit": "mV", "sampling_rate_hz": 400.0}


def codes(record):
    return [finding.code for finding in record.findings]


@pytest.fixture
def batch_mv(files):
    """Three recordings [exam, sample, lead] in mV, the second zero-padded to seven seconds."""
    batch = np.stack([files.to_mv(files.make_steps(4096, seed)).T for seed in range(3)])
    batch[1, :648] = 0.0
    batch[1, 648 + 2800 :] = 0.0
    return batch.astype(np.float32)


@pytest.fixture
def code15(tmp_path, batch_mv):
    path = tmp_path / "exams_part0.hdf5"
    with h5py.File(path, "w") as file:
        file["tracings"] = batch_mv
        file["exam_id"] = np.array([9000011, 9000012, 9000013])
    return path


def test_code15_needs_no_hint_and_says_what_it_took(code15, batch_mv):
    assert [item.key for item in list_recordings(code15)] == ["9000011", "9000012", "9000013"]
    records = dict(iter_recordings(code15))
    first, padded = records["9000011"], records["9000012"]
    assert isinstance(first, EcgRecord)
    assert isinstance(padded, EcgRecord)
    assert first.sampling_rate_hz == 400.0
    np.testing.assert_allclose(first.signal_mv, batch_mv[0].T, atol=1e-6)
    assert codes(first) == ["known_layout"]
    assert codes(padded) == ["known_layout", "padding_cut"]
    np.testing.assert_allclose(padded.signal_mv, batch_mv[1, 648:3448].T, atol=1e-6)


def test_hints_win_over_the_known_layout(code15):
    other = {"lead_names": LEAD_NAMES, "unit": "uV", "sampling_rate_hz": 500.0}
    record = read_ecg(code15, record_index=0, **other)
    assert record.sampling_rate_hz == 500.0
    assert "known_layout" not in codes(record)


def test_a_file_of_another_shape_is_not_taken_for_code15(tmp_path, batch_mv):
    path = tmp_path / "other.hdf5"
    with h5py.File(path, "w") as file:
        file["tracings"] = batch_mv[:, :4000]
        file["exam_id"] = np.arange(3)
    with pytest.raises(MissingUnitError):
        read_ecg(path, record_index=0)


def test_identifiers_that_repeat_give_numbers(tmp_path, batch_mv):
    path = tmp_path / "a.hdf5"
    with h5py.File(path, "w") as file:
        file["tracings"] = batch_mv
        file["exam_id"] = np.array([7, 7, 8])
    assert [item.key for item in list_recordings(path)] == ["0", "1", "2"]


def test_npy_batches_of_four_axes_are_read_by_record(tmp_path, batch_mv):
    path = tmp_path / "waveforms.npy"
    np.save(path, batch_mv[:, None])
    records = [record for _, record in iter_recordings(path, **HINTS)]
    assert len(records) == 3
    assert isinstance(records[2], EcgRecord)
    np.testing.assert_allclose(records[2].signal_mv, batch_mv[2].T, atol=1e-6)
    with pytest.raises(UnsupportedFormatError, match="record_index 3"):
        read_ecg(path, record_index=3, **HINTS)


def test_a_batch_cut_short_gives_what_it_holds_and_one_error(tmp_path, batch_mv):
    path = tmp_path / "waveforms.npy"
    np.save(path, batch_mv)
    path.write_bytes(path.read_bytes()[:-100])
    answers = [answer for _, answer in iter_recordings(path, **HINTS)]
    assert not any(isinstance(answer, RecordError) for answer in answers[:2])
    assert isinstance(answers[2], RecordError)
    assert "recording 2 of 3" in str(answers[2])


def test_ml4h_files_hold_a_recording_per_instance(tmp_path, files):
    path = tmp_path / "9000017.hd5"
    signals = {str(visit): files.make_steps(5000, visit).astype(np.float32) for visit in (2, 3)}
    with h5py.File(path, "w") as file:
        for instance, steps in signals.items():
            for lead, row in zip(LEAD_NAMES, steps, strict=True):
                file[f"ukb_ecg_rest/strip_{lead}/instance_{instance}"] = row
    assert [item.key for item in list_recordings(path)] == ["2", "3"]
    with pytest.raises(MissingUnitError, match="unit"):
        read_ecg(path, record_index=0)
    second = dict(iter_recordings(path, unit="5 uV", sampling_rate_hz=500.0))["3"]
    assert isinstance(second, EcgRecord)
    np.testing.assert_allclose(second.signal_mv, files.to_mv(signals["3"]), atol=1e-5)


def test_an_ordinary_file_is_a_batch_of_one(tmp_path, files):
    path = tmp_path / "a.csv"
    path.write_text(files.csv_text(files.make_steps(1000)))
    assert [item.key for item in list_recordings(path)] == ["0"]
