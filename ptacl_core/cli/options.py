"""Options that several commands share, defined once."""

from pathlib import Path
from typing import Annotated

import typer

CohortArgument = Annotated[Path, typer.Argument(help="Cohort directory.", show_default=False)]
RunOption = Annotated[
    str | None,
    typer.Option("--run", help="Run under runs/ (default: the latest)."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
DeviceOption = Annotated[
    str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.", show_default=True)
]
