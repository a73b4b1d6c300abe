"""BDF and discontinuous files, written by pyedflib and edfio and read as pyedflib reads them."""

import numpy as np
import pytest

from ptacl_core.errors import UnreadableFileError, UnsupportedFormatError
from ptacl_core.io import read_ecg
from ptacl_core.records import LEAD_NAMES

pyedflib = pytest.importorskip("pyedflib")

RATE_HZ = 500
KINDS = {"edf+": pyedflib.FILETYPE_EDFPLUS, "bdf+": pyedflib.FILETYPE_BDFPLUS}
KINDS |= {"edf": pyedflib.FILETYPE_EDF, "bdf": pyedflib.FILETYPE_BDF}


def codes(record):
    return [finding.code for finding in record.findings]


def write(path, signal_mv, kind, *, unit="mV"):
    """A file of 1 s records, written by pyedflib."""
    limit = 8388607 if kind.startswith("bdf") else 32767
    factor = 1000.0 if unit == "uV" else 1.0
    writer = pyedflib.EdfWriter(str(path), len(LEAD_NAMES), file_type=KINDS[kind])
    writer.setSignalHeaders(
        [
            {
                "label": f"ECG {lead}",
                "dimension": unit,
                "sample_frequency": RATE_HZ,
                "physical_min": -10.0 * factor,
                "physical_max": 10.0 * factor,
                "digital_min": -limit,
                "digital_max": limit,
                "transducer": "",
                "prefilter": "",
            }
            for lead in LEAD_NAMES
        ]
    )
    writer.writeSamples([np.ascontiguousarray(row * factor) for row in signal_mv])
    writer.close()
    return path


def read_with_pyedflib(path, unit="mV"):
    with pyedflib.EdfReader(str(path)) as oracle:
        signal = np.stack([oracle.readSignal(index) for index in range(12)])
    return signal / (1000.0 if unit == "uV" else 1.0)


def spread_records(path, onsets_s):
    """Makes a discontinuous file of a continuous one: its records start at `onsets_s`."""
    data = bytearray(path.read_bytes())
    data[192:197] = data[192:195] + b"+D"
    num_signals, sample_bytes = int(data[252:256]), 3 if data[0] == 0xFF else 2
    first = 256 * (num_signals + 1)
    record_bytes = (len(data) - first) // int(data[236:244])
    offset = RATE_HZ * 12 * sample_bytes  # the annotations come last
    for number, onset_s in enumerate(onsets_s):
        at = first + number * record_bytes + offset
        data[at : first + (number + 1) * record_bytes] = onset_s.encode().ljust(
            record_bytes - offset, b"\0"
        )
    path.write_bytes(data)
    return path


@pytest.fixture
def signal_mv(files):
    return files.make_steps(13 * RATE_HZ) / 200.0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("unit", ["mV", "uV"])
def test_every_kind_equals_pyedflib(tmp_path, signal_mv, kind, unit):
    path = write(tmp_path / "a.x", signal_mv, kind, unit=unit)
    record = read_ecg(path)
    assert codes(record) == [] and record.sampling_rate_hz == RATE_HZ
    assert record.source_format == kind[:3]
    np.testing.assert_allclose(record.signal_mv, read_with_pyedflib(path, unit), atol=1e-6)
    step_mv = 20.0 / (2 * 8388607 if kind.startswith("bdf") else 2 * 32767)
    np.testing.assert_allclose(record.signal_mv, signal_mv, atol=step_mv + 1e-6)


def test_a_bdf_file_written_by_edfio(tmp_path, signal_mv):
    edfio = pytest.importorskip("edfio")
    signals = [
        edfio.BdfSignal(row, RATE_HZ, label=lead, physical_dimension="mV")
        for lead, row in zip(LEAD_NAMES, signal_mv, strict=True)
    ]
    edfio.Bdf(signals, data_record_duration=1.0).write(tmp_path / "a.bdf")
    record = read_ecg(tmp_path / "a.bdf")
    np.testing.assert_allclose(record.signal_mv, signal_mv, atol=1e-6)


@pytest.mark.parametrize("kind", ["edf+", "bdf+"])
def test_the_longest_stretch_without_a_gap_is_taken(tmp_path, signal_mv, kind):
    path = write(tmp_path / "a.x", signal_mv, kind)
    whole_mv = read_with_pyedflib(path)
    onsets_s = ["+0\x14\x14", "+1\x14\x14", *(f"+{37.5 + n}\x14\x14" for n in range(11))]
    record = read_ecg(spread_records(path, onsets_s))
    assert codes(record) == ["gap_cut"]
    assert "11.0 s from 37.5 s on" in record.findings[0].message
    np.testing.assert_allclose(record.signal_mv, whole_mv[:, 2 * RATE_HZ :], atol=1e-6)


def test_a_file_declared_discontinuous_without_gaps_is_read_whole(tmp_path, signal_mv):
    path = write(tmp_path / "a.edf", signal_mv, "edf+")
    whole_mv = read_with_pyedflib(path)
    onsets_s = [f"+{n}.25\x15\x31\x14\x14" if n == 3 else f"+{n}.25\x14\x14" for n in range(13)]
    record = read_ecg(spread_records(path, onsets_s))
    assert codes(record) == []
    np.testing.assert_allclose(record.signal_mv, whole_mv, atol=1e-6)


def test_short_pieces_are_refused_with_their_length(tmp_path, signal_mv, refuse):
    path = write(tmp_path / "a.edf", signal_mv, "edf+")
    onsets_s = [f"+{n + 5 * (n > 6)}\x14\x14" for n in range(13)]
    message = refuse(spread_records(path, onsets_s), UnsupportedFormatError)
    assert "gaps" in message and "7.0 s" in message


@pytest.mark.parametrize("onset", ["", "+\x14", "nan\x14\x14", "+1e9\x14", "+1", "\x14\x14"])
def test_records_without_a_time_are_refused(tmp_path, signal_mv, refuse, onset):
    path = write(tmp_path / "a.edf", signal_mv, "edf+")
    onsets_s = [f"+{n}\x14\x14" for n in range(13)]
    onsets_s[4] = onset
    assert "record 5" in refuse(spread_records(path, onsets_s), UnreadableFileError)


def test_the_lowest_code_outside_the_range_is_no_sample(tmp_path, signal_mv):
    path = write(tmp_path / "a.bdf", signal_mv, "bdf")
    data = bytearray(path.read_bytes())
    data[256 * 13 + 3 * 7 : 256 * 13 + 3 * 9] = b"\0\0\x80" * 2
    path.write_bytes(data)
    assert np.flatnonzero(np.isnan(read_ecg(path).signal_mv)).tolist() == [7, 8]
