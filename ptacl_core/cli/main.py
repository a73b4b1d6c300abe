"""The `ptacl` command: one Typer application from the files of command groups."""

import os
from collections.abc import Sequence
from functools import partial

import typer

from ptacl_core import __version__
from ptacl_core.cli import (
    bundle_commands,
    cohort_commands,
    custody_commands,
    data_commands,
    demo_command,
    doctor_command,
    drift_command,
    report_command,
    reproduce_command,
    schema_command,
    settings_command,
    target_commands,
    training_commands,
    vector_commands,
)
from ptacl_core.cli.output import (
    COMMAND_MARK,
    RESEARCH_USE,
    leave,
    narrate,
    print_line,
    run_guarded,
)

app = typer.Typer(
    name="ptacl",
    help=f"Align 12-lead ECG and cine CMR, then predict and retrieve from the ECG. {RESEARCH_USE}",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(is_asked: bool) -> None:
    if is_asked:
        print_line(f"ptacl {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Options before any command."""


demo_command.register(app)
data_commands.register(app)
training_commands.register(app)
reproduce_command.register(app)
bundle_commands.register(app)
cohort_commands.register(app)
report_command.register(app)
target_commands.register(app)
vector_commands.register(app)
doctor_command.register(app)
drift_command.register(app)
settings_command.register(app)
custody_commands.register(app)
schema_command.register(app)


def run_in_turn(commands: Sequence[Sequence[str]]) -> None:
    """Several commands in one process: its libraries are loaded once; the first failure ends it.

    Each command's name stands on stderr before what it says, after `COMMAND_MARK`.
    """
    os.umask(0o077)
    for words in commands:
        narrate(f"{COMMAND_MARK}{words[0]}")
        try:
            run_guarded(partial(app, list(words)))
        except SystemExit as ending:
            if ending.code:
                leave(ending.code)
    leave(0)


def main() -> None:
    """Entry point of the console script `ptacl`."""
    os.umask(0o077)  # patients' data: nobody else reads what we write
    try:
        run_guarded(app)
    except SystemExit as ending:
        leave(ending.code)
