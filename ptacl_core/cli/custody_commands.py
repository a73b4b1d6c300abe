"""Commands that guard a cohort: erase, verify, selftest."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from ptacl_core.cli.options import CohortArgument, JsonOption
from ptacl_core.cli.output import EXIT_INPUT, EXIT_OURS, narrate, print_json


def erase(
    cohort: CohortArgument,
    people: Annotated[
        list[str],
        typer.Argument(metavar="ID...", help="Pseudonyms, or the identifiers their files carried."),
    ],
    is_confirmed: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Take withdrawn people out of everything, and certify it.

    Store, arrays, embeddings, predictions, notes, index, exports, run files and the app's
    memory are made anew without them; then every byte of the directory is searched. Runs that
    were trained with them are listed. Exit status 1 when a trace is left.
    """
    from ptacl_core.cli.custody_tables import print_certificate
    from ptacl_core.cli.progress_bars import ProgressBars
    from ptacl_core.stages.custody import erase as stage

    if not is_confirmed:
        _ask(len(set(people)), cohort)
    with ProgressBars() as progress:
        certificate = stage.run(cohort, people, progress=progress)
    if as_json:
        print_json(certificate.as_dict())
    else:
        print_certificate(certificate)
    if not certificate.is_complete:
        raise typer.Exit(EXIT_OURS)


def verify(
    cohort: CohortArgument,
    repair: Annotated[
        bool, typer.Option("--repair", help="Make anew what is derived from other files.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Prove a cohort directory whole, or name each defect.

    Exit status 2 with defects.
    """
    from ptacl_core.cli.custody_tables import print_verification
    from ptacl_core.cli.progress_bars import ProgressBars
    from ptacl_core.stages.custody import verify as stage

    with ProgressBars() as progress:
        verification = stage.run(cohort, repair=repair, progress=progress)
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
    from ptacl_core.cli.custody_tables import print_self_test
    from ptacl_core.cli.progress_bars import ProgressBars
    from ptacl_core.cohort.health.self_test import run_self_test

    with ProgressBars() as progress:
        checks = run_self_test(progress)
    if as_json:
        print_json(
            {
                "checks": [each.as_dict() for each in checks],
                "is_passed": all(each.is_passed for each in checks),
            }
        )
    else:
        print_self_test(checks)
    if not all(each.is_passed for each in checks):
        raise typer.Exit(EXIT_OURS)


def _ask(num_people: int, cohort: Path) -> None:
    """Go on only after a person typed yes; without a terminal, `--yes` must say it."""
    if not sys.stdin.isatty():
        narrate("error: erasing cannot be undone; confirm it with --yes")
        raise typer.Exit(EXIT_INPUT)
    noun = "person" if num_people == 1 else "people"
    if not typer.confirm(f"Erase {num_people} {noun} from {cohort} for good?", err=True):
        narrate("nothing was changed")
        raise typer.Exit(EXIT_INPUT)


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(erase)
    app.command()(verify)
    app.command()(selftest)
