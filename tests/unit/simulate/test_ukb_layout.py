"""Files as UK Biobank lays them out: read back, they give the same patients."""

import csv
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

from ptacl_core.config.preprocess import CineSettings
from ptacl_core.config.simulation import load_cohort_settings
from ptacl_core.io import read_cine, read_ecg, read_phenotypes
from ptacl_core.preprocess import prepare_cine, prepare_ecg
from ptacl_core.records import PHENOTYPE_NAMES, CineRecord
from ptacl_core.simulate import (
    SimulatedPatients,
    draw_truth,
    finished_ukb_patients,
    simulate_patients,
    ukb_identifier,
    write_ukb_layout,
)
from ptacl_core.simulate.cine.stack import render_stack
from ptacl_core.simulate.files.ukb_layout import INLINE_SHARE
from ptacl_core.simulate.randomness import Stream, draw_uniforms

NUMBERS = range(3)


@pytest.fixture(scope="module")
def patients() -> SimulatedPatients:
    return simulate_patients(load_cohort_settings("tiny"), NUMBERS)


@pytest.fixture(scope="module")
def folder(patients: SimulatedPatients, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ukb")
    write_ukb_layout(patients, path)
    return path


@pytest.fixture(scope="module")
def windows(patients: SimulatedPatients) -> list[tuple[int, int]]:
    """Where the 84-pixel window lies in each patient's images."""
    truth = draw_truth(patients.settings, NUMBERS)
    return [
        render_stack(patients.settings, truth, number, patients.cine[number]).window_px
        for number in NUMBERS
    ]


@pytest.fixture(scope="module")
def cines(folder: Path) -> list[CineRecord]:
    return [read_cine(folder / f"{ukb_identifier(number)}_20209_2_0.zip") for number in NUMBERS]


def test_folder_holds_what_a_download_holds(folder: Path) -> None:
    expected = {"phenotypes.csv"}
    for number in NUMBERS:
        stem = ukb_identifier(number)
        assert len(stem) == 7
        expected |= {f"{stem}_20205_2_0.xml", f"{stem}_20209_2_0.zip"}
    assert {path.name for path in folder.iterdir()} == expected


def test_ecg_returns_within_one_step_with_the_devices_r_times(
    folder: Path, patients: SimulatedPatients
) -> None:
    for number in NUMBERS:
        record = read_ecg(folder / f"{ukb_identifier(number)}_20205_2_0.xml")
        assert record.source_format == "cardiosoft_xml"
        assert record.sampling_rate_hz == 500
        expected = patients.ecg_mv[number].numpy()
        assert np.abs(record.signal_mv - expected).max() <= 0.0025 + 1e-6
        assert record.device_r_peak_samples is not None
        true = patients.r_peak_samples[number].numpy()
        np.testing.assert_array_equal(record.device_r_peak_samples, true)
        assert record.device_measurements["qrs_ms"] == round(float(patients.qrs_ms[number]))


def test_r_peaks_of_the_prepared_file_are_true_within_4_ms(
    folder: Path, patients: SimulatedPatients
) -> None:
    for number in NUMBERS:
        record = read_ecg(folder / f"{ukb_identifier(number)}_20205_2_0.xml")
        r_peaks = prepare_ecg(record).r_peak_samples
        true = patients.r_peak_samples[number].numpy()
        inner = true[(true > 100) & (true < 4900)]
        nearest = np.abs(r_peaks[:, None] - inner[None]).min(axis=0)
        assert nearest.max() * 2 <= 4


def test_median_beat_comes_first_and_ends_in_filler(folder: Path) -> None:
    root = ElementTree.parse(folder / f"{ukb_identifier(0)}_20205_2_0.xml").getroot()
    assert len(list(root.iter("WaveformData"))) == 24
    order = [element.tag for element in root]
    assert order.index("RestingECGMeasurements") < order.index("StripData")
    median = root.findall("RestingECGMeasurements/MedianSamples/WaveformData")
    for waveform in median:
        values = [int(part) for part in (waveform.text or "").split(",")]
        assert len(values) == 600
        assert values[594:] == [0] * 6
        assert any(values[:594])


def test_middle_slice_is_the_very_slice_within_12_bits(
    cines: list[CineRecord], patients: SimulatedPatients, windows: list[tuple[int, int]]
) -> None:
    for number, record in enumerate(cines):
        num_slices, num_frames, height, width = record.frames.shape
        assert num_slices in (5, 7, 9)
        assert num_frames == 50
        assert min(height, width) > 84
        assert record.spacing_mm == pytest.approx((10.0, 1.83, 1.83), abs=1e-4)
        interval_ms = float(patients.frame_interval_ms[number])
        np.testing.assert_allclose(record.frame_times_ms, np.arange(50) * interval_ms, atol=1e-3)
        top, left = windows[number]
        middle = record.frames[num_slices // 2][:, top : top + 84, left : left + 84]
        error = np.abs(middle / 4095 - patients.cine[number].numpy())
        assert error.max() <= 0.5 / 4095 + 1e-6


def test_prepared_file_equals_the_prepared_array(
    cines: list[CineRecord], patients: SimulatedPatients, windows: list[tuple[int, int]]
) -> None:
    for number, record in enumerate(cines):
        top, left = windows[number]
        in_file = CineSettings(pixel_mm=None, centre_px=(top + 42, left + 42))
        direct = CineRecord(
            frames=patients.cine[number].numpy()[None],
            spacing_mm=(10.0, 1.83, 1.83),
            frame_times_ms=record.frame_times_ms,
            source_format="simulated",
        )
        from_file = prepare_cine(record, in_file)
        from_array = prepare_cine(direct, CineSettings(pixel_mm=None, centre_px=(42, 42)))
        assert np.abs(from_file.frames - from_array.frames).max() < 2 / 4095


def test_heart_is_found_within_3_pixels(
    cines: list[CineRecord], patients: SimulatedPatients, windows: list[tuple[int, int]]
) -> None:
    for number, record in enumerate(cines):
        prepared = prepare_cine(record, CineSettings(pixel_mm=None))
        true = patients.heart_centre_px[number].numpy() + np.array(windows[number])
        assert np.hypot(*(np.array(prepared.centre_px) - true)) <= 3


def test_manifest_has_the_unquoted_comma_of_the_real_ones(folder: Path) -> None:
    with zipfile.ZipFile(folder / f"{ukb_identifier(0)}_20209_2_0.zip") as archive:
        lines = archive.read("manifest.csv").decode().splitlines()
        names = {name for name in archive.namelist() if name.endswith(".dcm")}
    header = lines[0].split(",")
    assert "series discription" in header
    assert all(len(line.split(",")) == len(header) + 1 for line in lines[1:])
    assert {line.split(",")[0] for line in lines[1:]} == names
    assert any("CINE_segmented_SAX_b1," in line for line in lines)


def test_inline_contours_are_left_out_by_the_reader(tmp_path: Path) -> None:
    settings = load_cohort_settings("tiny")
    chances = draw_uniforms(settings.seed, range(20), Stream.STACK, 4)[:, 3]
    number = int(torch.nonzero(chances < INLINE_SHARE)[0])
    write_ukb_layout(simulate_patients(settings, [number]), tmp_path)
    path = tmp_path / f"{ukb_identifier(number)}_20209_2_0.zip"
    with zipfile.ZipFile(path) as archive:
        manifest = archive.read("manifest.csv").decode()
    assert "InlineVF" in manifest
    record = read_cine(path)
    assert "inline_vf_excluded" in {finding.code for finding in record.findings}
    assert len(record.frames) == manifest.count(".dcm") // 50 - 1


def test_phenotype_table_returns_with_its_covariates(
    folder: Path, patients: SimulatedPatients
) -> None:
    table = read_phenotypes(folder / "phenotypes.csv")
    assert list(table.subject) == [ukb_identifier(number) for number in NUMBERS]
    assert set(table.visit) == {"2"}
    assert tuple(table.sex) == patients.sex
    for column, name in enumerate(PHENOTYPE_NAMES):
        expected = patients.phenotypes[:, column].numpy()
        np.testing.assert_allclose(getattr(table, name), expected, atol=1e-4)
    np.testing.assert_allclose(table.age_years, patients.age_years.numpy(), atol=0.5)
    np.testing.assert_allclose(table.bmi_kg_m2, patients.bmi_kg_m2.numpy(), atol=1e-4)
    np.testing.assert_allclose(table.height_cm, patients.height_cm.numpy(), atol=0.05)


def test_writing_again_gives_the_same_bytes_and_adds_rows(
    folder: Path, patients: SimulatedPatients
) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    write_ukb_layout(patients, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    more = simulate_patients(patients.settings, [7])
    write_ukb_layout(more, folder)
    with (folder / "phenotypes.csv").open(newline="") as lines:
        rows = list(csv.reader(lines))
    assert [row[0] for row in rows[1:]] == [ukb_identifier(number) for number in (0, 1, 2, 7)]
    assert finished_ukb_patients(folder) == {0, 1, 2, 7}


def test_a_folder_without_a_table_has_no_finished_patients(tmp_path: Path) -> None:
    assert finished_ukb_patients(tmp_path) == set()


def test_fibrillation_leaves_the_p_measurements_empty(tmp_path: Path) -> None:
    settings = load_cohort_settings("tiny", af_share=1.0, pac_share=0.0, pvc_share=0.0)
    write_ukb_layout(simulate_patients(settings, [0]), tmp_path)
    root = ElementTree.parse(tmp_path / f"{ukb_identifier(0)}_20205_2_0.xml").getroot()
    assert root.findtext(".//PQInterval") == ""
    assert root.findtext(".//DiagnosisText") == "Atrial fibrillation"
    assert torch.isfinite(torch.tensor(float(root.findtext(".//QRSDuration") or "nan")))
