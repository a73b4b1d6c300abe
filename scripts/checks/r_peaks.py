#!/usr/bin/env python3
"""Sensitivity and positive predictive value of our R peaks, on real and simulated ECGs.

    python scripts/checks/r_peaks.py DIR [--simulated N]

Real ECGs (any format, below DIR) are judged by a consensus of three independent detectors
(sleepecg, wfdb's xqrs, neurokit2), each on four leads: a beat is one that half of the twelve
readings have within 75 ms. Simulated ECGs are judged by their true R times within 50 ms. Peaks in
the first and last 0.3 s are left out: detectors of single leads need a run-up. Exit status 1 when
a figure is below 0.99.
"""

import argparse
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from ptacl_core.config.simulation import load_cohort_settings
from ptacl_core.io import discover, read_ecg
from ptacl_core.preprocess import detect_r_peaks
from ptacl_core.records import LEAD_NAMES
from ptacl_core.simulate import draw_truth, render_ecgs

LEADS = ("I", "II", "V2", "V5")
CONSENSUS_S, TRUTH_S, EDGE_S, DURATION_S = 0.075, 0.050, 0.3, 10.0
MIN_SHARE = 0.99
SINUS: dict[str, float | dict[str, float]] = {
    "af_share": 0.0,
    "pac_share": 0.0,
    "pvc_share": 0.0,
    "bbb_share": 0.0,
}
CONDITIONS: Mapping[str, Mapping[str, Any]] = {
    "atrial fibrillation": SINUS | {"af_share": 1.0},
    "ventricular premature beats": SINUS | {"pvc_share": 1.0},
    "atrial premature beats": SINUS | {"pac_share": 1.0},
    "bundle branch block": SINUS | {"bbb_share": 1.0},
} | {
    f"sinus, {rate} bpm": SINUS
    | {
        "population": {
            "ecg_heart_rate_ratio": rate / 62.0,
            "ecg_heart_rate_log_sd": 0.02,
            "heart_rate_log_sd": 0.02,
        }
    }
    for rate in (40, 55, 75, 100, 130)
}


def score(found_s: np.ndarray, true_s: np.ndarray, tolerance_s: float) -> np.ndarray:
    """Beats, beats found, our peaks, our peaks that are beats; away from the ends."""
    beats, claims = (
        times[(times > EDGE_S) & (times < DURATION_S - EDGE_S)] for times in (true_s, found_s)
    )
    hits = sum(np.abs(found_s - beat).min(initial=99) <= tolerance_s for beat in beats)
    right = sum(np.abs(true_s - claim).min(initial=99) <= tolerance_s for claim in claims)
    return np.array([len(beats), hits, len(claims), right])


def find_offsets_ms(found_s: np.ndarray, true_s: np.ndarray) -> list[float]:
    """Ours minus true, of the beats that both have."""
    if found_s.size == 0:
        return []
    offsets = np.array([found_s[np.abs(found_s - beat).argmin()] - beat for beat in true_s])
    return list(1000 * offsets[np.abs(offsets) <= TRUTH_S])


def show(name: str, counts: np.ndarray, note: str = "") -> bool:
    beats, hits, claims, right = counts
    sensitivity, ppv = hits / max(beats, 1), right / max(claims, 1)
    is_held = bool(beats) and min(sensitivity, ppv) >= MIN_SHARE
    print(
        f"{'held' if is_held else 'NOT HELD':9s}{name}: {beats} beats, sensitivity "
        f"{sensitivity:.4f}, PPV {ppv:.4f}{note}",
        flush=True,
    )
    return is_held


def find_ours(signal_mv: np.ndarray, rate_hz: float = 500.0) -> np.ndarray:
    return detect_r_peaks(signal_mv, sampling_rate_hz=rate_hz) / rate_hz


def find_consensus(signal_mv: np.ndarray, rate_hz: float) -> np.ndarray:
    """Times in s that at least half of the readings have."""
    readings = [
        np.asarray(peaks, float) / rate_hz
        for lead in LEADS
        if np.ptp(signal_mv[LEAD_NAMES.index(lead)]) > 0.01
        for peaks in read_beats(signal_mv[LEAD_NAMES.index(lead)].astype(np.float64), rate_hz)
    ]
    every = np.sort(np.concatenate(readings))
    groups = np.split(every, np.flatnonzero(np.diff(every) > CONSENSUS_S) + 1)
    return np.array([np.median(group) for group in groups if 2 * len(group) >= len(readings)])


def read_beats(lead_mv: np.ndarray, rate_hz: float) -> Iterator[np.ndarray]:
    import neurokit2
    from sleepecg import heartbeats
    from wfdb.processing import xqrs_detect

    yield heartbeats.detect_heartbeats(lead_mv, rate_hz)
    yield np.asarray(xqrs_detect(lead_mv, rate_hz, verbose=False))
    cleaned = neurokit2.ecg_clean(lead_mv, sampling_rate=int(rate_hz))
    yield neurokit2.ecg_findpeaks(cleaned, sampling_rate=int(rate_hz))["ECG_R_Peaks"]


def check_real(folder: Path) -> bool:
    total = np.zeros(4, int)
    is_held = True
    for file in discover(folder):
        if file.modality != "ecg":
            continue
        record = read_ecg(file.path)
        rate_hz = record.sampling_rate_hz
        signal_mv = record.signal_mv[:, : round(DURATION_S * rate_hz)]
        counts = score(
            find_ours(signal_mv, rate_hz), find_consensus(signal_mv, rate_hz), CONSENSUS_S
        )
        show(f"real, {file.path.name}", counts)
        total += counts
    if total[0]:
        is_held = show("real, all", total)
    return is_held


def check_simulated(num_patients: int) -> bool:
    is_held = True
    for name, overrides in CONDITIONS.items():
        settings = load_cohort_settings("easy", lead_fault_share=0.0, **overrides)
        truth = draw_truth(settings, range(num_patients))
        signals = render_ecgs(settings, truth).numpy()
        plain, inverted = np.zeros(4, int), np.zeros(4, int)
        offsets_ms: list[float] = []
        generator = np.random.default_rng(0)
        for signal_mv, true in zip(signals, truth.rhythm.r_peak_samples(), strict=True):
            true_s = true.numpy() / 500.0
            signs = generator.choice([-1.0, 1.0], size=(12, 1)).astype(np.float32)
            offsets_ms += find_offsets_ms(find_ours(signal_mv), true_s)
            plain += score(find_ours(signal_mv), true_s, TRUTH_S)
            inverted += score(find_ours(signal_mv * signs), true_s, TRUTH_S)
        is_held &= show(f"simulated, {name}", plain, f", bias {np.median(offsets_ms):+.1f} ms")
        is_held &= show(f"simulated, {name}, leads inverted at random", inverted)
    return is_held


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("folder", type=Path, help="real ECGs")
    parser.add_argument("--simulated", type=int, default=60, help="patients a condition")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    is_simulated_held = check_simulated(arguments.simulated)
    is_real_held = check_real(arguments.folder)
    sys.exit(not (is_real_held and is_simulated_held))


if __name__ == "__main__":
    main()
