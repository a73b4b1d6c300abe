"""Multi-segment WFDB records, written by the wfdb package and read as it reads them."""

from itertools import pairwise

import numpy as np
import pytest

from ptacl_core.errors import UnreadableFileError, UnsupportedFormatError
from ptacl_core.io import read_ecg
from ptacl_core.io.discover.source_hash import hash_source
from ptacl_core.io.discover.walk import discover
from ptacl_core.records import LEAD_NAMES

wfdb = pytest.importorskip("wfdb")

RATE_HZ = 500


def codes(record):
    return [finding.code for finding in record.findings]


def write_segment(folder, name, steps, leads=LEAD_NAMES):
    return wfdb.Record(
        record_name=name,
        n_sig=len(leads),
        fs=RATE_HZ,
        sig_len=steps.shape[1],
        sig_name=list(leads),
        units=["mV"] * len(leads),
        adc_gain=[200.0] * len(leads),
        baseline=[0] * len(leads),
        adc_res=[16] * len(leads),
        adc_zero=[0] * len(leads),
        block_size=[0] * len(leads),
        fmt=["16"] * len(leads),
        file_name=[f"{name}.dat"] * len(leads),
        d_signal=np.ascontiguousarray(steps.T),
        init_value=steps[:, 0].tolist(),
        checksum=[int(row.sum()) % 65536 for row in steps],
    )


def write_fixed(folder, steps, lengths):
    """A fixed-layout record written by wfdb's MultiRecord."""
    stops = np.cumsum([0, *lengths])
    segments = [
        write_segment(folder, f"rec_{number:04d}", steps[:, start:stop])
        for number, (start, stop) in enumerate(pairwise(stops), start=1)
    ]
    record = wfdb.MultiRecord(
        segments=segments,
        layout="fixed",
        record_name="rec",
        n_sig=12,
        fs=RATE_HZ,
        sig_len=int(stops[-1]),
        seg_name=[segment.record_name for segment in segments],
        seg_len=list(lengths),
    )
    record.wrsamp(write_dir=str(folder))
    return folder / "rec.hea"


def write_variable(folder, steps, pieces):
    """A variable-layout record: (length, leads) per segment, None for a gap."""
    layout = [f"var_layout 12 {RATE_HZ} 0"]
    layout += [f"~ 0 200/mV 16 0 0 0 0 {lead}" for lead in LEAD_NAMES]
    (folder / "var_layout.hea").write_text("\n".join(layout) + "\n")
    lines, start = ["var_layout 0"], 0
    for number, (length, leads) in enumerate(pieces, start=1):
        if leads is None:
            lines.append(f"~ {length}")
        else:
            rows = [LEAD_NAMES.index(lead) for lead in leads]
            part = steps[rows, start : start + length]
            write_segment(folder, f"var_{number:04d}", part, leads).wrsamp(write_dir=str(folder))
            lines.append(f"var_{number:04d} {length}")
        start += length
    head = f"var/{len(lines)} 12 {RATE_HZ} {start}"
    (folder / "var.hea").write_text("\n".join([head, *lines]) + "\n")
    return folder / "var.hea"


def read_with_wfdb(path):
    oracle = wfdb.rdrecord(str(path.with_suffix("")), physical=True, m2s=True)
    order = [oracle.sig_name.index(lead) for lead in LEAD_NAMES]
    return oracle.p_signal.T[order]


def test_a_fixed_layout_is_read_whole_as_the_wfdb_package_does(files, tmp_path):
    header = write_fixed(tmp_path, files.make_steps(3000), (1200, 800, 1000))
    for given in (header, tmp_path / "rec"):
        record = read_ecg(given)
        assert record.sampling_rate_hz == RATE_HZ and codes(record) == []
        np.testing.assert_allclose(record.signal_mv, read_with_wfdb(header), atol=1e-7)


def test_a_variable_layout_gives_its_longest_stretch_of_twelve_leads(files, tmp_path):
    """A gap, then three limb leads only, then two segments in a row that hold what is needed."""
    eight = ("II", "I", *LEAD_NAMES[6:])
    pieces = [(2000, LEAD_NAMES), (700, None), (900, ("I", "II", "III")), (3000, eight)]
    pieces += [(2500, LEAD_NAMES[::-1]), (400, None)]
    header = write_variable(tmp_path, files.make_steps(9500), pieces)
    record = read_ecg(header)
    assert codes(record) == ["gap_cut", "derived_leads"]
    assert "11.0 s from 7.2 s on" in record.findings[0].message
    expected_mv = files.to_mv(files.make_steps(9500))[:, 3600:9100]
    np.testing.assert_allclose(record.signal_mv, expected_mv, atol=1e-6)
    expected_mv = read_with_wfdb(header)[:, 3600:9100]
    stored = ~np.isnan(expected_mv)  # the package leaves derived leads out
    np.testing.assert_allclose(record.signal_mv[stored], expected_mv[stored], atol=1e-6)


def test_pieces_too_short_are_refused_with_their_length(files, tmp_path, refuse):
    pieces = [(2000, LEAD_NAMES), (10, None), (3000, LEAD_NAMES)]
    header = write_variable(tmp_path, files.make_steps(5010), pieces)
    message = refuse(header, UnsupportedFormatError)
    assert "gaps" in message and "6.0 s" in message and "10 s are needed" in message


def test_segments_without_the_leads_are_refused_by_name(files, tmp_path, refuse):
    pieces = [(3000, ("I", "II", "V5")), (3000, ("I", "II"))]
    header = write_variable(tmp_path, files.make_steps(6000), pieces)
    assert "missing: V1, V2, V3, V4, V6" in refuse(header, UnsupportedFormatError)


@pytest.mark.parametrize(
    ("old", "new", "error", "words"),
    [
        ("rec_0002 800", "rec_0009 800", UnreadableFileError, "no such file"),
        ("rec_0002 800", "rec_0002 900", UnreadableFileError, "another record"),
        ("rec_0002 800", "rec_0001 1200", UnreadableFileError, "twice"),
        ("rec_0002 800", "../x 800", UnsupportedFormatError, "without folders"),
        ("rec_0002 800", "rec 800", UnsupportedFormatError, "segments itself"),
        ("rec_0002 800", "rec_0002 -8", UnreadableFileError, "negative"),
        ("rec/3", "rec/9", UnreadableFileError, "promises 9 segments"),
        ("rec/3", "rec/999999999", UnreadableFileError, "999999999"),
        ("rec/3", "rec/0", UnreadableFileError, "says 0"),
    ],
)
def test_damaged_records_of_segments_are_refused(files, tmp_path, refuse, old, new, error, words):
    header = write_fixed(tmp_path, files.make_steps(3000), (1200, 800, 1000))
    text = header.read_text()
    assert old in text
    header.write_text(text.replace(old, new))
    assert words in refuse(header, error)


def test_a_huge_gap_takes_no_memory(files, tmp_path):
    header = write_variable(tmp_path, files.make_steps(6000), [(6000, LEAD_NAMES), (10**11, None)])
    assert read_ecg(header).signal_mv.shape == (12, 6000)


def test_a_damaged_segment_is_told_once(files, tmp_path):
    header = write_fixed(tmp_path, files.make_steps(3000), (1200, 800, 1000))
    for number in (1, 3):
        path = tmp_path / f"rec_{number:04d}.dat"
        data = bytearray(path.read_bytes())
        data[24 * 10] ^= 4  # one bit of lead I
        path.write_bytes(data)
    assert codes(read_ecg(header)) == ["checksum_mismatch"]


def test_a_folder_holds_the_record_once(files, tmp_path):
    write_fixed(tmp_path, files.make_steps(3000), (1200, 800, 1000))
    write_segment(tmp_path, "other_0001", files.make_steps(5000)).wrsamp(write_dir=str(tmp_path))
    recordings = [(file.path.name, file.modality) for file in discover(tmp_path)]
    assert recordings == [("other_0001.hea", "ecg"), ("rec.hea", "ecg")]


def test_the_hash_of_a_record_of_segments_counts_every_file(files, tmp_path):
    path = write_fixed(tmp_path, files.make_steps(3000), (1200, 1800))
    before = hash_source(path)
    signal = sorted(tmp_path.glob("*.dat"))[-1]
    signal.write_bytes(signal.read_bytes()[:-1] + b"\x55")
    assert hash_source(path) != before
