"""The whole product on a small simulated cohort and on real sample ECGs, in minutes.

Each step is a stage; a step that is finished is not done again, so an interrupted demo goes
on where it stopped.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ptacl_core import __version__
from ptacl_core.config.run_presets import load_run_settings
from ptacl_core.documents.evaluation import EvaluationDocument
from ptacl_core.json_values import JsonObject
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.recipes import evaluate
from ptacl_core.recipes.finished_steps import FinishedSteps
from ptacl_core.recipes.samples import find_sample_ecgs
from ptacl_core.stages.embed import run as embed
from ptacl_core.stages.predict import run as predict
from ptacl_core.stages.simulate import run as simulate
from ptacl_core.stages.train import run as train

COHORT_PRESET = "demo"
PTACL_RUN = "ptacl"
GLOBAL_RUN = "global"
PRETRAINING: tuple[Literal["ecg", "cmr"], ...] = ("ecg", "cmr")
"""Stages of the PTACL run whose encoders the Global run takes too."""

RUN_PRESETS = {PTACL_RUN: "demo", GLOBAL_RUN: "demo-global"}


@dataclass(frozen=True, slots=True)
class DemoSummary:
    """What the demo found; `evaluations` are the documents of `ptacl evaluate` by run."""

    directory: str
    seed: int
    evaluations: dict[str, EvaluationDocument]
    predictions: list[JsonObject]

    def as_dict(self) -> JsonObject:
        """The JSON document."""
        return {
            "directory": self.directory,
            "seed": self.seed,
            "evaluations": {
                name: document.as_dict() for name, document in self.evaluations.items()
            },
            "predictions": [*self.predictions],
        }


def run(
    directory: Path,
    *,
    seed: int = 0,
    kappa_scale: float | None = None,
    progress: ProgressSink = SILENT,
) -> DemoSummary:
    """Make the demo in `directory`, or go on with it.

    `seed` drives the training; the cohort is the same for every seed. `kappa_scale` 0 makes
    the negative control. Raises whatever the stages raise.
    """
    simulate.run(directory, preset=COHORT_PRESET, kappa_scale=kappa_scale, progress=progress)
    steps = FinishedSteps(directory / "demo.json", {"version": __version__, "seed": seed})
    settings_of = {
        name: load_run_settings(preset, overrides=[f"seed={seed}"])
        for name, preset in RUN_PRESETS.items()
    }
    for stage in PRETRAINING:
        steps.once(
            f"pretrain {stage}",
            lambda stage=stage: train.run(
                directory,
                settings_of[PTACL_RUN],
                stage=stage,
                resume=True,
                run_name=PTACL_RUN,
                progress=progress,
            ).as_dict(),
        )
    for name in (GLOBAL_RUN, PTACL_RUN):  # the last one is what the app opens on
        settings = settings_of[name]
        steps.once(
            f"train {name}",
            lambda name=name, settings=settings: train.run(
                directory, settings, stage="all", resume=True, run_name=name, progress=progress
            ).as_dict(),
        )
        steps.once(
            f"embed {name}",
            lambda name=name: embed.run(directory, run=name, progress=progress).as_dict(),
        )
    evaluations = {
        name: EvaluationDocument.parse(
            steps.once(
                f"evaluate {name}",
                lambda name=name: evaluate.run(
                    directory, run=name, with_baselines=name == PTACL_RUN, progress=progress
                ).as_dict(),
            ),
            source=f"demo, run {name}",
        )
        for name in (PTACL_RUN, GLOBAL_RUN)
    }
    predictions = steps.once(
        "predict",
        lambda: predict.run(find_sample_ecgs(), directory, run=PTACL_RUN, progress=progress),
    )
    return DemoSummary(str(directory), seed, evaluations, predictions)
