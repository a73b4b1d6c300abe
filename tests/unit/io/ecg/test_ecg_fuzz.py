"""Bytes changed at random in every format: a record of the promised shape, or an error in words."""

import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ptacl_core.errors import PtaclError
from ptacl_core.io import read_ecg
from ptacl_core.records import LEAD_NAMES

FACTS = {"lead_names": LEAD_NAMES, "unit": "mV", "sampling_rate_hz": 500}
SPLICES = [b"\xff" * 4, bytes(4), b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"9" * 6, b"-1", b"nan", b""]

changes = st.lists(
    st.tuples(
        st.sampled_from(["set", "flip", "splice", "delete", "insert", "cut", "copy"]),
        st.floats(0, 1, exclude_max=True),
        st.sampled_from([64, 512, 4096, 1 << 30]),
        st.integers(0, 255),
    ),
    min_size=1,
    max_size=8,
)


def change(data, steps):
    """`data` after the edits; half of the positions lie near the start, where headers are."""
    edited = bytearray(data)
    for kind, place, within, value in steps:
        if not edited:
            break
        at = int(place * min(within, len(edited)))
        if kind == "set":
            edited[at] = value
        elif kind == "flip":
            edited[at] ^= 1 << value % 8
        elif kind == "splice":
            edited[at : at + 4] = SPLICES[value % len(SPLICES)]
        elif kind == "delete":
            del edited[at : at + 1 + value]
        elif kind == "insert":
            edited[at:at] = bytes([value]) * (1 + value % 9)
        elif kind == "cut":
            del edited[max(at, 1) :]
        else:
            source = value * len(edited) // 256
            edited[at : at + 16] = edited[source : source + 16]
    return bytes(edited)


def mend_scp(files, data):
    """Right lengths and checksums again, so that changes reach what stands behind them."""
    mended = bytearray(data)
    if len(mended) < 200:
        return data
    mended[2:6] = struct.pack("<I", len(mended))
    for entry in range(22, 142, 10):
        _, size, start = struct.unpack_from("<HII", mended, entry)
        if size >= 16 and start > 0 and start - 1 + size <= len(mended):
            body = bytes(mended[start + 1 : start - 1 + size])
            mended[start - 1 : start + 1] = struct.pack("<H", files.compute_crc(body))
    mended[:2] = struct.pack("<H", files.compute_crc(bytes(mended[2:])))
    return bytes(mended)


def build_hdf5(files, folder, steps):
    h5py = pytest.importorskip("h5py")
    with h5py.File(folder / "a.h5", "w") as file:
        file.create_dataset("g/ecg", data=steps * 0.005, compression="gzip", chunks=(12, 100))
    return folder / "a.h5"


def build_parquet(folder, steps):
    import pyarrow
    from pyarrow import parquet

    columns = {lead: steps[row] * 0.005 for row, lead in enumerate(LEAD_NAMES)}
    parquet.write_table(pyarrow.table(columns), folder / "a.parquet")
    return folder / "a.parquet"


def build_npz(folder, steps):
    np.savez_compressed(folder / "a.npz", x=steps * 0.005, unit="mV")
    return folder / "a.npz"


def build_npy(folder, steps):
    np.save(folder / "a.npy", steps * 0.005)
    return folder / "a.npy"


def text(folder, name, content):
    (folder / name).write_text(content, encoding="utf-8")
    return folder / name


def build_wfdb_samples(files, folder, steps):
    files.write_wfdb(folder, steps, coding="212")
    return folder / "rec.dat"


def build_edf(files, folder, steps):
    path = folder / "a.edf"
    path.write_bytes(files.edf_bytes(steps, per_record=50, record_s="0.1", annotations=True))
    return path


def build_wfdb_segments(files, folder, steps):
    for number, part in enumerate((steps[:, :120], steps[:, 120:]), start=1):
        files.write_wfdb(folder, part, name=f"rec_{number:04d}")
    lines = ["rec/3 12 500 200", "~ 0", "rec_0001 120", "rec_0002 80"]
    return text(folder, "rec.hea", "\n".join(lines) + "\n")


def build_bdf(files, folder, steps):
    """A discontinuous file of 24-bit samples, four records of 1 s."""
    edf = files.edf_bytes(steps, per_record=50, annotations=True, reserved="BDF+D")
    header_bytes = 256 * 14
    header = b"\xffBIOSEMI" + edf[8:header_bytes].replace(b"EDF Annot", b"BDF Annot")
    data = b""
    for start in range(header_bytes, len(edf), 2 * (12 * 50 + 10)):
        samples = np.frombuffer(edf, "<i2", 12 * 50, start).astype("<i4")
        data += samples.view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
        data += edf[start + 1200 : start + 1220].ljust(30, b"\0")
    (folder / "a.bdf").write_bytes(header + data)
    return folder / "a.bdf"


def build_scp(files, folder, steps):
    (folder / "a.scp").write_bytes(files.scp_bytes(steps))
    return folder / "a.scp"


def muse_text(files, steps):
    times = "".join(f"<QRS><Time>{60 + 141 * number}</Time></QRS>" for number in range(6))
    figures = "<VentricularRate>102</VentricularRate><ECGSampleBase>500</ECGSampleBase>"
    return files.muse_of(steps, times=times, measurements=figures)


SOURCES = {
    "wfdb header": lambda files, folder, steps: files.write_wfdb(folder, steps),
    "wfdb samples": build_wfdb_samples,
    "wfdb segments": build_wfdb_segments,
    "dicom": lambda files, folder, steps: files.write_dicom(
        folder / "a.dcm", files.dicom_dataset([{"steps": steps}, {"steps": steps, "derived": True}])
    ),
    "cardiosoft": lambda files, folder, steps: text(folder, "a.xml", files.cardiosoft_xml(steps)),
    "muse": lambda files, folder, steps: text(folder, "a.xml", muse_text(files, steps)),
    "aecg": lambda files, folder, steps: text(
        folder, "a.xml", files.aecg_xml(files.aecg_series(steps))
    ),
    "philips": lambda files, folder, steps: text(folder, "a.xml", files.philips_xml(steps)),
    "scp": build_scp,
    "edf": build_edf,
    "bdf": build_bdf,
    "csv": lambda files, folder, steps: text(
        folder, "a.csv", files.csv_text(steps * 0.005, time_name="time (s)")
    ),
    "parquet": lambda files, folder, steps: build_parquet(folder, steps),
    "npy": lambda files, folder, steps: build_npy(folder, steps),
    "npz": lambda files, folder, steps: build_npz(folder, steps),
    "hdf5": build_hdf5,
}


def run_fuzz(files, folder, source, num_examples):
    path = SOURCES[source](files, folder, files.make_steps(200))
    hints = FACTS if source in {"parquet", "npy", "npz", "hdf5"} else {}
    hints = {"unit": "mV"} if source == "csv" else hints
    data = path.read_bytes()
    assert read_ecg(path, **hints).signal_mv.shape == (12, 200)

    @settings(
        max_examples=num_examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
    )
    @given(changes, st.booleans())
    def check(steps, is_mended):
        bad = change(data, steps)
        path.write_bytes(mend_scp(files, bad) if source == "scp" and is_mended else bad)
        try:
            record = read_ecg(path, **hints)
        except PtaclError as error:
            message = str(error)
            assert message.isprintable() and len(message) < 500
            assert files.PATIENT not in message and str(folder) not in message
            return
        assert record.signal_mv.dtype == np.float32
        assert record.signal_mv.shape[0] == 12 and record.signal_mv.shape[1] >= 1
        assert not np.isinf(record.signal_mv).any()
        assert np.isfinite(record.sampling_rate_hz) and record.sampling_rate_hz > 0
        assert files.PATIENT not in " ".join(map(str, record.findings))

    check()


@pytest.mark.parametrize("source", SOURCES)
def test_changed_bytes_give_a_record_or_an_error_in_words(files, tmp_path, source):
    run_fuzz(files, tmp_path, source, 60)


@pytest.mark.slow
@pytest.mark.parametrize("source", SOURCES)
def test_ten_thousand_changed_files(files, tmp_path, source):
    run_fuzz(files, tmp_path, source, 10_000 // len(SOURCES) + 1)
