"""One door for every ECG file: the format by content, then that format's reader."""

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from ptacl_core.errors import MissingUnitError
from ptacl_core.io.ecg.detection import EcgFormat, detect_ecg_format, find_wfdb_header
from ptacl_core.io.ecg.hints import EcgHints
from ptacl_core.records import EcgRecord, Finding

_READERS: dict[EcgFormat, tuple[str, str]] = {
    "wfdb": ("wfdb.read", "read_wfdb"),
    "dicom": ("dicom.read", "read_dicom_ecg"),
    "cardiosoft_xml": ("xml.cardiosoft", "read_cardiosoft_xml"),
    "muse_xml": ("xml.muse", "read_muse_xml"),
    "philips_xml": ("xml.philips", "read_philips_xml"),
    "hl7_aecg": ("xml.aecg", "read_hl7_aecg"),
    "scp": ("scp.read", "read_scp_ecg"),
    "edf": ("edf.read", "read_edf_ecg"),
    "csv": ("arrays.table", "read_csv_ecg"),
    "parquet": ("arrays.parquet", "read_parquet_ecg"),
    "npy": ("arrays.array_files", "read_npy_ecg"),
    "npz": ("arrays.array_files", "read_npz_ecg"),
    "hdf5": ("arrays.hdf5", "read_hdf5_ecg"),
    "matlab": ("arrays.matlab", "read_matlab_ecg"),
    "ishne": ("binary.ishne", "read_ishne_ecg"),
    "mfer": ("binary.mfer", "read_mfer_ecg"),
    "schiller_xml": ("xml.carts", "read_schiller_xml"),
    "eli_xml": ("xml.carts", "read_eli_xml"),
    "ge_mac_xml": ("xml.carts", "read_ge_mac_xml"),
}
_NAMELESS_FORMATS = {"csv", "parquet", "npy", "npz", "hdf5", "matlab"}


def read_ecg(path: str | Path, **hints: Any) -> EcgRecord:
    """The 12-lead ECG in the file `path`: float32 millivolts, I … V6, as stored in time.

    The format is found by content. A WFDB record may be named by its stem, `.hea`, `.dat` or
    `.mat`. Nothing is filtered or resampled; what was derived, cut, missing or looks wrong is
    in `findings`. Median beats are never returned.

    Args:
        path: The file.
        **hints: What nameless arrays and tables lack, by keyword: `lead_names` (in stored
            order), `unit` ("mV", "uV", "4.88 uV" per step), `sampling_rate_hz`, `record_index`
            (of a batch, from 0), `array_name` (in NPZ or HDF5), `lead_axis`. The same keys may
            stand in `<file>.json` or `<stem>.json` beside it. What the file itself states wins.

    Findings, by code: `derived_leads` `tail_cut` `padding_cut` `ignored_channels` `further_leads`
    `several_recordings` `decimated` `time_unit_inferred` (info); `lead_off` `missing_samples`
    `gap_cut` `out_of_range` `repeated_leads` `einthoven_mismatch` `checksum_mismatch`
    `uncalibrated` `channel_skew` `sampling_rate_suspect` `unverified_version` `hint_differs`
    (warning); `no_signal` `unit_implausible` (reject).

    Raises:
        UnreadableFileError: missing, empty, cut short or damaged.
        UnsupportedFormatError: another kind of file, or a variant without 12 simultaneous leads.
        MissingUnitError: unit, sampling rate or lead order neither in the file nor given.
        ConfigError: an unknown hint, or a hint of the wrong kind.
    """
    source = Path(path)
    given = EcgHints.from_mapping(hints, where="read_ecg")
    detected = detect_ecg_format(source)
    if detected == "wfdb":
        source = find_wfdb_header(source) or source
    module, function = _READERS[detected]
    reader: Callable[[Path, EcgHints], EcgRecord] = getattr(
        import_module(f"ptacl_core.io.ecg.{module}"), function
    )
    record = _read(reader, source, given, is_nameless=detected in _NAMELESS_FORMATS)
    stated_hz = record.sampling_rate_hz
    if given.sampling_rate_hz is None or abs(given.sampling_rate_hz - stated_hz) < 1e-6 * stated_hz:
        return record
    differs = Finding(
        "hint_differs",
        "warning",
        f"sampling_rate_hz={given.sampling_rate_hz:g} was given, the file states {stated_hz:g} Hz, "
        "which was taken",
    )
    return replace(record, findings=(*record.findings, differs))


def _read(
    reader: Callable[[Path, EcgHints], EcgRecord],
    source: Path,
    given: EcgHints,
    *,
    is_nameless: bool,
) -> EcgRecord:
    """Read with the sidecar's hints: at once for arrays, else only when a fact is missing."""
    if is_nameless:
        return reader(source, given.completed_by_sidecar(source))
    try:
        return reader(source, given)
    except MissingUnitError:
        completed = given.completed_by_sidecar(source)
        if completed == given:
            raise
    return reader(source, completed)
