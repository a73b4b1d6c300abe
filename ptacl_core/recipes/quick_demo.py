"""The demo in under a minute: every kind of step once, too few of them to learn anything.

It shows that an installation works, on a machine without network or GPU. A step that is finished
is not done again.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

from ptacl_core import __version__
from ptacl_core.config.run_presets import load_run_settings
from ptacl_core.errors import CohortError
from ptacl_core.json_values import JsonObject
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.recipes.finished_steps import FinishedSteps
from ptacl_core.recipes.samples import find_sample_ecgs
from ptacl_core.stages.embed import run as embed
from ptacl_core.stages.predict import run as predict
from ptacl_core.stages.simulate import run as simulate
from ptacl_core.stages.train import run as train

COHORT_PRESET = "tiny"
RUN = "quick"
RUN_PRESET = "tiny"
NUM_PATIENTS = 160
STEPS_FILE = "quick-demo.json"
FULL_DEMO_FILE = "demo.json"


@dataclass(frozen=True, slots=True)
class QuickSummary:
    """What each step came to; the predictions are of real sample ECGs and mean nothing."""

    directory: str
    patients: int
    steps: int
    embeddings: dict[str, int]
    predictions: list[JsonObject]

    def as_dict(self) -> JsonObject:
        """The JSON document."""
        return asdict(self)


def run(directory: Path, *, seed: int = 0, progress: ProgressSink = SILENT) -> QuickSummary:
    """Simulate, train, embed and predict in `directory`, or go on with it.

    Raises CohortError in the folder of the full demo, and whatever the stages raise.
    """
    if (directory / FULL_DEMO_FILE).exists():
        raise CohortError(
            f"{directory.name}: holds the full demo; give the quick one another folder"
        )
    simulate.run(directory, preset=COHORT_PRESET, num_patients=NUM_PATIENTS, progress=progress)
    steps = FinishedSteps(directory / STEPS_FILE, {"version": __version__, "seed": seed})
    settings = load_run_settings(RUN_PRESET, overrides=[f"seed={seed}"])
    trained = steps.once(
        "train",
        lambda: train.run(
            directory, settings, stage="all", resume=True, run_name=RUN, progress=progress
        ).as_dict(),
    )
    embedded = steps.once(
        "embed", lambda: embed.run(directory, run=RUN, progress=progress).as_dict()
    )
    predictions = steps.once(
        "predict", lambda: predict.run(find_sample_ecgs(), directory, run=RUN, progress=progress)
    )
    return QuickSummary(
        str(directory),
        NUM_PATIENTS,
        trained["steps"],
        {"ecg": embedded["ecg"], "cmr": embedded["cmr"]},
        predictions,
    )
