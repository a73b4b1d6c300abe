"""Commands that make a cohort: simulate, preprocess."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ptacl_core.cli.options import (
    CONTROLS_PANEL,
    IDENTITY_PANEL,
    MACHINE_PANEL,
    TABLES_PANEL,
    ArrayLeadsOption,
    ArrayRateOption,
    ArrayUnitOption,
    CohortArgument,
    DeviceOption,
    JsonOption,
    collect_array_hints,
)
from ptacl_core.cli.output import narrate, print_json, print_line
from ptacl_core.safety.files.scratch import use_scratch

if TYPE_CHECKING:
    from ptacl_core.stages.preprocess.plan import PlanSummary
    from ptacl_core.stages.preprocess.summary import PreprocessSummary


class CohortPreset(StrEnum):
    """Named cohorts of the simulator."""

    TINY = "tiny"
    DEMO = "demo"
    EASY = "easy"
    BENCH = "bench"
    TIMING = "timing"


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
        typer.Option(
            rich_help_panel=CONTROLS_PANEL,
            help="Training-ready shards, or files as UK Biobank lays them out.",
        ),
    ] = Layout.SHARDS,
    kappa: Annotated[
        float | None,
        typer.Option(
            min=0,
            rich_help_panel=CONTROLS_PANEL,
            help="Scale of what the ECG shows; 0: nothing (negative control).",
        ),
    ] = None,
    break_phase: Annotated[
        bool,
        typer.Option(
            "--break-phase",
            rich_help_panel=CONTROLS_PANEL,
            help="Shift every cine's phase (negative control).",
        ),
    ] = False,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", help="key=value over the preset; repeatable (strata.athlete=0.2)."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            rich_help_panel=MACHINE_PANEL,
            help="Processes (default: one per core, at most four).",
        ),
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
    sources: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Folders, archives or files; the first one is the cohort where --cohort is not "
            "given.",
            show_default=False,
        ),
    ] = None,
    cohort: Annotated[
        Path | None, typer.Option("--cohort", help="Cohort directory to make or extend.")
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(
            help="Table with columns patient, ecg, cmr and optionally visit, which decides whose "
            "files are whose (--plan writes one); centre_row and centre_column override the heart "
            "centre, in pixels of the source image."
        ),
    ] = None,
    phenotypes: Annotated[
        list[Path] | None,
        typer.Option(help="Table of phenotypes and covariates; repeatable."),
    ] = None,
    targets: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=TABLES_PANEL,
            help="TOML or JSON of targets of your own and where their values stand "
            "(docs/targets.md).",
        ),
    ] = None,
    sex_coding: Annotated[
        str | None,
        typer.Option(
            "--sex-coding",
            rich_help_panel=TABLES_PANEL,
            help="What numbers for a sex mean in tables: ukb (1 male), ptb_xl (0 male), iso_5218 "
            "(1 male, 2 female), or 0=F,1=M.",
        ),
    ] = None,
    plan: Annotated[
        Path | None,
        typer.Option(
            "--plan",
            help="Only write who, which visits, which files and why to this CSV (- shows counts "
            "alone); correct it and give it back with --pairs.",
        ),
    ] = None,
    layout: Annotated[
        str | None,
        typer.Option(
            "--layout",
            rich_help_panel=IDENTITY_PANEL,
            help="Name of the data set, or a TOML file (docs/layouts.md).",
        ),
    ] = None,
    within_days: Annotated[
        int | None,
        typer.Option(
            "--within-days",
            min=0,
            rich_help_panel=IDENTITY_PANEL,
            help="Most days between an ECG and its cine (default: 365).",
        ),
    ] = None,
    files_from: Annotated[
        Path | None,
        typer.Option(
            "--files-from",
            rich_help_panel=MACHINE_PANEL,
            help="List of files, one a line, instead of a walk.",
        ),
    ] = None,
    scratch: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=MACHINE_PANEL,
            help="Local folder for temporary files; archives are copied there before they are "
            "unpacked, one for each process at a time.",
        ),
    ] = None,
    withdrawn: Annotated[
        list[Path] | None,
        typer.Option(
            "--withdrawn",
            rich_help_panel=IDENTITY_PANEL,
            help="List of people to leave out, one a line; repeatable.",
        ),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            rich_help_panel=IDENTITY_PANEL,
            help="Exit status 2 when anything is left out or unmatched.",
        ),
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, rich_help_panel=MACHINE_PANEL, help="Processes (default: one per core)."
        ),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            "--shard", rich_help_panel=MACHINE_PANEL, help="i/n: the i-th of n parts (array jobs)."
        ),
    ] = None,
    preview: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=MACHINE_PANEL, help="Write a contact sheet of the cine crops (PNG)."
        ),
    ] = None,
    identities: Annotated[
        bool,
        typer.Option(
            "--identities",
            rich_help_panel=IDENTITY_PANEL,
            help="Keep who each pseudonym is, in identities.duckdb (mode 0600).",
        ),
    ] = False,
    key: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=IDENTITY_PANEL,
            help="Key of another cohort: parts with one key can be merged later. With --plan a "
            "new key is made where the file is not there yet.",
        ),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            rich_help_panel="How recordings are prepared",
            metavar="KEY=VALUE",
            help="ecg.normalisation=per_lead, ecg.baseline=als, ecg.wavelet=sym4, "
            "cine.slice_choice=segmentation …; `ptacl settings show preprocess` has them all; "
            "repeatable.",
        ),
    ] = None,
    sampling_rate_hz: ArrayRateOption = None,
    unit: ArrayUnitOption = None,
    leads: ArrayLeadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read ECG and CMR files into shards and the store."""
    from ptacl_core.cli.progress_bars import ProgressBars
    from ptacl_core.cli.tables.plan import print_outcome
    from ptacl_core.stages.preprocess import plan as plan_stage
    from ptacl_core.stages.preprocess import run as stage

    if cohort is not None:
        narrate("note: the cohort comes first now: `ptacl preprocess COHORT SOURCE…`")
    cohort, paths = plan_stage.split_arguments(
        sources or [], cohort, has_list=bool(files_from or pairs), is_plan=plan is not None
    )
    asked = plan_stage.build_sources(
        paths,
        files_from=files_from,
        pairs=pairs,
        layout=layout,
        within_days=within_days,
        ecg_hints=collect_array_hints(sampling_rate_hz, unit, leads),
        sex_coding=sex_coding,
        withdrawn=withdrawn or (),
        scratch=scratch,
    )
    summary: PlanSummary | PreprocessSummary
    with ProgressBars() as progress, use_scratch(scratch):
        if plan is not None:
            summary = plan_stage.run(
                asked,
                plan,
                cohort_dir=cohort,
                phenotypes=phenotypes,
                key_file=key,
                progress=progress,
            )
        else:
            assert cohort is not None
            summary = stage.run(
                asked,
                cohort,
                phenotypes=phenotypes or None,
                targets=targets,
                num_workers=workers,
                part=stage.parse_part(shard),
                preview=preview,
                keep_identities=identities,
                key_from=key,
                assignments=assignments or (),
                progress=progress,
            )
    print_outcome(summary, as_json=as_json)
    if strict and any(count for _, count in summary.unmatched):
        raise typer.Exit(2)


def merge(
    cohort: Annotated[Path, typer.Argument(help="Cohort directory to make or extend.")],
    parts: Annotated[list[Path], typer.Argument(help="Cohort directories made apart.")],
    as_json: JsonOption = False,
) -> None:
    """Put parts of a cohort together that were made apart.

    They were made without a shared disk, with one key.
    """
    from ptacl_core.cli.progress_bars import ProgressBars
    from ptacl_core.stages.merge import run as stage

    with ProgressBars() as progress:
        summary = stage.run(cohort, parts, progress=progress)
    if as_json:
        print_json(summary.as_dict())
        return
    print_line(
        f"{summary.parts} parts: {summary.copied} shards copied; the cohort has "
        f"{summary.people} people and {summary.visits} visits"
    )


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(simulate)
    app.command()(preprocess)
    app.command()(merge)
