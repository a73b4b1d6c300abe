"""Simulated patients as files, laid out as a UK Biobank download (fields 20205, 20209, 241xx).

Identifiers are fictitious: nine million plus the patient's number.
"""

import csv
import io
from pathlib import Path

import numpy as np
from jaxtyping import UInt16

from ptacl_core.arrays import Array
from ptacl_core.records.phenotypes import PHENOTYPE_FIELD_IDS
from ptacl_core.safety.files.atomic import write_bytes, write_text
from ptacl_core.simulate.cine.stack import FULL_SCALE, SimulatedStack, render_stack
from ptacl_core.simulate.files.cardiosoft import EcgDescription, format_cardiosoft_xml
from ptacl_core.simulate.files.dicom_archive import StackDescription, format_dicom_archive
from ptacl_core.simulate.patients import PatientTruth, SimulatedPatients, draw_truth
from ptacl_core.simulate.randomness import Stream, draw_uniforms

PHENOTYPE_FILE_NAME = "phenotypes.csv"
"""The phenotype table of the folder."""

_FIRST_IDENTIFIER = 9_000_000
_INSTANCE = 2
INLINE_SHARE = 0.25
"""Share of the archives with a series whose contours are burned in."""
_COLUMNS = (
    "eid",
    "31-0.0",
    "50-2.0",
    "4080-2.0",
    "21001-2.0",
    "21002-2.0",
    "21003-2.0",
    *(f"{field}-2.0" for field in PHENOTYPE_FIELD_IDS.values()),
)
_RHYTHM_TEXTS = {
    "sinus": "Sinus rhythm",
    "af": "Atrial fibrillation",
    "pac": "Sinus rhythm with premature atrial complexes",
    "pvc": "Sinus rhythm with premature ventricular complexes",
}
_CONDUCTION_TEXTS = {
    "normal": (),
    "rbbb": ("Right bundle branch block",),
    "lbbb": ("Left bundle branch block",),
}


def ukb_identifier(index: int) -> str:
    """The fictitious seven-digit identifier of a simulated patient."""
    return str(_FIRST_IDENTIFIER + index)


def finished_ukb_patients(folder: Path) -> set[int]:
    """Numbers of the patients whose files and row are in `folder` (the row is written last)."""
    path = folder / PHENOTYPE_FILE_NAME
    return {int(identifier) - _FIRST_IDENTIFIER for identifier in _read_table(path)}


def write_ukb_layout(patients: SimulatedPatients, folder: Path, *, has_stack: bool = True) -> None:
    """Write ECGs, cine archives and the phenotype table of `patients` into `folder`.

    `<id>_20205_2_0.xml`, `<id>_20209_2_0.zip` and rows of `phenotypes.csv`; called again with
    other patients it adds to the folder, with the same ones it writes the same bytes. Without
    `has_stack` an archive holds one slice, as small as the heart's window: 0.6 MB, not 10.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    truth = draw_truth(patients.settings, patients.indices.tolist())
    for row, index in enumerate(patients.indices.tolist()):
        stem = ukb_identifier(index)
        write_bytes(folder / f"{stem}_20205_{_INSTANCE}_0.xml", _format_ecg(patients, truth, row))
        cine = _format_cine(patients, truth, row) if has_stack else _format_slice(patients, row)
        write_bytes(folder / f"{stem}_20209_{_INSTANCE}_0.zip", cine)
    _merge_table(folder / PHENOTYPE_FILE_NAME, _table_rows(patients))


def _format_ecg(patients: SimulatedPatients, truth: PatientTruth, row: int) -> bytes:
    rhythm = patients.rhythm[row]
    has_p_waves = rhythm != "af"
    conduction = patients.conduction[row]
    return format_cardiosoft_xml(
        patients.ecg_mv[row].cpu().numpy(),
        patients.r_peak_samples[row].numpy(),
        EcgDescription(
            identifier=ukb_identifier(int(patients.indices[row])),
            age_years=int(patients.age_years[row]),
            sex=patients.sex[row],
            height_cm=round(float(patients.height_cm[row])),
            weight_kg=round(float(patients.weight_kg[row])),
            pr_ms=round(float(patients.pr_ms[row])) if has_p_waves else None,
            p_ms=round(float(truth.intervals.p_ms[row])) if has_p_waves else None,
            qrs_ms=round(float(patients.qrs_ms[row])),
            qt_ms=round(float(patients.qt_ms[row])),
            beat_classes=_beat_classes(truth, row),
            diagnoses=(
                _RHYTHM_TEXTS[rhythm],
                *_CONDUCTION_TEXTS[conduction],
                "Simulated recording, research use only",
            ),
        ),
    )


def _beat_classes(truth: PatientTruth, row: int) -> tuple[str, ...]:
    rhythm = truth.rhythm
    inside = rhythm.is_inside[row]
    return tuple(
        "V" if is_ventricular else "S" if is_atrial else "N"
        for is_ventricular, is_atrial in zip(
            rhythm.is_ventricular[row][inside].tolist(),
            rhythm.is_atrial_premature[row][inside].tolist(),
            strict=True,
        )
    )


def _format_cine(patients: SimulatedPatients, truth: PatientTruth, row: int) -> bytes:
    settings = patients.settings
    index = int(patients.indices[row])
    stack = render_stack(settings, truth, row, patients.cine[row])
    chance = float(draw_uniforms(settings.seed, [index], Stream.STACK, 4)[0, 3])
    return format_dicom_archive(
        stack.pixels,
        _describe_stack(patients, row),
        inline_contours=_burn_contour(patients, truth, row, stack)
        if chance < INLINE_SHARE
        else None,
    )


def _format_slice(patients: SimulatedPatients, row: int) -> bytes:
    frames = (patients.cine[row].cpu().numpy() * FULL_SCALE).round().clip(0, FULL_SCALE)
    return format_dicom_archive(frames.astype(np.uint16)[None], _describe_stack(patients, row))


def _describe_stack(patients: SimulatedPatients, row: int) -> StackDescription:
    return StackDescription(
        identifier=ukb_identifier(int(patients.indices[row])),
        sex=patients.sex[row],
        age_years=int(patients.age_years[row]),
        pixel_mm=patients.settings.cine.pixel_mm,
        slice_spacing_mm=patients.settings.cine.slice_spacing_mm,
        frame_interval_ms=float(patients.frame_interval_ms[row]),
    )


def _burn_contour(
    patients: SimulatedPatients, truth: PatientTruth, row: int, stack: SimulatedStack
) -> UInt16[Array, "frame height width"]:
    """The middle slice with the cavity's outline drawn into its pixels, as InlineVF does."""
    frames = stack.pixels[stack.middle].copy()
    centre = patients.heart_centre_px[row].numpy() + np.array(stack.window_px)
    rows = np.arange(frames.shape[1])[:, None] - centre[0]
    columns = np.arange(frames.shape[2])[None] - centre[1]
    distance_px = np.hypot(rows, columns)
    radius_mm = truth.geometry.endocardial_radius_mm[row]
    radius_px = radius_mm.roll(int(truth.phase_shift_frames[row])).numpy()
    radius_px = radius_px / patients.settings.cine.pixel_mm
    frames[np.abs(distance_px[None] - radius_px[:, None, None]) < 0.6] = FULL_SCALE
    return frames


def _table_rows(patients: SimulatedPatients) -> dict[str, list[str]]:
    rows = {}
    for row, index in enumerate(patients.indices.tolist()):
        identifier = ukb_identifier(index)
        covariates = (
            f"{float(patients.height_cm[row]):.1f}",
            f"{float(patients.systolic_bp_mmhg[row]):.0f}",
            f"{float(patients.bmi_kg_m2[row]):.4f}",
            f"{float(patients.weight_kg[row]):.1f}",
            f"{float(patients.age_years[row]):.0f}",
        )
        sex = "1" if patients.sex[row] == "M" else "0"
        values = [f"{value:.4f}" for value in patients.phenotypes[row].tolist()]
        rows[identifier] = [identifier, sex, *covariates, *values]
    return rows


def _merge_table(path: Path, rows: dict[str, list[str]]) -> None:
    merged = _read_table(path)
    merged.update(rows)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows(merged[identifier] for identifier in sorted(merged))
    write_text(path, text.getvalue())


def _read_table(path: Path) -> dict[str, list[str]]:
    """Rows of the table by identifier; none when there is no table."""
    if not path.exists():
        return {}
    with path.open(newline="", encoding="utf-8") as present:
        lines = csv.reader(present)
        next(lines, None)
        return {line[0]: line for line in lines if line}
