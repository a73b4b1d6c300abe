"""Commands about a cohort's own targets: add, list, remove."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ptacl_core.cli.options import CohortArgument, JsonOption
from ptacl_core.cli.output import narrate, print_json, print_line

if TYPE_CHECKING:
    from ptacl_core.documents.targets import TargetsDocument

targets = typer.Typer(
    no_args_is_help=True, help="What the cohort is predicted for, beside the ten phenotypes."
)


@targets.command()
def add(
    cohort: CohortArgument,
    definitions: Annotated[
        Path, typer.Argument(help="TOML or JSON of the targets (docs/targets.md).")
    ],
    tables: Annotated[
        list[Path] | None,
        typer.Argument(help="Tables of values, where the definitions do not name them."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Define targets and put in their values."""
    from ptacl_core.cli.progress_bars import ProgressBars
    from ptacl_core.stages.targets import run as stage

    with ProgressBars() as progress:
        document = stage.add(cohort, definitions, tables or [], progress=progress)
    _print(document, as_json=as_json)
    narrate(f"next: ptacl embed {cohort}, which fits what predicts them")


@targets.command(name="list")
def list_command(cohort: CohortArgument, as_json: JsonOption = False) -> None:
    """Show the targets and how many people have them."""
    from ptacl_core.stages.targets import run as stage

    _print(stage.list_targets(cohort), as_json=as_json)


@targets.command()
def remove(
    cohort: CohortArgument, name: Annotated[str, typer.Argument(help="Name of the target.")]
) -> None:
    """Remove a target with its values and predictions."""
    from ptacl_core.stages.targets import run as stage

    count = stage.remove(cohort, name)
    print_line(f"{name} is removed, with {count} values")


def _print(document: "TargetsDocument", *, as_json: bool) -> None:
    from ptacl_core.cli.tables.grid import print_table, start_table

    if as_json:
        print_json(document.as_dict())
        return
    if not document.targets:
        print_line("the cohort has no targets of its own; `ptacl targets add` defines some")
        return
    table = start_table("Targets of the cohort: people with a value")
    for column in ("Target", "Kind", "Unit", "Train", "Val", "Test", "Mean"):
        table.add_column(column, justify="left" if column in ("Target", "Kind") else "right")
    for target in document.targets:
        table.add_row(
            f"{target.name}{f': {target.rule}' if target.rule else ''}",
            target.kind,
            target.unit,
            *(str(target.people[split]) for split in ("train", "val", "test")),
            "-" if target.mean is None else f"{target.mean:.3g}",
        )
    print_table(table)


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(targets, name="targets")
