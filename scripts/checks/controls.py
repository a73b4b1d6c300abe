# ruff: noqa: E402 - the repository's packages come before installed ones
"""The local loss against its controls on simulated cohorts, over several seeds.

`python scripts/checks/controls.py FOLDER [--cohort easy] [--patients N] [--seeds 0 1 2]
[--preset demo] [--set key=value]… [--save]`

Three trainings a seed: PTACL on the intact cohort, the same with β = 0 (Global), and the same with
every cine's cycle begun at a random frame (`--break-phase`). Printed
for each, on held-out patients with 95 % intervals: the share of ECG steps whose most similar cine
step is the same one (top-1, chance 1/13), the same with another patient's cine (the clock's share)
and with the position embeddings at zero (the clock taken away), and the mean R² of the ECG's
linear probe. The position of a frame alone solves the local loss, so break-phase can only be told
from PTACL without positions. Finished trainings in FOLDER are not done again. `--save` writes a
dated report to assets/benchmarks/. Simulated figures are evidence about the code, never about
hearts.
"""

import argparse
import datetime
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from ptacl_core import __version__
from ptacl_core.config.run_presets import load_run_settings
from ptacl_core.documents.alignment import Accuracy
from ptacl_core.documents.evaluation import EvaluationDocument
from ptacl_core.stages.embed import run as embed
from ptacl_core.stages.evaluate import run as evaluate
from ptacl_core.stages.simulate import run as simulate
from ptacl_core.stages.train import run as train


@dataclass(frozen=True)
class Arm:
    """One way to train: on which cohort, and in what it differs from PTACL."""

    name: str
    is_broken: bool
    changes: tuple[str, ...]
    pretrained_from: str | None = None


NO_CLOCK = "no_positions"
PTACL = Arm("ptacl", is_broken=False, changes=())
ARMS = (
    PTACL,
    Arm("global", is_broken=False, changes=("align.beta=0",), pretrained_from="ptacl"),
    Arm("break-phase", is_broken=True, changes=()),
)


def measure(
    folder: Path, arm: Arm, *, seed: int, arguments: argparse.Namespace
) -> EvaluationDocument:
    """The evaluation of one training, from disk where it was done before."""
    cohort = folder / ("broken" if arm.is_broken else "intact")
    name = f"{arm.name}-{seed}"
    path = cohort / "runs" / name / "evaluation" / "evaluation.json"
    if path.exists():
        return EvaluationDocument.read(path)
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


def describe(arm: Arm, seed: int, document: EvaluationDocument) -> str:
    """A line of the table."""
    alignment = document.alignment
    assert alignment.controls is not None
    cells = (alignment, alignment.controls.other_patient, without_clock(document))
    figures = [
        f"{cell.top1:.3f} [{low:.3f}, {high:.3f}]" for cell in cells for low, high in [bounds(cell)]
    ]
    row = document.row("aligned-ecg")
    assert row is not None
    return f"| {arm.name} | {seed} | {' | '.join(figures)} | {row.mean.r2:.3f} |"


def without_clock(document: EvaluationDocument) -> Accuracy:
    """What is left of the alignment without positions."""
    assert document.alignment.controls is not None
    return document.alignment.controls.no_positions


def bounds(cell: Accuracy) -> tuple[float, float]:
    """The interval of top-1."""
    assert cell.top1_interval is not None, cell.why
    low, high = cell.top1_interval
    assert low is not None
    assert high is not None
    return low, high


def lies_above(first: Accuracy, second: Accuracy) -> bool:
    """The interval of top-1 of `first` lies wholly above that of `second`."""
    return bounds(first)[0] > bounds(second)[1]


def say(is_above: bool) -> str:
    """In words."""
    return "above" if is_above else "NOT above"


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
        f"`python scripts/checks/controls.py {' '.join(words or sys.argv[1:])}` · PTACL "
        f"{__version__}. Simulated patients: evidence about the code, never about hearts.",
        "",
        "| training | seed | top-1 (chance 0.077) | with another patient's cine "
        "| without positions | mean R² ECG |",
        "|---|---|---|---|---|---|",
    ]
    print("\n".join(lines))
    is_above_global, is_above_broken, has_more_content = True, True, True
    for seed in arguments.seeds:
        documents = {
            arm.name: measure(arguments.folder, arm, seed=seed, arguments=arguments) for arm in ARMS
        }
        for arm in ARMS:
            lines.append(describe(arm, seed, documents[arm.name]))
            print(lines[-1], flush=True)
        alignments = {name: document.alignment for name, document in documents.items()}
        is_above_global &= lies_above(alignments["ptacl"], alignments["global"])
        is_above_broken &= lies_above(alignments["ptacl"], alignments["break-phase"])
        has_more_content &= lies_above(
            without_clock(documents["ptacl"]), without_clock(documents["break-phase"])
        )
    verdicts = [
        f"- top-1 of PTACL lies {say(is_above_global)} Global's for every seed",
        f"- top-1 of PTACL lies {say(is_above_broken)} that of break-phase for every seed"
        + ("" if is_above_broken else ": with positions the clock alone solves the local loss"),
        f"- without positions it lies {say(has_more_content)} that of break-phase for every seed: "
        "what is left is content, which break-phase cannot have",
    ]
    lines += ["", *verdicts]
    print("\n".join(verdicts))
    if arguments.save:
        name = f"controls_{arguments.cohort}_{datetime.date.today()}.md"
        (ROOT / "assets" / "benchmarks" / name).write_text("\n".join(lines) + "\n", "utf-8")
    return 0 if is_above_global and has_more_content else 1


if __name__ == "__main__":
    sys.exit(main())
