"""`ptacl reproduce`: both tables of the paper in one command."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ptacl_core.cli.options import MACHINE_PANEL, CohortArgument, DeviceOption, JsonOption
from ptacl_core.cli.output import print_json


class Size(StrEnum):
    """Sizes of encoders and trainings."""

    TINY = "tiny"
    DEMO = "demo"
    WORKSTATION = "workstation"
    PAPER = "paper"


def reproduce(
    cohort: CohortArgument,
    rows: Annotated[
        str | None, typer.Option(help="Methods, separated by commas (default: all).")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Number of trainings of every method.")] = 1,
    size: Annotated[Size, typer.Option(help="demo: two CPU cores; paper: GPUs.")] = Size.DEMO,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the report (default: in the cohort).")
    ] = None,
    jobs: Annotated[
        int,
        typer.Option(
            min=1,
            rich_help_panel=MACHINE_PANEL,
            help="Runs side by side, each a process of one thread.",
        ),
    ] = 1,
    archive: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=MACHINE_PANEL,
            help="Folder of finished runs (simulated patients): go on from it, add to it.",
        ),
    ] = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Train and measure every row of both tables; one report.

    Run again after an interruption, it goes on where it stopped.
    """
    from ptacl_core.cli.progress_bars import ProgressBars
    from ptacl_core.cli.tables.reproduction import print_reproduction
    from ptacl_core.recipes.reproduce import run as recipe

    chosen = None if rows is None else [key.strip() for key in rows.split(",") if key.strip()]
    with ProgressBars() as progress:
        summary = recipe.run(
            cohort,
            rows=chosen,
            num_seeds=seeds,
            size=size.value,
            out=out,
            num_jobs=jobs,
            archive=archive,
            device=device,
            progress=progress,
        )
    if as_json:
        print_json(summary.as_dict())
    else:
        print_reproduction(summary.document, summary.folder)


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(reproduce)
