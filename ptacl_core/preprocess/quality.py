"""Named checks of an ECG: each says what is wrong, in which leads, and whether it rejects.

Codes here: flat, lead_off, partly_flat, too_many_leads_off, unit_error, clipped, noisy,
mains_hum, einthoven_mismatch, lead_swap, duplicate_leads, no_beats, too_few_beats,
rate_too_high, irregular_rhythm, implausible_rate. `gaps`, `spikes` and `resample` add theirs.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ptacl_core.arrays import Array, Bool, Float32, Int64
from ptacl_core.preprocess.medians import median_along
from ptacl_core.preprocess.rhythm import RhythmEvidence
from ptacl_core.records import LEAD_NAMES, Finding

FLAT_RANGE_MV = 1e-4
"""Peak-to-peak under which samples are constant (resampling leaves some 1e-6)."""

_FLAT_BLOCK_S = 0.5
_MIN_OFF_BLOCKS = 6
_MIN_PARTLY_BLOCKS = 5

MAX_LEADS_OFF = 4
"""Leads that may be off; with more the record is rejected."""

MIN_RANGE_MV = 0.05
MAX_RANGE_MV = 30.0
"""Limits of the median lead's peak-to-peak; outside them the unit is wrong (formats.md)."""

MAX_SAMPLE_MV = 1e6
"""No amplifier writes more: such samples are refused before any arithmetic with them."""

MAX_NOISE_MV = 0.05
"""Robust standard deviation above 62 Hz at which a lead is called noisy."""

MAX_HUM_MV = 0.05
"""Amplitude of 50 or 60 Hz at which a lead is said to hum."""

_MAINS_HZ = (50.0, 48.5, 51.5, 60.0, 58.5, 61.5)
"""Each line and the frequencies beside it."""

MIN_BEATS_FOR_INTERVALS = 5
"""R peaks needed before PR, QRS, QT or an axis is stated (reliability.md G14)."""


class LeadContact(NamedTuple):
    """Which leads carry nothing, and what to say about it."""

    is_off: Bool[Array, "12"]
    findings: tuple[Finding, ...]


def check_contact(
    signal_mv: Float32[Array, "12 sample"], *, sampling_rate_hz: float
) -> LeadContact:
    """Flat leads, seen in half-second blocks of constant samples.

    Off: constant for half of the recording, three seconds of it in one piece. Partly flat: two
    and a half seconds in one piece. Noise-free test signals are constant between slow beats,
    so shorter pieces say nothing.
    """
    block = max(2, round(_FLAT_BLOCK_S * sampling_rate_hz))
    num_blocks = signal_mv.shape[1] // block
    blocks = signal_mv[:, : num_blocks * block].reshape(12, num_blocks, block)
    is_flat = blocks.max(axis=2) - blocks.min(axis=2) < FLAT_RANGE_MV
    run = np.zeros(12, np.int64)
    longest = np.zeros(12, np.int64)
    for column in is_flat.T:
        run = np.where(column, run + 1, 0)
        longest = np.maximum(longest, run)
    is_off = (is_flat.mean(axis=1) >= 0.5) & (longest >= _MIN_OFF_BLOCKS)
    is_partly = (longest >= _MIN_PARTLY_BLOCKS) & ~is_off
    findings = []
    num_off = int(is_off.sum())
    if num_off == 12:
        findings.append(
            Finding(
                "flat", "reject", "every lead is constant for half of the time or more", LEAD_NAMES
            )
        )
    elif num_off:
        findings.append(
            Finding(
                "lead_off",
                "warning",
                "the lead is constant for half of the time or more: electrode off",
                _names(is_off),
            )
        )
        if num_off > MAX_LEADS_OFF:
            findings.append(
                Finding(
                    "too_many_leads_off",
                    "reject",
                    f"{num_off} of 12 leads carry no signal, at most {MAX_LEADS_OFF} may",
                    _names(is_off),
                )
            )
    if is_partly.any():
        findings.append(
            Finding(
                "partly_flat",
                "warning",
                "the lead is constant for 2.5 seconds or more",
                _names(is_partly),
            )
        )
    return LeadContact(is_off, tuple(findings))


def check_unit(
    denoised_mv: Float32[Array, "12 sample"], is_off: Bool[Array, "12"]
) -> tuple[Finding, ...]:
    """`unit_error` when the median live lead spans under 0.05 or over 30 mV."""
    if is_off.all():
        return ()
    live = denoised_mv[~is_off]
    span_mv = float(median_along(live.max(axis=1) - live.min(axis=1)))
    if MIN_RANGE_MV <= span_mv <= MAX_RANGE_MV:
        return ()
    message = (
        f"the median lead spans {span_mv:.3g} mV, expected {MIN_RANGE_MV:g} to "
        f"{MAX_RANGE_MV:g} mV: the unit or gain is wrong"
    )
    return (Finding("unit_error", "reject", message),)


def check_clipping(
    signal_mv: Float32[Array, "12 sample"], *, sampling_rate_hz: float
) -> tuple[Finding, ...]:
    """`clipped`: runs of at least 3 samples at a lead's extreme, entered by a steep edge.

    The edge tells a clipped QRS complex from a rounded T wave of a coarse converter. Rejects
    when it is six leads or more and over 1 % of their samples.
    """
    min_edge_mv = 0.04 * 500.0 / sampling_rate_hz
    num_samples = signal_mv.shape[1]
    clipped_share = np.zeros(12)
    for extreme in (signal_mv.max(axis=1), signal_mv.min(axis=1)):
        is_extreme = signal_mv == extreme[:, None]
        count = np.count_nonzero(is_extreme, axis=1)
        for lead in np.flatnonzero((count >= 6) & (count < 0.5 * num_samples)):
            clipped_share[lead] += _clipped(signal_mv[lead], is_extreme[lead], min_edge_mv)
    clipped_share /= num_samples
    is_clipped = clipped_share * num_samples >= 6
    if not is_clipped.any():
        return ()
    worst = float(clipped_share.max())
    is_severe = np.count_nonzero(clipped_share > 0.01) >= 6
    message = f"up to {100 * worst:.1f} % of a lead's samples stand at the converter's limit"
    severity = "reject" if is_severe else "warning"
    return (Finding("clipped", severity, message, _names(is_clipped)),)


def check_noise(
    signal_mv: Float32[Array, "12 sample"],
    denoised_mv: Float32[Array, "12 sample"],
    is_off: Bool[Array, "12"],
) -> tuple[Finding, ...]:
    """`noisy` (warning) where what the denoising took off above 62 Hz exceeds 0.05 mV.

    Whether noise has drowned the beats is judged by the rhythm, not by this figure.
    """
    fine = signal_mv[:, 1::8] - denoised_mv[:, 1::8]
    fine -= signal_mv[:, :-1:8] - denoised_mv[:, :-1:8]
    # Half of the differences of neighbours are below 0.6745 * sqrt(2) sigma.
    sigma_mv = median_along(np.abs(fine, out=fine), axis=1) / 0.954
    is_noisy = (sigma_mv > MAX_NOISE_MV) & ~is_off
    if not is_noisy.any():
        return ()
    message = f"noise above 62 Hz of up to {float(sigma_mv.max()):.2f} mV"
    return (Finding("noisy", "warning", message, _names(is_noisy)),)


def check_mains(
    signal_mv: Float32[Array, "12 sample"], *, sampling_rate_hz: float
) -> tuple[Finding, ...]:
    """`mains_hum`: a line at 50 or 60 Hz that stands out of the 2 Hz around it."""
    num_samples = signal_mv.shape[1]
    if sampling_rate_hz < 130:
        return ()
    basis = _mains_basis(num_samples, sampling_rate_hz)
    product = signal_mv @ basis
    amplitude = np.hypot(product[:, :6], product[:, 6:]) * (4.0 / num_samples)
    findings = []
    for line, around in ((0, (1, 2)), (3, (4, 5))):
        beside = np.maximum(amplitude[:, around[0]], amplitude[:, around[1]])
        hums = (amplitude[:, line] > MAX_HUM_MV) & (amplitude[:, line] > 4 * beside)
        if hums.any():
            message = (
                f"{_MAINS_HZ[line]:.0f} Hz mains hum of up to "
                f"{float(amplitude[hums, line].max()):.2f} mV"
            )
            findings.append(Finding("mains_hum", "warning", message, _names(hums)))
    return tuple(findings)


def check_lead_relations(
    denoised_mv: Float32[Array, "12 sample"], is_off: Bool[Array, "12"]
) -> tuple[Finding, ...]:
    """Einthoven's and Goldberger's laws, and leads that are copies of another.

    Warnings only: the limb leads of some archives are filtered one by one.
    """
    findings = []
    limb = denoised_mv[:6]
    if not is_off[:6].any():
        one, two, three, avr, avl, avf = limb
        scale = max(_rms(limb[:3]), 1e-9)
        einthoven = _rms(two - one - three) / scale
        goldberger = max(
            _rms(avr + 0.5 * (one + two)),
            _rms(avl - 0.5 * (one - three)),
            _rms(avf - 0.5 * (two + three)),
        )
        if einthoven > 0.25:
            findings.append(
                Finding(
                    "einthoven_mismatch",
                    "warning",
                    f"II - I - III is {100 * einthoven:.0f} % of the limb leads, expected about "
                    "0: wrong lead order or independent scaling",
                    ("I", "II", "III"),
                )
            )
        elif goldberger / scale > 0.25:
            exchanged = max(_rms(avf - 0.5 * (one - three)), _rms(avl - 0.5 * (two + three)))
            hint = "; aVL and aVF are exchanged" if exchanged / scale < 0.05 else ""
            findings.append(
                Finding(
                    "einthoven_mismatch",
                    "warning",
                    "the augmented leads do not follow from I and II "
                    f"({100 * goldberger / scale:.0f} % off){hint}",
                    ("aVR", "aVL", "aVF"),
                )
            )
    findings += _check_duplicates(denoised_mv, is_off)
    return tuple(findings)


def check_lead_swap(
    denoised_mv: Float32[Array, "12 sample"],
    r_peak_samples: Int64[Array, " beat"],
    is_off: Bool[Array, "12"],
    *,
    sampling_rate_hz: float,
) -> tuple[Finding, ...]:
    """`lead_swap` when lead I runs against V6, as with exchanged arm electrodes.

    The mean beat of I is then upside down (QRS negative, correlation with V6 under -0.6); where
    V6 is off, aVR must be upright instead. A warning and no diagnosis: right axis deviation and
    dextrocardia look alike, and an exchange of left arm and left leg cannot be seen in one record.
    """
    before, after = round(0.050 * sampling_rate_hz), round(0.350 * sampling_rate_hz)
    last = denoised_mv.shape[1] - after
    inside = r_peak_samples[(r_peak_samples >= before) & (r_peak_samples < last)]
    if len(inside) == 0 or is_off[0] or is_off[[3, 11]].all():
        return ()
    window = inside[:, None] + np.arange(-before, after + 1, 2)
    one = denoised_mv[0, window].mean(axis=0)
    if _net_qrs(one, before) > -0.1:
        return ()
    if is_off[11]:
        is_against = _net_qrs(denoised_mv[3, window].mean(axis=0), before) > 0.1
    else:
        six = denoised_mv[11, window].mean(axis=0)
        is_against = float(np.corrcoef(one, six)[0, 1]) < -0.6
    if not is_against:
        return ()
    message = (
        "lead I is upside down: arm electrodes may be exchanged "
        "(right axis and dextrocardia look alike)"
    )
    return (Finding("lead_swap", "warning", message, ("I", "II", "III", "aVR", "aVL")),)


def check_rhythm(
    r_peak_samples: Int64[Array, " beat"],
    evidence: RhythmEvidence,
    *,
    sampling_rate_hz: float,
) -> tuple[Finding, ...]:
    """Are there beats, are they beats, how many, how regular."""
    num_beats = len(r_peak_samples)
    if num_beats < 2:
        message = f"{num_beats} heart beats found, at least 2 are needed"
        return (Finding("no_beats", "reject", message),)
    if not evidence.is_credible:
        message = (
            "no repeating QRS complex stands out of the noise "
            f"(shape correlation {evidence.consistency:.2f}, contrast {evidence.contrast:.1f})"
        )
        return (Finding("noisy", "reject", message),)
    if evidence.is_too_fast:
        message = "complexes closer than 250 ms: a rate above 235 a minute cannot be counted"
        return (Finding("rate_too_high", "reject", message),)
    findings = []
    if num_beats < MIN_BEATS_FOR_INTERVALS:
        message = f"{num_beats} beats; intervals need {MIN_BEATS_FOR_INTERVALS}"
        findings.append(Finding("too_few_beats", "warning", message))
    rr_interval_s = np.diff(r_peak_samples) / sampling_rate_hz
    rate_bpm = 60.0 / float(median_along(rr_interval_s))
    if num_beats >= MIN_BEATS_FOR_INTERVALS:
        variation = float(rr_interval_s.std() / rr_interval_s.mean())
        if variation > 0.15:
            message = f"RR intervals vary by {100 * variation:.0f} % (atrial fibrillation, ectopy)"
            findings.append(Finding("irregular_rhythm", "info", message))
    if not 30 <= rate_bpm <= 200:
        message = f"{rate_bpm:.0f} beats a minute: check the sampling rate"
        findings.append(Finding("implausible_rate", "warning", message))
    return tuple(findings)


def _check_duplicates(
    denoised_mv: Float32[Array, "12 sample"], is_off: Bool[Array, "12"]
) -> list[Finding]:
    coarse = denoised_mv[:, ::5]
    product = coarse @ coarse.T
    power = np.diag(product)
    # Distances by the product are good to 1e-6: it only picks the pairs to look at.
    is_close = power[:, None] + power - 2.0 * product < 1e-4 * power
    is_close &= ~is_off[:, None] & ~is_off
    copies: list[str] = []
    for lead, other in np.argwhere(np.tril(is_close, -1)):
        difference = coarse[lead] - coarse[other]
        if float(difference @ difference) < 1e-8 * power[lead] and LEAD_NAMES[lead] not in copies:
            copies.append(LEAD_NAMES[lead])
    if not copies:
        return []
    return [Finding("duplicate_leads", "warning", "copies of another lead", tuple(copies))]


def _clipped(samples: np.ndarray, is_extreme: np.ndarray, min_edge_mv: float) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate(([0], is_extreme.view(np.int8), [0]))))
    total = 0
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        if stop - start < 3:
            continue
        entry = abs(samples[start] - samples[start - 1]) if start else 0.0
        leave = abs(samples[stop] - samples[stop - 1]) if stop < len(samples) else 0.0
        if max(entry, leave) > min_edge_mv:
            total += int(stop - start)
    return total


@lru_cache(maxsize=4)
def _mains_basis(num_samples: int, sampling_rate_hz: float) -> Float32[Array, "sample component"]:
    """Hann-windowed cosines, then sines, of `_MAINS_HZ`."""
    phase = 2 * np.pi * np.outer(np.arange(num_samples) / sampling_rate_hz, _MAINS_HZ)
    waves = np.concatenate([np.cos(phase), np.sin(phase)], axis=1)
    return (np.hanning(num_samples)[:, None] * waves).astype(np.float32)


def _net_qrs(beat_mv: Float32[Array, " sample"], before: int) -> float:
    """Highest plus lowest value within 50 ms of R, which is at half of `before`."""
    qrs = beat_mv[: before + 1]
    return float(qrs.max() + qrs.min())


def _rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(samples))))


def _names(is_chosen: np.ndarray) -> tuple[str, ...]:
    return tuple(name for name, chosen in zip(LEAD_NAMES, is_chosen, strict=True) if chosen)
