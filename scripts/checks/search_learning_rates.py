"""One equal search of the learning rate for every row of a size, on validation patients only.

    python scripts/checks/search_learning_rates.py COHORT --size workstation --out FOLDER

Each row is trained once per rate with a seed that no report uses; its figure is the mean R²
over phenotypes of the online probe, fitted on training and scored on validation patients, at
the last step (pretraining: the mean of both modalities; alignment: the ECG's). A supervised row
is scored by what it is kept by: 1 - its smallest validation loss of z-scored phenotypes, the mean
of both modalities. Test patients are not read. Aligned rows start from the pretraining of the
rate that was best. A finished training is one small file in FOLDER and is not done again;
FOLDER/learning_rates.json is what presets/reproduce/<size>.toml quotes.
"""

import argparse
import json
import shutil
import time
from pathlib import Path
from typing import TypedDict

from ptacl_core.config.reproduction import load_plan, load_size, plan_run
from ptacl_core.config.training import RunSettings
from ptacl_core.recipes.finished_steps import FinishedSteps
from ptacl_core.stages.train import run as train

SEED = 100
RATES = (5e-4, 1e-3, 2e-3)
ROWS = ("mae", "global", "ptacl", "stranger", "break-phase")
SECTION = {"ecg": "pretrain_ecg", "cmr": "pretrain_cmr", "align": "align",
           "supervised": "supervised"}  # fmt: skip


class Trial(TypedDict):
    """Figures of one training, and how long it took."""

    figures: dict[str, float]
    wall_s: float


def plan_trial(key: str, size_name: str, rate: float, source: str | None) -> RunSettings:
    """Settings of one trial: the row's own at `rate`, probed at the end of each stage."""
    settings = plan_run(load_plan(), load_size(size_name), key, seed=SEED, device="cpu")
    changes: dict[str, object] = {"name": f"search-{key}-{rate:g}"}
    for stage in settings.stages:
        section = getattr(settings, SECTION[stage])
        update: dict[str, float | int] = {"learning_rate": rate}
        if stage != "supervised":
            steps = section.optimisation.steps
            update |= {"validate_every_steps": steps, "probe_every_validations": 1}
        optimisation = section.optimisation.model_copy(update=update)
        changes[SECTION[stage]] = section.model_copy(update={"optimisation": optimisation})
    if source is not None:
        links = settings.pretrained_from.model_copy(update={"ecg": source, "cmr": source})
        changes["pretrained_from"] = links
    return RunSettings.model_validate(settings.model_copy(update=changes).model_dump())


def read_figures(run_dir: Path) -> dict[str, float]:
    """The last figure of each kind of probe that the run's metrics hold, and smallest losses."""
    figures: dict[str, float] = {}
    for line in (run_dir / "metrics.jsonl").read_text().splitlines():
        entry = json.loads(line)
        for name, value in entry.items():
            if name.startswith("val_"):
                figures[f"{entry['stage']}/{name}"] = value
        if "val_loss" in entry:
            key = f"{entry['stage']}/smallest_val_loss"
            figures[key] = min(figures.get(key, entry["val_loss"]), entry["val_loss"])
    return figures


def score(figures: dict[str, float], stages: tuple[str, ...]) -> float:
    """What a rate is chosen by."""
    if "supervised" in stages:
        losses = [figures[f"supervised-{name}/smallest_val_loss"] for name in ("ecg", "cmr")]
        return 1.0 - sum(losses) / len(losses)
    wanted = ("align/val_probe_r2_ecg",) if "align" in stages else tuple(
        f"{stage}/val_probe_r2_{stage}" for stage in stages
    )  # fmt: skip
    return sum(figures[name] for name in wanted) / len(wanted)


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("cohort", type=Path)
    parser.add_argument("--size", default="workstation")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rows", default=",".join(ROWS))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    table: dict[str, dict[str, float]] = {}
    source = None
    for key in arguments.rows.split(","):
        table[key] = {}
        for rate in RATES:
            settings = plan_trial(key, arguments.size, rate, source)
            finished = FinishedSteps(
                arguments.out / f"{settings.name}.json", {"settings_hash": settings.hash()}
            )
            run_dir = arguments.cohort / "runs" / settings.name

            def do(settings: RunSettings = settings, run_dir: Path = run_dir) -> Trial:
                started_s = time.monotonic()
                train.run(arguments.cohort, settings, resume=True)
                return {"figures": read_figures(run_dir), "wall_s": time.monotonic() - started_s}

            result = finished.once("train", do)
            table[key][f"{rate:g}"] = round(score(result["figures"], settings.stages), 4)
            print(key, f"{rate:g}", table[key][f"{rate:g}"], f"{result['wall_s']:.0f} s")
        if key == "mae":
            source = f"search-mae-{max(table[key], key=lambda rate: table['mae'][rate])}"
    document = {"seed": SEED, "split": "val", "figure": "mean R² of the probe", "rows": table}
    (arguments.out / "learning_rates.json").write_text(json.dumps(document, indent=1) + "\n")
    for folder in (arguments.cohort / "runs").glob("search-*"):
        if folder.name != source:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
