"""What a cart wrote beside the rhythm: its median beat, its marks on it, its statements."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ptacl_core.arrays import Array, Float32
from ptacl_core.errors import PtaclError
from ptacl_core.io.ecg.leads import derive_limb_leads, find_lead, find_missing_leads
from ptacl_core.records import LEAD_NAMES, MARK_NAMES, BeatMarks, Finding
from ptacl_core.records.marks import MARKS_RATE_HZ
from ptacl_core.safety.text.printable import clean_text

if TYPE_CHECKING:
    from ptacl_core.io.ecg.assembly import Channel

_MAX_STATEMENTS = 40
_MAX_LENGTH = 160
_NAMES_A_PERSON = re.compile(
    r"\d{5}|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|confirm|review|referr|physician|technician|"
    r"\b(?:dr|md|m\.d|by)\b",
    re.IGNORECASE,
)
"""Statements with long numbers, dates or people's roles may name someone: they are left out."""

_MAX_BEAT_SAMPLES = 20_000


def clean_statements(texts: Iterable[str]) -> tuple[str, ...]:
    """A cart's statements as single lines, without those that could name a person."""
    kept: dict[str, None] = {}
    for text in texts:
        line = clean_text(" ".join(text.split()), max_length=_MAX_LENGTH)
        if line and not _NAMES_A_PERSON.search(line):
            kept[line] = None
    return tuple(list(kept)[:_MAX_STATEMENTS])


def place_marks(marks_ms: Mapping[str, float | None]) -> BeatMarks | None:
    """Marks on the cart's own beat from times in ms from its first sample; None without QRS.

    The R peak is not among them: it is taken as the middle of the QRS complex. Marks that are not
    in order are damaged or of another meaning, and there are none then.
    """
    known = {
        name: round(value * MARKS_RATE_HZ / 1000.0)
        for name in MARK_NAMES
        if (value := marks_ms.get(name)) is not None and 0.0 <= value < 10_000.0
    }
    if "qrs_onset" not in known or "qrs_offset" not in known:
        return None
    places = [known[name] for name in MARK_NAMES if name in known]
    if places != sorted(places) or known["qrs_onset"] == known["qrs_offset"]:
        return None
    return BeatMarks(r_peak=(known["qrs_onset"] + known["qrs_offset"]) // 2, **known)


def assemble_beat(
    channels: "Sequence[Channel] | None", findings: list[Finding]
) -> Float32[Array, "12 beat_sample"] | None:
    """The cart's median beat in mV, leads by name; None when it is not whole (`device_beat`)."""
    if not channels:
        return None
    chosen = {lead: channel for channel in channels if (lead := find_lead(channel.label))}
    lengths = {len(channel.raw) for channel in chosen.values()}
    if find_missing_leads(list(chosen)) or len(lengths) != 1 or max(lengths) > _MAX_BEAT_SAMPLES:
        message = "the device's median beat is not whole and was left out"
        findings.append(Finding("device_beat", "info", message))
        return None
    beat_mv = np.zeros((len(LEAD_NAMES), lengths.pop()), np.float32)
    for lead, channel in chosen.items():
        raw = channel.raw.astype(np.float64) - channel.baseline
        beat_mv[LEAD_NAMES.index(lead)] = raw * channel.scale_mv
    present = {lead: beat_mv[LEAD_NAMES.index(lead)] for lead in chosen}
    for lead, derived_mv in derive_limb_leads(present).items():
        beat_mv[LEAD_NAMES.index(lead)] = derived_mv
    return beat_mv


def unreadable_beat(error: PtaclError) -> Finding:
    """The remark about a median beat that could not be read, while the rhythm could."""
    kind = type(error).__name__.removesuffix("Error")
    message = f"the device's median beat could not be read ({kind}) and was left out"
    return Finding("device_beat", "info", message)
