"""What demos of several seeds have learned, side by side, each against its own controls.

    for seed in 0 1 2; do ptacl demo DIR/$seed --seed $seed; done
    python scripts/checks/demo_seeds.py DIR/0 DIR/1 DIR/2 [--write REPORT.md]

Differences are paired over the same test patients of one training (percentile bootstrap).
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from ptacl_core import __version__
from ptacl_core.cohort import Cohort
from ptacl_core.documents.evaluation import EVALUATION_FILE, EvaluationDocument
from ptacl_core.evaluate.intervals import paired_difference
from ptacl_core.evaluate.metrics import r2
from ptacl_core.records import PHENOTYPE_NAMES

ROWS = (("ecg", "random-ecg"), ("ecg", "pretrained-ecg"), ("ecg", "aligned-ecg"),
        ("cmr", "random-cmr"), ("cmr", "aligned-cmr"))  # fmt: skip


def load_run(folder: Path, run: str) -> EvaluationDocument:
    return EvaluationDocument.read(folder / "runs" / run / "evaluation" / EVALUATION_FILE)


def find_mean(document: EvaluationDocument, key: str) -> float:
    row = document.row(key)
    assert row is not None and row.mean.r2 is not None
    return row.mean.r2


def read_predictions(folder: Path, run: str, variant: str, modality: str) -> tuple[np.ndarray, ...]:
    """Observed and predicted phenotypes [patient, phenotype] of the test patients."""
    with Cohort.open(folder) as cohort:
        answer = cohort.sql(
            "SELECT patient, phenotype, observed, predicted FROM evaluation_predictions "
            f"WHERE run = '{run}' AND variant = '{variant}' AND modality = '{modality}'",
            max_rows=100_000,
        )
    patients = sorted({str(row[0]) for row in answer.rows})
    shape = (len(patients), len(PHENOTYPE_NAMES))
    observed, predicted = np.full(shape, np.nan), np.full(shape, np.nan)
    place = {patient: number for number, patient in enumerate(patients)}
    for patient, phenotype, label, prediction in answer.rows:
        cell = place[str(patient)], PHENOTYPE_NAMES.index(phenotype)
        observed[cell], predicted[cell] = label, prediction
    return observed, predicted


def compare(folder: Path, first: str, second: str) -> tuple[float, float, float]:
    """Mean R² of the first variant less that of the second on the ECG, with its 95 % interval."""
    observed, predicted = read_predictions(folder, "ptacl", first, "ecg")
    _same, predicted_by_other = read_predictions(folder, "ptacl", second, "ecg")
    interval = paired_difference(
        lambda rows: np.asarray(np.mean(r2(observed[rows], predicted[rows]))),
        lambda rows: np.asarray(np.mean(r2(observed[rows], predicted_by_other[rows]))),
        len(observed),
        generator=np.random.default_rng(0),
    ).interval
    return float(interval.estimate), float(interval.low), float(interval.high)


def describe(folder: Path) -> list[str]:
    """Cells of the table of one demo."""
    ptacl, global_run = load_run(folder, "ptacl"), load_run(folder, "global")
    means = [f"{find_mean(ptacl, key):.3f}" for _modality, key in ROWS]
    gain = compare(folder, "aligned-ecg", "random-ecg")
    nested = ptacl.nested[0]
    added = next(line.answer for line in ptacl.headlines if line.key == "nested")
    assert added is not None
    health = {
        f"{run}/{stage}": verdict["learned"]
        for run in ("ptacl", "global")
        for stage, verdict in json.loads(
            (folder / "runs" / run / "health.json").read_text()
        )["stages"].items()
    }  # fmt: skip
    spread = json.loads((folder / "runs" / "ptacl" / "health.json").read_text())
    splits = spread["stages"]["align"]["splits"]
    ranks = splits.get("test", splits["validation"])["spread"]
    projected = [f"{value['effective_rank']:.1f}" for name, value in ranks.items()
                 if "embeddings" in name]  # fmt: skip
    aligned_cmr = ptacl.row("aligned-cmr")
    assert aligned_cmr is not None
    lvef = aligned_cmr.phenotypes["lvef_pct"]
    return [
        *means[:3],
        f"{find_mean(global_run, 'aligned-ecg'):.3f}",
        f"{gain[0]:+.3f} [{gain[1]:+.3f}, {gain[2]:+.3f}]",
        *means[3:],
        f"{find_mean(global_run, 'aligned-cmr'):.3f}",
        f"{lvef.r2:.3f}",
        f"{nested.without.value:.3f} → {nested.with_features.value:.3f}: "
        f"{added.difference:+.3f} [{added.low:+.3f}, {added.high:+.3f}]",
        " / ".join(projected),
        "all" if all(health.values()) else ", ".join(k for k, v in health.items() if not v),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("demos", type=Path, nargs="+")
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    heading = (
        "demo",
        "random ECG",
        "MAE ECG",
        "PTACL ECG",
        "Global ECG",
        "PTACL − random ECG",
        "random CMR",
        "PTACL CMR",
        "Global CMR",
        "PTACL CMR, LVEF",
        "demographics → with the ECG",
        "ranks of embeddings, ECG / CMR",
        "stages that learned",
    )
    lines = ["| " + " | ".join(heading) + " |", "|" + "---|" * len(heading)]
    lines += ["| " + " | ".join([demo.name, *describe(demo)]) + " |" for demo in options.demos]
    text = "\n".join(lines) + "\n"
    print(text)
    if options.write:
        options.write.write_text(
            f"# Demos of several seeds, {time.strftime('%Y-%m-%d')}\n\n"
            f"PTACL {__version__}. `ptacl demo DIR --seed N`, then "
            "`python scripts/checks/demo_seeds.py DIR…`. Simulated cohort `demo`: 1,050 pairs to "
            "train on, 225 to validate, 225 to test; mean R² over ten phenotypes of a linear "
            "probe on test patients. Evidence about the code, never about hearts.\n\n" + text
        )


if __name__ == "__main__":
    main()
