# ruff: noqa: E402 - the repository's packages come before installed ones
"""The local loss against its controls on simulated cohorts, over several seeds.

`python scripts/compare_controls.py FOLDER [--cohort easy] [--patients N] [--seeds 0 1 2]
[--preset demo] [--set key=value]… [--save]`

Three trainings a seed: PTACL on the intact cohort, the same with β = 0 (Global), and the same with
every cine's cycle begun at a random frame (`--break-phase`). Printed
for each: the share of ECG steps whose most similar cine step is the same one (top-1, chance
1/13) and the one within one step, on held-out patients with 95 % intervals, and the mean R² of
the ECG's linear probe. Finished trainings in FOLDER are not done again. `--save` writes a
dated report to assets/benchmarks/. Simulated figures are evidence about the code, never about
hearts.
"""

import argparse
import datetime
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from ptacl_core import __version__
from ptacl_core.config.training import load_run_settings
from ptacl_core.stages import embed, evaluate, simulate, train


@dataclass(frozen=True)
class Arm:
    """One way to train: on which cohort, and in what it differs from PTACL."""

    name: str
    is_broken: bool
    changes: tuple[str, ...]
    pretrained_from: str | None = None


PTACL = Arm("ptacl", is_broken=False, changes=())
ARMS = (
    PTACL,
    Arm("global", is_broken=False, changes=("align.beta=0",), pretrained_from="ptacl"),
    Arm("break-phase", is_broken=True, changes=()),
)


def measure(folder: Path, arm: Arm, *, seed: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """The evaluation of one training, from disk where it was done before."""
    cohort = folder / ("broken" if arm.is_broken else "intact")
    name = f"{arm.name}-{seed}"
    path = cohort / "runs" / name / "evaluation" / "evaluation.json"
    if path.exists():
        return json.loads(path.read_text())
    simulate.run(
        cohort,
        preset=arguments.cohort,
        num_patients=arguments.patients,
        break_phase=arm.is_broken,
    )
    changes = [f"seed={seed}", *arm.changes, *arguments.set]
    if arm.pretrained_from is not None:
        source = f"{arm.pretrained_from}-{seed}"
        changes += [f"pretrained_from.{modality}={source}" for modality in ("ecg", "cmr")]
    settings = load_run_settings(arguments.preset, overrides=changes)
    train.run(cohort, settings, stage="all", resume=True, run_name=name)
    embed.run(cohort, run=name)
    return evaluate.run(
        cohort, run=name, num_resamples=arguments.resamples, with_baselines=arm is PTACL
    )


def mean_r2(document: dict[str, Any], key: str) -> float | None:
    """Mean R² of one row of Table 2."""
    rows = [row for row in document["rows"] if row["key"] == key]
    return None if not rows else float(rows[0]["mean"]["r2"])


def describe(arm: Arm, seed: int, document: dict[str, Any]) -> str:
    """A line of the table."""
    alignment = document["alignment"]
    figures = [
        f"{alignment[name]:.3f} [{alignment[f'{name}_interval'][0]:.3f}, "
        f"{alignment[f'{name}_interval'][1]:.3f}]"
        for name in ("top1", "within1")
    ]
    r2 = mean_r2(document, "aligned-ecg")
    return f"| {arm.name} | {seed} | {' | '.join(figures)} | {r2:.3f} |"


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cohort", default="easy", help="cohort preset")
    parser.add_argument("--patients", type=int, default=None)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--preset", default="demo", help="run preset")
    parser.add_argument("--set", action="append", default=[], help="key=value over the preset")
    parser.add_argument("--resamples", type=int, default=2000)
    parser.add_argument("--save", action="store_true")
    arguments = parser.parse_args(words)
    lines = [
        f"# The local loss and its controls, {datetime.date.today()}",
        "",
        f"`python scripts/compare_controls.py {' '.join(words or sys.argv[1:])}` · PTACL "
        f"{__version__}. Simulated patients: evidence about the code, never about hearts.",
        "",
        "| training | seed | top-1 (chance 0.077) | within one step (chance 0.219) | mean R² ECG |",
        "|---|---|---|---|---|",
    ]
    print("\n".join(lines))
    is_as_expected = True
    for seed in arguments.seeds:
        documents = {
            arm.name: measure(arguments.folder, arm, seed=seed, arguments=arguments) for arm in ARMS
        }
        for arm in ARMS:
            lines.append(describe(arm, seed, documents[arm.name]))
            print(lines[-1], flush=True)
        low = documents["ptacl"]["alignment"]["top1_interval"][0]
        is_as_expected &= all(
            documents[arm.name]["alignment"]["top1_interval"][1] < low for arm in ARMS[1:]
        )
    verdict = "above" if is_as_expected else "NOT above"
    lines += ["", f"PTACL's interval of top-1 lies {verdict} both controls' for every seed."]
    print(lines[-1])
    if arguments.save:
        name = f"controls_{arguments.cohort}_{datetime.date.today()}.md"
        (ROOT / "assets" / "benchmarks" / name).write_text("\n".join(lines) + "\n", "utf-8")
    return 0 if is_as_expected else 1


if __name__ == "__main__":
    sys.exit(main())
