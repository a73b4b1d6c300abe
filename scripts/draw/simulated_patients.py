#!/usr/bin/env python
"""Draw four patients of the `easy` cohort: ECG on paper and six frames of the cine.

python scripts/draw/simulated_patients.py [assets/simulated_patients.png]
"""

import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure

from ptacl_core.config.simulation import SimulationSettings, load_cohort_settings
from ptacl_core.records import LEAD_NAMES, PHENOTYPE_NAMES
from ptacl_core.simulate import PatientTruth, SimulatedPatients, draw_truth, simulate_patients

PAPER = "#fff8f6"
FINE, COARSE = "#f6d3cd", "#e9a59b"
INK = "#1b1b1f"
MM_PER_S, MM_PER_MV = 25.0, 10.0
ROW_MM = 24.0
LEAD_ROWS = (("I", "aVR", "V1", "V4"), ("II", "aVL", "V2", "V5"), ("III", "aVF", "V3", "V6"))


def choose_patients(settings: SimulationSettings) -> list[int]:
    """The first healthy woman and man, the first weak heart, the first fibrillation."""
    truth = draw_truth(settings, range(800))
    people, rhythm = truth.population, truth.rhythm
    sound = torch.tensor([not fault for fault in truth.lead_faults]) & (rhythm.conduction == 0)
    sinus = sound & (rhythm.rhythm == 0)
    usual = sinus & (people.lvef > 0.56) & (people.lvef < 0.66)
    usual &= (people.heart_rate_ecg_bpm > 55) & (people.heart_rate_ecg_bpm < 75)
    wanted = (
        usual & ~people.is_male,
        usual & people.is_male,
        sinus & (people.lvef < 0.42),
        sound & rhythm.is_fibrillating,
    )
    return [int(torch.nonzero(mask)[0]) for mask in wanted]


def draw_ecg(axes: Axes, signal_mv: np.ndarray) -> None:
    """Three rows of four leads, 2.5 s each, and lead II below: 25 mm/s, 10 mm/mV."""
    width_mm, height_mm = 262.0, 4 * ROW_MM + 8
    axes.set_xlim(-6, width_mm - 6)
    axes.set_ylim(-height_mm, 4)
    axes.set_aspect("equal")
    axes.set_facecolor(PAPER)
    for step, colour, line in ((1, FINE, 0.3), (5, COARSE, 0.5)):
        for place in np.arange(-6 - (-6 % step), width_mm, step):
            axes.axvline(place, color=colour, lw=line, zorder=0)
        for place in np.arange(-height_mm - (-height_mm % step), 5, step):
            axes.axhline(place, color=colour, lw=line, zorder=0)
    for row, names in enumerate((*LEAD_ROWS, ("II",))):
        base_mm = -row * ROW_MM - 14
        for column, name in enumerate(names):
            first, last = (0, 5000) if len(names) == 1 else (1250 * column, 1250 * (column + 1))
            values = signal_mv[LEAD_NAMES.index(name), first:last]
            time_mm = np.arange(first, last) / 500 * MM_PER_S
            axes.plot(time_mm, base_mm + values * MM_PER_MV, color=INK, lw=0.75)
            if column:
                axes.plot([time_mm[0]] * 2, [base_mm - 3, base_mm + 3], color=INK, lw=0.6)
            axes.text(
                time_mm[0] + 1.5,
                base_mm + 9,
                name,
                fontsize=7.5,
                color=INK,
                weight="bold",
                zorder=1,
                bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.8, "alpha": 0.9},
            )
        pulse = np.array([0, 0, MM_PER_MV, MM_PER_MV, 0, 0])
        axes.plot([-5, -4, -4, -1.5, -1.5, -0.5], base_mm + pulse, color=INK, lw=0.75)
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_visible(False)


def choose_frames(truth: PatientTruth, row: int) -> list[tuple[str, int]]:
    """End-diastole, ejection, end-systole, early filling, diastasis, end of diastole."""
    timing = truth.timing
    step_ms = float(timing.rr_ms[row]) / 50
    start, end = float(timing.ejection_start_ms[row]), float(timing.end_systole_ms[row])
    opening = float(timing.mitral_opening_ms[row])
    filled = opening + float(timing.early_filling_ms[row])
    places = {
        "end-diastole": 0.0,
        "ejection": start + 0.45 * (end - start),
        "end-systole": end,
        "early filling": opening + 0.5 * (filled - opening),
        "diastasis": filled,
        "before next R": 49 * step_ms,
    }
    return [(name, min(49, round(place / step_ms))) for name, place in places.items()]


def describe(patients: SimulatedPatients, row: int) -> str:
    """One line of who this is."""
    value = dict(zip(PHENOTYPE_NAMES, patients.phenotypes[row].tolist(), strict=True))
    rhythm = {"af": "atrial fibrillation"}.get(patients.rhythm[row], patients.rhythm[row])
    sex = {"F": "woman", "M": "man"}[patients.sex[row]]
    return (
        f"{sex}, {float(patients.age_years[row]):.0f} years, BMI "
        f"{float(patients.bmi_kg_m2[row]):.0f}, {rhythm} "
        f"{float(patients.heart_rate_ecg_bpm[row]):.0f}/min    "
        f"LVEDV {value['lvedv_ml']:.0f} mL, LVEF {value['lvef_pct']:.0f} %, "
        f"LVM {value['lvm_g']:.0f} g, RVEDV {value['rvedv_ml']:.0f} mL, "
        f"RVEF {value['rvef_pct']:.0f} %"
    )


def draw_patient(
    figure: SubFigure, patients: SimulatedPatients, truth: PatientTruth, row: int
) -> None:
    """One patient: the ECG at the left, six frames at the right."""
    figure.suptitle(describe(patients, row), x=0.012, y=0.985, ha="left", fontsize=10.5)
    parts = figure.subfigures(1, 2, width_ratios=(1.85, 1.0))
    assert isinstance(parts, np.ndarray)
    left, right = parts
    axes = left.subplots()
    left.subplots_adjust(left=0.01, right=0.995, top=0.90, bottom=0.02)
    draw_ecg(axes, patients.ecg_mv[row].numpy())
    grid = right.subplots(2, 3).ravel()
    right.subplots_adjust(left=0.005, right=0.99, top=0.89, bottom=0.02, wspace=0.03, hspace=0.12)
    cine = patients.cine[row].numpy()
    ceiling = np.percentile(cine, 99.5)
    for place, (name, frame) in zip(grid, choose_frames(truth, row), strict=True):
        place.imshow(cine[frame], cmap="gray", vmin=0, vmax=ceiling, interpolation="bicubic")
        elapsed_ms = frame * float(patients.frame_interval_ms[row])
        place.set_title(f"{name}, {elapsed_ms:.0f} ms", fontsize=8, pad=2)
        place.set_axis_off()


def main(target: Path) -> None:
    """Write the picture."""
    torch.set_num_threads(1)
    settings = load_cohort_settings("easy")
    numbers = choose_patients(settings)
    patients = simulate_patients(settings, numbers)
    truth = draw_truth(settings, numbers)
    figure = plt.figure(figsize=(14.6, 15.6), dpi=110, facecolor="white")
    parts = figure.subfigures(4, 1, hspace=0.02)
    assert isinstance(parts, np.ndarray)
    for row, part in enumerate(parts):
        draw_patient(part, patients, truth, row)
    figure.text(
        0.99,
        0.9905,
        "simulated: evidence about the code, never about hearts    25 mm/s, 10 mm/mV",
        ha="right",
        fontsize=8,
        color="#555555",
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target)
    print(f"{target}: patients {', '.join(map(str, numbers))} of the cohort 'easy'")


if __name__ == "__main__":
    default = Path(__file__).resolve().parents[2] / "assets" / "simulated_patients.png"
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else default)
