"""Commands that make a cohort: simulate, preprocess."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ptacl_core.cli.options import (
    ArrayLeadsOption,
    ArrayRateOption,
    ArrayUnitOption,
    CohortArgument,
    DeviceOption,
    JsonOption,
    collect_array_hints,
)
from ptacl_core.cli.output import narrate, print_json, print_line


class CohortPreset(StrEnum):
    """Named cohorts of the simulator."""

    TINY = "tiny"
    DEMO = "demo"
    EASY = "easy"
    BENCH = "bench"


class Layout(StrEnum):
    """What `simulate` writes."""

    SHARDS = "shards"
    UKB = "ukb"


def simulate(
    cohort: CohortArgument,
    preset: Annotated[CohortPreset, typer.Option(help="Named cohort.")] = CohortPreset.DEMO,
    patients: Annotated[int | None, typer.Option(min=1, help="Number of patients.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the cohort.")] = None,
    layout: Annotated[
        Layout,
        typer.Option(help="Training-ready shards, or files as UK Biobank lays them out."),
    ] = Layout.SHARDS,
    kappa: Annotated[
        float | None,
        typer.Option(min=0, help="Scale of what the ECG shows; 0: nothing (negative control)."),
    ] = None,
    break_phase: Annotated[
        bool, typer.Option("--break-phase", help="Shift every cine's phase (negative control).")
    ] = False,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", help="key=value over the preset; repeatable (strata.athlete=0.2)."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes (default: one per core, at most four).")
    ] = None,
    device: DeviceOption = "cpu",
    as_json: JsonOption = False,
) -> None:
    """Make a paired ECG-CMR cohort with known truth.

    Its figures are evidence about the code, never about hearts.
    """
    from ptacl_core.cli.progress_bars import ProgressBars
    from ptacl_core.stages.simulate import run as stage

    with ProgressBars() as progress:
        summary = stage.run(
            cohort,
            preset=preset.value,
            num_patients=patients,
            seed=seed,
            layout=layout.value,
            kappa_scale=kappa,
            break_phase=break_phase,
            assignments=tuple(assignments or ()),
            num_workers=workers,
            device=device,
            progress=progress,
        )
    if as_json:
        print_json(summary.as_dict())
        return
    print_line(
        f"{summary.num_patients} simulated patients in {cohort} "
        f"({summary.patients_per_s:.0f} per second); recordings left out: {summary.rejected}"
    )
    narrate(f"next: {summary.next_command}")


def preprocess(
    source: Annotated[Path, typer.Argument(help="Folder, archive or file.", show_default=False)],
    cohort: Annotated[Path, typer.Option("--cohort", help="Cohort directory to make or extend.")],
    pairs: Annotated[
        Path | None,
        typer.Option(
            help="CSV with columns ecg, cmr, patient and optionally visit; centre_row and "
            "centre_column override the heart centre, in pixels of the source image."
        ),
    ] = None,
    phenotypes: Annotated[
        Path | None, typer.Option(help="CSV of phenotypes and covariates.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes (default: one per core).")
    ] = None,
    shard: Annotated[
        str | None, typer.Option("--shard", help="i/n: the i-th of n parts (array jobs).")
    ] = None,
    preview: Annotated[
        Path | None, typer.Option(help="Write a contact sheet of the cine crops (PNG).")
    ] = None,
    identities: Annotated[
        bool,
        typer.Option(
            "--identities", help="Keep who each pseudonym is, in identities.duckdb (mode 0600)."
        ),
    ] = False,
    sampling_rate_hz: ArrayRateOption = None,
    unit: ArrayUnitOption = None,
    leads: ArrayLeadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read ECG and CMR files into shards and the store."""
    from ptacl_core.cli.progress_bars import ProgressBars
    from ptacl_core.stages.preprocess import run as stage

    with ProgressBars() as progress:
        summary = stage.run(
            source,
            cohort,
            pairs=pairs,
            phenotypes=phenotypes,
            num_workers=workers,
            part=stage.parse_part(shard),
            preview=preview,
            keep_identities=identities,
            ecg_hints=collect_array_hints(sampling_rate_hz, unit, leads),
            progress=progress,
        )
    if as_json:
        print_json(summary.as_dict())
        return
    print_line(
        f"accepted: {summary.accepted['ecg']} ECG, {summary.accepted['cmr']} CMR, "
        f"{summary.accepted['pairs']} pairs; left out: {summary.rejected}"
    )
    for reason, count in summary.reasons.items():
        print_line(f"  {count:6d}  {reason}")


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(simulate)
    app.command()(preprocess)
