"""Channels as a reader found them → one EcgRecord: names, units, missing leads, plain checks."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from ptacl_core.arrays import Array, Bool, Float32, Int64
from ptacl_core.errors import UnreadableFileError, UnsupportedFormatError
from ptacl_core.io.ecg.device import assemble_beat
from ptacl_core.io.ecg.leads import (
    check_limb_leads,
    derive_limb_leads,
    find_further_lead,
    find_lead,
    find_missing_leads,
)
from ptacl_core.records import LEAD_NAMES, BeatMarks, EcgRecord, Finding, Person

MAX_DURATION_S = 24 * 3600.0
MAX_LEAD_SAMPLES = 24 * 3600 * 1000
SAMPLING_RATES_HZ = (20.0, 100_000.0)
"""Rates outside are a damaged header or no ECG."""

PLAUSIBLE_PEAK_TO_PEAK_MV = (0.05, 30.0)
"""Median over the leads of an ECG's peak-to-peak voltage; outside it the unit is wrong."""
_MAX_RANGED_SAMPLES = 200_000


@dataclass(frozen=True, slots=True, eq=False)
class Channel:
    """One stored channel: millivolts = (raw - baseline) * scale_mv.

    Samples equal to one of `missing_values`, or outside `valid_range`, are not samples.
    """

    label: str
    raw: Array
    scale_mv: float
    baseline: float = 0.0
    missing_values: tuple[int, ...] = ()
    valid_range: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Simultaneous channels of one file and what the device wrote beside them.

    `name` is the file name as messages show it; `device_beat` the channels of its median beat and
    their rate in Hz.
    """

    name: str
    source_format: str
    sampling_rate_hz: float
    channels: Sequence[Channel]
    findings: Sequence[Finding] = ()
    device_r_peak_samples: Array | None = None
    device_measurements: Mapping[str, float] = field(default_factory=dict)
    device_beat: tuple[Sequence[Channel], float] | None = None
    device_marks: BeatMarks | None = None
    device_statements: tuple[str, ...] = ()
    person: Person = field(default_factory=Person)


def check_extent(name: str, *, num_samples: int, sampling_rate_hz: float) -> None:
    """Refuse an impossible rate and a recording beyond 24 h or 24 h at 1000 Hz.

    Readers call it with the declared figures before they unpack anything. Raises
    UnreadableFileError and UnsupportedFormatError.
    """
    low, high = SAMPLING_RATES_HZ
    if not (math.isfinite(sampling_rate_hz) and low <= sampling_rate_hz <= high):
        raise UnreadableFileError(
            f"{name}: expected a sampling rate of {low:g} to {high:g} Hz, found "
            f"{sampling_rate_hz:g} Hz; the header is damaged, or give sampling_rate_hz="
        )
    if num_samples < 1:
        raise UnreadableFileError(
            f"{name}: expected samples, found {num_samples} per lead; export the recording again"
        )
    duration_s = num_samples / sampling_rate_hz
    if duration_s > MAX_DURATION_S or num_samples > MAX_LEAD_SAMPLES:
        raise UnsupportedFormatError(
            f"{name}: {num_samples} samples per lead at {sampling_rate_hz:g} Hz "
            f"({duration_s / 3600:.1f} h) are more than the 24 h at 1000 Hz that are read; cut out "
            "the part that is wanted"
        )


def require_leads(name: str, labels: Sequence[str]) -> None:
    """Raise UnsupportedFormatError naming the leads that `labels` do not give."""
    present = [lead for label in labels if (lead := find_lead(label)) is not None]
    if missing := find_missing_leads(present):
        raise UnsupportedFormatError(
            f"{name}: expected the 12 standard leads (V1 to V6 and at least two limb leads), "
            f"found {len(set(present))} of them in {len(labels)} channels; missing: "
            f"{', '.join(missing)}; precordial leads cannot be derived"
        )


def assemble_ecg(recording: Recording) -> EcgRecord:
    """The record of `recording`: 12 leads by name in standard order, float32 millivolts.

    Missing limb leads are derived (`derived_leads`). Further findings: `ignored_channels`,
    `further_leads`, `repeated_leads`, `missing_samples`, `out_of_range`, `lead_off`, `no_signal`,
    `unit_implausible`, `einthoven_mismatch`. Raises UnsupportedFormatError (leads missing, too
    long) and UnreadableFileError (lengths differ, no samples, scale that is not a number).
    """
    name = recording.name
    labels = [channel.label for channel in recording.channels]
    require_leads(name, labels)
    findings = list(recording.findings)
    chosen = _choose_channels(recording.channels)
    lengths = sorted({len(channel.raw) for channel in chosen.values()})
    if len(lengths) > 1:
        raise UnreadableFileError(
            f"{name}: expected leads of equal length, found {lengths[0]} to {lengths[-1]} samples; "
            "the file is damaged or its leads are not simultaneous"
        )
    check_extent(name, num_samples=lengths[0], sampling_rate_hz=recording.sampling_rate_hz)

    further = _read_further(recording.channels, length=lengths[0], name=name)
    findings += _describe_others(recording.channels, further)
    signal_mv = np.empty((len(LEAD_NAMES), lengths[0]), dtype=np.float32)
    out_of_range: list[str] = []
    for lead, channel in chosen.items():
        row = signal_mv[LEAD_NAMES.index(lead)]
        if _scale_into(row, channel, name=name, lead=lead):
            out_of_range.append(lead)
    present = {lead: signal_mv[LEAD_NAMES.index(lead)] for lead in chosen}
    derived = derive_limb_leads(present)
    for lead, derived_mv in derived.items():
        signal_mv[LEAD_NAMES.index(lead)] = derived_mv
    if derived:
        sources = " and ".join([lead for lead in LEAD_NAMES[:6] if lead in chosen][:2])
        findings.append(
            Finding(
                "derived_leads",
                "info",
                f"{len(derived)} limb leads were computed from {sources}",
                tuple(derived),
            )
        )
    if out_of_range:
        findings.append(
            Finding(
                "out_of_range",
                "warning",
                "samples at or beyond the device's limits were set to missing",
                tuple(out_of_range),
            )
        )
    findings.extend(check_signal(signal_mv))
    beat = recording.device_beat
    beat_mv = assemble_beat(None if beat is None else beat[0], findings)
    return EcgRecord(
        signal_mv=signal_mv,
        sampling_rate_hz=float(recording.sampling_rate_hz),
        source_format=recording.source_format,
        findings=tuple(findings),
        device_r_peak_samples=_clean_peaks(recording.device_r_peak_samples, lengths[0]),
        device_measurements=MappingProxyType(dict(recording.device_measurements)),
        device_beat_mv=beat_mv,
        device_beat_rate_hz=None if beat is None or beat_mv is None else float(beat[1]),
        device_marks=recording.device_marks,
        device_statements=recording.device_statements,
        person=recording.person,
        further_mv=np.stack(list(further.values())) if further else None,
        further_lead_names=tuple(further),
    )


def check_signal(signal_mv: Float32[Array, "12 sample"]) -> list[Finding]:
    """Findings that the samples alone show: missing, constant, wrong unit, wrong lead order."""
    findings: list[Finding] = []
    num_samples = signal_mv.shape[1]
    num_missing = np.array([np.count_nonzero(np.isnan(lead)) for lead in signal_mv])
    if num_missing.any():
        findings.append(
            Finding(
                "missing_samples",
                "warning",
                f"{int(num_missing.max())} of {num_samples} samples are missing in the worst lead",
                _named(num_missing > 0),
            )
        )
    is_constant = np.array([_is_constant(lead) for lead in signal_mv])
    if is_constant.all():
        findings.append(Finding("no_signal", "reject", "every lead is constant or empty"))
        return findings
    if is_constant.any():
        findings.append(
            Finding(
                "lead_off",
                "warning",
                "constant over the whole recording: no electrode contact or not recorded",
                _named(is_constant),
            )
        )
    median_mv = float(np.median([_peak_to_peak(lead) for lead in signal_mv[~is_constant]]))
    low, high = PLAUSIBLE_PEAK_TO_PEAK_MV
    if not low <= median_mv <= high:
        findings.append(
            Finding(
                "unit_implausible",
                "reject",
                f"the leads' median peak-to-peak voltage is {median_mv:.4g} mV, an ECG has {low:g} "
                f"to {high:g} mV: the unit or the scale is wrong",
            )
        )
    if (mismatch := check_limb_leads(signal_mv)) is not None:
        findings.append(mismatch)
    return findings


def _choose_channels(channels: Sequence[Channel]) -> dict[str, Channel]:
    """The first channel of each of the twelve leads."""
    chosen: dict[str, Channel] = {}
    for channel in channels:
        lead = find_lead(channel.label)
        if lead is not None:
            chosen.setdefault(lead, channel)
    return chosen


def _read_further(
    channels: Sequence[Channel], *, length: int, name: str
) -> dict[str, Float32[Array, " sample"]]:
    """Leads beside the twelve that were recorded with them, in mV; a damaged one is left out."""
    further: dict[str, Array] = {}
    for channel in channels:
        lead = find_further_lead(channel.label)
        if lead is None or lead in further or len(channel.raw) != length:
            continue
        row = np.empty(length, np.float32)
        try:
            _scale_into(row, channel, name=name, lead=lead)
        except UnreadableFileError:
            continue  # the twelve leads are not worse for it; it counts as ignored
        further[lead] = row
    return further


def _describe_others(channels: Sequence[Channel], further: Collection[str]) -> list[Finding]:
    """What became of the channels that are not one of the twelve leads, or one of them again."""
    leads = [lead for channel in channels if (lead := find_lead(channel.label)) is not None]
    findings = []
    num_ignored = len(channels) - len(leads) - len(further)
    if num_ignored:
        findings.append(
            Finding(
                "ignored_channels",
                "info",
                f"{num_ignored} channels beside the 12 leads were left out",
            )
        )
    if further:
        names = ", ".join(further)
        message = f"{names} are there to look at; nothing is computed from them"
        findings.append(Finding("further_leads", "info", message))
    repeated = [lead for number, lead in enumerate(leads) if lead in leads[:number]]
    if repeated:
        findings.append(
            Finding(
                "repeated_leads",
                "warning",
                "the file names a lead more than once; the first was taken",
                tuple(dict.fromkeys(repeated)),
            )
        )
    return findings


def _scale_into(row: Float32[Array, " sample"], channel: Channel, *, name: str, lead: str) -> bool:
    """Fill `row` with millivolts; True when samples lay outside the channel's valid range."""
    if not (math.isfinite(channel.scale_mv) and math.isfinite(channel.baseline)):
        raise UnreadableFileError(
            f"{name}: the scale of lead {lead} is not a number; the header is damaged"
        )
    if channel.scale_mv == 0.0:
        raise UnreadableFileError(
            f"{name}: the scale of lead {lead} is 0 mV per step; the header is damaged"
        )
    missing, is_out_of_range = _find_missing(channel)
    with np.errstate(over="ignore", invalid="ignore"):
        millivolts = channel.raw.astype(np.float64)
        if channel.baseline:
            millivolts -= channel.baseline
        millivolts *= channel.scale_mv
        row[:] = millivolts
    if missing is not None:
        row[missing] = np.nan
    if not np.isfinite(row).all() and np.isinf(row).any():
        raise UnreadableFileError(
            f"{name}: lead {lead} exceeds every voltage (its scale is {channel.scale_mv:.3g} mV "
            "per step); the header is damaged"
        )
    return is_out_of_range


def _find_missing(channel: Channel) -> tuple[Bool[Array, " sample"] | None, bool]:
    """Mask of samples that are none (None: all are samples), and whether a limit was crossed."""
    raw = channel.raw
    masks = [raw == value for value in channel.missing_values]
    is_out_of_range = False
    if raw.dtype.kind == "f":
        masks.append(~np.isfinite(raw))
    if channel.valid_range is not None:
        low, high = channel.valid_range
        outside = (raw < low) | (raw > high)
        is_out_of_range = bool(outside.any())
        masks.append(outside)
    if not masks:
        return None, False
    missing = masks[0]
    for mask in masks[1:]:
        missing = missing | mask
    return missing, is_out_of_range


def _is_constant(lead_mv: Float32[Array, " sample"]) -> bool:
    """True also when no sample is there at all."""
    present = lead_mv[~np.isnan(lead_mv)]
    return len(present) == 0 or bool(present.max() == present.min())


def _peak_to_peak(lead_mv: Float32[Array, " sample"]) -> float:
    """Range between the 0.5th and the 99.5th percentile: a lone artefact is not a wrong unit."""
    thinned = lead_mv[:: len(lead_mv) // _MAX_RANGED_SAMPLES + 1]
    low, high = np.nanpercentile(thinned, (0.5, 99.5)) if not np.isnan(thinned).all() else (0, 0)
    return float(high - low)


def _named(mask: Bool[Array, "12"]) -> tuple[str, ...]:
    return tuple(lead for lead, is_named in zip(LEAD_NAMES, mask, strict=True) if is_named)


def _clean_peaks(peaks: Array | None, num_samples: int) -> Int64[Array, " beat"] | None:
    if peaks is None or len(peaks) == 0:
        return None
    inside = np.unique(np.asarray(peaks, dtype=np.int64))
    inside = inside[(inside >= 0) & (inside < num_samples)]
    return inside if len(inside) else None
