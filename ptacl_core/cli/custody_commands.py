"""Commands that guard a cohort: withdraw, erase, verify, selftest."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ptacl_core.cli.options import CohortArgument, JsonOption
from ptacl_core.cli.output import EXIT_INPUT, EXIT_OURS, narrate, print_json, print_line
from ptacl_core.errors import PtaclError

StopTrainingOption = Annotated[
    bool, typer.Option("--stop-training", help="Stop trainings with these people.")
]
ConfirmedOption = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]


def withdraw(
    places: Annotated[
        list[Path],
        typer.Argument(
            metavar="COHORT... LIST",
            help="Cohort directories, then a CSV or text file of identifiers, or - for stdin.",
        ),
    ],
    all_cohorts: Annotated[
        bool, typer.Option("--all-cohorts", help="Also for other cohorts of the same key.")
    ] = False,
    stop_training: StopTrainingOption = False,
    is_confirmed: ConfirmedOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take withdrawn people out of cohorts, and keep them out.

    They come on the standing register; those who are in a cohort leave it. Identifiers count in
    any spelling, and whoever is not here yet stays out when files arrive. Without LIST an
    interrupted erasure is ended. A second call changes nothing. Exit status 1 when a trace is
    left, 2 when a cohort's key is missing.
    """
    from ptacl_core.io.files.identifier_list import STDIN, read_identifier_list

    has_list = places[-1] == STDIN or not places[-1].is_dir()
    cohorts = places[:-1] if has_list else places
    if not cohorts:
        narrate("error: expected a cohort directory before the list")
        raise typer.Exit(EXIT_INPUT)
    identifiers = read_identifier_list(places[-1]) if has_list else []
    if not is_confirmed:
        _ask(len(set(identifiers)), cohorts)
    _withdraw(cohorts, identifiers, is_shared=all_cohorts, may_stop=stop_training, as_json=as_json)


def erase(
    cohort: CohortArgument,
    people: Annotated[
        list[str] | None,
        typer.Argument(metavar="ID...", help="Pseudonyms, or the identifiers their files carried."),
    ] = None,
    from_list: Annotated[
        Path | None, typer.Option("--from", help="File with the identifiers; - reads stdin.")
    ] = None,
    stop_training: StopTrainingOption = False,
    is_confirmed: ConfirmedOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take withdrawn people out of everything, and certify it.

    Store, arrays, embeddings, predictions, notes, index, exports, run files and the app's
    memory are made anew without them; then every byte of the directory is searched. Runs that
    were trained with them are listed. The one-person form of `ptacl withdraw`: people stay on
    its register. Exit status 1 when a trace is left.
    """
    from ptacl_core.io.files.identifier_list import read_identifier_list

    identifiers = [*(people or ()), *(read_identifier_list(from_list) if from_list else ())]
    if any(not identifier.strip() for identifier in identifiers) or not identifiers:
        narrate("error: expected pseudonyms or identifiers of people to erase, got none")
        raise typer.Exit(EXIT_INPUT)
    if not is_confirmed:
        _ask(len(set(identifiers)), [cohort])
    _withdraw([cohort], identifiers, is_shared=False, may_stop=stop_training, as_json=as_json)


def _withdraw(
    cohorts: list[Path], identifiers: list[str], *, is_shared: bool, may_stop: bool, as_json: bool
) -> None:
    from ptacl_core.cli.progress_bars import ProgressBars
    from ptacl_core.cli.tables.custody import print_withdrawal
    from ptacl_core.stages.custody import withdraw as stage

    summaries, num_failed = [], 0
    for cohort in cohorts:
        try:
            with ProgressBars() as progress:
                summary = stage.run(
                    cohort,
                    identifiers,
                    is_shared=is_shared,
                    may_stop=may_stop,
                    progress=progress,
                )
        except PtaclError as error:
            if len(cohorts) == 1:
                raise
            narrate(f"error: {error}")
            num_failed += 1
            continue
        summaries.append(summary)
        if not as_json:
            print_withdrawal(summary)
    if as_json:
        documents = [summary.as_dict() for summary in summaries]
        print_json(documents[0] if len(cohorts) == 1 else documents)
    if num_failed:
        raise typer.Exit(EXIT_INPUT)
    if not all(summary.is_complete for summary in summaries):
        raise typer.Exit(EXIT_OURS)


class Access(StrEnum):
    """What the group of a cohort may do."""

    NONE = "none"
    READ = "read"
    WRITE = "write"


def share(
    cohort: CohortArgument,
    access: Annotated[Access, typer.Argument(help="What the group may do.")] = Access.READ,
    group: Annotated[
        str | None, typer.Option(help="Name of the group (default: the folder's own).")
    ] = None,
) -> None:
    """Open a cohort to a group, or close it again.

    The group may read, or read and write. Identities, lineage and the register of withdrawn
    people stay the owner's alone.
    """
    from ptacl_core.stages.custody import share as stage

    num_changed = stage.run(cohort, access.value, group=group)
    print_line(f"{cohort}: the group may {access.value}; rights changed: {num_changed}")


def verify(
    cohort: CohortArgument,
    repair: Annotated[
        bool, typer.Option("--repair", help="Make again what is derived from other files.")
    ] = False,
    light: Annotated[
        bool, typer.Option("--light", help="Sizes in place of hashes of large files: seconds.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Prove a cohort directory whole, or name each defect.

    Exit status 2 with defects.
    """
    from ptacl_core.cli.progress_bars import ProgressBars
    from ptacl_core.cli.tables.custody import print_verification
    from ptacl_core.stages.custody import verify as stage

    with ProgressBars() as progress:
        verification = stage.run(cohort, repair=repair, is_light=light, progress=progress)
    if as_json:
        print_json(verification.as_dict())
    else:
        print_verification(verification)
    if not verification.is_whole:
        raise typer.Exit(EXIT_INPUT)


def selftest(as_json: JsonOption = False) -> None:
    """Try the reliability goals in short on this machine.

    Works in a temporary cohort with keys of its own. Exit status 1 when one does not hold.
    """
    from ptacl_core.cli.progress_bars import ProgressBars
    from ptacl_core.cli.tables.custody import print_self_test
    from ptacl_core.cohort.health.self_test import run_self_test

    with ProgressBars() as progress:
        checks = run_self_test(progress)
    if as_json:
        print_json(
            {
                "checks": [check.as_dict() for check in checks],
                "is_passed": all(check.is_passed for check in checks),
            }
        )
    else:
        print_self_test(checks)
    if not all(check.is_passed for check in checks):
        raise typer.Exit(EXIT_OURS)


def _ask(num_people: int, cohorts: list[Path]) -> None:
    """Go on only after a person typed yes; without a terminal, `--yes` must say it."""
    if not sys.stdin.isatty():
        narrate("error: erasing cannot be undone; confirm it with --yes")
        raise typer.Exit(EXIT_INPUT)
    names = ", ".join(str(cohort) for cohort in cohorts)
    noun = "person" if num_people == 1 else "people"
    if not typer.confirm(f"Erase {num_people} {noun} from {names} for good?", err=True):
        narrate("nothing was changed")
        raise typer.Exit(EXIT_INPUT)


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(withdraw)
    app.command()(erase)
    app.command()(share)
    app.command()(verify)
    app.command()(selftest)
