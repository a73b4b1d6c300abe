"""WFDB: every storage format against the wfdb package, headers by the letter, several files."""

import numpy as np
import pytest

from ptacl_core.errors import MissingUnitError, UnreadableFileError, UnsupportedFormatError
from ptacl_core.io import read_ecg
from ptacl_core.io.ecg.hints import EcgHints
from ptacl_core.io.ecg.wfdb.header import parse_header
from ptacl_core.io.ecg.wfdb.read import read_wfdb
from ptacl_core.records import LEAD_NAMES


def codes(record):
    return [finding.code for finding in record.findings]


def read_with_wfdb(path):
    wfdb = pytest.importorskip("wfdb")
    oracle = wfdb.rdrecord(str(path.with_suffix("")), physical=True)
    order = [[name.upper() for name in oracle.sig_name].index(lead.upper()) for lead in LEAD_NAMES]
    return oracle.p_signal.T[order], oracle.fs


@pytest.mark.parametrize("name", ["HR06000", "JS20004", "00001_lr"])
def test_real_records_equal_the_wfdb_package(samples, name):
    record = read_ecg(samples / f"{name}.hea")
    expected_mv, rate_hz = read_with_wfdb(samples / f"{name}.hea")
    assert record.sampling_rate_hz == rate_hz
    np.testing.assert_array_equal(record.signal_mv, expected_mv.astype(np.float32))


@pytest.mark.parametrize("coding", ["16", "24", "32", "61", "80", "160", "212", "310", "311"])
@pytest.mark.parametrize("num_samples", [501, 502, 503])
def test_storage_formats_equal_the_wfdb_package(files, tmp_path, coding, num_samples):
    steps = files.make_steps(num_samples)
    if coding == "80":
        steps = steps // 8
    header = files.write_wfdb(tmp_path, steps, coding=coding)
    record = read_ecg(header)
    expected_mv, _ = read_with_wfdb(header)
    np.testing.assert_allclose(record.signal_mv, expected_mv, rtol=0, atol=1e-7)
    np.testing.assert_allclose(record.signal_mv, steps / 200, atol=1e-6)
    assert "checksum_mismatch" not in codes(record)


@pytest.mark.parametrize(
    ("coding", "missing"),
    [
        ("16", -32768),
        ("24", -(2**23)),
        ("32", -(2**31)),
        ("80", -128),
        ("212", -2048),
        ("61", -32768),
        ("160", -32768),
        ("310", -512),
        ("311", -512),
    ],
)
def test_the_lowest_code_is_no_sample(files, tmp_path, coding, missing):
    steps = files.make_steps(400) // (8 if coding == "80" else 1)
    steps[7, 100:110] = missing
    record = read_ecg(files.write_wfdb(tmp_path, steps, coding=coding, gain="200(0)/mV"))
    assert np.isnan(record.signal_mv[7, 100:110]).all()
    assert np.isnan(record.signal_mv).sum() == 10
    (finding,) = [finding for finding in record.findings if finding.code == "missing_samples"]
    assert finding.leads == ("V2",) and "10 of 400" in finding.message


def test_a_matlab_record_skips_its_head(files, tmp_path):
    steps = files.make_steps(300)
    header = files.write_wfdb(
        tmp_path, steps, coding="16x1+24", extension="mat", head=b"\x14" + bytes(23)
    )
    np.testing.assert_array_equal(read_ecg(header).signal_mv, files.to_mv(steps))
    np.testing.assert_array_equal(read_ecg(tmp_path / "rec.mat").signal_mv, files.to_mv(steps))


@pytest.mark.parametrize("version", ["5.0", "7.3"])
def test_another_matlab_version_is_refused_not_misread(files, tmp_path, refuse, version):
    head = f"MATLAB {version} MAT-file".encode().ljust(24)
    header = files.write_wfdb(
        tmp_path, files.make_steps(300), coding="16x1+24", extension="mat", head=head
    )
    assert "save it with version 4" in refuse(header, UnsupportedFormatError)


def test_two_signal_files_and_frank_leads(files, tmp_path):
    """As in PTB: twelve leads in one file, vx vy vz in another that is not even there."""
    steps = files.make_steps(300)
    header = files.write_wfdb(tmp_path, steps, labels=[lead.lower() for lead in LEAD_NAMES])
    text = header.read_text().replace("rec 12 ", "rec 15 ").splitlines()
    text[13:13] = [f"rec.xyz 16 200/mV 16 0 0 0 0 {name}" for name in ("vx", "vy", "vz")]
    header.write_text("\n".join(text))
    record = read_ecg(header)
    np.testing.assert_array_equal(record.signal_mv, files.to_mv(steps))
    assert codes(record) == ["ignored_channels"] and "3 channels" in record.findings[0].message


def test_leads_spread_over_two_files_equal_the_wfdb_package(files, tmp_path):
    steps = files.make_steps(300)
    header = files.write_wfdb(tmp_path, steps)
    lines = header.read_text().splitlines()
    (tmp_path / "rec.d1").write_bytes(files.pack_samples(steps[:6].T, 16))
    (tmp_path / "rec.d2").write_bytes(files.pack_samples(steps[6:].T, 212))
    lines[1:7] = [line.replace("rec.dat", "rec.d1") for line in lines[1:7]]
    lines[7:13] = [line.replace("rec.dat 16", "rec.d2 212") for line in lines[7:13]]
    header.write_text("\n".join(lines))
    expected_mv, _ = read_with_wfdb(header)
    np.testing.assert_allclose(read_ecg(header).signal_mv, expected_mv, atol=1e-7)


def test_mimic_order_is_sorted_by_name(files, tmp_path):
    steps = files.make_steps(300)
    swapped = [0, 1, 2, 3, 5, 4, 6, 7, 8, 9, 10, 11]
    labels = [LEAD_NAMES[index] for index in swapped]
    record = read_ecg(files.write_wfdb(tmp_path, steps[swapped], labels=labels))
    np.testing.assert_array_equal(record.signal_mv, files.to_mv(steps))
    assert codes(record) == []


@pytest.mark.parametrize(
    ("gain", "factor", "offset"),
    [
        ("200(0)/mV", 1.0, 0),
        ("200/mv", 1.0, 0),
        ("200", 1.0, 0),
        ("0.2/uV", 1.0, 0),
        ("0.2(100)/µV", 1.0, 100),
        ("2e5/V", 1.0, 0),
        ("100(-7)/mV", 2.0, -7),
    ],
)
def test_gains_baselines_and_units(files, tmp_path, gain, factor, offset):
    steps = files.make_steps(300)
    record = read_ecg(files.write_wfdb(tmp_path, steps, gain=gain))
    np.testing.assert_allclose(record.signal_mv, (steps - offset) * factor / 200, atol=2e-6)


def test_adc_zero_is_the_baseline_when_none_is_given(files, tmp_path):
    header = files.write_wfdb(tmp_path, files.make_steps(300) + 40, gain="200/mV")
    header.write_text(header.read_text().replace(" 16 0 ", " 16 40 "))
    np.testing.assert_allclose(
        read_ecg(header).signal_mv, files.to_mv(files.make_steps(300)), atol=1e-6
    )


def test_gain_zero_is_told(files, tmp_path):
    record = read_ecg(files.write_wfdb(tmp_path, files.make_steps(300), gain="0/mV"))
    assert codes(record) == ["uncalibrated"] and len(record.findings[0].leads) == 12


def test_a_wrong_checksum_is_told(files, tmp_path):
    header = files.write_wfdb(tmp_path, files.make_steps(300))
    data = bytearray((tmp_path / "rec.dat").read_bytes())
    data[24 * 10] ^= 4  # one bit of lead I
    (tmp_path / "rec.dat").write_bytes(data)
    record = read_ecg(header)
    finding = next(one for one in record.findings if one.code == "checksum_mismatch")
    assert finding.leads == ("I",)


def test_the_number_of_samples_may_be_absent(files, tmp_path):
    steps = files.make_steps(300)
    for stated in ("0", ""):
        header = files.write_wfdb(tmp_path, steps, num_samples=stated)
        np.testing.assert_array_equal(read_ecg(header).signal_mv, files.to_mv(steps))


def test_counter_frequency_time_and_date_are_passed_over():
    header = parse_header(
        b"# c\nr 1 360/20(5) 650000 10:11:12 01/02/2020\nr.dat 212 200 11 1024 995 -22131 0 MLII\n",
        name="r.hea",
    )
    assert (header.frame_rate_hz, header.num_frames) == (360.0, 650000)
    assert header.signals[0].baseline == 1024 and header.signals[0].checksum == -22131


def test_frames_of_two_samples_double_the_rate(files, tmp_path):
    steps = files.make_steps(300)
    header = files.write_wfdb(tmp_path, steps, coding="16x2", rate="250", num_samples="150")
    frames = steps.reshape(12, 150, 2).transpose(1, 0, 2)
    (tmp_path / "rec.dat").write_bytes(files.pack_samples(frames.reshape(150, 24), 16))
    record = read_ecg(header)
    assert record.sampling_rate_hz == 500.0
    np.testing.assert_array_equal(record.signal_mv, files.to_mv(steps))


def test_skew_is_undone_as_the_wfdb_package_does(files, tmp_path):
    header = files.write_wfdb(tmp_path, files.make_steps(300))
    lines = header.read_text().splitlines()
    lines[8] = lines[8].replace(" 16 ", " 16:5 ", 1)  # V2
    header.write_text("\n".join(lines))
    record = read_ecg(header)
    expected_mv, _ = read_with_wfdb(header)
    np.testing.assert_allclose(record.signal_mv, expected_mv, atol=1e-7)
    assert np.isnan(record.signal_mv[7, -5:]).all()


def test_rate_and_lead_names_may_be_given(files, tmp_path, refuse):
    steps = files.make_steps(300)
    header = files.write_wfdb(tmp_path, steps, labels=["x"] * 12, rate="500")
    lines = header.read_text().splitlines()
    lines[0] = "rec 12"
    header.write_text("\n".join(lines))
    message = refuse(header, MissingUnitError, lead_names=LEAD_NAMES)
    assert "sampling_rate_hz=" in message
    record = read_ecg(header, lead_names=LEAD_NAMES, sampling_rate_hz=500)
    np.testing.assert_array_equal(record.signal_mv, files.to_mv(steps))


def test_header_comments_stay_out_of_everything(files, tmp_path):
    record = read_wfdb(files.write_wfdb(tmp_path, files.make_steps(300)), EcgHints())
    assert files.PATIENT not in repr(record)


def test_a_sample_fewer_than_promised_is_told_and_ten_are_refused(files, tmp_path):
    steps = files.make_steps(5000)
    header = files.write_wfdb(tmp_path, steps)
    signal_file = next(path for path in tmp_path.iterdir() if path.suffix == ".dat")
    data = signal_file.read_bytes()
    signal_file.write_bytes(data[:-24])
    record = read_ecg(header)
    np.testing.assert_allclose(record.signal_mv, files.to_mv(steps)[:, :-1], atol=1e-6)
    assert "fewer_samples" in {finding.code for finding in record.findings}
    signal_file.write_bytes(data[:-240])
    with pytest.raises(UnreadableFileError, match="4990"):
        read_ecg(header)


@pytest.mark.parametrize(("sample_format", "subtype"), [(516, "PCM_16"), (524, "PCM_24")])
def test_flac_signals(files, tmp_path, refuse, sample_format, subtype):
    soundfile = pytest.importorskip("soundfile")
    steps = files.make_steps(5000)
    eight = [0, 1, *range(6, 12)]
    header = files.write_wfdb(tmp_path, steps[eight], labels=[LEAD_NAMES[at] for at in eight])
    header.write_text(header.read_text().replace(" 16 200(", f" {sample_format} 200("))
    bits = 16 if sample_format == 516 else 24
    shifted = (steps[eight].T.astype(np.int64) << (32 - bits)).astype(np.int32)
    signal_file = tmp_path / "rec.dat"
    soundfile.write(signal_file, shifted, 500, format="FLAC", subtype=subtype)
    record = read_ecg(header)
    assert record.signal_mv.shape == (12, 5000)
    np.testing.assert_allclose(record.signal_mv[6:], files.to_mv(steps)[6:], atol=1e-6)
    signal_file.write_bytes(signal_file.read_bytes()[:200])
    refuse(header, UnreadableFileError)


def test_leads_beside_the_twelve_are_there_to_look_at(files, tmp_path):
    steps = files.make_steps(300)
    rows = np.concatenate([steps, 2 * steps[:3], steps[:1]])
    labels = [*LEAD_NAMES, "V7", "v4r", "vx", "Resp"]
    header = files.write_wfdb(tmp_path, rows, labels=labels)
    record = read_ecg(header)
    np.testing.assert_array_equal(record.signal_mv, files.to_mv(steps))
    assert record.further_lead_names == ("V7", "V4R", "X")
    np.testing.assert_array_equal(record.further_mv, 2 * files.to_mv(steps)[:3])
    assert codes(record) == ["ignored_channels", "further_leads"]
    # one that has no voltage is left out, and the twelve are read all the same
    text = header.read_text().splitlines()
    text[13] = text[13].replace("/mV", "/mmHg")
    header.write_text("\n".join(text))
    record = read_ecg(header)
    assert record.further_lead_names == ("V4R", "X")
    assert "2 channels" in record.findings[0].message
