#!/usr/bin/env python3
"""Measures ECGs and sets the figures beside the carts' own, record by record, with pictures.

    python scripts/checks/measurements.py OUT [DIR...] [--simulated 120]

Reads every ECG in the folders (default: the samples of the repository, packed ones too), writes
OUT/report.md with a table record by record, the simulator's known intervals by kind of beat, and
OUT/beats.png: representative beats of all leads with their marks, to be checked by eye.
"""

import argparse
import gzip
import os
import tempfile
import warnings
from datetime import UTC, datetime
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch

from ptacl_core.config.simulation import load_cohort_settings
from ptacl_core.errors import PtaclError
from ptacl_core.io import read_ecg
from ptacl_core.preprocess import analyse_ecg, prepare_ecg
from ptacl_core.records import EcgAnalysis, EcgRecord
from ptacl_core.simulate import draw_truth, render_ecgs
from ptacl_core.simulate.ecg.rhythm import CONDUCTION_NAMES, RHYTHM_NAMES

ROOT = Path(__file__).resolve().parents[2]
FIGURES = ("pr_ms", "qrs_ms", "qt_ms", "qtc_ms", "axis_deg")
MAX_PICTURES = 12
SHOWN_MS = (-320, 620)
CLIPPED_MV = 0.45


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--simulated", type=int, default=120)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        folders = arguments.folders or [ROOT / "assets" / "samples", unpack(Path(scratch))]
        analyses = analyse_folders(folders)
    draw_beats(analyses, arguments.out / "beats.png")
    lines = [
        "# Measurements: our delineation beside the carts' figures",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, `scripts/checks/measurements.py`. Ours / the cart's; "
        "a dash where there is none.",
        "",
        *tabulate(analyses),
        "",
        *simulate(arguments.simulated),
    ]
    (arguments.out / "report.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


def unpack(folder: Path) -> Path:
    for packed in sorted((ROOT / "tests" / "data" / "ecg").glob("*.gz")):
        (folder / packed.stem).write_bytes(gzip.decompress(packed.read_bytes()))
    return folder


def analyse_folders(folders: list[Path]) -> dict[str, tuple[EcgRecord, EcgAnalysis]]:
    """By file name; of one ECG in several containers each counts."""
    analyses: dict[str, tuple[EcgRecord, EcgAnalysis]] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix in (".md", ".mat", ".dat", ".xyz", "") or path.name in analyses:
                continue
            try:
                record = read_ecg(path)
            except PtaclError as error:
                print(f"left out: {error}")
                continue
            analyses[path.name] = (record, analyse_ecg(prepare_ecg(record), record))
    return analyses


def tabulate(analyses: dict[str, tuple[EcgRecord, EcgAnalysis]]) -> list[str]:
    lines = [
        "| file | bpm | PR | QRS | QT | QTc | axis | statements and findings |",
        "|---|---|---|---|---|---|---|---|",
    ]
    differences: dict[str, list[float]] = {name: [] for name in FIGURES}
    for name, (record, analysis) in analyses.items():
        cells = []
        for figure in FIGURES:
            own, device = analysis.figures.get(figure), record.device_measurements.get(figure)
            texts = ["–" if value is None else f"{value:.0f}" for value in (own, device)]
            cells.append(" / ".join(texts) if device is not None else texts[0])
            if own is not None and device is not None:
                differences[figure].append(own - device)
        remarks = [statement.code for statement in analysis.statements]
        remarks += [finding.code for finding in analysis.findings]
        rate = analysis.figures.get("heart_rate_bpm")
        lines.append(
            f"| {name} | {'–' if rate is None else f'{rate:.0f}'} | {' | '.join(cells)} | "
            f"{', '.join(remarks)} |"
        )
    lines += ["", "| against the carts | n | median absolute difference | bias | largest |"]
    lines.append("|---|---|---|---|---|")
    for figure, values in differences.items():
        if values:
            array = np.array(values)
            lines.append(
                f"| {figure} | {len(array)} | {np.median(np.abs(array)):.0f} | {array.mean():+.1f} "
                f"| {array[np.argmax(np.abs(array))]:+.0f} |"
            )
    return lines


def simulate(count: int) -> list[str]:
    """Error of simulated ECGs' intervals by kind; every fifth with three leads inverted."""
    settings = load_cohort_settings(
        "easy", num_patients=count, seed=11,
        af_share=0.12, pac_share=0.12, pvc_share=0.15, bbb_share=0.25, lead_fault_share=0.1,
    )  # fmt: skip
    truth = draw_truth(settings, range(count))
    signals = render_ecgs(settings, truth).numpy()
    generator = np.random.default_rng(1)
    true = np.stack([truth.intervals.pr_ms, truth.intervals.qrs_ms, truth.intervals.qt_ms], axis=1)
    errors = np.full((count, 3), np.nan)
    groups: dict[str, list[int]] = {}
    for number, signal in enumerate(signals):
        is_turned = number % 5 == 0
        if is_turned:
            signal[generator.choice(12, 3, replace=False)] *= -1
        record = EcgRecord(signal_mv=signal, sampling_rate_hz=500.0, source_format="simulated")
        figures = analyse_ecg(prepare_ecg(record)).figures
        for column, name in enumerate(("pr_ms", "qrs_ms", "qt_ms")):
            errors[number, column] = figures.get(name, np.nan) - true[number, column]
        rhythm = RHYTHM_NAMES[int(truth.rhythm.rhythm[number])]
        conduction = CONDUCTION_NAMES[int(truth.rhythm.conduction[number])]
        names = ["all", rhythm if conduction == "normal" else conduction]
        for name in names + (["inverted leads"] if is_turned else []):
            groups.setdefault(name, []).append(number)
    lines = [
        f"Simulated ECGs whose intervals are known ({count}, preset `easy` with more ectopy, "
        "fibrillation and block), error in ms: bias ± SD (absent).",
        "",
        "| kind | n | PR | QRS | QT |",
        "|---|---|---|---|---|",
    ]
    for name, rows in groups.items():
        cells = []
        for column in range(3):
            values = errors[rows, column]
            known = values[np.isfinite(values)]
            bias = f"{known.mean():+.1f} ± {known.std():.1f}" if known.size else "–"
            cells.append(f"{bias} ({len(values) - known.size})")
        lines.append(f"| {name} | {len(rows)} | {' | '.join(cells)} |")
    return lines


def draw_beats(analyses: dict[str, tuple[EcgRecord, EcgAnalysis]], path: Path) -> None:
    shown = [
        (name, analysis)
        for name, (_, analysis) in analyses.items()
        if analysis.marks.representative is not None and not name.startswith("HR06000_")
    ][:MAX_PICTURES]
    figure, axes = plt.subplots(
        (len(shown) + 2) // 3, 3, figsize=(21, 4.2 * ((len(shown) + 2) // 3))
    )
    for axis, (name, analysis) in zip(axes.flat, shown, strict=False):
        marks, beat_mv = analysis.marks.representative, analysis.marks.representative_mv
        assert marks is not None
        assert beat_mv is not None
        time_ms = (np.arange(beat_mv.shape[1]) - marks.r_peak) * 2.0
        for lead_mv in beat_mv:
            axis.plot(time_ms, np.clip(lead_mv, -CLIPPED_MV, CLIPPED_MV), lw=0.7)
        for mark, colour in (
            ("p_onset", "C0"), ("p_offset", "C0"), ("qrs_onset", "C3"),
            ("qrs_offset", "C3"), ("t_peak", "C2"), ("t_end", "C2"),
        ):  # fmt: skip
            sample = marks.at(mark)
            if sample is not None:
                axis.axvline((sample - marks.r_peak) * 2.0, color=colour, lw=1.2)
        axis.set_xlim(*SHOWN_MS)
        axis.set_title(name, fontsize=10)
        axis.set_xlabel("ms from R")
        axis.grid(alpha=0.3)
    figure.suptitle(
        "Representative beats, twelve leads, clipped at ±0.45 mV; blue P, red QRS, green T"
    )
    figure.tight_layout()
    figure.savefig(path, dpi=60)


if __name__ == "__main__":
    main()
