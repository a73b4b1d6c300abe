#!/usr/bin/env python3
"""Measures ECG preprocessing beside common practice, candidates interleaved in one run.

Denoising against a per-lead PyWavelets loop, the laboratory's ALS baseline and neurokit2's
cleaning; R peaks against neurokit2 and sleepecg; `prepare_ecg` whole. Process CPU time, medians,
one thread. Signals are the real sample ECGs with a little noise added, so that no two are alike.

    python scripts/bench/preprocess.py [--rounds 9] [--write]

`--write` puts the report in assets/benchmarks/preprocess_<date>.md.
"""

import argparse
import os
import platform
import resource
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pywt
import scipy.sparse
import scipy.sparse.linalg
from sleepecg import heartbeats

from ptacl_core.io import read_ecg
from ptacl_core.preprocess import denoise_ecg, detect_r_peaks, measure_ecg, prepare_ecg
from ptacl_core.preprocess.als_baseline import subtract_als_baseline
from ptacl_core.preprocess.resample import resample_ecg
from ptacl_core.records import EcgRecord

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import neurokit2

ROOT = Path(__file__).resolve().parents[2]
RATE_HZ = 500
MAX_TURN = 12
Work = Callable[[np.ndarray], object]


def load_signals() -> list[np.ndarray]:
    """Ten seconds at 500 Hz of each sample ECG, twelve leads, in mV."""
    signals = []
    for path in sorted((ROOT / "assets" / "samples").iterdir()):
        if path.suffix in (".hea", ".xml", ".dcm"):
            record = read_ecg(path)
            resampled = resample_ecg(
                record.signal_mv, from_hz=record.sampling_rate_hz, to_hz=RATE_HZ
            )
            signals.append(resampled[:, :5000].astype(np.float32))
    return signals


def loop_pywt(signal_mv: np.ndarray) -> np.ndarray:
    """Common practice: lead after lead, decompose, zero A8, D1 and D2, put together."""
    rows = []
    for lead in signal_mv:
        bands = pywt.wavedec(lead, "db6", level=8, mode="symmetric")
        bands[0] = np.zeros_like(bands[0])
        bands[-1], bands[-2] = np.zeros_like(bands[-1]), np.zeros_like(bands[-2])
        rows.append(pywt.waverec(bands, "db6", mode="symmetric")[: lead.size])
    return np.stack(rows)


def laboratory_als(signal_mv: np.ndarray) -> np.ndarray:
    """The published recipe: sparse asymmetric least squares, five solves a lead."""
    num_samples = signal_mv.shape[1]
    limit = 4 * signal_mv.std()
    differences = [scipy.sparse.eye_array(num_samples - 2, num_samples, k=k) for k in (0, 1, 2)]
    second = (differences[0] - 2.0 * differences[1] + differences[2]).tocsc()
    penalty = 1e7 * (second.T @ second)
    rows = []
    for lead in np.clip(signal_mv.astype(np.float64), -limit, limit):
        weights, baseline = np.ones(num_samples), np.zeros(num_samples)
        for _ in range(5):
            system = (scipy.sparse.diags(weights) + penalty).tocsc()
            baseline = scipy.sparse.linalg.spsolve(system, weights * lead)
            weights = np.where(lead > baseline, 0.3, 0.7)
        rows.append(lead - baseline)
    return np.stack(rows)


def neurokit_clean(signal_mv: np.ndarray) -> np.ndarray:
    return np.stack(
        [np.asarray(neurokit2.ecg_clean(lead, sampling_rate=RATE_HZ)) for lead in signal_mv]
    )


def neurokit_peaks(signal_mv: np.ndarray) -> np.ndarray:
    """Its default for one lead: cleaning and detection."""
    cleaned = neurokit2.ecg_clean(signal_mv[1], sampling_rate=RATE_HZ)
    return np.asarray(neurokit2.ecg_peaks(cleaned, sampling_rate=RATE_HZ)[1]["ECG_R_Peaks"])


def neurokit_peaks_of_all_leads(signal_mv: np.ndarray) -> list[np.ndarray]:
    """The same for every lead, one after another: what a detector of one lead has to do."""
    return [neurokit_peaks(np.stack([lead, lead])) for lead in signal_mv if np.ptp(lead) > 0.01]


def sleepecg_peaks(signal_mv: np.ndarray) -> np.ndarray:
    return heartbeats.detect_heartbeats(signal_mv[1].astype(np.float64), RATE_HZ)


def our_peaks(signal_mv: np.ndarray) -> np.ndarray:
    return detect_r_peaks(signal_mv, sampling_rate_hz=RATE_HZ)


def our_peaks_of_one_lead(signal_mv: np.ndarray) -> np.ndarray:
    return detect_r_peaks(signal_mv[1], sampling_rate_hz=RATE_HZ)


def prepare(signal_mv: np.ndarray) -> object:
    return prepare_ecg(EcgRecord(signal_mv, float(RATE_HZ), "bench"))


def prepare_and_measure(signal_mv: np.ndarray) -> object:
    record = EcgRecord(signal_mv, float(RATE_HZ), "bench")
    return measure_ecg(prepare_ecg(record), record)


def time_interleaved(
    candidates: dict[str, tuple[Work, int]], signals: Sequence[np.ndarray], *, rounds: int
) -> dict[str, float]:
    """Median CPU milliseconds a record of each candidate, taken in turn on the same records.

    Each takes a number of records at its turn, so that a fast one does not pay for the caches
    that a slow one emptied: recordings come in streams.
    """
    for work, _ in candidates.values():
        work(signals[0])  # tables, plans, imports
    spent: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(rounds):
        stream = [
            vary(signals[(number + at) % len(signals)], number + at) for at in range(MAX_TURN)
        ]
        for name, (work, turn) in candidates.items():
            started_s = time.process_time()
            for signal_mv in stream[:turn]:
                work(signal_mv)
            spent[name].append(1000 * (time.process_time() - started_s) / turn)
    return {name: statistics.median(values) for name, values in spent.items()}


def vary(signal_mv: np.ndarray, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 0.01, signal_mv.shape)
    return (signal_mv + noise).astype(np.float32)


class Agreement(NamedTuple):
    """Ours against sleepecg, away from the ends; offsets are ours minus theirs.

    The last two: ours and sleepecg's against the apex of that lead's R wave.
    """

    f1: float
    num_beats: int
    bias_one_lead_ms: float
    bias_all_leads_ms: float
    apex_bias_ms: float
    sleepecg_apex_bias_ms: float


def compare_peaks(signals: Sequence[np.ndarray]) -> Agreement:
    """F1 on the lead where sleepecg comes nearest to our twelve-lead peaks; bias (median) on the
    lead with the tallest upright R: where R points down, sleepecg marks the bump before it.
    """
    hits = claims = beats = 0
    all_leads: list[float] = []
    one_lead: list[float] = []
    from_apex: list[float] = []
    theirs_from_apex: list[float] = []
    for signal_mv in signals:
        ours = our_peaks(signal_mv)
        scored = [score_lead(ours, lead) for lead in signal_mv if np.ptp(lead) > 0.01]
        best = min(scored, key=lambda row: row[1] + row[2] - 2 * row[0])
        hits, claims, beats = hits + best[0], claims + best[1], beats + best[2]
        heights = np.median(signal_mv[:, ours], axis=1) - np.median(signal_mv, axis=1)
        upright = signal_mv[int(np.argmax(heights))]
        all_leads += score_lead(ours, upright)[3]
        one_lead += score_lead(detect_r_peaks(upright, sampling_rate_hz=RATE_HZ), upright)[3]
        peaks = detect_r_peaks(upright, sampling_rate_hz=RATE_HZ)
        from_apex += offsets_from_apex(peaks, upright)
        theirs_from_apex += offsets_from_apex(sleepecg_peaks(np.stack([upright] * 2)), upright)
    medians = [float(np.median(offsets)) for offsets in (one_lead, all_leads)]
    medians += [float(np.median(offsets)) for offsets in (from_apex, theirs_from_apex)]
    return Agreement(2 * hits / (claims + beats), beats, *medians)


def offsets_from_apex(peaks: np.ndarray, lead: np.ndarray) -> list[float]:
    """Each peak minus the highest sample within 60 ms, in ms, away from the ends."""
    reach = round(0.060 * RATE_HZ)
    inner = peaks[(peaks > 150) & (peaks < 4850)]
    apexes = [
        peak - reach + int(np.argmax(lead[peak - reach : peak + reach + 1])) for peak in inner
    ]
    return [1000 * (peak - apex) / RATE_HZ for peak, apex in zip(inner, apexes, strict=True)]


def score_lead(ours: np.ndarray, lead: np.ndarray) -> tuple[int, int, int, list[float]]:
    """Beats of both, our beats, theirs, and the offsets of the common ones in ms."""
    theirs = np.asarray(heartbeats.detect_heartbeats(lead.astype(np.float64), RATE_HZ))
    inner = theirs[(theirs > 150) & (theirs < 4850)]
    mine = ours[(ours > 150) & (ours < 4850)]
    nearest = [ours[np.abs(ours - beat).argmin()] - beat for beat in inner] if ours.size else []
    near = [1000 * gap / RATE_HZ for gap in nearest if abs(gap) <= 37]
    return len(near), len(mine), len(inner), near


def verdict(is_held: bool) -> str:
    return "held" if is_held else "MISSED"


def make_report(rounds: int) -> str:
    signals = load_signals()
    noise_free = [signal for signal in signals if np.isfinite(signal).all()]
    error = max(
        float(np.abs(denoise_ecg(s) - loop_pywt(s.astype(np.float64))).max() / np.ptp(s))
        for s in noise_free
    )
    clean = time_interleaved(
        {
            "`denoise_ecg` (ours)": (denoise_ecg, MAX_TURN),
            "ours, method `pywt`": (lambda s: denoise_ecg(s, method="pywt"), MAX_TURN),
            "per-lead pywt loop": (loop_pywt, MAX_TURN),
            "`prepare_ecg` whole (ours)": (prepare, MAX_TURN),
            "`prepare_ecg` and `measure_ecg` (ours)": (prepare_and_measure, 1),
            "`subtract_als_baseline` (ours)": (subtract_als_baseline, 1),
            "the laboratory's ALS, sparse solver": (laboratory_als, 1),
            "neurokit2 `ecg_clean`, 12 leads": (neurokit_clean, 1),
        },
        noise_free,
        rounds=rounds,
    )
    peaks = time_interleaved(
        {
            "`detect_r_peaks`, 12 leads (ours)": (our_peaks, MAX_TURN),
            "`detect_r_peaks`, lead II (ours)": (our_peaks_of_one_lead, MAX_TURN),
            "sleepecg (C), lead II": (sleepecg_peaks, MAX_TURN),
            "neurokit2 default, lead II": (neurokit_peaks, MAX_TURN),
            "neurokit2 default, 12 leads in turn": (neurokit_peaks_of_all_leads, 1),
        },
        noise_free,
        rounds=rounds,
    )
    agreement = compare_peaks(signals)
    bias_ms = agreement.apex_bias_ms
    ours, whole = clean["`denoise_ecg` (ours)"], clean["`prepare_ecg` whole (ours)"]
    neurokit = peaks["neurokit2 default, lead II"]
    neurokit_all = peaks["neurokit2 default, 12 leads in turn"]
    twelve = peaks["`detect_r_peaks`, 12 leads (ours)"]
    targets = [
        (
            "denoise against the per-lead pywt loop",
            clean["per-lead pywt loop"] / ours,
            3.5,
            "× faster",
        ),
        (
            "denoise against the laboratory's ALS",
            clean["the laboratory's ALS, sparse solver"] / ours,
            50,
            "× faster",
        ),
        ("`prepare_ecg`, two cores (2 / CPU time)", 2000 / whole, 500, "records/s"),
        (
            "R peaks of one lead against neurokit2's default",
            neurokit / peaks["`detect_r_peaks`, lead II (ours)"],
            5,
            "× faster",
        ),
        (
            "R peaks of 12 leads against neurokit2's default on the 12",
            neurokit_all / twelve,
            5,
            "× faster",
        ),
        (
            f"F1 against sleepecg, {agreement.num_beats} beats of {len(signals)} real ECGs",
            agreement.f1,
            0.99,
            "",
        ),
    ]
    rows = [
        f"| {what} | {value:.3g} {unit} | ≥ {target:g} | {verdict(value >= target)} |"
        for what, value, target, unit in targets
    ]
    rows += [
        f"| denoise error, share of the record's range | {error:.1e} | ≤ 2e-6 | "
        f"{verdict(error <= 2e-6)} |",
        "| R peaks of all 12 leads against neurokit2's default on one | "
        f"{neurokit / twelve:.3g} × faster | | |",
        "| R peak bias against the R wave's apex on the lead with the tallest R | "
        f"{bias_ms:+.1f} ms | ≤ 2 ms | {verdict(abs(bias_ms) <= 2)} |",
        f"| the same of sleepecg | {agreement.sleepecg_apex_bias_ms:+.1f} ms | | |",
        "| ours against sleepecg on that lead | "
        f"{agreement.bias_one_lead_ms:+.1f} ms | ≤ 2 ms | "
        f"{verdict(abs(agreement.bias_one_lead_ms) <= 2)} |",
        f"| R peaks of all 12 leads against sleepecg on that lead (another fiducial point) | "
        f"{agreement.bias_all_leads_ms:+.1f} ms | | |",
    ]
    times = [f"| {name} | {ms:.2f} | {1000 / ms:.0f} |" for name, ms in {**clean, **peaks}.items()]
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    names = ("numpy", "scipy", "PyWavelets", "neurokit2", "sleepecg")
    return "\n".join(
        [
            "# ECG preprocessing, 12 leads × 10 s at 500 Hz",
            "",
            f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} CPUs "
            f"(load {os.getloadavg()[0]:.1f}), Python {platform.python_version()}, "
            + ", ".join(f"{name} {version(name)}" for name in names)
            + f". `scripts/bench/preprocess.py --rounds {rounds}`: medians of CPU time over "
            f"{rounds} rounds of interleaved candidates, one thread. Quote ratios: other work ran "
            "on the machine.",
            "",
            "| what | measured | target | |",
            "|---|---|---|---|",
            *rows,
            "",
            "| candidate | CPU ms a record | records/s on one core |",
            "|---|---|---|",
            *times,
            "",
            f"Peak memory of the whole run, neurokit2 and scipy included: {peak_mib:.0f} MiB.",
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    report = make_report(arguments.rounds)
    print(report)
    if arguments.write:
        name = f"preprocess_{datetime.now(UTC):%Y-%m-%d}.md"
        (ROOT / "assets" / "benchmarks" / name).write_text(report)


if __name__ == "__main__":
    main()
