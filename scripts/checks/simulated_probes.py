#!/usr/bin/env python
"""Linear read-outs of the `easy` cohort beside the prototype's, and of κ = 0; writes a report.

python scripts/checks/simulated_probes.py [--patients 8000] [--cine-patients 0] [--no-report]

The ECG is read from its mean beat by ridge regression, three quarters of the patients fitted
and the others scored, as the prototype was. With κ = 0 the ECG shows only its heart rate: what
the heart rate does not explain of a phenotype must score nothing.
"""

import argparse
import datetime
import os
import platform
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

from ptacl_core.arrays import Array, Float64
from ptacl_core.config.simulation import load_cohort_settings
from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.simulate.probes import ProbeFeatures, collect_probe_features, fit_ridge_r2

PROTOTYPE = (0.53, 0.60, 0.31, 0.30, 0.29, 0.63, 0.48, 0.55, 0.29, 0.32)
"""R² of the prototype: κ-scale 1.2, nuisance 1, n = 8,000, order of `PHENOTYPE_NAMES`."""
TOLERANCE = 0.05
LARGEST_LEAK = 0.02


def collect(kappa_scale: float | None, num_patients: int, *, with_cine: bool) -> ProbeFeatures:
    """Read-out features of the `easy` cohort."""
    settings = load_cohort_settings("easy", num_patients=num_patients, kappa_scale=kappa_scale)
    return collect_probe_features(settings, range(num_patients), with_cine=with_cine)


def score(features: Float64[Array, "patient feature"], labels: Array) -> Float64[Array, " target"]:
    """Held-out R² of ridge regression, three quarters fitted."""
    return fit_ridge_r2(features, labels, num_train=(3 * len(labels)) // 4)


def remove_heart_rate(features: ProbeFeatures) -> Float64[Array, "patient 10"]:
    """Phenotypes less what a line in the log of the heart rate explains of them."""
    num_train = (3 * len(features.phenotypes)) // 4
    rate = np.log(features.heart_rate_bpm)[:, None]
    design = np.hstack([np.ones_like(rate), rate])
    weights = np.linalg.lstsq(design[:num_train], features.phenotypes[:num_train], rcond=None)[0]
    return features.phenotypes - design @ weights


def format_row(title: str, values: Float64[Array, " target"], form: str = ".2f") -> str:
    """One row of the table."""
    return f"| {title} | " + " | ".join(format(value, form) for value in values) + " |"


def main() -> int:
    """Measure, print, and keep the report; 1 when a bound does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=8000)
    parser.add_argument("--cine-patients", type=int, default=0)
    parser.add_argument("--no-report", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    started_s = time.process_time()
    easy = collect(None, arguments.patients, with_cine=False)
    scores = score(easy.ecg, easy.phenotypes)
    blind = collect(0.0, arguments.patients, with_cine=False)
    whole = score(blind.ecg, blind.phenotypes)
    leak = score(blind.ecg, remove_heart_rate(blind))
    difference = scores - np.array(PROTOTYPE)
    rows = [
        format_row("prototype, mean beat", np.array(PROTOTYPE)),
        format_row("`easy`, mean beat", scores),
        format_row("difference", difference, "+.2f"),
        format_row("κ = 0, mean beat", whole),
        format_row("κ = 0, less the heart rate", leak, ".3f"),
    ]
    if arguments.cine_patients:
        seen = collect(None, arguments.cine_patients, with_cine=True)
        assert seen.cine is not None
        title = f"`easy`, cine pixels, {arguments.cine_patients} patients"
        rows.append(format_row(title, score(seen.cine, seen.phenotypes)))
    holds = float(abs(difference).max()) <= TOLERANCE and float(leak.max()) < LARGEST_LEAK
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    lines = [
        f"# Linear probes of the simulated cohort `easy`, {today}",
        "",
        "Held-out R² of ridge regression. Evidence about the code, never about hearts.",
        "",
        "| read-out | " + " | ".join(PHENOTYPE_NAMES) + " |",
        "|---|" + "---|" * len(PHENOTYPE_NAMES),
        *rows,
        "",
        f"Largest difference from the prototype {abs(difference).max():.3f} (bound {TOLERANCE}); "
        f"largest R² of κ = 0 beyond the heart rate {leak.max():.3f} (bound {LARGEST_LEAK}): "
        f"{'both hold' if holds else 'A BOUND DOES NOT HOLD'}.",
        "",
        f"{arguments.patients} patients, {len(easy.phenotypes)} without a lead fault; "
        f"{time.process_time() - started_s:.0f} s of CPU time; Python "
        f"{platform.python_version()}, torch {torch.__version__}. Command: `python "
        f"scripts/checks/simulated_probes.py --patients {arguments.patients} --cine-patients "
        f"{arguments.cine_patients}`.",
    ]
    print("\n".join(lines))
    if not arguments.no_report:
        folder = Path(__file__).resolve().parents[2] / "assets" / "benchmarks"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"simulate_probes_{today}.md").write_text("\n".join(lines) + "\n")
    return 0 if holds else 1


if __name__ == "__main__":
    raise SystemExit(main())
