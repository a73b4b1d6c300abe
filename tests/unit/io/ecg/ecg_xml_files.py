"""Writers of ECG files in XML: CardioSoft, MUSE, HL7 aECG, Philips."""

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
from ptacl_test_ecg_files import (  # pyright: ignore[reportMissingImports] - conftest loads it
    PATIENT,
    RATE_HZ,
    STEP_UV,
)

from ptacl_core.records import LEAD_NAMES


def cardiosoft_xml(steps: np.ndarray, *, labels: Sequence[str] = LEAD_NAMES, **swap: str) -> str:
    """The UK Biobank layout, median first; `swap` replaces fields by name."""
    fields = {
        "kind": "RestECG",
        "num_leads": str(len(steps)),
        "rate": f'<SampleRate units="Hz">{RATE_HZ}</SampleRate>',
        "count": str(steps.shape[1]),
        "resolution": f'<Resolution units="uVperLsb">{STEP_UV}</Resolution>',
        "arrhythmia": "",
        "measurements": "",
        "root_open": "<CardiologyXML>",
    } | swap
    median = "".join(
        f'<WaveformData lead="{label}">{",".join(["77"] * 60)}</WaveformData>' for label in labels
    )
    strip = "".join(
        f'<WaveformData lead="{label}">\t{_comma_lines(row)}</WaveformData>'
        for label, row in zip(labels, steps, strict=True)
    )
    return (
        '<?xml version="1.0" encoding="ISO-8859-1" ?>\n'
        f"{fields['root_open']}<ObservationType>{fields['kind']}</ObservationType>"
        f"<PatientInfo><PID>{PATIENT}</PID></PatientInfo>"
        f"<RestingECGMeasurements>{fields['measurements']}<MedianSamples><NumberOfLeads>12"
        '</NumberOfLeads><SampleRate units="Hz">500</SampleRate><ChannelSampleCountTotal>60'
        f'</ChannelSampleCountTotal><Resolution units="uVperLsb">5</Resolution>{median}'
        f"</MedianSamples></RestingECGMeasurements><StripData><NumberOfLeads>"
        f"{fields['num_leads']}</NumberOfLeads>{fields['rate']}<ChannelSampleCountTotal>"
        f"{fields['count']}</ChannelSampleCountTotal>{fields['resolution']}"
        f"{fields['arrhythmia']}{strip}</StripData></CardiologyXML>"
    )


def _comma_lines(row: np.ndarray) -> str:
    words = [str(value) for value in row]
    lines = [",".join(words[start : start + 100]) for start in range(0, len(words), 100)]
    return ",\n\t\t".join(lines) + ","


def muse_lead(
    label: str,
    row: np.ndarray,
    *,
    units_per_bit: str = "4.88",
    units: str = "MICROVOLTS",
    **swap: str,
) -> str:
    data = row.astype("<i2").tobytes()
    fields = {
        "bytes": str(len(data)),
        "count": str(len(row)),
        "off": "FALSE",
        "size": "2",
        "data": base64.encodebytes(data).decode(),
    } | swap
    return (
        f"<LeadData><LeadByteCountTotal>{fields['bytes']}</LeadByteCountTotal><LeadTimeOffset>0"
        f"</LeadTimeOffset><LeadSampleCountTotal>{fields['count']}</LeadSampleCountTotal>"
        f"<LeadAmplitudeUnitsPerBit>{units_per_bit}</LeadAmplitudeUnitsPerBit>"
        f"<LeadAmplitudeUnits>{units}</LeadAmplitudeUnits><LeadHighLimit>32767</LeadHighLimit>"
        f"<LeadLowLimit>-32768</LeadLowLimit><LeadID>{label}</LeadID><LeadSampleSize>"
        f"{fields['size']}</LeadSampleSize><LeadOff>{fields['off']}</LeadOff><WaveFormData>\n"
        f"{fields['data']}</WaveFormData></LeadData>"
    )


def muse_xml(leads: str, *, num_leads: int = 8, **swap: str) -> str:
    """A MUSE document with a median, then a rhythm of `leads`."""
    fields = {
        "doctype": '<!DOCTYPE RestingECG SYSTEM "restecg.dtd">',
        "rhythm_type": "Rhythm",
        "base": str(RATE_HZ),
        "exponent": "0",
        "measurements": "",
        "times": "",
        "tail": "",
    } | swap
    median = "".join(muse_lead(name, np.full(60, 77)) for name in ("I", "II", *LEAD_NAMES[6:]))
    return (
        f'<?xml version="1.0" encoding="ISO-8859-1"?>\n{fields["doctype"]}\n<RestingECG>'
        f"<PatientDemographics><PatientID>{PATIENT}</PatientID></PatientDemographics>"
        f"<RestingECGMeasurements>{fields['measurements']}</RestingECGMeasurements>"
        f"<QRSTimesTypes>{fields['times']}</QRSTimesTypes>"
        "<Waveform><WaveformType>Median</WaveformType><NumberofLeads>8</NumberofLeads>"
        f"<SampleBase>500</SampleBase><SampleExponent>0</SampleExponent>{median}</Waveform>"
        f"<Waveform><WaveformType>{fields['rhythm_type']}</WaveformType><NumberofLeads>"
        f"{num_leads}</NumberofLeads><SampleBase>{fields['base']}</SampleBase><SampleExponent>"
        f"{fields['exponent']}</SampleExponent>{leads}</Waveform>{fields['tail']}</RestingECG>"
    )


def muse_of(steps: np.ndarray, **swap: Any) -> str:
    """MUSE with the eight independent leads of `steps`, at 5 uV per bit."""
    kept = {"I": 0, "II": 1} | {lead: LEAD_NAMES.index(lead) for lead in LEAD_NAMES[6:]}
    leads = "".join(
        muse_lead(lead, steps[row], units_per_bit=str(STEP_UV)) for lead, row in kept.items()
    )
    return muse_xml(leads, **swap)


def aecg_sequence(code: str, digits: str, *, scale: str = "5", unit: str = "uV") -> str:
    return (
        f'<component><sequence><code code="{code}"/><value><origin value="0" unit="{unit}"/>'
        f'<scale value="{scale}" unit="{unit}"/><digits>{digits}</digits></value></sequence>'
        "</component>"
    )


def aecg_series(steps: np.ndarray, *, time: str | None = None, scale: str = "5") -> str:
    time = time or (
        '<component><sequence><code code="TIME_ABSOLUTE"/><value><head value="20200101"/>'
        '<increment value="0.002" unit="s"/></value></sequence></component>'
    )
    leads = "".join(
        aecg_sequence(
            f"MDC_ECG_LEAD_{lead.upper()}", " ".join(str(value) for value in row), scale=scale
        )
        for lead, row in zip(LEAD_NAMES, steps, strict=True)
    )
    return f"<component><sequenceSet>{time}{leads}</sequenceSet></component>"


def aecg_xml(*series: str) -> str:
    body = "".join(
        f"<component><series><code code='RHYTHM'/>{one}"
        "<derivation><derivedSeries><code code='REPRESENTATIVE_BEAT'/></derivedSeries>"
        "</derivation></series></component>"
        for one in series
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?><AnnotatedECG xmlns="urn:hl7-org:v3">'
        f"<name>{PATIENT}</name>{body}</AnnotatedECG>"
    )


def philips_xml(steps: np.ndarray, **swap: str) -> str:
    """Version 1.04 with uncompressed leads."""
    fields = {
        "compression": 'compression="Uncompressed"',
        "labels": " ".join(LEAD_NAMES),
        "count": "12",
        "duration": str(steps.shape[1] * 1000 // RATE_HZ),
        "rate": str(RATE_HZ),
        "resolution": str(STEP_UV),
        "encoding": "Base64",
        "version": "1.04",
        "data": base64.b64encode(steps.astype("<i2").tobytes()).decode(),
    } | swap
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<restingecgdata xmlns="http://www3.medical.philips.com"><documentinfo>'
        f"<documentname>{PATIENT}</documentname><documenttype>PhilipsECG</documenttype>"
        f"<documentversion>{fields['version']}</documentversion></documentinfo><dataacquisition>"
        f"<signalcharacteristics><samplingrate>{fields['rate']}</samplingrate><resolution>"
        f"{fields['resolution']}</resolution><acquisitiontype>STD-12</acquisitiontype>"
        "<numberchannelsallocated>12</numberchannelsallocated></signalcharacteristics>"
        f'</dataacquisition><waveforms><parsedwaveforms dataencoding="{fields["encoding"]}" '
        f'{fields["compression"]} numberofleads="{fields["count"]}" leadlabels="'
        f'{fields["labels"]}" durationperchannel="{fields["duration"]}">{fields["data"]}'
        "</parsedwaveforms></waveforms></restingecgdata>"
    )
