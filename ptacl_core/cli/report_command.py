"""`ptacl report`: a patient's page, a reporting checklist of a run, the data sheet of a cohort."""

import subprocess
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ptacl_core.cli.options import CohortArgument, JsonOption
from ptacl_core.cli.output import EXIT_INPUT, narrate, print_json, print_line

if TYPE_CHECKING:
    from ptacl_core.documents.model import Document
    from ptacl_core.report.blocks import Report


class Checklist(StrEnum):
    """Reporting guidelines that are answered from disk."""

    TRIPOD_AI = "tripod-ai"
    CLAIM = "claim"


def report(
    cohort: CohortArgument,
    run: Annotated[
        str | None, typer.Argument(help="Run of a checklist, or of a patient's predictions.")
    ] = None,
    patient: Annotated[
        str | None, typer.Option(help="Whose page that prints true to scale.", show_default=False)
    ] = None,
    visit: Annotated[int | None, typer.Option(help="Which visit (default: the first).")] = None,
    checklist: Annotated[
        Checklist | None, typer.Option(help="Which checklist of RUN.", show_default=False)
    ] = None,
    validation: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.json",
            help="For a checklist: validation.json of the packed run on another cohort.",
            show_default=False,
        ),
    ] = None,
    data_sheet: Annotated[
        bool, typer.Option("--data-sheet", help="What the cohort holds, and what it lacks.")
    ] = False,
    egress: Annotated[
        bool, typer.Option("--egress", help="Data sheet without figures of fewer than 10 people.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="File of a patient's page; else folder for .html, .md and .json."),
    ] = None,
    run_option: Annotated[
        str | None, typer.Option("--run", help="The same as RUN.", hidden=True)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a patient's page, a checklist, or a data sheet."""
    chosen = run or run_option
    wanted = [patient is not None, checklist is not None, data_sheet]
    if (
        sum(wanted) != 1
        or (checklist is not None and chosen is None)
        or egress > data_sheet
        or (validation is not None and checklist is None)
    ):
        narrate(
            "error: expected one of --patient ID, RUN --checklist tripod-ai or claim, --data-sheet "
            "(with --egress where it is to leave); --validation goes with a checklist"
        )
        raise typer.Exit(EXIT_INPUT)
    if patient is not None:
        _write_page(cohort, patient, visit, chosen, out)
    elif data_sheet:
        from ptacl_core.report.checklist import build_data_sheet_report
        from ptacl_core.stages.report import data_sheet as stage

        sheet = stage.run(cohort, smallest_cell=stage.SMALL_CELL if egress else 1)
        _write(sheet, build_data_sheet_report(sheet), "data-sheet", out, as_json=as_json)
    elif checklist is not None and chosen is not None:
        from ptacl_core.report.checklist import build_checklist_report
        from ptacl_core.stages.report import run as answering

        answered = answering.run(cohort, chosen, checklist.value, validation=validation)
        _write(answered, build_checklist_report(answered), checklist.value, out, as_json=as_json)


def _write(
    document: "Document", built: "Report", name: str, out: Path | None, *, as_json: bool
) -> None:
    from ptacl_core.report.html import render_html
    from ptacl_core.report.markdown import render_markdown
    from ptacl_core.safety.files.atomic import write_json, write_text

    if out is not None:
        write_json(out / f"{name}.json", document.as_dict())
        write_text(out / f"{name}.html", render_html(built))
        write_text(out / f"{name}.md", render_markdown(built))
    if as_json:
        print_json(document.as_dict())
        return
    for line in render_markdown(built).splitlines():
        print_line(line)


def _write_page(
    cohort: Path, patient: str, visit: int | None, run: str | None, out: Path | None
) -> None:
    command = [sys.executable, "-P", "-m", "ptacl_app", "report", str(cohort), "--patient", patient]
    for option, value in (("--visit", visit), ("--run", run), ("--out", out)):
        if value is not None:
            command += [option, str(value)]
    # the page is drawn by the app's raster, and the core has no user interface: another process
    finished = subprocess.run(command, check=False)
    if finished.returncode:
        raise typer.Exit(finished.returncode)


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(report)
