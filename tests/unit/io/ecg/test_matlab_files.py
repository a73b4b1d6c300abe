"""MATLAB 5 and 7.3 files: structures and variables, known or described by their own fields."""

import zlib

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from ptacl_core.errors import MissingUnitError, UnreadableFileError, UnsupportedFormatError
from ptacl_core.io import read_ecg
from ptacl_core.io.ecg.arrays import matlab
from ptacl_core.records import LEAD_NAMES


@pytest.fixture
def signal_mv(files):
    return files.to_mv(files.make_steps(5000))


@pytest.mark.parametrize("compressed", [False, True])
def test_cpsc2018_structure(tmp_path, signal_mv, compressed):
    path = tmp_path / "A9000001.mat"
    document = {"ECG": {"sex": "Female", "age": 59, "data": signal_mv.astype(np.float64)}}
    savemat(path, document, do_compression=compressed)
    record = read_ecg(path)
    np.testing.assert_allclose(record.signal_mv, signal_mv, atol=1e-6)
    assert record.sampling_rate_hz == 500.0
    assert (record.person.sex, record.person.age_years) == ("F", 59.0)
    assert [finding.code for finding in record.findings] == ["known_layout"]


def test_variables_that_state_their_facts(tmp_path, files, signal_mv):
    path = tmp_path / "a.mat"
    facts = {"fs": 500.0, "units": "uV", "leads": list(LEAD_NAMES)}
    savemat(path, {"signal": signal_mv.T * 1000, **facts})
    record = read_ecg(path)
    np.testing.assert_allclose(record.signal_mv, signal_mv, atol=1e-4)
    assert record.findings == ()


def test_a_bare_array_asks_for_its_facts(tmp_path, signal_mv):
    path = tmp_path / "a.mat"
    savemat(path, {"val": signal_mv})
    with pytest.raises(MissingUnitError, match="lead_names"):
        read_ecg(path)
    hints = {"lead_names": LEAD_NAMES, "unit": "mV", "sampling_rate_hz": 500.0}
    np.testing.assert_allclose(read_ecg(path, **hints).signal_mv, signal_mv, atol=1e-6)


def test_version_7_3_is_hdf5_with_transposed_arrays(tmp_path, signal_mv):
    path = tmp_path / "a.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["ECG/data"] = signal_mv.T
        file["ECG/age"] = np.array([[63.0]])
        file["ECG/sex"] = np.array([[ord(letter)] for letter in "Male"], np.uint16)
        file["ECG/sex"].attrs["MATLAB_class"] = np.bytes_("char")
    header = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
    path.write_bytes(header.ljust(512, b"\0") + path.read_bytes()[512:])
    record = read_ecg(path)
    np.testing.assert_allclose(record.signal_mv, signal_mv, atol=1e-6)
    assert (record.person.sex, record.person.age_years) == ("M", 63.0)
    assert record.source_format == "matlab"


def _mat5(body: bytes, kind: int = 15) -> bytes:
    header = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    return header + np.array([kind, len(body)], "<u4").tobytes() + body


def test_a_variable_cut_short_and_one_that_explodes(tmp_path):
    path = tmp_path / "a.mat"
    path.write_bytes(_mat5(b"x" * 64)[:-10])
    with pytest.raises(UnreadableFileError, match="64 bytes ends after 54"):
        read_ecg(path)
    with pytest.raises(UnsupportedFormatError, match="unpacks to more than 512 MB"):
        matlab._inflate(zlib.compress(bytes(5000)), 4999, "a.mat")
    assert matlab._inflate(zlib.compress(bytes(5000)), 5000, "a.mat") == bytes(5000)
