#!/usr/bin/env python3
"""Counts beats that measure differently when nothing but the gap between T and P changes.

Synthetic beats of 380-445 ms (P and T of either polarity, biphasic T, low and notched P) at 40 to
130 a minute, and the representative beats of real recordings at the rates at which they fit;
clean, with 20 µV of noise, baseline wander and 50 Hz. A beat fails when PR, QRS or QT spans more
than 6 ms over the rates, or is absent at one of them. At rates at which a real beat does not fit,
P lies on T and their sum does not tell where one ends: what is off by more than 10 ms there must be
unsure (`pr_unsure`, `qt_unsure`).

    python scripts/soak/same_beat.py [DIR...] [--count 40]
"""

import argparse
import os
import warnings
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from scipy.interpolate import CubicSpline

from ptacl_core.errors import PtaclError
from ptacl_core.io import read_ecg
from ptacl_core.preprocess import analyse_ecg, delineate, detect_r_peaks, prepare_ecg
from ptacl_core.records import EcgAnalysis, EcgRecord

ROOT = Path(__file__).resolve().parents[2]
RATES_BPM = range(40, 131, 10)
MAX_SPAN_MS = 6.0
MAX_OVERLAP_MS = 10.0
TIME_S = np.arange(5000) / 500
INTERVALS = {
    "PR": ("p_onset", "qrs_onset"),
    "QRS": ("qrs_onset", "qrs_offset"),
    "QT": ("qrs_onset", "t_end"),
}
DISTURBANCES = {
    "clean": (0.003, 0.0, 0.0),
    "20 µV of noise": (0.020, 0.0, 0.0),
    "wander of 0.3 mV": (0.003, 0.3, 0.0),
    "50 Hz of 50 µV": (0.003, 0.0, 0.05),
}


class Beat(NamedTuple):
    """Twelve leads in mV over a time in s from R; P to the end of T takes `length_s`."""

    name: str
    time_s: np.ndarray
    leads_mv: np.ndarray
    length_s: float


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="*", default=[ROOT / "assets" / "samples"])
    parser.add_argument("--count", type=int, default=40)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    groups = {
        "synthetic": [make_beat(seed) for seed in range(arguments.count)],
        "real": [beat for folder in arguments.folders for beat in cut_beats(folder)],
    }
    print(
        "| beats | n | disturbance | PR fails | QRS fails | QT fails |\n|---|---|---|---|---|---|"
    )
    for group, beats in groups.items():
        for name, disturbance in DISTURBANCES.items():
            fails = dict.fromkeys(INTERVALS, 0)
            for number, beat in enumerate(beats):
                for interval in failing(beat, number, disturbance):
                    fails[interval] += 1
            cells = " | ".join(str(count) for count in fails.values())
            print(f"| {group} | {len(beats)} | {name} | {cells} |", flush=True)
    print("\n| real beats with P on T | measured | absent | off | off and not unsure |")
    print("|---|---|---|---|---|")
    for name, disturbance in DISTURBANCES.items():
        counts = np.sum(
            [count_overlaps(b, n, disturbance) for n, b in enumerate(groups["real"])], axis=0
        )
        print(f"| {name} | {' | '.join(map(str, counts))} |", flush=True)


def failing(beat: Beat, number: int, disturbance: tuple[float, float, float]) -> list[str]:
    """The intervals that are absent or differ at the rates at which the beat fits."""
    rates = [rate for rate in RATES_BPM if 60 / rate >= beat.length_s]
    measured = [measure(repeat(beat, rate, number, disturbance)) for rate in rates]
    names = []
    for name in INTERVALS:
        values = [value for figures in measured if (value := figures[name]) is not None]
        if len(values) < len(measured) or max(values) - min(values) > MAX_SPAN_MS:
            names.append(name)
    return names


def count_overlaps(
    beat: Beat, number: int, disturbance: tuple[float, float, float]
) -> tuple[int, int, int, int]:
    """PR and QT at the rates at which the beat does not fit, against those of its slowest rate."""
    own = analyse(repeat(beat, RATES_BPM[0], number, disturbance))
    measured = absent = off = silent = 0
    for rate in RATES_BPM:
        if 60 / rate >= beat.length_s:
            continue
        analysis = analyse(repeat(beat, rate, number, disturbance))
        codes = {finding.code for finding in analysis.findings}
        for name in ("pr", "qt"):
            value, true = (analysed.figures.get(f"{name}_ms") for analysed in (analysis, own))
            measured += 1
            absent += value is None
            if value is not None and true is not None and abs(value - true) > MAX_OVERLAP_MS:
                off += 1
                silent += f"{name}_unsure" not in codes
    return measured, absent, off, silent


def analyse(signal_mv: np.ndarray) -> EcgAnalysis:
    record = EcgRecord(signal_mv=signal_mv, sampling_rate_hz=500.0, source_format="repeated")
    return analyse_ecg(prepare_ecg(record), record)


def measure(signal_mv: np.ndarray) -> dict[str, float | None]:
    peaks = detect_r_peaks(signal_mv, sampling_rate_hz=500)
    marks = delineate(signal_mv, sampling_rate_hz=500, r_peak_samples=peaks)
    return {name: marks.interval_ms(*ends) for name, ends in INTERVALS.items()}


def repeat(
    beat: Beat, rate_bpm: int, number: int, disturbance: tuple[float, float, float]
) -> np.ndarray:
    noise_mv, wander_mv, hum_mv = disturbance
    generator = np.random.default_rng((number, rate_bpm))
    period_s = 60 / rate_bpm
    signal = np.zeros((12, TIME_S.size))
    shape = CubicSpline(beat.time_s, beat.leads_mv, axis=1)
    for r_s in np.arange(-1.5, 11.5, period_s) + generator.uniform(0, period_s):
        from_r_s = TIME_S - r_s
        is_inside = (from_r_s >= beat.time_s[0]) & (from_r_s <= beat.time_s[-1])
        signal[:, is_inside] += shape(from_r_s[is_inside])
    signal += noise_mv * generator.normal(size=signal.shape)
    phases = generator.uniform(0, 2 * np.pi, (2, 12, 1))
    signal += wander_mv * np.sin(2 * np.pi * 0.28 * TIME_S + phases[0])
    signal += hum_mv * np.sin(2 * np.pi * 50 * TIME_S + phases[1])
    return signal.astype(np.float32)


def make_beat(seed: int) -> Beat:
    generator = np.random.default_rng((2026, seed))
    length_s = generator.uniform(0.38, 0.445)
    p_s, p_width, qrs = generator.uniform((0.10, 0.010, 0.8), (0.14, 0.016, 1.3))
    fall_s = generator.uniform(0.022, 0.032)
    rise_s = generator.uniform(1.0, 1.7) * fall_s
    t_s = length_s - p_s - 2.5 * (p_width + fall_s)
    waves = [
        (-p_s, p_width, p_width),
        (-0.022 * qrs, 0.006 * qrs, 0.006 * qrs),
        (0.0, 0.009 * qrs, 0.009 * qrs),
        (0.024 * qrs, 0.008 * qrs, 0.008 * qrs),
        (t_s, rise_s, fall_s),
    ]
    gains = generator.uniform(0.4, 1.6, (8, 5)) * (0.1, -0.12, 1.0, -0.5, 0.3)
    gains *= generator.choice((-1.0, 1.0), (8, 1), p=(0.3, 0.7))
    gains *= ((1,) * 5, (1, 1, 1, 1, -0.7), (0.45, 1, 1, 1, 1))[seed % 3]
    if seed % 5 == 3:
        waves[4] = (t_s - 0.035, 0.8 * rise_s, 0.8 * fall_s)
        waves.append((t_s + 0.01, 0.8 * fall_s, 0.8 * fall_s))
        gains = np.hstack([gains, -0.6 * gains[:, 4:]])
    if seed % 5 == 4:
        waves.append((2.0 * p_width - p_s, p_width, p_width))
        gains = np.hstack([gains, 0.8 * gains[:, :1]])
    time_s = np.arange(-0.35, 0.5, 0.002)
    bumps = [
        np.exp(-0.5 * ((time_s - at) / np.where(time_s < at, rise, fall)) ** 2)
        for at, rise, fall in waves
    ]
    eight = gains @ np.stack(bumps)
    one, two = eight[0], eight[1]
    limb = [one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2]
    return Beat(f"synthetic {seed}", time_s, np.stack([*limb, *eight[2:]]), length_s)


def cut_beats(folder: Path) -> list[Beat]:
    """From 30 ms before P to 50 ms after T, brought to 0 at both ends."""
    beats = []
    for path in sorted(folder.rglob("*")):
        if path.suffix not in (".hea", ".xml", ".dcm", ".scp", ".edf"):
            continue
        try:
            record = read_ecg(path)
        except PtaclError as error:
            print(f"left out: {error}")
            continue
        marks = analyse_ecg(prepare_ecg(record), record).marks
        beat, leads_mv = marks.representative, marks.representative_mv
        if beat is None or leads_mv is None or beat.p_onset is None or beat.t_end is None:
            continue
        first, last = beat.p_onset - 15, min(beat.t_end + 25, leads_mv.shape[1] - 1)
        part = leads_mv[:, first : last + 1].astype(np.float64)
        ends = [part[:, :5].mean(axis=1)[:, None], part[:, -5:].mean(axis=1)[:, None]]
        part -= ends[0] + (ends[1] - ends[0]) * np.linspace(0, 1, part.shape[1])
        ramp = np.sin(0.5 * np.pi * (np.arange(10) + 0.5) / 10) ** 2
        part[:, :10] *= ramp
        part[:, -10:] *= ramp[::-1]
        time_s = (np.arange(first, last + 1) - beat.r_peak) / 500
        beats.append(Beat(path.name, time_s, part, (last - first) / 500))
    return beats


if __name__ == "__main__":
    main()
