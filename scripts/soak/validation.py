#!/usr/bin/env python3
"""Does `ptacl validate` find the failure that is there, and none where there is none?

    python scripts/soak/validation.py [--model example] [--seeds 5] [--alike 15] [--people 250]
                                      [--write FILE]

Per seed other people are simulated as the model's own were (nothing may fail), with an ECG that
knows nothing of the heart (κ 0: R² must fail), and with volumes that another reader draws a
quarter larger (bias must fail, of the volumes and of nothing else). `--alike` further seeds are
simulated as the model's own alone. Exit 1 when one of them differs.
"""

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ptacl_core.documents.validation import ValidationDocument
from ptacl_core.stages.simulate import run as simulate
from ptacl_core.stages.validate import run as validate

ALIKE, NOTHING_KNOWN, LARGER = "unshifted", "κ 0", "volumes × 1.25"
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


def count_kinds(document: ValidationDocument) -> Counter[str]:
    return Counter(failure.what for failure in document.failures)


def is_as_it_should_be(name: str, document: ValidationDocument) -> bool:
    """Whether the failure that was made is told, and no other phenotype is blamed for it."""
    failures = document.failures
    if name == ALIKE:
        return not failures
    if name == NOTHING_KNOWN:
        return "R²" in count_kinds(document)
    of_everybody = [failure for failure in failures if failure.whom == "everybody"]
    biased = {failure.text.split(":")[0] for failure in of_everybody if failure.what == "bias"}
    return biased == set(VOLUMES)


def describe(document: ValidationDocument) -> str:
    """Numbers of failures by kind, and the first of each kind in its own words."""
    counts = count_kinds(document)
    if not counts:
        return "none"
    firsts = {failure.what: failure for failure in reversed(document.failures)}
    return "; ".join(
        f"{kind} × {number} (first: {firsts[kind].whom}, {firsts[kind].text})"
        for kind, number in counts.items()
    )


def validate_one(model: Path, seed: int, name: str, people: int) -> ValidationDocument:
    with tempfile.TemporaryDirectory() as folder:
        cohort = Path(folder) / "cohort"
        simulate.run(
            cohort, preset="demo", num_patients=people, seed=seed,
            kappa_scale=0.0 if name == NOTHING_KNOWN else None, num_workers=1,
        )  # fmt: skip
        if name == LARGER:
            enlarge_volumes(cohort)
        return validate.run(model, cohort, num_resamples=1000)


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--model", type=Path, default=Path("example"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--alike", type=int, default=15)
    parser.add_argument("--people", type=int, default=250)
    parser.add_argument("--write", type=Path)
    arguments = parser.parse_args()
    lines = [
        f"`scripts/soak/validation.py --model {arguments.model} --people {arguments.people}`", "",
        "| Seed | Cohort | Mean R² | Failures |", "|---:|---|---:|---|",
    ]  # fmt: skip
    plan = [
        (101 + seed, name)
        for seed in range(arguments.seeds)
        for name in (ALIKE, NOTHING_KNOWN, LARGER)
    ]
    plan += [(101 + arguments.seeds + seed, ALIKE) for seed in range(arguments.alike)]
    odd = 0
    for seed, name in plan:
        document = validate_one(arguments.model, seed, name, arguments.people)
        is_right = is_as_it_should_be(name, document)
        odd += not is_right
        mean = document.columns[0].mean_r2
        lines.append(
            f"| {seed} | {name} | {mean.value:.3f} [{mean.low:.3f}, {mean.high:.3f}] "
            f"| {describe(document)}{'' if is_right else ' **NOT AS IT SHOULD BE**'} |"
        )
        print(lines[-1], flush=True)
    lines += ["", f"{odd} of {len(plan)} not as they should be."]
    print(lines[-1])
    if arguments.write is not None:
        arguments.write.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 1 if odd else 0


if __name__ == "__main__":
    sys.exit(main())
