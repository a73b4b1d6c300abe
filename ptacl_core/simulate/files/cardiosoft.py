"""A simulated ECG as CardioSoft's XML, the format of UK Biobank field 20205."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ptacl_core.arrays import Array, Float32, Int64
from ptacl_core.records import LEAD_NAMES

RESOLUTION_UV = 5
"""Microvolts of one step."""

_RATE_HZ = 500
_MEDIAN_SAMPLES = 600
_MEDIAN_LAST_VALID = 593
_MEDIAN_BEFORE_R = 240
_VALUES_PER_LINE = 100


@dataclass(frozen=True, slots=True)
class EcgDescription:
    """What the file says beside the samples; None leaves an element empty, as devices do."""

    identifier: str
    age_years: int
    sex: str
    height_cm: int
    weight_kg: int
    pr_ms: int | None
    p_ms: int | None
    qrs_ms: int
    qt_ms: int
    beat_classes: tuple[str, ...]
    diagnoses: tuple[str, ...]


def format_cardiosoft_xml(
    signal_mv: Float32[Array, "12 5000"],
    r_peak_samples: Int64[Array, " beat"],
    description: EcgDescription,
) -> bytes:
    """The document as ISO-8859-1 bytes: strip, median beat, measurements, R times.

    As in the device's own files the median beat comes before the strip, under the same element
    name, and its samples past `LastValid` are filler.
    """
    strip = np.rint(signal_mv.astype(np.float64) * 1000 / RESOLUTION_UV).astype(np.int64)
    text = description
    rr_ms = _mean_rr_ms(r_peak_samples)
    rate = None if rr_ms is None else round(60_000 / rr_ms)
    qtc_ms = None if rr_ms is None else round(text.qt_ms / (rr_ms / 1000) ** 0.5)
    median = _median_beat(strip, r_peak_samples, text.beat_classes)
    gender = {"F": "FEMALE", "M": "MALE"}[text.sex]
    lines = [
        '<?xml version="1.0" encoding="ISO-8859-1" ?>',
        "<CardiologyXML>",
        "\t<ObservationType>RestECG</ObservationType>",
        "\t<ObservationDateTime><Hour>9</Hour><Minute>0</Minute><Second>0</Second>"
        "<Day>1</Day><Month>1</Month><Year>2020</Year></ObservationDateTime>",
        "\t<ClinicalInfo><DeviceInfo><Desc>CardioSoft</Desc>"
        "<SoftwareVer>PTACL simulator</SoftwareVer><AnalysisVer>none</AnalysisVer>"
        "</DeviceInfo></ClinicalInfo>",
        f"\t<PatientInfo><PID>{text.identifier}</PID>"
        f'<Age units="YEARS">{text.age_years}</Age><Gender>{gender}</Gender>'
        f'<Height units="CM">{text.height_cm}</Height>'
        f'<Weight units="KG">{text.weight_kg}</Weight><PaceMaker>NO</PaceMaker></PatientInfo>',
        "\t<FilterSetting><Filter50Hz>YES</Filter50Hz><Filter60Hz>NO</Filter60Hz>"
        '<LowPass units="Hz">100</LowPass><HighPass units="Hz">0.01</HighPass></FilterSetting>',
        "\t<Interpretation><Diagnosis>",
        *(f"\t\t<DiagnosisText>{diagnosis}</DiagnosisText>" for diagnosis in text.diagnoses),
        "\t</Diagnosis></Interpretation>",
        "\t<RestingECGMeasurements>",
        _measure("VentricularRate", "BPM", rate),
        _measure("PQInterval", "ms", text.pr_ms),
        _measure("PDuration", "ms", text.p_ms),
        _measure("QRSDuration", "ms", text.qrs_ms),
        _measure("QTInterval", "ms", text.qt_ms),
        _measure("QTCInterval", "ms", qtc_ms),
        _measure("RRInterval", "ms", None if rr_ms is None else round(rr_ms)),
        _measure("PPInterval", "ms", None),
        _measure("PAxis", "degrees", None),
        _measure("RAxis", "degrees", _axis_deg(median)),
        _measure("TAxis", "degrees", None),
        f"\t\t<QRSNum>{len(r_peak_samples)}</QRSNum>",
        "\t\t<MedianSamples>",
        *_scale_lines(_MEDIAN_SAMPLES),
        '\t\t\t<FirstValid units="Sample">0</FirstValid>'
        f'<LastValid units="Sample">{_MEDIAN_LAST_VALID}</LastValid>',
        *_waveforms(median),
        "\t\t</MedianSamples>",
        "\t</RestingECGMeasurements>",
        "\t<StripData>",
        *_scale_lines(strip.shape[1]),
        *_waveforms(strip),
        "\t\t<ArrhythmiaResults>",
        *(
            f'\t\t\t<Time units="ms">{1000 * sample // _RATE_HZ}</Time>'
            f"<BeatClass>{beat_class}</BeatClass>"
            for sample, beat_class in zip(r_peak_samples.tolist(), text.beat_classes, strict=True)
        ),
        "\t\t</ArrhythmiaResults>",
        "\t</StripData>",
        "</CardiologyXML>",
    ]
    return ("\n".join(lines) + "\n").encode("iso-8859-1")


def _measure(name: str, unit: str, value: int | None) -> str:
    return f'\t\t<{name} units="{unit}">{"" if value is None else value}</{name}>'


def _scale_lines(num_samples: int) -> list[str]:
    return [
        "\t\t\t<NumberOfLeads>12</NumberOfLeads>"
        f'<SampleRate units="Hz">{_RATE_HZ}</SampleRate>'
        f"<ChannelSampleCountTotal>{num_samples}</ChannelSampleCountTotal>",
        f'\t\t\t<Resolution units="uVperLsb">{RESOLUTION_UV}</Resolution>',
    ]


def _waveforms(steps: Int64[Array, "12 sample"]) -> list[str]:
    lines = []
    for name, values in zip(LEAD_NAMES, steps.tolist(), strict=True):
        rows = [
            ",".join(map(str, values[start : start + _VALUES_PER_LINE]))
            for start in range(0, len(values), _VALUES_PER_LINE)
        ]
        body = ",\n\t\t\t\t".join(rows)
        lines.append(f'\t\t\t<WaveformData lead="{name}">\t\t{body}</WaveformData>')
    return lines


def _mean_rr_ms(r_peak_samples: Int64[Array, " beat"]) -> float | None:
    if len(r_peak_samples) < 2:
        return None
    return float(np.diff(r_peak_samples).mean()) * 1000 / _RATE_HZ


def _median_beat(
    strip: Int64[Array, "12 sample"],
    r_peak_samples: Int64[Array, " beat"],
    beat_classes: Sequence[str],
) -> Int64[Array, "12 600"]:
    """Median over the normal beats that lie wholly in the strip, then filler."""
    before, after = _MEDIAN_BEFORE_R, _MEDIAN_LAST_VALID + 1 - _MEDIAN_BEFORE_R
    windows = [
        strip[:, peak - before : peak + after]
        for peak, beat_class in zip(r_peak_samples.tolist(), beat_classes, strict=True)
        if beat_class == "N" and before <= peak <= strip.shape[1] - after
    ]
    median = np.zeros((12, _MEDIAN_SAMPLES), dtype=np.int64)
    if windows:
        median[:, : before + after] = np.rint(np.median(windows, axis=0)).astype(np.int64)
    return median


def _axis_deg(median: Int64[Array, "12 600"]) -> int:
    """Frontal axis from the net QRS of I and aVF."""
    complex_ = median[:, _MEDIAN_BEFORE_R - 25 : _MEDIAN_BEFORE_R + 35].astype(np.float64)
    baseline = median[:, _MEDIAN_BEFORE_R - 35 : _MEDIAN_BEFORE_R - 28].mean(axis=1)
    net = (complex_ - baseline[:, None]).sum(axis=1)
    first, foot = net[LEAD_NAMES.index("I")], net[LEAD_NAMES.index("aVF")]
    return round(float(np.degrees(np.arctan2(2 * foot / 3**0.5, first))))
