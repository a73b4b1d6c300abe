"""Commands that train and measure: train, embed, evaluate."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ptacl_core.cli.options import (
    MACHINE_PANEL,
    CohortArgument,
    DeviceOption,
    JsonOption,
    ModelOption,
    RunOption,
)
from ptacl_core.cli.output import narrate, print_json, print_line
from ptacl_core.errors import ConfigError

if TYPE_CHECKING:
    from ptacl_core.stages.train.run import TrainSummary


class TrainStage(StrEnum):
    """Stages of a run."""

    ALL = "all"
    ECG = "ecg"
    CMR = "cmr"
    ALIGN = "align"
    FINETUNE = "finetune"
    SUPERVISED = "supervised"


def train(
    cohort: CohortArgument,
    preset: Annotated[str | None, typer.Option(help="Named run, such as demo.")] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file instead of a preset.")] = None,
    stage: Annotated[TrainStage, typer.Option(help="Part of the run.")] = TrainStage.ALL,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", help="key=value over the preset; repeatable.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the run stopped.")] = False,
    run: Annotated[
        str | None,
        typer.Option(
            "--run", "--run-name", help="Name of the run; torchrun takes --run-name only."
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 when a stage has not learned.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Pretrain each modality, align them, fine-tune.

    `torchrun -m ptacl_core train …` is the same on many GPUs.
    """
    from ptacl_core.cli.progress_bars import ProgressBars
    from ptacl_core.config.run_presets import load_run_settings
    from ptacl_core.errors import ConfigError
    from ptacl_core.stages.train import run as training

    source = preset or config
    if source is None or (preset and config):
        raise ConfigError("give either --preset NAME or --config FILE, and not both")
    settings = load_run_settings(source, overrides=assignments or [])
    with ProgressBars() as progress:
        summary = training.run(
            cohort, settings, stage=stage.value, resume=resume, run_name=run, progress=progress
        )
    if not summary.is_reporter:
        return
    for name, words in summary.failures.items():
        narrate(f"stage {name} has NOT LEARNED: {'; '.join(words)}")
    if as_json:
        print_json(summary.as_dict())
    else:
        _print_training(summary, cohort)
    if strict and summary.failures:
        raise typer.Exit(1)


def _print_training(summary: "TrainSummary", cohort: Path) -> None:
    print_line(
        f"run {summary.run}, stage {summary.stage}: {summary.steps} steps, "
        f"loss {summary.loss:.4f}, {summary.samples_per_s:.0f} samples/s"
        + ("; NOT LEARNED: " + ", ".join(summary.failures) if summary.failures else "")
    )
    narrate(f"next: ptacl embed {cohort} --run {summary.run}")


def embed(
    cohort: CohortArgument,
    files: Annotated[
        list[Path] | None, typer.Argument(help="New ECG or CMR files to embed as well.")
    ] = None,
    run: RunOption = None,
    model: ModelOption = None,
    shard: Annotated[
        str | None,
        typer.Option(
            "--shard",
            rich_help_panel=MACHINE_PANEL,
            help="Only part i of n, for array jobs: i/n. Then --merge.",
        ),
    ] = None,
    merge: Annotated[
        bool,
        typer.Option(
            "--merge", rich_help_panel=MACHINE_PANEL, help="Publish the parts that --shard made."
        ),
    ] = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Store embeddings of both modalities and predictions."""
    from ptacl_core.cli.progress_bars import ProgressBars
    from ptacl_core.embedding.part_files import Part
    from ptacl_core.errors import ConfigError
    from ptacl_core.stages.embed import run as stage

    if (shard is not None) + merge + bool(files) > 1:
        raise ConfigError("--shard, --merge and files exclude each other: files come first, alone")
    part = None if shard is None else Part.parse(shard)
    with ProgressBars() as progress:
        if merge:
            summary = stage.merge(cohort, run=run, progress=progress)
        elif part is not None:
            summary = stage.run_part(cohort, part, run=run, device=device, progress=progress)
        else:
            summary = stage.run(
                cohort, run=run, model=model, files=files or [], device=device, progress=progress
            )
    if as_json:
        print_json(summary.as_dict() | ({} if part is None else {"shard": str(part)}))
        return
    print_line(
        f"run {summary.run}: {summary.ecg} ECG and {summary.cmr} CMR embeddings "
        f"of width {summary.dim}" + ("" if part is None else f" in part {part}")
    )
    if part is not None:
        narrate(f"next, when all parts are there: ptacl embed {cohort} --run {summary.run} --merge")
        return
    narrate(f"next: ptacl evaluate {cohort} --run {summary.run}, then ptacl-app {cohort}")


def evaluate(
    cohort: CohortArgument,
    run: RunOption = None,
    resamples: Annotated[
        int, typer.Option(min=100, help="Bootstrap resamples of patients.")
    ] = 2000,
    encoder: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.py:FUNCTION",
            help="Measure an ECG encoder of your own: signals in, features out.",
        ),
    ] = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Measure a run: both tables, alignment, controls, card."""
    from ptacl_core.cli.progress_bars import ProgressBars
    from ptacl_core.cli.tables.evaluation import print_evaluation
    from ptacl_core.recipes import evaluate as recipe

    if encoder is not None:
        _evaluate_foreign(cohort, encoder, run=run, resamples=resamples, as_json=as_json)
        return
    with ProgressBars() as progress:
        document = recipe.run(
            cohort, run=run, num_resamples=resamples, device=device, progress=progress
        )
    if as_json:
        print_json(document.as_dict())
    else:
        print_evaluation(document)


def _evaluate_foreign(
    cohort: Path, encoder: str, *, run: str | None, resamples: int, as_json: bool
) -> None:
    from ptacl_core.cli.progress_bars import ProgressBars
    from ptacl_core.cli.tables.evaluation import print_foreign
    from ptacl_core.stages.evaluate import foreign

    if run is not None:
        raise ConfigError("--encoder measures an encoder of your own: leave out --run")
    function, sha256 = foreign.load_function(encoder)
    with ProgressBars() as progress:
        document = foreign.run(
            cohort,
            function,
            name=Path(encoder.rpartition(":")[0]).stem,
            encoder_sha256=sha256,
            num_resamples=resamples,
            progress=progress,
        )
    if as_json:
        print_json(document.as_dict())
    else:
        print_foreign(document)


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(train)
    app.command()(embed)
    app.command()(evaluate)
