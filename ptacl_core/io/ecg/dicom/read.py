"""DICOM waveforms: the original 12-lead rhythm among the multiplex groups of one object."""

import logging
from pathlib import Path
from typing import Any

import numpy as np

from ptacl_core.arrays import Array
from ptacl_core.errors import (
    MissingUnitError,
    PtaclError,
    UnreadableFileError,
    UnsupportedFormatError,
)
from ptacl_core.io.ecg.assembly import Channel, Recording, assemble_ecg, check_extent
from ptacl_core.io.ecg.device import unreadable_beat
from ptacl_core.io.ecg.dicom.annotations import read_device_figures, read_device_statements
from ptacl_core.io.ecg.hints import EcgHints
from ptacl_core.io.ecg.leads import LEAD_CODES, find_lead, find_missing_leads
from ptacl_core.io.ecg.person_facts import dicom_person
from ptacl_core.io.ecg.voltage import read_millivolts
from ptacl_core.io.files.bounded_file import check_file, shown_name
from ptacl_core.io.files.library_faults import library_faults
from ptacl_core.records import EcgRecord, Finding

_WHOLE_RECORDING_S = 8.0
_DEFLATED = "1.2.840.10008.1.2.1.99"
_WAVEFORM_STORAGE = "1.2.840.10008.5.1.4.1.1.9."
_ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"
_SAMPLE_TYPES = {
    ("SB", 8): "i1",
    ("UB", 8): "u1",
    ("SS", 16): "i2",
    ("US", 16): "u2",
    ("SL", 32): "i4",
    ("UL", 32): "u4",
}
_LEAD_CODES_BY_TEXT = {
    f"{prefix}{number}": lead
    for number, lead in LEAD_CODES.items()
    for prefix in ("5.6.3-9-", "2:")
} | {str(0x20000 + number): lead for number, lead in LEAD_CODES.items()}
"""Codes of SCP-ECG and MDC, the latter also as one 32-bit number."""


def read_dicom_ecg(path: Path, hints: EcgHints) -> EcgRecord:
    """The longest original multiplex group of `path` that gives 12 leads.

    Original groups that begin together and together give 12 leads are joined (`groups_joined`).
    A median beat (a DERIVED group) is kept beside the rhythm. The padding value, and the lowest
    value of the sample type, become missing samples before scaling. Raises
    UnsupportedFormatError for deflated objects, objects without waveforms (pictures, PDF), groups
    of leads that are not simultaneous and companded samples; MissingUnitError for channels without
    a voltage unit; UnreadableFileError for damage.
    """
    name = shown_name(path)
    dataset = _read_dataset(path, name)
    with library_faults(name, "DICOM waveform object"):
        groups = [_Group(item, name) for item in dataset.WaveformSequence]
        little_endian = bool(getattr(dataset, "original_encoding", (False, True))[1])
        joined = _find_simultaneous(groups)
        index, findings = (joined[0], []) if joined else _choose_group(groups, name)
        group = groups[index]
        channels: list[Channel] = []
        for at in joined or [index]:
            channels += groups[at].read_channels(hints, is_little_endian=little_endian)
            findings += groups[at].skew_findings()
        if joined:
            message = f"{len(joined)} groups of {group.duration_s:.1f} s that begin together"
            findings.append(Finding("groups_joined", "info", message))
        peaks, measurements = read_device_figures(dataset, group_number=index + 1)
        statements = read_device_statements(dataset)
    return assemble_ecg(
        Recording(
            name,
            "dicom",
            group.rate_hz,
            channels,
            findings,
            peaks,
            measurements,
            device_beat=_read_beat(groups, hints, name, findings, little_endian=little_endian),
            device_statements=statements,
            person=dicom_person(dataset),
        )
    )


def _read_beat(
    groups: "list[_Group]",
    hints: EcgHints,
    name: str,
    findings: list[Finding],
    *,
    little_endian: bool,
) -> tuple[list[Channel], float] | None:
    """The first derived group with 12 leads; without it the rhythm is read all the same."""
    for group in groups:
        if not group.is_derived or find_missing_leads(list(group.leads)):
            continue
        try:
            with library_faults(name, "DICOM median beat"):
                channels = group.read_channels(hints, is_little_endian=little_endian)
        except PtaclError as error:
            findings.append(unreadable_beat(error))
            return None
        return channels, group.rate_hz
    return None


def _read_dataset(path: Path, name: str) -> Any:
    from pydicom import dcmread
    from pydicom.filereader import read_file_meta_info

    logging.getLogger("pydicom").setLevel(logging.CRITICAL)  # its lines quote the file's values
    check_file(path)
    with library_faults(name, "DICOM file"):
        with path.open("rb") as stream:
            has_preamble = stream.read(132)[128:] == b"DICM"
        if has_preamble:
            meta = read_file_meta_info(path)
            if str(meta.get("TransferSyntaxUID", "")) == _DEFLATED:
                raise UnsupportedFormatError(
                    f"{name}: a deflated DICOM object is never unpacked; rewrite it as Explicit VR "
                    "Little Endian"
                )
        dataset = dcmread(path, force=not has_preamble, stop_before_pixels=True)
        if "WaveformSequence" in dataset and len(dataset.WaveformSequence):
            return dataset
        sop_class = str(dataset.get("SOPClassUID", ""))
        sop_class = sop_class or str(dataset.file_meta.get("MediaStorageSOPClassUID", ""))
        modality = str(dataset.get("Modality", ""))
    if sop_class.startswith(_WAVEFORM_STORAGE):
        raise UnreadableFileError(
            f"{name}: the object calls itself a waveform and holds none; it is cut short, copy it "
            "again"
        )
    if sop_class == _ENCAPSULATED_PDF:
        held = "an encapsulated PDF: a picture of an ECG, without samples"
    elif modality in {"MR", "CT", "US", "XA", "CR", "DX"}:
        held = f"an image ({modality})"
    else:
        held = "no waveform sequence, or is cut short before it"
    raise UnsupportedFormatError(
        f"{name}: expected a DICOM waveform, the object holds {held}; export the ECG as a 12-lead "
        "ECG waveform"
    )


class _Group:
    """One multiplex group: its extent, its labels, its samples on demand."""

    def __init__(self, item: Any, name: str) -> None:
        self._item = item
        self._name = name
        self.num_channels = int(item.NumberOfWaveformChannels)
        self.num_samples = int(item.NumberOfWaveformSamples)
        self.rate_hz = float(item.SamplingFrequency)
        self.is_derived = str(item.get("WaveformOriginality", "ORIGINAL")).upper() == "DERIVED"
        label = str(item.get("MultiplexGroupLabel", "")).upper()
        self.is_derived |= "MEDIAN" in label or "REPRESENTATIVE" in label or "AVERAGE" in label
        self._definitions = list(item.get("ChannelDefinitionSequence") or [])
        self.labels = [_find_label(definition) for definition in self._definitions]

    @property
    def time_offset_ms(self) -> float | None:
        stated = self._item.get("MultiplexGroupTimeOffset")
        return None if stated is None else float(stated)

    @property
    def leads(self) -> set[str]:
        return {lead for label in self.labels if (lead := find_lead(label)) is not None}

    @property
    def duration_s(self) -> float:
        return self.num_samples / self.rate_hz if self.rate_hz > 0 else 0.0

    def read_channels(self, hints: EcgHints, *, is_little_endian: bool) -> list[Channel]:
        check_extent(self._name, num_samples=self.num_samples, sampling_rate_hz=self.rate_hz)
        raw = self._raw_samples(is_little_endian=is_little_endian)
        if len(self._definitions) != self.num_channels:
            raise UnreadableFileError(
                f"{self._name}: expected {self.num_channels} channel definitions, found "
                f"{len(self._definitions)}; the object is damaged"
            )
        missing = self._missing_values(raw.dtype)
        return [
            self._to_channel(definition, label, raw[:, column], missing, hints)
            for column, (definition, label) in enumerate(
                zip(self._definitions, self.labels, strict=True)
            )
        ]

    def _raw_samples(self, *, is_little_endian: bool) -> Array:
        kind = str(self._item.WaveformSampleInterpretation).upper()
        bits = int(self._item.WaveformBitsAllocated)
        if (kind, bits) not in _SAMPLE_TYPES:
            raise UnsupportedFormatError(
                f"{self._name}: samples of {bits} bits coded {kind[:2]!r} are not read; export "
                "them as 16-bit signed integers (SS)"
            )
        sample_type = np.dtype(_SAMPLE_TYPES[kind, bits])
        sample_type = sample_type.newbyteorder("<" if is_little_endian else ">")
        data = self._item.WaveformData
        expected = self.num_samples * self.num_channels * sample_type.itemsize
        if not isinstance(data, bytes) or len(data) < expected:
            num_bytes = len(data) if isinstance(data, bytes) else 0
            raise UnreadableFileError(
                f"{self._name}: {self.num_channels} channels of {self.num_samples} samples need "
                f"{expected} bytes of waveform data, found {num_bytes}; the object is cut short"
            )
        samples = np.frombuffer(data, sample_type, self.num_samples * self.num_channels)
        return samples.reshape(self.num_samples, self.num_channels)

    def _missing_values(self, sample_type: Any) -> tuple[int, ...]:
        """The type's lowest value (carts use it whatever they declare) and the padding value.

        A declared padding of 0 is not believed: 0 is a voltage that every ECG has.
        """
        values: set[int] = set()
        if sample_type.kind == "i" and sample_type.itemsize > 1:
            values.add(int(np.iinfo(sample_type).min))
        padding = self._item.get("WaveformPaddingValue")
        if isinstance(padding, bytes) and len(padding) >= sample_type.itemsize:
            values.add(int(np.frombuffer(padding, sample_type, 1)[0]))
        elif isinstance(padding, int):
            values.add(padding)
        return tuple(values - {0})

    def _to_channel(
        self,
        definition: Any,
        label: str,
        raw: Array,
        missing: tuple[int, ...],
        hints: EcgHints,
    ) -> Channel:
        if find_lead(label) is None:
            return Channel(label, raw, 1.0)
        units = definition.get("ChannelSensitivityUnitsSequence")
        unit = str(units[0].get("CodeValue", "")) if units else (hints.unit or "")
        if not unit or "ChannelSensitivity" not in definition:
            raise MissingUnitError(
                f"{self._name}: lead {find_lead(label)} has no "
                f"{'voltage unit' if not unit else 'sensitivity'}; export it again, or give unit= "
                "when only the unit is missing"
            )
        millivolts = read_millivolts(unit, name=self._name, where="the channel's sensitivity unit")
        correction = definition.get("ChannelSensitivityCorrectionFactor")
        step = float(definition.ChannelSensitivity) * float(
            1.0 if correction is None else correction
        )
        offset = float(definition.get("ChannelBaseline") or 0.0)
        return Channel(
            label=label,
            raw=raw,
            scale_mv=step * millivolts,
            baseline=-offset / step if step else 0.0,
            missing_values=missing,
        )

    def skew_findings(self) -> list[Finding]:
        """A warning when channels were sampled one after the other by half a sample or more."""
        skews = []
        for definition in self._definitions:
            samples = float(definition.get("ChannelSampleSkew") or 0.0)
            seconds = float(definition.get("ChannelTimeSkew") or 0.0)
            skews.append(samples or seconds * self.rate_hz)
        spread = max(skews) - min(skews) if skews else 0.0
        if spread < 0.5:
            return []
        return [
            Finding(
                "channel_skew",
                "warning",
                f"the leads were sampled up to {spread:.1f} samples apart; left as stored",
            )
        ]


def _find_label(definition: Any) -> str:
    """The channel's lead: by code (SCP-ECG or MDC numbering), else by the code's meaning."""
    for source in definition.get("ChannelSourceSequence") or []:
        code = str(source.get("CodeValue", ""))
        if code in _LEAD_CODES_BY_TEXT:
            return _LEAD_CODES_BY_TEXT[code]
        return code if find_lead(code) else str(source.get("CodeMeaning", ""))
    return str(definition.get("ChannelLabel", ""))


def _find_simultaneous(groups: list[_Group]) -> list[int] | None:
    """Original groups that are one recording in parts, None when one has all leads or none are.

    They have one rate and length, no lead twice, and begin together: as their time offsets say, or
    without any when each is as long as a whole recording (shorter ones follow each other).
    """
    originals = [index for index, group in enumerate(groups) if not group.is_derived]
    leads = [lead for index in originals for lead in groups[index].leads]
    if len(originals) < 2 or find_missing_leads(leads) or len(set(leads)) < len(leads):
        return None
    extents = {(groups[index].rate_hz, groups[index].num_samples) for index in originals}
    offsets = {groups[index].time_offset_ms for index in originals}
    are_long = groups[originals[0]].duration_s >= _WHOLE_RECORDING_S
    begin_together = len(offsets) == 1 and (None not in offsets or are_long)
    return originals if len(extents) == 1 and begin_together else None


def _choose_group(groups: list[_Group], name: str) -> tuple[int, list[Finding]]:
    originals = [index for index, group in enumerate(groups) if not group.is_derived]
    if not originals:
        raise UnsupportedFormatError(
            f"{name}: only derived waveforms (median beats) are stored; export the rhythm too"
        )
    whole = [index for index in originals if not find_missing_leads(list(groups[index].leads))]
    if not whole:
        together = set().union(*(groups[index].leads for index in originals))
        if not find_missing_leads(list(together)):
            shortest = min(groups[index].duration_s for index in originals)
            raise UnsupportedFormatError(
                f"{name}: the leads are stored in {len(originals)} groups of {shortest:.1f} s, one "
                "after the other; 12 simultaneous leads are needed"
            )
        whole = [max(originals, key=lambda index: len(groups[index].leads))]
    chosen = max(whole, key=lambda index: (groups[index].duration_s, -index))
    findings: list[Finding] = []
    if len(whole) > 1:
        findings.append(
            Finding(
                "several_recordings",
                "info",
                f"{len(whole)} original 12-lead groups are stored; the longest was taken "
                f"({groups[chosen].duration_s:.1f} s)",
            )
        )
    return chosen, findings
