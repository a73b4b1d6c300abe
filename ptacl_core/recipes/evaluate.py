"""Measure a run, then write its model card from what was measured."""

from pathlib import Path

from ptacl_core.documents.evaluation import EvaluationDocument
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.stages.evaluate import model_card
from ptacl_core.stages.evaluate import run as evaluate


def run(
    cohort_dir: Path,
    *,
    run: str | None = None,
    num_resamples: int = 2000,
    device: str = "auto",
    with_baselines: bool = True,
    progress: ProgressSink = SILENT,
) -> EvaluationDocument:
    """`stages.evaluate` of `run` (None: the latest), then `runs/<run>/model_card.md`.

    Returns the evaluation's document; raises what the two stages raise.
    """
    document = evaluate.run(
        cohort_dir,
        run=run,
        num_resamples=num_resamples,
        device=device,
        with_baselines=with_baselines,
        progress=progress,
    )
    path = model_card.run(cohort_dir, document.run)
    progress.say(f"model card: {path}")
    return document
