"""The command that looks: the environment, or what a reader makes of one file."""

from pathlib import Path
from typing import Annotated

import typer

from ptacl_core.cli.options import (
    ArrayLeadsOption,
    ArrayRateOption,
    ArrayUnitOption,
    JsonOption,
    collect_array_hints,
)
from ptacl_core.cli.output import print_json


def doctor(
    file: Annotated[
        Path | None,
        typer.Argument(help="ECG, cine, table, folder or archive.", show_default=False),
    ] = None,
    sampling_rate_hz: ArrayRateOption = None,
    unit: ArrayUnitOption = None,
    leads: ArrayLeadsOption = None,
    axes: Annotated[
        str | None, typer.Option(help="Of a nameless cine array: ZTYX, TYX … in its order.")
    ] = None,
    spacing_mm: Annotated[
        str | None, typer.Option(help="Of a nameless cine array: slice,row,column or row,column.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what the readers make of one file.

    Without a file: what this installation has. No patient is named.
    """
    from ptacl_core.cli.doctor_text import print_report

    if file is None:
        from ptacl_core.stages.doctor import environment as doctor_environment

        report = doctor_environment.run()
    else:
        from ptacl_core.stages.doctor import run as stage

        cine = {"axes": axes, "spacing_mm": stage.parse_spacing(spacing_mm)}
        report = stage.run(
            file,
            ecg_hints=collect_array_hints(sampling_rate_hz, unit, leads),
            cine_hints={name: value for name, value in cine.items() if value is not None},
        )
    if as_json:
        print_json(report.as_dict())
    else:
        print_report(report)


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(doctor)
