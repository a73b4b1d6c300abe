"""A doctor's report as lines of text."""

from collections.abc import Mapping, Sequence

from ptacl_core.cli.output import RESEARCH_USE, print_line
from ptacl_core.documents.doctor import (
    CineReport,
    EcgReport,
    EnvironmentReport,
    FigureSource,
    FileReport,
    OpinionRow,
    PairsReport,
    PhenotypeReport,
    RecordingReport,
    SourceReport,
)
from ptacl_core.records import FIGURE_UNITS
from ptacl_core.safety.text.printable import clean_text

_SOURCES: tuple[FigureSource, ...] = ("ptacl", "neurokit2", "device")
_FIGURE_LABELS = {
    "heart_rate_bpm": "heart rate",
    "pr_ms": "PR",
    "qrs_ms": "QRS",
    "qt_ms": "QT",
    "qtc_ms": "QTc Bazett",
    "axis_deg": "QRS axis",
}


def print_report(report: FileReport | EnvironmentReport) -> None:
    """The report in the form of its kind, one fact a line."""
    for line in _describe(report):
        print_line(clean_text(line, max_length=1000))


def _describe(report: FileReport | EnvironmentReport) -> list[str]:
    match report:
        case EnvironmentReport():
            return _environment_lines(report)
        case EcgReport():
            return _ecg_lines(report)
        case CineReport():
            return _cine_lines(report)
        case PhenotypeReport():
            return _phenotype_lines(report)
        case PairsReport():
            return _pairs_lines(report)
        case SourceReport():
            return _source_lines(report)
        case _:
            raise TypeError(f"expected a report that doctor makes, got {type(report).__name__}")


def _ecg_lines(report: EcgReport) -> list[str]:
    lines = [
        f"{report.file}: ECG, {report.format}",
        f"  {len(report.leads)} leads × {report.samples} samples at "
        f"{report.sampling_rate_hz:g} Hz: {report.duration_s:.2f} s, read as mV",
        f"  voltage from lowest to highest, mV: {_ranges(report.range_mv)}",
        *_finding_lines(report),
    ]
    peaks, rate = report.r_peaks_s, report.heart_rate_bpm
    if peaks:
        lines.append(f"  R peaks: {len(peaks)}, at {', '.join(f'{t:.2f}' for t in peaks)} s")
    if report.opinions:
        lines += _opinion_lines(report.opinions)
    else:
        lines.append("  measured: nothing" if rate is None else f"  measured: {rate:.0f} bpm")
    lines += [f"  {statement.text} ({statement.criterion})" for statement in report.statements]
    lines += [f"  the device says: {text}" for text in report.device.statements]
    return [*lines, _verdict(report), f"  {RESEARCH_USE}"]


def _opinion_lines(opinions: Sequence[OpinionRow]) -> list[str]:
    """Ours, neurokit2's and the device's figures in columns; * marks disagreement with ours."""
    lines = [f"  {'':<12}{'PTACL':>8}{'neurokit2':>12}{'device':>10}   disagree beyond"]
    for row in opinions:
        unit = FIGURE_UNITS[row.figure].replace("deg", "°")
        name = _FIGURE_LABELS[row.figure]
        cells = [
            ("–" if (value := row.of(source)) is None else f"{value:.0f}")
            + ("*" if source in row.disagrees_with else " ")
            for source in _SOURCES
        ]
        lines.append(
            f"  {name:<12}{cells[0]:>8}{cells[1]:>12}{cells[2]:>10}   {row.limit:.0f} {unit}"
        )
    return lines


def _cine_lines(report: CineReport) -> list[str]:
    spacing = " × ".join(f"{value:.2f}" for value in report.spacing_mm)
    row, column = report.centre_px
    interval, cycle = report.frame_interval_ms, report.cycle_ms
    timing = "not stated" if interval is None else f"{interval:.1f} ms a frame, {cycle:.0f} ms"
    return [
        f"{report.file}: short-axis cine, {report.format}",
        f"  {report.slices} slices × {report.frames} frames × {report.height_px} × "
        f"{report.width_px} pixels, spacing {spacing} mm (slice, row, column)",
        f"  time: {timing}; segmentation: {'yes' if report.has_segmentation else 'none'}",
        f"  slice {report.slice_index} (from 0) is used, heart centre at row {row:.1f}, "
        f"column {column:.1f}",
        *_finding_lines(report),
        _verdict(report),
    ]


def _phenotype_lines(report: PhenotypeReport) -> list[str]:
    visits = ", ".join(visit or "(none)" for visit in report.visits)
    lines = [
        f"{report.file}: phenotype table, {report.rows} rows of {report.patients} "
        f"patients, visits {visits}",
        f"  {len(report.columns)} columns used, {report.columns_not_used} others",
    ]
    for column in report.columns:
        factor = column.factor
        scaled = "" if factor in (None, 1.0) else f", × {factor:g}"
        visit = "" if column.visit is None else f" at visit {column.visit}"
        name = column.column or "(no name)"
        lines.append(f"    {name} → {column.means}{visit}{scaled}")
    for name, value in report.phenotypes.items():
        lines.append(f"  {name}: {value.values} values, median {value.median:.1f}")
    return lines + _finding_lines(report)


def _pairs_lines(report: PairsReport) -> list[str]:
    return [
        f"{report.file}: list of pairs, {report.rows} visits, {report.pairs} with both",
        f"  {report.files} files named, {report.files_missing} of them not there",
    ]


def _source_lines(report: SourceReport) -> list[str]:
    lines = [
        f"{report.file}: {sum(report.ecg.values())} ECG and {sum(report.cmr.values())} "
        f"CMR of {report.patients} patients, {report.pairs} of "
        f"{report.visits} visits with both",
    ]
    for modality, formats in (("ecg", report.ecg), ("cmr", report.cmr)):
        if formats:
            counts = ", ".join(f"{n} {name}" for name, n in formats.items())
            lines.append(f"  {modality.upper()}: {counts}")
    if report.nobody:
        lines.append(
            f"  {report.nobody} are left out, since it is not known whose they are "
            "(`ptacl preprocess SOURCE --plan plan.csv` lists them)"
        )
    lines.append(f"  phenotype tables: {report.phenotype_tables}")
    if report.pairs_files:
        lines.append(f"  lists of pairs: {report.pairs_files} (give one with --pairs)")
    return lines + [f"  left out: {count} × {reason}" for reason, count in report.left_out.items()]


def _environment_lines(report: EnvironmentReport) -> list[str]:
    compute, folders = report.compute, report.folders
    gpus = ", ".join(compute.gpus) or "no GPU"
    keys = folders.keys
    state = f"mode {keys.mode}" if keys.exists else "made by the first import"
    memory = "?" if compute.memory_gib is None else f"{compute.memory_gib:g}"
    return [
        f"ptacl {report.ptacl}, Python {report.python}, {report.system}",
        "  packages: "
        + ", ".join(f"{name} {v or 'MISSING'}" for name, v in report.packages.items()),
        f"  compute: {compute.device or 'no torch'} ({gpus}), {compute.cores} cores, "
        f"{memory} GiB of memory",
        *(
            f"  {name} folder: {folder.path}, "
            f"{'writable' if folder.writable else 'NOT writable'}, {folder.free_gib:g} GiB free"
            for name, folder in (("current", folders.current), ("temporary", folders.temporary))
        ),
        f"  keys folder: {keys.path}, {state}",
        *(
            f"  extra {name}: {'present' if extra.present else 'absent'} ({extra.purpose})"
            for name, extra in report.extras.items()
        ),
        "  compressed DICOM: "
        + ", ".join(f"{name} {'yes' if v else 'no'}" for name, v in report.dicom_decoders.items()),
        *(f"  problem: {problem}" for problem in report.problems),
        f"  {len(report.problems)} problems" if report.problems else "  no problems",
    ]


def _finding_lines(report: RecordingReport | PhenotypeReport) -> list[str]:
    lines = []
    for finding in report.findings:
        leads = f" [{', '.join(finding.leads)}]" if finding.leads else ""
        lines.append(f"  {finding.severity}: {finding.message}{leads} ({finding.code})")
    return lines or ["  no findings"]


def _verdict(report: RecordingReport) -> str:
    if report.accepted:
        return "  verdict: accepted"
    return f"  verdict: left out ({', '.join(report.rejections)})"


def _ranges(ranges: Mapping[str, tuple[float | None, float | None]]) -> str:
    return ", ".join(
        f"{lead} -" if low is None or high is None else f"{lead} {low:.2f}…{high:.2f}"
        for lead, (low, high) in ranges.items()
    )
