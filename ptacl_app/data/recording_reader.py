"""The ECG and the cine of one visit, out of the cohort's shards; used by `cohort_reader` only."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ptacl_app.data.ecg_marks import find_marks
from ptacl_app.data.patient_view import CineView, EcgView
from ptacl_app.drawing.cine_raster import estimate_end_systole
from ptacl_app.drawing.ecg_page import SAMPLING_RATE_HZ
from ptacl_app.drawing.trace import Trace
from ptacl_app.text.formatting import safe
from ptacl_core.arrays import Array, Int64
from ptacl_core.errors import ShardError
from ptacl_core.records import LEAD_NAMES, Finding
from ptacl_core.shards import ShardReader

MAX_MV = 50.0
"""No electrode on the skin sees more: beyond it the array is damaged, not the heart."""
NO_RAW = "the cohort keeps the denoised ECG; the file that it was read from is not here"
MEASUREMENT_NAMES = ("pr_ms", "qrs_ms", "qt_ms", "qtc_ms", "axis_deg")


class RecordingReader:
    """Shards are opened at the first visit asked for, and anew after `close`."""

    def __init__(self, cohort_dir: Path) -> None:
        self._cohort_dir = cohort_dir
        self._guard = threading.Lock()
        self._shards: ShardReader | None = None
        self._shard_rows: dict[tuple[str, int], int] = {}

    def close(self) -> None:
        """Close the shards."""
        with self._guard:
            if self._shards is not None:
                self._shards.close()
                self._shards = None

    def load(self, row: Mapping[str, Any]) -> tuple[EcgView | None, CineView | None, list[Finding]]:
        """ECG and cine of a row of the overview; what cannot be read is a finding."""
        if not (row["has_ecg"] or row["has_cmr"]):
            return None, None, []
        try:
            shards, position = self._find_row(row["patient"], int(row["visit"]))
        except (ShardError, OSError) as error:
            return None, None, [_fault("shards_unreadable", error)]
        if position is None:
            missing = ShardError("no arrays of this visit in shards/; run `ptacl verify`")
            return None, None, [_fault("arrays_missing", missing)]
        faults: list[Finding] = []
        ecg, cine = None, None
        rows = np.array([position], np.int64)
        if row["has_ecg"]:
            try:
                ecg = _build_ecg(shards, rows, row)
            except (ShardError, OSError) as error:
                faults.append(_fault("ecg_unreadable", error))
        if row["has_cmr"]:
            try:
                cine = _build_cine(shards, rows)
            except (ShardError, OSError) as error:
                faults.append(_fault("cine_unreadable", error))
        return ecg, cine, faults

    def read_file_hash(self, patient: str, visit: int) -> str:
        """SHA-256 of the file that an ECG was read from; empty where the shards do not say.

        The store has it keyed, so that only who reads the recordings can compare it with files.
        """
        try:
            shards, position = self._find_row(patient, visit)
        except (ShardError, OSError):
            return ""  # the patient's findings say what is wrong with the shards
        if position is None:
            return ""
        return str(shards.table.column("ecg_sha256")[position].as_py() or "")

    def _find_row(self, patient: str, visit: int) -> tuple[ShardReader, int | None]:
        with self._guard:
            if self._shards is None:
                shards = ShardReader.open(self._cohort_dir)
                keys = zip(
                    shards.patients,
                    (int(visit_number) for visit_number in shards.visits),
                    strict=True,
                )
                self._shard_rows = {key: number for number, key in enumerate(keys)}
                self._shards = shards
            return self._shards, self._shard_rows.get((patient, visit))


def _build_ecg(shards: ShardReader, rows: Int64[Array, " row"], row: Mapping[str, Any]) -> EcgView:
    signal_mv = np.ascontiguousarray(shards.read_ecg_mv(rows)[0], np.float32)
    signal_mv.flags.writeable = False
    if not np.isfinite(signal_mv).all() or np.abs(signal_mv).max(initial=0.0) > MAX_MV:
        raise ShardError(
            f"ECG array: expected voltages within ±{MAX_MV:g} mV, got others; it is damaged: "
            "run `ptacl verify`"
        )
    peaks_s = tuple((shards.r_peaks(rows)[0] / SAMPLING_RATE_HZ).tolist())
    return EcgView(
        signal_mv=signal_mv,
        r_peak_times_s=peaks_s,
        raw_note=NO_RAW,
        marks=find_marks(Trace(signal_mv, SAMPLING_RATE_HZ, LEAD_NAMES), peaks_s),
        heart_rate_bpm=row["heart_rate_bpm"],
        measurements={name: row[name] for name in MEASUREMENT_NAMES if row[name] is not None},
    )


def _build_cine(shards: ShardReader, rows: Int64[Array, " row"]) -> CineView:
    frames = shards.read_cine_bytes(rows)[0]
    frames.flags.writeable = False
    interval_ms = float(shards.column("frame_interval_ms", rows)[0])
    return CineView(
        frames=frames,
        frame_interval_ms=interval_ms if np.isfinite(interval_ms) and interval_ms > 0 else None,
        end_systole_frame=estimate_end_systole(frames),
    )


def _fault(code: str, error: Exception) -> Finding:
    return Finding(code, "warning", safe(error))
