"""Options that several commands share, defined once."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ptacl_core.io.hints import ReaderHints

IDENTITY_PANEL = "Who is who"
CONTROLS_PANEL = "Layout and negative controls"
MACHINE_PANEL = "Machine and array jobs"
TABLES_PANEL = "Tables"
ARRAYS_PANEL = "Arrays that do not describe themselves"
"""Headings of the help under which a command's rarer options stand."""

CohortArgument = Annotated[Path, typer.Argument(help="Cohort directory.", show_default=False)]
RunOption = Annotated[
    str | None,
    typer.Option("--run", help="Run under runs/ (default: the latest)."),
]
ModelOption = Annotated[
    Path | None,
    typer.Option(
        "--model", metavar="FILE.ptacl", help="Packed model in place of a run of the cohort."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
DeviceOption = Annotated[
    str,
    typer.Option(
        "--device",
        rich_help_panel=MACHINE_PANEL,
        help="auto, cpu, cuda or cuda:N.",
        show_default=True,
    ),
]
ArrayRateOption = Annotated[
    float | None,
    typer.Option(
        rich_help_panel=ARRAYS_PANEL,
        help="Sampling rate of ECG arrays that do not state it, in Hz.",
    ),
]
ArrayUnitOption = Annotated[
    str | None,
    typer.Option(
        rich_help_panel=ARRAYS_PANEL, help="Unit of ECG arrays that do not state it: mV, uV …"
    ),
]
ArrayLeadsOption = Annotated[
    str | None,
    typer.Option(
        rich_help_panel=ARRAYS_PANEL,
        help="Leads of ECG arrays that do not name them, in order: I,II,III,aVR,…",
    ),
]


def collect_array_hints(
    sampling_rate_hz: float | None, unit: str | None, leads: str | None
) -> "ReaderHints":
    """The options that were given, as `read_ecg` takes them."""
    hints = {
        "sampling_rate_hz": sampling_rate_hz,
        "unit": unit,
        "lead_names": tuple(leads.split(",")) if leads else None,
    }
    return {name: value for name, value in hints.items() if value is not None}
