"""The bootstrap by sums beside a loop over resamples, Tables 1 and 2, and the linear probe.

    python scripts/bench/evaluation.py [--patients 5991] [--probe-rows 27951] [--write]

Process CPU time, one thread; `--write` keeps the report in assets/benchmarks.
"""

import argparse
import os
import platform
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from ptacl_core.evaluate import (
    RegressionTerms,
    bootstrap_interval,
    draw_resamples,
    fit_linear_probe,
    r2,
)
from ptacl_core.stages.evaluate.table_one import evaluate_retrieval

ROOT = Path(__file__).resolve().parents[2]
NUM_RESAMPLES = 2000
LOOP_RESAMPLES = 100
"""Of the loop, whose time is scaled to as many as the sums have."""


def spend(work: Callable[[], Any]) -> float:
    """CPU seconds of one call."""
    started_s = time.process_time()
    work()
    return time.process_time() - started_s


def measure_tables(num_patients: int) -> list[tuple[str, float]]:
    generator = np.random.default_rng(0)
    observed = generator.normal(100, 20, (num_patients, 10))
    predicted = observed + generator.normal(0, 15, (num_patients, 10))
    resamples = draw_resamples(num_patients, generator=generator, num_resamples=NUM_RESAMPLES)
    terms = RegressionTerms(observed, predicted)
    by_sums = spend(lambda: resamples.interval(terms.terms, terms.figures))
    by_loop = spend(
        lambda: bootstrap_interval(
            lambda rows: np.asarray(r2(observed[rows], predicted[rows])),
            num_patients,
            generator=generator,
            num_resamples=LOOP_RESAMPLES,
        )
    )
    ecg, cmr = generator.normal(size=(2, num_patients, 128)).astype(np.float32)
    return [
        ("draw the resamples", spend(lambda: draw_resamples(
            num_patients, generator=generator, num_resamples=NUM_RESAMPLES))),
        ("ten figures of ten phenotypes, by sums", by_sums),
        ("R² of ten phenotypes alone, by a loop", by_loop * NUM_RESAMPLES / LOOP_RESAMPLES),
        ("Table 1, five tables with intervals", spend(
            lambda: evaluate_retrieval(ecg, cmr, observed, resamples))),
    ]  # fmt: skip


def measure_probe(num_rows: int) -> list[tuple[str, float]]:
    from sklearn.linear_model import LinearRegression

    generator = np.random.default_rng(1)
    features = generator.normal(size=(num_rows, 512)).astype(np.float32)
    targets = generator.normal(size=(num_rows, 10))
    double = features.astype(np.float64)
    return [
        ("linear probe", spend(lambda: fit_linear_probe(features, targets))),
        ("scikit-learn's LinearRegression", spend(lambda: LinearRegression().fit(double, targets))),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--patients", type=int, default=5991)
    parser.add_argument("--probe-rows", type=int, default=27951)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    lines = [
        f"# Evaluation, {datetime.now(UTC):%Y-%m-%d}",
        "",
        f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, numpy "
        f"{np.__version__}; one thread, process CPU time; load {os.getloadavg()[0]:.1f} from other "
        f"work, so read ratios. B = {NUM_RESAMPLES}.",
        "",
        "| what | CPU s |",
        "|---|---|",
    ]
    for title, rows in (
        (f"{options.patients} test patients", measure_tables(options.patients)),
        (f"{options.probe_rows} × 512 → 10", measure_probe(options.probe_rows)),
    ):
        lines += [f"| {name}, {title} | {seconds:.2f} |" for name, seconds in rows]
    command = f"--patients {options.patients} --probe-rows {options.probe_rows}"
    lines += ["", f"Command: `python scripts/bench/evaluation.py {command}`."]
    report = "\n".join(lines) + "\n"
    print(report)
    if options.write:
        name = f"evaluation_{datetime.now(UTC):%Y-%m-%d}.md"
        (ROOT / "assets" / "benchmarks" / name).write_text(report)


if __name__ == "__main__":
    main()
