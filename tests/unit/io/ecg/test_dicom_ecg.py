"""DICOM waveforms against pydicom's own scaling; choice of group, padding, units, refusals."""

import numpy as np
import pytest

from ptacl_core.errors import UnsupportedFormatError
from ptacl_core.io import read_ecg
from ptacl_core.records import LEAD_NAMES


def codes(record):
    return [finding.code for finding in record.findings]


def test_real_rhythm_equals_pydicoms_waveform_array(samples):
    from pydicom import dcmread

    path = samples / "pydicom_waveform_ecg.dcm"
    expected_uv = dcmread(path).waveform_array(0).T
    np.testing.assert_allclose(read_ecg(path).signal_mv, expected_uv / 1000, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("first", ["median", "rhythm"])
def test_the_original_group_is_taken_wherever_it_stands(files, tmp_path, first):
    steps = files.make_steps(1000)
    groups = [{"steps": np.full((12, 5000), 77), "derived": True}, {"steps": steps}]
    dataset = files.dicom_dataset(groups if first == "median" else groups[::-1])
    record = read_ecg(files.write_dicom(tmp_path / "a.dcm", dataset))
    np.testing.assert_array_equal(record.signal_mv, files.to_mv(steps))
    assert codes(record) == []


def test_the_longest_of_two_rhythms_is_taken_and_told(files, tmp_path):
    short, long = files.make_steps(500), files.make_steps(1500, seed=1)
    dataset = files.dicom_dataset([{"steps": short}, {"steps": long}, {"steps": short}])
    record = read_ecg(files.write_dicom(tmp_path / "a.dcm", dataset))
    np.testing.assert_array_equal(record.signal_mv, files.to_mv(long))
    assert codes(record) == ["several_recordings"] and "3 original" in record.findings[0].message


def test_a_longer_single_lead_strip_does_not_win(files, tmp_path):
    steps = files.make_steps(500)
    strip = {"steps": files.make_steps(5000)[1:2], "labels": ["II"]}
    dataset = files.dicom_dataset([strip, {"steps": steps}])
    record = read_ecg(files.write_dicom(tmp_path / "a.dcm", dataset))
    np.testing.assert_array_equal(record.signal_mv, files.to_mv(steps))


@pytest.mark.parametrize(
    ("interpretation", "dtype", "bits"), [("SS", "<i2", 16), ("SL", "<i4", 32), ("SB", "i1", 8)]
)
def test_sample_types_equal_pydicom(files, tmp_path, interpretation, dtype, bits):
    steps = files.make_steps(300) // (8 if bits == 8 else 1)
    group = {"steps": steps, "interpretation": interpretation, "dtype": dtype, "bits": bits}
    dataset = files.dicom_dataset([group | {"sensitivity": "20", "baseline": "-35"}])
    path = files.write_dicom(tmp_path / "a.dcm", dataset)
    from pydicom import dcmread

    expected_uv = dcmread(path).waveform_array(0).T
    np.testing.assert_allclose(read_ecg(path).signal_mv, expected_uv / 1000, rtol=1e-6)
    np.testing.assert_allclose(read_ecg(path).signal_mv, (steps * 20 - 35) / 1000, rtol=1e-6)


@pytest.mark.parametrize(
    ("padding", "stored"), [(None, -32768), (0, -32768), (-32768, -32768), (30000, 30000)]
)
def test_padding_is_found_on_raw_integers(files, tmp_path, padding, stored):
    """A declared padding of 0 is not believed: 0 is a voltage, and -32768 is what is used."""
    steps = files.make_steps(400)
    steps[9, :12] = stored
    steps[0, 200:203] = 0
    dataset = files.dicom_dataset([{"steps": steps, "padding": padding}])
    record = read_ecg(files.write_dicom(tmp_path / "a.dcm", dataset))
    assert np.isnan(record.signal_mv[9, :12]).all()
    assert np.isnan(record.signal_mv).sum() == 12


@pytest.mark.parametrize(("unit", "factor"), [("uV", 1.0), ("mV", 1000.0), ("nV", 0.001)])
def test_units_of_the_sensitivity(files, tmp_path, unit, factor):
    steps = files.make_steps(300)
    sensitivity = f"{5 / factor:g}"
    dataset = files.dicom_dataset([{"steps": steps, "unit": unit, "sensitivity": sensitivity}])
    record = read_ecg(files.write_dicom(tmp_path / "a.dcm", dataset))
    np.testing.assert_allclose(record.signal_mv, files.to_mv(steps), rtol=1e-5, atol=1e-7)


def test_a_missing_unit_may_be_given_by_hint_or_sidecar(files, tmp_path):
    steps = files.make_steps(300)
    path = files.write_dicom(
        tmp_path / "a.dcm", files.dicom_dataset([{"steps": steps, "unit": None}])
    )
    np.testing.assert_array_equal(read_ecg(path, unit="uV").signal_mv, files.to_mv(steps))
    files.write_sidecar(path, unit="uV")
    np.testing.assert_array_equal(read_ecg(path).signal_mv, files.to_mv(steps))


def test_leads_by_meaning_when_the_code_is_foreign(files, tmp_path):
    steps = files.make_steps(300)
    dataset = files.dicom_dataset(
        [{"steps": steps[::-1], "labels": LEAD_NAMES[::-1], "by_code": False}]
    )
    record = read_ecg(files.write_dicom(tmp_path / "a.dcm", dataset))
    np.testing.assert_array_equal(record.signal_mv, files.to_mv(steps))


@pytest.mark.parametrize("prefix", ["2:", ""])
def test_leads_by_mdc_code(files, tmp_path, prefix):
    steps = files.make_steps(300)
    dataset = files.dicom_dataset([{"steps": steps}])
    for definition, lead in zip(
        dataset.WaveformSequence[0].ChannelDefinitionSequence, LEAD_NAMES, strict=True
    ):
        number = files.SCP_CODES[lead]
        code = f"2:{number}" if prefix else str(0x20000 + number)
        definition.ChannelSourceSequence[0].CodeValue = code
        definition.ChannelSourceSequence[0].CodeMeaning = "?"
    record = read_ecg(files.write_dicom(tmp_path / "a.dcm", dataset))
    np.testing.assert_array_equal(record.signal_mv, files.to_mv(steps))


def test_skew_between_channels_is_told(files, tmp_path):
    dataset = files.dicom_dataset([{"steps": files.make_steps(300), "skew": 0.1}])
    record = read_ecg(files.write_dicom(tmp_path / "a.dcm", dataset))
    assert codes(record) == ["channel_skew"] and "1.1 samples" in record.findings[0].message


def test_big_endian_and_no_preamble(files, tmp_path):
    from pydicom.uid import ExplicitVRBigEndian

    steps = files.make_steps(300)
    dataset = files.dicom_dataset([{"steps": steps, "dtype": ">i2"}])
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    path = tmp_path / "big.dcm"
    dataset.save_as(path, little_endian=False, implicit_vr=False, enforce_file_format=True)
    np.testing.assert_array_equal(read_ecg(path).signal_mv, files.to_mv(steps))

    bare = files.dicom_dataset([{"steps": steps}])
    del bare.file_meta
    path = tmp_path / "bare.dcm"
    bare.save_as(path, little_endian=True, implicit_vr=False)
    assert path.read_bytes()[128:132] != b"DICM"
    np.testing.assert_array_equal(read_ecg(path).signal_mv, files.to_mv(steps))


def test_no_name_of_a_patient_in_the_record(files, tmp_path):
    dataset = files.dicom_dataset([{"steps": files.make_steps(300)}])
    assert files.PATIENT not in repr(read_ecg(files.write_dicom(tmp_path / "a.dcm", dataset)))


@pytest.mark.parametrize("offset", [None, "0"])
def test_groups_of_one_lead_that_begin_together_are_joined(files, tmp_path, offset):
    steps = files.make_steps(5000)
    groups = [
        {"steps": row[None], "labels": (lead,)} for lead, row in zip(LEAD_NAMES, steps, strict=True)
    ]
    dataset = files.dicom_dataset(groups)
    for group in dataset.WaveformSequence:
        if offset is not None:
            group.MultiplexGroupTimeOffset = offset
    record = read_ecg(files.write_dicom(tmp_path / "a.dcm", dataset))
    np.testing.assert_array_equal(record.signal_mv, files.to_mv(steps))
    assert codes(record) == ["groups_joined"]
    for at, group in enumerate(dataset.WaveformSequence):
        group.MultiplexGroupTimeOffset = str(2500 * at)
    with pytest.raises(UnsupportedFormatError, match="simultaneous"):
        read_ecg(files.write_dicom(tmp_path / "b.dcm", dataset))
