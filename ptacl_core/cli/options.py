"""Options that several commands share, defined once."""

from pathlib import Path
from typing import Annotated, Any

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
ArrayRateOption = Annotated[float | None, typer.Option(help="Of nameless ECG arrays, in Hz.")]
ArrayUnitOption = Annotated[str | None, typer.Option(help="Of nameless ECG arrays: mV, uV …")]
ArrayLeadsOption = Annotated[
    str | None, typer.Option(help="Of nameless ECG arrays: I,II,III,aVR,… in their order.")
]


def collect_array_hints(
    sampling_rate_hz: float | None, unit: str | None, leads: str | None
) -> dict[str, Any]:
    """The options that were given, as `read_ecg` takes them."""
    hints = {
        "sampling_rate_hz": sampling_rate_hz,
        "unit": unit,
        "lead_names": tuple(leads.split(",")) if leads else None,
    }
    return {name: value for name, value in hints.items() if value is not None}
