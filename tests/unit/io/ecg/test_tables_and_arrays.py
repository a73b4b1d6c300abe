"""CSV, Parquet, NPY, NPZ and HDF5: facts are stated or given, never guessed."""

import numpy as np
import pytest

from ptacl_core.errors import MissingUnitError, UnsupportedFormatError
from ptacl_core.io import read_ecg
from ptacl_core.records import LEAD_NAMES

FACTS = {"lead_names": LEAD_NAMES, "unit": "mV", "sampling_rate_hz": 500}


def codes(record):
    return [finding.code for finding in record.findings]


@pytest.fixture
def steps(files):
    return files.make_steps(600)


def expect(record, files, steps, atol=1e-6):
    np.testing.assert_allclose(record.signal_mv, files.to_mv(steps), rtol=0, atol=atol)
    assert record.sampling_rate_hz == 500.0


# CSV


@pytest.mark.parametrize(
    ("separator", "decimal"),
    [(",", "."), (";", ","), (";", "."), ("\t", "."), ("|", "."), (" ", ".")],
)
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_csv_wide(files, tmp_path, steps, separator, decimal, ending):
    path = tmp_path / "a.csv"
    text = files.csv_text(steps * 0.005, separator=separator, decimal=decimal)
    path.write_bytes(text.replace("\n", ending).encode())
    expect(read_ecg(path, unit="mV", sampling_rate_hz=500), files, steps)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_csv_units_and_rate_stated_in_the_table(files, tmp_path, steps, encoding):
    path = tmp_path / "a.txt"
    names = [f"{lead} [µV]" for lead in LEAD_NAMES]
    text = "# made by a cart\n" + files.csv_text(steps * 5, names=names, time_name="time (s)")
    path.write_bytes(text.encode(encoding))
    expect(read_ecg(path), files, steps)


@pytest.mark.parametrize(
    "names",
    [
        [f"{lead}_mV" for lead in LEAD_NAMES],
        [f"{lead} (mV)" for lead in LEAD_NAMES],
        [f"lead_{lead.lower()}/mV" for lead in LEAD_NAMES],
        [f'"{lead} mV"' for lead in LEAD_NAMES],
    ],
)
def test_csv_units_in_names(files, tmp_path, steps, names):
    path = tmp_path / "a.csv"
    path.write_text(files.csv_text(steps * 0.005, names=names))
    expect(read_ecg(path, sampling_rate_hz=500), files, steps)


def test_csv_time_in_rounded_milliseconds(files, tmp_path):
    """360 Hz stamped in whole milliseconds: 3, 6, 8 … is no gap."""
    steps = files.make_steps(720)
    lines = files.csv_text(steps * 0.005).splitlines()
    lines = ["t_ms," + lines[0]] + [
        f"{round(1000 * index / 360)},{line}" for index, line in enumerate(lines[1:])
    ]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(lines))
    assert read_ecg(path, unit="mV").sampling_rate_hz == 360.0


def test_csv_units_in_a_second_line(files, tmp_path, steps):
    """As PhysioNet's converters write: 'Elapsed time','I' … over 'seconds','mV' …"""
    lines = files.csv_text(steps * 0.005, time_name="Elapsed time").splitlines()
    quoted = [",".join(f"'{name}'" for name in lines[0].split(","))]
    quoted.append(",".join(["'seconds'", *["'mV'"] * 12]))
    path = tmp_path / "a.csv"
    path.write_text("\n".join(quoted + lines[1:]))
    expect(read_ecg(path), files, steps)


def test_csv_index_column_is_passed_over(files, tmp_path, steps):
    lines = files.csv_text(steps * 0.005).splitlines()
    lines = ["index," + lines[0]] + [f"{i},{line}" for i, line in enumerate(lines[1:])]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(lines))
    expect(read_ecg(path, unit="mV", sampling_rate_hz=500), files, steps)


def test_csv_without_names_asks_for_all_three_facts(files, tmp_path, steps, refuse):
    path = tmp_path / "a.csv"
    path.write_text(files.csv_text(steps * 0.005, names=None))
    message = refuse(path, MissingUnitError)
    assert all(fact in message for fact in ("lead_names=", "unit=", "sampling_rate_hz="))
    assert "a.csv.json" in message
    assert "unit=" not in refuse(path, MissingUnitError, unit="mV")
    expect(read_ecg(path, **FACTS), files, steps)


def test_csv_without_names_lead_per_row(files, tmp_path, steps):
    path = tmp_path / "a.csv"
    path.write_text(files.csv_text(steps.T * 0.005, names=None))
    expect(read_ecg(path, **FACTS), files, steps)


def test_csv_row_names(files, tmp_path, steps):
    path = tmp_path / "a.csv"
    rows = [
        f"{lead};" + ";".join(f"{value:.3f}".replace(".", ",") for value in row)
        for lead, row in zip(LEAD_NAMES, steps * 0.005, strict=True)
    ]
    path.write_text("\n".join(rows[::-1]))
    expect(read_ecg(path, unit="mV", sampling_rate_hz=500), files, steps)


def test_csv_long_form(files, tmp_path, steps):
    lines = ["time_ms,lead,value (mV)"]
    for index in range(steps.shape[1]):
        lines += [
            f"{2 * index},{lead},{0.005 * steps[row, index]:.3f}"
            for row, lead in enumerate(LEAD_NAMES)
        ]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(lines))
    expect(read_ecg(path), files, steps)


def test_csv_empty_cells_are_missing_samples(files, tmp_path, steps):
    lines = files.csv_text(steps * 0.005).splitlines()
    cells = lines[5].split(",")
    cells[0], cells[11] = "", "NaN"
    lines[5] = ",".join(cells)
    path = tmp_path / "a.csv"
    path.write_text("\n".join(lines))
    record = read_ecg(path, unit="mV", sampling_rate_hz=500)
    assert np.argwhere(np.isnan(record.signal_mv)).tolist() == [[0, 4], [11, 4]]
    assert codes(record) == ["missing_samples"]


def test_csv_eight_leads(files, tmp_path, steps):
    names = ["I", "II", *LEAD_NAMES[6:]]
    rows = [LEAD_NAMES.index(name) for name in names]
    path = tmp_path / "a.csv"
    path.write_text(files.csv_text(steps[rows] * 0.005, names=names))
    record = read_ecg(path, unit="mV", sampling_rate_hz=500)
    expect(record, files, steps)
    assert codes(record) == ["derived_leads"]


def test_what_the_file_states_wins_over_a_hint(files, tmp_path, steps):
    path = tmp_path / "a.csv"
    path.write_text(files.csv_text(steps * 0.005, time_name="time [s]"))
    record = read_ecg(path, unit="mV", sampling_rate_hz=250)
    assert record.sampling_rate_hz == 500.0
    assert codes(record) == ["hint_differs"] and "500 Hz" in record.findings[0].message


# Parquet


@pytest.mark.parametrize("stated", [True, False])
def test_parquet_columns(files, tmp_path, steps, stated):
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.table({lead: steps[row] * 0.005 for row, lead in enumerate(LEAD_NAMES)})
    if stated:
        table = table.replace_schema_metadata({"unit": "mV", "sampling_rate_hz": "500"})
    path = tmp_path / "a.parquet"
    parquet.write_table(table, path)
    hints = {} if stated else {"unit": "mV", "sampling_rate_hz": 500}
    expect(read_ecg(path, **hints), files, steps)


def test_parquet_with_time_units_and_nulls(files, tmp_path, steps):
    import pyarrow
    from pyarrow import parquet

    columns = {"time_s": np.arange(600) / 500}
    columns |= {f"{lead} (uV)": (steps[row] * 5.0).tolist() for row, lead in enumerate(LEAD_NAMES)}
    columns["V6 (uV)"][7] = None
    path = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.table(columns), path, row_group_size=100)
    record = read_ecg(path)
    assert np.isnan(record.signal_mv[11, 7]) and np.isnan(record.signal_mv).sum() == 1
    steps[11, 7] = 0
    np.testing.assert_allclose(np.nan_to_num(record.signal_mv), files.to_mv(steps), atol=1e-6)


def test_parquet_one_recording_per_row(files, tmp_path, steps, refuse):
    import pyarrow
    from pyarrow import parquet

    other = files.make_steps(600, seed=5)
    columns = {
        lead: [(steps[row] * 5).tolist(), (other[row] * 5).tolist()]
        for row, lead in enumerate(LEAD_NAMES)
    }
    path = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.table(columns), path)
    facts = {"unit": "uV", "sampling_rate_hz": 500}
    assert "record_index= (0 to 1)" in refuse(path, MissingUnitError, **facts)
    assert "record_index 2" in refuse(path, UnsupportedFormatError, record_index=2, **facts)
    expect(read_ecg(path, record_index=1, **facts), files, other)


def test_parquet_without_names(files, tmp_path, steps):
    import pyarrow
    from pyarrow import parquet

    path = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.table({str(i): steps[i] * 0.005 for i in range(12)}), path)
    expect(read_ecg(path, **FACTS), files, steps)


# NPY, NPZ, HDF5


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", "<f2", ">i2", "<i4"])
@pytest.mark.parametrize("transposed", [False, True])
def test_npy(files, tmp_path, steps, dtype, transposed):
    path = tmp_path / "a.npy"
    array = steps.T if transposed else steps
    np.save(path, array.astype(dtype))
    expect(read_ecg(path, **{**FACTS, "unit": "5 uV"}), files, steps)


def test_npy_fortran_order_and_nan(files, tmp_path, steps):
    array = np.asfortranarray(steps * 0.005)
    array[4, 9] = np.nan
    array[5, 9] = -np.inf
    path = tmp_path / "a.npy"
    np.save(path, array)
    record = read_ecg(path, **FACTS)
    assert np.argwhere(np.isnan(record.signal_mv)).tolist() == [[4, 9], [5, 9]]


def test_npy_int16_sentinel(files, tmp_path, steps):
    steps[2, 3] = -32768
    np.save(tmp_path / "a.npy", steps.astype(np.int16))
    record = read_ecg(tmp_path / "a.npy", **{**FACTS, "unit": "5 uV"})
    assert np.argwhere(np.isnan(record.signal_mv)).tolist() == [[2, 3]]


def test_npy_batch(files, tmp_path, steps, refuse):
    other = files.make_steps(600, seed=5)
    path = tmp_path / "a.npy"
    np.save(path, np.stack([steps, other]) * 0.005)
    assert "2 recordings" in refuse(path, MissingUnitError, **FACTS)
    assert "record_index 2" in refuse(path, UnsupportedFormatError, record_index=2, **FACTS)
    expect(read_ecg(path, record_index=1, **FACTS), files, other)
    np.save(path, steps[np.newaxis] * 0.005)
    expect(read_ecg(path, **FACTS), files, steps)


def test_npy_in_another_order_and_eight_leads(files, tmp_path, steps):
    names = ["V6", "V5", "V4", "V3", "V2", "V1", "II", "I"]
    path = tmp_path / "a.npy"
    np.save(path, steps[[LEAD_NAMES.index(name) for name in names]] * 0.005)
    expect(read_ecg(path, **{**FACTS, "lead_names": names}), files, steps)
    expect(read_ecg(path, **{**FACTS, "lead_names": ",".join(names)}), files, steps)


def test_npy_of_twelve_samples_asks_for_the_axis(files, tmp_path, steps, refuse):
    path = tmp_path / "a.npy"
    np.save(path, steps[:, 195:207] * 0.005)
    assert "lead_axis=" in refuse(path, MissingUnitError, **FACTS)
    record = read_ecg(path, lead_axis=0, **FACTS)
    np.testing.assert_allclose(record.signal_mv, files.to_mv(steps[:, 195:207]), atol=1e-6)


def test_sidecar_beside_the_file_and_keywords_over_it(files, tmp_path, steps):
    path = tmp_path / "a.npy"
    np.save(path, steps * 0.005)
    files.write_sidecar(
        path, lead_names=list(LEAD_NAMES), unit="V", sampling_rate_hz=500, patient=files.PATIENT
    )
    expect(read_ecg(path, unit="mV"), files, steps)
    (tmp_path / "a.npy.json").rename(tmp_path / "a.json")
    expect(read_ecg(path, unit="mV"), files, steps)


def test_a_lone_artefact_is_no_wrong_unit(files, tmp_path, steps):
    signal_mv = steps * 0.005
    signal_mv[:, 300] = 200.0
    path = tmp_path / "a.npy"
    np.save(path, signal_mv)
    assert "unit_implausible" not in codes(read_ecg(path, **FACTS))


def test_wrong_unit_is_rejected_as_implausible(files, tmp_path, steps):
    path = tmp_path / "a.npy"
    np.save(path, steps * 5.0)
    record = read_ecg(path, **FACTS)
    (finding,) = record.findings
    assert (finding.code, finding.severity) == ("unit_implausible", "reject")
    tiny = read_ecg(path, **{**FACTS, "unit": "nV"})
    assert codes(tiny) == ["unit_implausible"]


def test_zero_padding_at_both_ends_is_cut(files, tmp_path, steps):
    """CODE-15% stores 7 s in the middle of 10.24 s."""
    padded = np.zeros((1, 1000, 12), np.float32)
    padded[0, 200:800] = (steps * 0.005).T
    path = tmp_path / "a.npy"
    np.save(path, padded)
    record = read_ecg(path, **FACTS)
    assert codes(record) == ["padding_cut"]
    assert "0.40 s at the start, 0.40 s at the end" in record.findings[0].message
    expect(record, files, steps)


def test_all_zero_is_no_signal(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((12, 100)))
    (finding,) = read_ecg(path, **FACTS).findings
    assert (finding.code, finding.severity) == ("no_signal", "reject")


def test_npz_one_array_and_stated_facts(files, tmp_path, steps):
    path = tmp_path / "a.npz"
    np.savez_compressed(
        path, x=steps * 0.005, unit="mV", sampling_rate_hz=500.0, lead_names=np.array(LEAD_NAMES)
    )
    expect(read_ecg(path), files, steps)


def test_npz_array_per_lead(files, tmp_path, steps):
    path = tmp_path / "a.npz"
    np.savez(path, **{lead: steps[row] * 0.005 for row, lead in enumerate(LEAD_NAMES)}, age=7)
    expect(read_ecg(path, unit="mV", sampling_rate_hz=500), files, steps)


def test_npz_several_arrays_need_a_name(files, tmp_path, steps, refuse):
    path = tmp_path / "a.npz"
    np.savez(path, first=steps * 0.005, second=np.zeros((3, 3)))
    assert "array_name=" in refuse(path, UnsupportedFormatError, **FACTS)
    assert "none of the 2" in refuse(path, UnsupportedFormatError, array_name="third", **FACTS)
    expect(read_ecg(path, array_name="first", **FACTS), files, steps)


@pytest.fixture
def h5py():
    return pytest.importorskip("h5py")


def test_hdf5_batch_reads_one_recording(files, tmp_path, steps, h5py, refuse):
    path = tmp_path / "a.hdf5"
    with h5py.File(path, "w") as file:
        tracings = file.create_dataset(
            "tracings", data=np.stack([np.zeros((600, 12)), steps.T * 0.005]), compression="gzip"
        )
        tracings.attrs["unit"] = "mV"
        file.attrs["sampling_rate_hz"] = 500.0
        file["exam_id"] = h5py.SoftLink("/tracings")
    expect(read_ecg(path, record_index=1, lead_names=LEAD_NAMES), files, steps)
    message = refuse(path, MissingUnitError, lead_names=LEAD_NAMES)
    assert "record_index=" in message


def test_hdf5_dataset_per_lead_in_a_group(files, tmp_path, steps, h5py):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        for row, lead in enumerate(LEAD_NAMES):
            file[f"ecg/rest/strip_{lead}"] = 0
            file[f"ecg/rest/{lead}"] = steps[row] * 0.005
    expect(read_ecg(path, unit="mV", sampling_rate_hz=500), files, steps)


def test_hdf5_without_h5py_names_it(tmp_path, h5py, monkeypatch, refuse):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["x"] = np.zeros((12, 50))
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    assert "pip install h5py" in refuse(path, UnsupportedFormatError)


def test_a_line_of_too_many_values_is_refused_before_it_is_parsed(tmp_path):
    path = tmp_path / "line.csv"
    path.write_text("0.1," * 100_001)
    with pytest.raises(UnsupportedFormatError, match="one column per lead"):
        read_ecg(path)
