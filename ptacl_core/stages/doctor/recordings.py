"""Reports on single files: an ECG, a cine, a phenotype table, a list of pairs; no identifiers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ptacl_core.documents.doctor import (
    CineReport,
    ColumnMeaning,
    DeviceFacts,
    EcgReport,
    PairsReport,
    PhenotypeReport,
    ValueSummary,
)
from ptacl_core.documents.ecg_figures import FindingPart, MarksPart, StatementPart
from ptacl_core.ingest.pairs import read_pair_rows
from ptacl_core.io import read_cine, read_ecg, read_phenotypes
from ptacl_core.io.files.delimited_columns import open_delimited
from ptacl_core.io.phenotypes.columns import find_meaning
from ptacl_core.preprocess import analyse_ecg, prepare_cine, prepare_ecg
from ptacl_core.preprocess.measurements import compare_opinions
from ptacl_core.preprocess.measurements.second_opinion import ask_neurokit
from ptacl_core.records import PHENOTYPE_NAMES, Finding
from ptacl_core.safety.text.printable import clean_text

_MAX_COLUMNS_SHOWN = 60


def describe_ecg(path: Path, hints: Mapping[str, Any] | None = None) -> EcgReport:
    """An ECG as read, what preprocessing says of it, and its clinical figures.

    `range_mv` is the least and greatest voltage of each lead as stored, `r_peaks_s` the beats
    found in the first ten seconds; a rejected recording has no beats and no figures. `opinions`
    sets our figures beside neurokit2's and the device's. Raises RecordError when it cannot be read.
    """
    record = read_ecg(path, **(hints or {}))
    prepared = prepare_ecg(record)
    analysis = analyse_ecg(prepared, record)
    second = ask_neurokit(prepared, record)
    with np.errstate(all="ignore"):
        is_known = np.isfinite(record.signal_mv)
        lowest = np.where(is_known, record.signal_mv, np.inf).min(axis=1)
        highest = np.where(is_known, record.signal_mv, -np.inf).max(axis=1)
    device_peaks = record.device_r_peak_samples
    return EcgReport(
        format=record.source_format,
        leads=record.lead_names,
        sampling_rate_hz=float(record.sampling_rate_hz),
        samples=int(record.signal_mv.shape[1]),
        duration_s=record.duration_s,
        range_mv={
            lead: (float(lowest[index]), float(highest[index]))
            for index, lead in enumerate(record.lead_names)
        },
        accepted=prepared.is_accepted,
        findings=_unique((*prepared.findings, *analysis.findings)),
        r_peaks_s=tuple((prepared.r_peak_samples / 500.0).round(3).tolist()),
        heart_rate_bpm=prepared.heart_rate_bpm,
        measurements={k: v for k, v in analysis.figures.items() if k != "heart_rate_bpm"},
        opinions=tuple(compare_opinions(analysis.figures, second, record.device_measurements)),
        leads_mv=analysis.leads_as_dict(),
        statements=tuple(
            StatementPart.model_validate(statement.as_dict()) for statement in analysis.statements
        ),
        marks=MarksPart.model_validate(analysis.marks_as_dict()),
        device=DeviceFacts(
            r_peaks=None if device_peaks is None else len(device_peaks),
            measurements=dict(record.device_measurements),
            statements=tuple(record.device_statements),
            has_representative_beat=record.device_beat_mv is not None,
        ),
    )


def describe_cine(path: Path, hints: Mapping[str, Any] | None = None) -> CineReport:
    """A cine stack as read, the slice and the heart centre that preprocessing chooses.

    `centre_px` is (row, column) in the source image. Raises RecordError when it cannot be read.
    """
    record = read_cine(path, **(hints or {}))
    prepared = prepare_cine(record)
    num_slices, num_frames, height, width = record.frames.shape
    times_ms = record.frame_times_ms
    is_timed = len(times_ms) > 1 and bool(np.isfinite(times_ms).all())
    interval_ms = float(np.median(np.diff(times_ms))) if is_timed else None
    return CineReport(
        format=record.source_format,
        slices=num_slices,
        frames=num_frames,
        height_px=height,
        width_px=width,
        spacing_mm=tuple(float(value) for value in record.spacing_mm),
        frame_interval_ms=interval_ms,
        cycle_ms=None if interval_ms is None else interval_ms * num_frames,
        frame_times_ms=tuple(times_ms.tolist()) if is_timed else None,
        has_segmentation=record.segmentation is not None,
        accepted=prepared.is_accepted,
        slice_index=prepared.slice_index,
        centre_px=prepared.centre_px,
        findings=_unique(prepared.findings),
    )


def describe_phenotypes(path: Path) -> PhenotypeReport:
    """A phenotype table: which columns were understood as what, how many values, what is odd.

    Raises RecordError for a table that cannot be used.
    """
    columns = open_delimited(path).columns
    known = tuple(
        ColumnMeaning(
            column=clean_text(column, max_length=60),
            means=meaning.quantity,
            visit=meaning.instance,
            factor=meaning.factor,
        )
        for column in columns
        if (meaning := find_meaning(column)) is not None
    )
    table = read_phenotypes(path)
    values = {name: getattr(table, name) for name in PHENOTYPE_NAMES}
    return PhenotypeReport(
        rows=len(table),
        patients=len(set(table.subject.tolist())),
        visits=tuple(sorted({str(visit) for visit in table.visit})),
        columns=known[:_MAX_COLUMNS_SHOWN],
        columns_not_used=len(columns) - len(known),
        phenotypes={
            name: ValueSummary(
                values=int(is_known.sum()), median=float(np.median(column[is_known]))
            )
            for name, column in values.items()
            if (is_known := np.isfinite(column)).any()
        },
        findings=_unique(table.findings),
    )


def describe_pairs(path: Path) -> PairsReport:
    """A list of pairs: its rows, and how many of the files it names lie beside it.

    Raises RecordError for a list that cannot be used.
    """
    rows = read_pair_rows(path)
    files = [path.parent / cell for row in rows for cell in (row.ecg, row.cmr) if cell]
    return PairsReport(
        rows=len(rows),
        pairs=sum(bool(row.ecg and row.cmr) for row in rows),
        files=len(files),
        files_missing=sum(not file.exists() for file in files),
    )


def _unique(findings: tuple[Finding, ...]) -> tuple[FindingPart, ...]:
    return tuple(
        FindingPart.model_validate(finding.as_dict()) for finding in dict.fromkeys(findings)
    )
