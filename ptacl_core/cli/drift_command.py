"""`ptacl drift`: two cohorts or sites side by side."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ptacl_core.cli.options import CohortArgument, DeviceOption, JsonOption, RunOption
from ptacl_core.cli.output import RESEARCH_USE, print_json, print_line

if TYPE_CHECKING:
    from ptacl_core.documents.drift import DriftDocument


def drift(
    cohort: CohortArgument,
    other: Annotated[Path, typer.Argument(help="Cohort that is compared with it.")],
    run: RunOption = None,
    permutations: Annotated[
        int, typer.Option(min=20, help="Permutations of the test of the embeddings.")
    ] = 500,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Show how another cohort differs from this one.

    People, phenotypes, signal quality and embeddings of OTHER are compared.
    """
    from ptacl_core.cli.progress_bars import ProgressBars
    from ptacl_core.stages.drift import run as stage

    with ProgressBars() as progress:
        document = stage.run(
            cohort,
            other,
            run=run,
            num_permutations=permutations,
            device=device,
            progress=progress,
        )
    if as_json:
        print_json(document.as_dict())
    else:
        print_drift(document)


def print_drift(document: "DriftDocument") -> None:
    """A table of the variables, then what the run makes of the other cohort, in words."""
    from ptacl_core.cli.tables.grid import print_table, safe_text, start_table
    from ptacl_core.safety.text.printable import clean_text

    table = start_table("Drift: population stability index under 0.1 little, over 0.25 much")
    for column in ("", "Variable", "Cohort", "Other", "PSI", "p (Holm)", ""):
        table.add_column(column, justify="left" if column in ("", "Variable") else "right")
    for section, cells in document.sections.items():
        for name, cell in cells.items():
            if cell.psi is None or cell.p_adjusted is None:
                table.add_row(section, safe_text(name), "-", "-", "-", "-", cell.why)
                continue
            table.add_row(
                section,
                safe_text(name),
                *cell.describe(),
                f"{cell.psi:.3f}",
                f"{cell.p_adjusted:.3f}",
                "shifted" if cell.is_shifted else "",
            )
    print_table(table)
    print_line(clean_text(document.text, max_length=2000))
    print_line(RESEARCH_USE)


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(drift)
