"""XML of further carts whose structure is public: Schiller SEMA, Mortara ELI, GE MAC (Sapphire)."""

from collections.abc import Iterable
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from ptacl_core.errors import MissingUnitError, UnsupportedFormatError
from ptacl_core.io.ecg.assembly import Channel, Recording, assemble_ecg
from ptacl_core.io.ecg.hints import EcgHints
from ptacl_core.io.ecg.leads import find_lead, find_missing_leads
from ptacl_core.io.ecg.person_facts import build_person
from ptacl_core.io.ecg.voltage import read_millivolts
from ptacl_core.io.ecg.xml.fields import (
    check_count,
    decode_base64,
    read_xml_root,
    require_rate_hz,
    text_of,
)
from ptacl_core.io.files.bounded_file import shown_name
from ptacl_core.io.files.number_text import parse_number, parse_numbers
from ptacl_core.records import EcgRecord

_NO_SAMPLE = -32768


def read_schiller_xml(path: Path, _hints: EcgHints) -> EcgRecord:
    """The rhythm (`wavedata` of type ECG_RHYTHM…), never the averages.

    `yres` counts microvolts per step. Raises UnsupportedFormatError without a rhythm of 12 leads or
    for samples that are not comma-separated, MissingUnitError without rate or resolution.
    """
    name = shown_name(path)
    root = read_xml_root(path)
    rhythms = [
        wave
        for wave in root.iter("wavedata")
        if text_of(wave, "type").upper().startswith("ECG_RHY")
    ]
    if not rhythms:
        raise UnsupportedFormatError(
            f"{name}: expected wavedata of type ECG_RHYTHM in the Schiller XML, found none"
        )
    rhythm = max(rhythms, key=lambda wave: len(_leads(text_of(one, "name") for one in wave)))
    resolution = rhythm.find("resolution")
    rate_hz = require_rate_hz(text_of(resolution, "samplerate"), name=name, where="samplerate")
    step_uv = parse_number(text_of(resolution, "yres"))
    if step_uv is None or step_uv <= 0:
        raise MissingUnitError(f"{name}: expected the microvolts of a step in yres, found none")
    channels = []
    for channel in rhythm.findall("channel"):
        kind = text_of(channel, "datastype").upper()
        if kind not in {"", "COMMASEPARATE"}:
            raise UnsupportedFormatError(f"{name}: samples that are not comma-separated: not read")
        label = text_of(channel, "name")
        where = f"lead {find_lead(label) or 'beside the 12'}"
        raw = parse_numbers(text_of(channel, "data"), name=name, where=where)
        channels.append(Channel(label, raw, step_uv / 1000.0, missing_values=(_NO_SAMPLE,)))
    person = build_person(sex=text_of(root.find(".//patdata"), "gender"))
    return assemble_ecg(Recording(name, "schiller_xml", rate_hz, channels, person=person))


def read_eli_xml(path: Path, _hints: EcgHints) -> EcgRecord:
    """The CHANNEL elements of a Mortara ELI file, never its TYPICAL_CYCLE.

    Raises UnsupportedFormatError for other samples than signed 16-bit in base64, MissingUnitError
    without UNITS_PER_MV or SAMPLE_FREQ.
    """
    name = shown_name(path)
    root = read_xml_root(path)
    channels, rates = [], set()
    for channel in root.findall("CHANNEL"):
        label = channel.get("NAME", "")
        where = f"lead {find_lead(label) or 'beside the 12'}"
        if channel.get("BITS", "16") != "16" or channel.get("ENCODING", "BASE64") != "BASE64":
            raise UnsupportedFormatError(
                f"{name}: expected 16-bit samples in base64 for {where}, found others"
            )
        per_mv = parse_number(channel.get("UNITS_PER_MV"))
        if per_mv is None or per_mv <= 0:
            raise MissingUnitError(f"{name}: expected UNITS_PER_MV for {where}, found none")
        data = decode_base64(channel.get("DATA", ""), name=name, where=where)
        kind = "<i2" if channel.get("FORMAT", "SIGNED") == "SIGNED" else "<u2"
        raw = np.frombuffer(data, kind, len(data) // 2)
        check_count(channel.get("DURATION", ""), len(raw), name=name, what=f"samples of {where}")
        rates.add(require_rate_hz(channel.get("SAMPLE_FREQ", ""), name=name, where="SAMPLE_FREQ"))
        offset = parse_number(channel.get("OFFSET")) or 0.0
        channels.append(
            Channel(label, raw, 1.0 / per_mv, baseline=-offset, missing_values=(_NO_SAMPLE,))
        )
    if len(rates) != 1:
        raise UnsupportedFormatError(
            f"{name}: expected CHANNEL elements of one sampling rate, found {len(rates)} rates"
        )
    subject = root.find("SUBJECT")
    given = subject.attrib if subject is not None else {}
    person = build_person(sex=given.get("GENDER"), age_years=given.get("AGE", root.get("AGE")))
    return assemble_ecg(Recording(name, "eli_xml", rates.pop(), channels, person=person))


def read_ge_mac_xml(path: Path, _hints: EcgHints) -> EcgRecord:
    """The longest 12-lead `ecgWaveformMXG` of a GE MAC file that is not a median template.

    `U` is the unit, `S` the scale of a step. Raises UnsupportedFormatError without one,
    MissingUnitError without unit, scale or rate.
    """
    name = shown_name(path)
    root = read_xml_root(path)
    medians = {id(one) for part in root.iter("medianTemplate") for one in part.iter()}
    blocks = [one for one in root.iter("ecgWaveformMXG") if id(one) not in medians]
    whole = [one for one in blocks if not find_missing_leads(_mac_leads(one))]
    if not whole:
        raise UnsupportedFormatError(
            f"{name}: expected a GE rhythm (ecgWaveformMXG of 12 leads), found {len(blocks)} "
            "blocks without all leads"
        )
    block = max(whole, key=lambda one: len(one[-1].get("V", "")))
    rate = block.find("sampleRate")
    rate_hz = require_rate_hz(
        rate.get("V", "") if rate is not None else "", name=name, where="sampleRate"
    )
    step = parse_number(block.get("S"))
    unit = block.get("U", "")
    if step is None or step <= 0 or not unit:
        raise MissingUnitError(f"{name}: expected unit U and scale S of ecgWaveformMXG, found none")
    scale_mv = step * read_millivolts(unit, name=name, where="ecgWaveformMXG U")
    channels = []
    for wave in block.findall("ecgWaveform"):
        label = wave.get("lead", wave.get("label", ""))
        where = f"lead {find_lead(label) or 'beside the 12'}"
        raw = parse_numbers(wave.get("V", ""), name=name, where=where)
        channels.append(Channel(label, raw, scale_mv, missing_values=(_NO_SAMPLE,)))
    gender = root.find(".//gender")
    person = build_person(sex=gender.get("V") if gender is not None else None)
    return assemble_ecg(Recording(name, "ge_mac_xml", rate_hz, channels, person=person))


def _mac_leads(block: Element) -> list[str]:
    return _leads(wave.get("lead", wave.get("label", "")) for wave in block.findall("ecgWaveform"))


def _leads(labels: Iterable[str]) -> list[str]:
    return [lead for label in labels if (lead := find_lead(label)) is not None]
