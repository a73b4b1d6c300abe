"""One ECG recording to what the encoder takes: the only place that knows the order of steps."""

import math

import numpy as np

from ptacl_core.arrays import Array, Bool, Float32, Int64
from ptacl_core.config.preprocess import EcgSettings
from ptacl_core.preprocess import quality
from ptacl_core.preprocess.als_baseline import subtract_als_baseline
from ptacl_core.preprocess.denoise import denoise_ecg
from ptacl_core.preprocess.gaps import fill_gaps, find_recorded_stretch
from ptacl_core.preprocess.normalise import normalise_ecg
from ptacl_core.preprocess.r_peaks import compute_slope_energy, peaks_from_energy
from ptacl_core.preprocess.resample import (
    MAX_RATE_HZ,
    MIN_RATE_HZ,
    keep_start,
    pad_end,
    resample_ecg,
)
from ptacl_core.preprocess.rhythm import heart_rate_from_peaks, judge_beats
from ptacl_core.preprocess.spikes import find_pacing, remove_spikes
from ptacl_core.records import EcgRecord, Finding, PreparedEcg


def prepare_ecg(record: EcgRecord, settings: EcgSettings | None = None) -> PreparedEcg:
    """Resample, check, denoise, find the R peaks and normalise one recording.

    Never raises for what a recording holds: what makes it unusable is a finding of severity
    "reject". A rejected recording has no heart rate and no R peaks, so that nothing is derived
    from noise; where its samples can be processed they are there to look at, else zeros.
    """
    settings = settings or EcgSettings()
    num_samples = round(settings.duration_s * settings.sampling_rate_hz)
    refusal = _check_shape_and_rate(record)
    if refusal is None:
        refusal = _check_duration(record, settings)
    if refusal is not None:
        return _unusable(num_samples, (*record.findings, refusal))

    findings = list(record.findings)
    rate_hz = settings.sampling_rate_hz
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite: missing
        source = np.asarray(record.signal_mv, dtype=np.float32)
    source, notes = keep_start(
        source,
        num_samples=math.ceil(settings.duration_s * record.sampling_rate_hz),
        sampling_rate_hz=record.sampling_rate_hz,
    )
    findings += notes
    source, start_s, notes = _cut_unrecorded(source, record.sampling_rate_hz, settings)
    findings += notes
    source, notes = fill_gaps(source, sampling_rate_hz=record.sampling_rate_hz)
    findings += notes
    largest_mv = max(float(source.max()), -float(source.min()))
    if largest_mv > quality.MAX_SAMPLE_MV:
        message = f"samples of up to {largest_mv:.3g} mV: the unit, gain or file is wrong"
        findings.append(Finding("unit_error", "reject", message))
        return _unusable(num_samples, tuple(findings))
    findings += quality.check_clipping(source, sampling_rate_hz=record.sampling_rate_hz)
    signal_mv = resample_ecg(source, from_hz=record.sampling_rate_hz, to_hz=rate_hz)
    if signal_mv is not source:
        message = f"resampled from {record.sampling_rate_hz:g} Hz to {rate_hz:g} Hz"
        findings.append(Finding("resampled", "info", message))
    signal_mv = signal_mv[:, :num_samples]
    signal_mv, spike_samples, notes = remove_spikes(signal_mv, sampling_rate_hz=rate_hz)
    findings += notes
    contact = quality.check_contact(signal_mv, sampling_rate_hz=rate_hz)
    findings += _unreported(contact.findings, record)
    if contact.is_off.all():
        return _unusable(num_samples, tuple(findings))
    findings += quality.check_mains(signal_mv, sampling_rate_hz=rate_hz)
    denoised_mv = _remove_baseline(signal_mv, settings)
    denoised_mv[contact.is_off] = 0.0
    findings += quality.check_noise(signal_mv, denoised_mv, contact.is_off)
    findings += quality.check_unit(denoised_mv, contact.is_off)
    findings += quality.check_lead_relations(denoised_mv, contact.is_off)
    r_peak_samples, notes = _find_beats(denoised_mv, contact.is_off, spike_samples, rate_hz)
    findings += notes

    normalised = normalise_ecg(
        denoised_mv, scope=settings.normalisation, is_lead_off=contact.is_off
    )
    start = round(start_s * rate_hz)
    findings += _padding_findings(start, num_samples - start - denoised_mv.shape[1], rate_hz)
    is_rejected = any(finding.severity == "reject" for finding in findings)
    if is_rejected:
        r_peak_samples = r_peak_samples[:0]
    return PreparedEcg(
        signal=_place(normalised, start, num_samples),
        signal_mv=_place(denoised_mv, start, num_samples),
        r_peak_samples=r_peak_samples + start,
        heart_rate_bpm=heart_rate_from_peaks(r_peak_samples, sampling_rate_hz=rate_hz),
        findings=tuple(findings),
        unfiltered_mv=pad_end(signal_mv, num_samples=num_samples),
    )


def _cut_unrecorded(
    source: Float32[Array, "12 sample"], rate_hz: float, settings: EcgSettings
) -> tuple[Float32[Array, "12 kept"], float, list[Finding]]:
    """The recording without ends that most leads miss, and its start in seconds.

    Left whole where too little would remain: the gap is then judged as one.
    """
    first, end = find_recorded_stretch(source)
    needed_s = min(settings.min_duration_s, settings.duration_s)
    is_whole = first == 0 and end == source.shape[1]
    if is_whole or (end - first + 0.5) / rate_hz < needed_s:
        return source, 0.0, []
    message = (
        f"most leads miss the first {first / rate_hz:.2f} s and the last "
        f"{(source.shape[1] - end) / rate_hz:.2f} s, which were cut off"
    )
    return source[:, first:end], first / rate_hz, [Finding("ends_cut", "warning", message)]


def _padding_findings(num_before: int, num_after: int, rate_hz: float) -> list[Finding]:
    """`padded`, when zeros stand before or after the recording."""
    sides = (("first", num_before), ("last", num_after))
    where = [f"the {side} {number / rate_hz:.2f} s" for side, number in sides if number > 0]
    if not where:
        return []
    message = f"{' and '.join(where)} are zeros: the recording is shorter"
    return [Finding("padded", "info", message)]


def _place(
    signal: Float32[Array, "12 sample"], start: int, num_samples: int
) -> Float32[Array, "12 padded"]:
    """The signal from sample `start` on, zeros (the baseline) around it."""
    if start:
        signal = np.pad(signal, ((0, 0), (start, 0)))[:, :num_samples]
    return pad_end(signal, num_samples=num_samples)


def _unreported(findings: tuple[Finding, ...], record: EcgRecord) -> list[Finding]:
    """Findings that the reader has not made about the same leads."""
    known = {(finding.code, finding.leads) for finding in record.findings}
    return [finding for finding in findings if (finding.code, finding.leads) not in known]


def _find_beats(
    denoised_mv: Float32[Array, "12 sample"],
    is_off: Bool[Array, "12"],
    spike_samples: Int64[Array, " spike"],
    rate_hz: float,
) -> tuple[Int64[Array, " beat"], list[Finding]]:
    live_mv = denoised_mv[~is_off] if is_off.any() else denoised_mv
    energy = compute_slope_energy(live_mv, sampling_rate_hz=rate_hz)
    peaks = peaks_from_energy(live_mv, energy, sampling_rate_hz=rate_hz)
    peaks, evidence = judge_beats(live_mv, peaks, energy, sampling_rate_hz=rate_hz)
    findings = list(quality.check_rhythm(peaks, evidence, sampling_rate_hz=rate_hz))
    if all(finding.severity != "reject" for finding in findings):
        findings += find_pacing(spike_samples, peaks, sampling_rate_hz=rate_hz)
        findings += quality.check_lead_swap(denoised_mv, peaks, is_off, sampling_rate_hz=rate_hz)
    return peaks, findings


def _remove_baseline(
    signal_mv: Float32[Array, "12 sample"], settings: EcgSettings
) -> Float32[Array, "12 sample"]:
    if settings.baseline == "wavelet":
        return denoise_ecg(
            signal_mv,
            wavelet=settings.wavelet,
            level=settings.level,
            num_finest_removed=settings.num_finest_removed,
            use_soft_threshold=settings.use_soft_threshold,
        )
    if settings.baseline == "als":
        return subtract_als_baseline(signal_mv)
    return np.array(signal_mv)


def _check_shape_and_rate(record: EcgRecord) -> Finding | None:
    shape = np.shape(record.signal_mv)
    if len(shape) != 2 or shape[0] != 12:
        message = f"expected 12 leads x samples, got an array of shape {tuple(shape)}"
        return Finding("lead_count", "reject", message)
    rate_hz = record.sampling_rate_hz
    if not (math.isfinite(rate_hz) and MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ):
        message = f"sampling rate {rate_hz:g} Hz, expected {MIN_RATE_HZ:g} to {MAX_RATE_HZ:g} Hz"
        return Finding("sampling_rate", "reject", message)
    return None


def _check_duration(record: EcgRecord, settings: EcgSettings) -> Finding | None:
    needed_s = min(settings.min_duration_s, settings.duration_s)
    # Half a sample of tolerance: 4,999.6 samples are ten seconds.
    if record.duration_s + 0.5 / record.sampling_rate_hz >= needed_s:
        return None
    message = f"{record.duration_s:.2f} s of signal, at least {needed_s:g} s are needed"
    return Finding("too_short", "reject", message)


def _unusable(num_samples: int, findings: tuple[Finding, ...]) -> PreparedEcg:
    return PreparedEcg(
        signal=np.zeros((12, num_samples), np.float32),
        signal_mv=np.zeros((12, num_samples), np.float32),
        r_peak_samples=np.empty(0, np.int64),
        heart_rate_bpm=None,
        findings=findings,
    )
