"""Commands that ask a trained cohort: predict, neighbours, query."""

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ptacl_core.cli.options import (
    ARRAYS_PANEL,
    CohortArgument,
    DeviceOption,
    JsonOption,
    ModelOption,
    RunOption,
)
from ptacl_core.cli.output import EXIT_INPUT, narrate, print_json, print_line


class Direction(StrEnum):
    """From which modality's embedding to which one's."""

    ECG_CMR = "ecg-cmr"
    CMR_ECG = "cmr-ecg"
    ECG_ECG = "ecg-ecg"
    CMR_CMR = "cmr-cmr"


class ResultFormat(StrEnum):
    """Forms of a query's result."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"
    PARQUET = "parquet"


def predict(
    files: Annotated[list[Path], typer.Argument(help="ECG files.", show_default=False)],
    cohort: Annotated[
        Path | None,
        typer.Option(
            "--cohort", show_default=False, help="Cohort directory with the run (default: here)."
        ),
    ] = None,
    run: RunOption = None,
    model: ModelOption = None,
    k: Annotated[int, typer.Option("-k", min=0, help="Number of nearest patients.")] = 5,
    sampling_rate_hz: Annotated[
        float | None,
        typer.Option(
            rich_help_panel=ARRAYS_PANEL,
            help="Sampling rate of arrays that do not state it, in Hz.",
        ),
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=ARRAYS_PANEL, help="Unit of arrays that do not state it: mV, uV …"
        ),
    ] = None,
    leads: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=ARRAYS_PANEL,
            help="Leads of arrays that do not name them, in order: I,II,III,aVR,…",
        ),
    ] = None,
    person: Annotated[
        str | None,
        typer.Option(
            help="The person of the ECGs: sex=F,age=61,height=165,weight=70 (cm, kg), any part."
        ),
    ] = None,
    saliency: Annotated[
        bool,
        typer.Option(
            "--saliency", help="Show how each prediction changes when a lead or a phase is masked."
        ),
    ] = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Predict ten phenotypes from new ECGs, with intervals.

    Quality findings come first, then clinical measurements, phenotypes and nearest patients.

    With --person, intervals are those of the same sex and age where the run has them, and
    predictions get z-scores against the training patients of that sex, age and body size.
    Exit status 2 when any of the files gave no prediction; the others are answered.
    """
    from ptacl_core.cli.progress_bars import ProgressBars
    from ptacl_core.cli.tables.prediction import print_prediction
    from ptacl_core.records import parse_person
    from ptacl_core.stages.predict import run as stage

    hints = {
        "sampling_rate_hz": sampling_rate_hz,
        "unit": unit,
        "lead_names": tuple(leads.split(",")) if leads else None,
    }
    with ProgressBars() as progress:
        answers = stage.run(
            files,
            Path() if cohort is None and model is None else cohort,
            run=run,
            model=model,
            k=k,
            hints={name: value for name, value in hints.items() if value is not None},
            person=parse_person(person or ""),
            with_saliency=saliency,
            device=device,
            progress=progress,
        )
    if as_json:
        print_json(answers)
    for answer in answers:
        if not as_json and answer["accepted"]:
            print_prediction(answer)
        elif not answer["accepted"]:
            narrate(f"error: {answer['file']}: {answer['error']}")
    if not all(answer["accepted"] for answer in answers):
        raise typer.Exit(EXIT_INPUT)


def neighbours(
    cohort: CohortArgument,
    query: Annotated[str, typer.Argument(help="Patient of the cohort, or an ECG file.")],
    k: Annotated[int, typer.Option("-k", min=1, help="Number of patients.")] = 10,
    direction: Annotated[
        Direction | None,
        typer.Option(
            help="Which modality is the query, and which is searched (default: ecg-cmr; ecg-ecg of "
            "a run without cines)."
        ),
    ] = None,
    where: Annotated[
        str | None, typer.Option(help="SQL predicate on patients, such as \"sex = 'F'\".")
    ] = None,
    run: RunOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Find the patients whose hearts are most alike."""
    from ptacl_core.cli.tables.grid import print_neighbours
    from ptacl_core.stages.predict import neighbours as stage

    asked = None if direction is None else direction.value
    rows = stage.run(cohort, query, k=k, direction=asked, where=where, run=run, device=device)
    if as_json:
        print_json(rows)
    else:
        print_neighbours(rows)


def query(
    cohort: CohortArgument,
    sql: Annotated[
        str | None, typer.Argument(help="One SELECT; knn('<patient>', k) is a table.")
    ] = None,
    form: Annotated[
        ResultFormat,
        typer.Option("--format", help="Format of the result; Parquet goes to exports/."),
    ] = ResultFormat.TABLE,
    limit: Annotated[int, typer.Option(min=1, help="Largest number of rows.")] = 10_000,
    timeout_s: Annotated[float, typer.Option(min=0.1, help="Deadline in seconds.")] = 30.0,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the tables, views and columns of the store.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Ask the store in SQL: read-only, in a sandbox."""
    from ptacl_core.cli.tables.grid import print_query
    from ptacl_core.cohort import Cohort, describe_schema

    if schema:
        print_line(describe_schema())
        return
    if sql is None:
        narrate("error: expected one SELECT, got none; --schema prints what can be asked")
        raise typer.Exit(EXIT_INPUT)
    with Cohort.open(cohort) as opened:
        if form is ResultFormat.PARQUET and not as_json:
            name = f"query-{datetime.now(UTC):%Y%m%d-%H%M%S}"
            written = opened.export(
                sql, name=name, file_format="parquet", max_rows=limit, deadline_s=timeout_s
            )
            print_line(str(written.path))
            is_truncated = written.is_truncated
        else:
            opened.note_query(sql)
            with opened.stream(sql, max_rows=limit, deadline_s=timeout_s) as rows:
                print_query(rows, "json" if as_json else form.value)
            is_truncated = rows.is_truncated
    if is_truncated:
        narrate(f"there are more rows than the {limit} given; --limit raises the number")


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(predict)
    app.command()(neighbours)
    app.command()(query)
