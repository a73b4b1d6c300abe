"""Where the ECG knows nothing (κ = 0), no row may say more than the heart rate.

    ptacl simulate COHORT --preset demo --patients 3000 --kappa 0
    ptacl reproduce COHORT --size demo --rows ROWS
    python scripts/checks/no_leak_rows.py COHORT [--size demo] [--seed 0] [--write REPORT.md]

Every ECG row that was measured, beside ridge on the heart rate (and its square and inverse) on
the same patients: the difference of mean R² with its 95 % interval over resampled patients, and
the largest over a phenotype. The heart rate is a true route: it is in the ECG, in the cine's
timing and in the output per minute. A row whose interval lies above 0.02 is a leak: exit 1.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from ptacl_core.config.reproduction import load_plan, name_run
from ptacl_core.evaluate import fit_linear_probe
from ptacl_core.evaluate.metrics import r2
from ptacl_core.shards import ShardReader
from ptacl_core.stages.evaluate.measure_row import has_row, load_row

BOUND = 0.02
NUM_RESAMPLES = 2000


def predict_from_heart_rate(cohort: Path) -> np.ndarray:
    """Phenotypes of the test patients by the heart rate alone."""
    with ShardReader.open(cohort) as reader:
        splits = [reader.rows("train"), reader.rows("test")]
        rates = [np.nan_to_num(reader.column("heart_rate_bpm", rows), nan=64.0) for rows in splits]
        train, test = (np.stack([rate, rate**2, 1 / rate], axis=1) for rate in rates)
        return fit_linear_probe(train, reader.phenotypes(splits[0])).predict(test)


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("cohort", type=Path)
    parser.add_argument("--size", default="demo")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    rate = predict_from_heart_rate(arguments.cohort)
    generator = np.random.default_rng(0)
    lines = [
        "| row | mean R² | heart rate | beyond it [95 %] | largest of ten |",
        "|---|---:|---:|---:|---:|",
    ]
    leaks = []
    for method in load_plan().methods:
        run, row = name_run(arguments.size, arguments.seed, method.run), f"{method.key}-ecg"
        if not has_row(arguments.cohort, run, row):
            continue
        figures = load_row(arguments.cohort, run, row)
        mine, other = r2(figures.observed, figures.predicted), r2(figures.observed, rate)
        draws = []
        for _ in range(NUM_RESAMPLES):
            rows = generator.integers(0, len(rate), len(rate))
            observed = figures.observed[rows]
            draws.append((r2(observed, figures.predicted[rows]) - r2(observed, rate[rows])).mean())
        low, high = np.quantile(draws, [0.025, 0.975])
        lines.append(
            f"| {method.key} | {mine.mean():.3f} | {other.mean():.3f} | "
            f"{(mine - other).mean():+.3f} [{low:+.3f}, {high:+.3f}] | "
            f"{(mine - other).max():+.3f} |"
        )
        if low > BOUND:
            leaks.append(method.key)
    text = "\n".join(lines)
    print(text)
    print("no leak" if not leaks else f"LEAK: {', '.join(leaks)}")
    if arguments.write is not None:
        arguments.write.write_text(
            "# No row says more than the heart rate where κ is 0\n\n"
            f"`python scripts/checks/no_leak_rows.py {arguments.cohort.name}`: {len(rate)} test "
            f"patients, size {arguments.size}, seed {arguments.seed}. Simulated: evidence about "
            f"the code, never about hearts.\n\n{text}\n"
        )
    return 1 if leaks else 0


if __name__ == "__main__":
    sys.exit(main())
