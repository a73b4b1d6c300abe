"""Commands about vectors that another model made of the cohort's people: add, list, remove."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ptacl_core.cli.options import CohortArgument, JsonOption
from ptacl_core.cli.output import narrate, print_json, print_line

vectors = typer.Typer(
    no_args_is_help=True, help="Another model's vectors (echo, CMR) in the place of cines."
)


@vectors.command()
def add(
    cohort: CohortArgument,
    file: Annotated[
        Path, typer.Argument(help="Parquet: a column of people, and `vector` or v0, v1 …")
    ],
    name: Annotated[str, typer.Option("--name", help="Name of the set, e.g. echo_model.")],
    person: Annotated[str, typer.Option(help="Column of people, as in the sources.")] = "person",
    visit: Annotated[
        str | None, typer.Option(help="Column of visits; without it a row is of every visit.")
    ] = None,
) -> None:
    """Put vectors in, by person or visit."""
    from ptacl_core.cli.progress_bars import ProgressBars
    from ptacl_core.stages.targets import vectors as stage

    with ProgressBars() as progress:
        stage.add(cohort, file, name=name, person=person, visit=visit, progress=progress)
    narrate(
        f"next: ptacl train {cohort} --preset paper-global --run {name.replace('_', '-')} "
        f"--set align.vectors={name}"
    )


@vectors.command(name="list")
def list_command(cohort: CohortArgument, as_json: JsonOption = False) -> None:
    """Show the sets of vectors."""
    from ptacl_core.stages.targets import vectors as stage

    summaries = stage.list_vectors(cohort)
    if as_json:
        print_json({"vectors": [asdict(summary) for summary in summaries]})
        return
    if not summaries:
        print_line("the cohort has no vectors; `ptacl vectors add` brings some in")
    for summary in summaries:
        print_line(
            f"{summary.name}: {summary.num_vectors} vectors of {summary.dim} values, of "
            f"{summary.num_people} people"
        )


@vectors.command()
def remove(
    cohort: CohortArgument, name: Annotated[str, typer.Argument(help="Name of the set.")]
) -> None:
    """Remove a set of vectors; runs that were aligned with it stay."""
    from ptacl_core.stages.targets import vectors as stage

    count = stage.remove(cohort, name)
    print_line(f"{name} is removed, with {count} vectors")


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(vectors, name="vectors")
