#!/usr/bin/env python3
"""Does `ptacl validate` find the failure that is there, and none where there is none?

    python scripts/soak/validation.py [--model example] [--seeds 5] [--people 300] [--write FILE]

Per seed other people are simulated as the model's own were (nothing may fail), with an ECG that
knows nothing of the heart (κ 0: R² and coverage must fail), and with volumes that another reader
draws a quarter larger (bias must fail, in the volumes alone). Exit 1 when one of them differs.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ptacl_core.documents.validation import ValidationDocument
from ptacl_core.stages.simulate import run as simulate
from ptacl_core.stages.validate import run as validate

VOLUMES = ("lvedv_ml", "lvesv_ml", "rvedv_ml", "rvesv_ml")


def enlarge_volumes(cohort: Path) -> None:
    """Labels of another reader: the volumes times 1.25."""
    path = cohort / "shards" / "manifest.parquet"
    table = pq.read_table(path)
    for name in VOLUMES:
        at = table.schema.get_field_index(name)
        values = pa.array(1.25 * table.column(name).to_numpy())
        table = table.set_column(at, table.schema.field(at), values)
    pq.write_table(table, path)


def find_kinds(document: ValidationDocument) -> set[str]:
    return {failure.what for failure in document.failures}


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--model", type=Path, default=Path("example"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--people", type=int, default=300)
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    lines = ["| Seed | Cohort | Mean R² | Failures |", "|---:|---|---:|---|"]
    odd = 0
    for seed in range(101, 101 + arguments.seeds):
        for name, kappa_scale in (("unshifted", None), ("κ 0", 0.0), ("volumes × 1.25", None)):
            with tempfile.TemporaryDirectory() as folder:
                cohort = Path(folder) / "cohort"
                simulate.run(
                    cohort, preset="demo", num_patients=arguments.people, seed=seed,
                    kappa_scale=kappa_scale, num_workers=1,
                )  # fmt: skip
                if name.startswith("volumes"):
                    enlarge_volumes(cohort)
                document = validate.run(arguments.model, cohort, num_resamples=1000)
            kinds = find_kinds(document)
            is_right = {
                "unshifted": not kinds,
                "κ 0": "R²" in kinds,
                "volumes × 1.25": "bias" in kinds,
            }[name]
            odd += not is_right
            mean = document.columns[0].mean_r2
            failures = "; ".join(
                f"{failure.what}, {failure.whom}: {failure.text}" for failure in document.failures
            )
            line = (
                f"| {seed} | {name} | {mean.value:.3f} [{mean.low:.3f}, {mean.high:.3f}] "
                f"| {failures or 'none'}{'' if is_right else ' **NOT AS IT SHOULD BE**'} |"
            )
            print(line, flush=True)
            lines.append(line)
    if arguments.write is not None:
        arguments.write.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{odd} of {3 * arguments.seeds} not as they should be")
    return 1 if odd else 0


if __name__ == "__main__":
    sys.exit(main())
