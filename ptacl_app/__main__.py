"""`ptacl-app`: options → app. A path that is not a cohort ends in one line and status 2."""

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ptacl_core import __version__
from ptacl_core.errors import PtaclError

EXIT_INPUT = 2
HERE = Path()

CohortArgument = Annotated[
    Path, typer.Argument(help="Cohort directory (default: here).", show_default=False)
]
PrivacyOption = Annotated[bool, typer.Option("--privacy", help="Random names instead of ids.")]
ThemeOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="ptacl-dark, ptacl-paper, ptacl-contrast …")
]


class GraphicsChoice(StrEnum):
    """Ways to show pictures: `terminal.graphics.CHOICES`."""

    AUTO = "auto"
    KITTY = "kitty"
    SIXEL = "sixel"
    ITERM = "iterm"
    CELLS = "cells"


COMMANDS = ("web", "desktop", "report", "files", "example")


class CohortOrWeb(TyperGroup):
    """Takes `COHORT [options]`, and `web COHORT [options]` where the first word is `web`.

    Likewise `report`.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """The group's own argument is absent before a command, whose options are its own."""
        is_command = args[:1] != [] and args[0] in COMMANDS
        ctx.allow_interspersed_args = not is_command
        return super().parse_args(ctx, [str(HERE), *args] if is_command else args)


command_line = typer.Typer(
    name="ptacl-app",
    cls=CohortOrWeb,
    help="Look at a cohort in the terminal: ECG, cine, predictions, neighbours, SQL.",
    epilog="Keys: ? help, ctrl+p every action, 1-6 screens, q quit. Over SSH use `ssh -C`. "
    "Research use only.",
    invoke_without_command=True,
    subcommand_metavar="| --model FILE.ptacl FILES… | --example | web … | desktop … | report …",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help starts in half the time
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(is_asked: bool) -> None:
    if is_asked:
        sys.stdout.write(f"ptacl-app {__version__}\n")
        raise typer.Exit


@command_line.callback()
def look(
    context: typer.Context,
    cohort: CohortArgument = HERE,
    patient: Annotated[
        str | None, typer.Option(metavar="ID", help="Open this patient at once.")
    ] = None,
    theme: ThemeOption = None,
    fps: Annotated[
        float | None, typer.Option(metavar="N", help="Frames drawn per second at most.")
    ] = None,
    no_animation: Annotated[
        bool, typer.Option("--no-animation", help="Nothing moves before it is asked to.")
    ] = False,
    graphics: Annotated[
        GraphicsChoice | None,
        typer.Option(
            help="How pictures are shown (default: as the environment tells; remembered).",
        ),
    ] = None,
    originals: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FOLDER",
            help="Where the files lie that the cohort was made from, to show them as recorded "
            "(found by their contents; remembered, and known where preprocess ran here).",
        ),
    ] = None,
    privacy: PrivacyOption = False,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Another config.toml.")
    ] = None,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Show a cohort, unless a browser was asked for."""
    del version
    if context.invoked_subcommand is not None:
        return
    _show(
        cohort,
        patient=patient,
        theme=theme,
        fps=fps,
        is_still=no_animation,
        graphics=graphics,
        originals=originals or [],
        is_private=privacy,
        config=config,
    )


def _show(
    cohort: Path,
    *,
    patient: str | None = None,
    theme: str | None = None,
    fps: float | None = None,
    is_still: bool = False,
    graphics: GraphicsChoice | None = None,
    originals: Sequence[Path] = (),
    is_private: bool = False,
    config: Path | None = None,
) -> None:
    """Take the terminal over and show a cohort. Raises typer.Exit with the app's status."""
    from ptacl_app.data.cohort_check import check_cohort, check_folders, check_terminal
    from ptacl_app.shell.graphics_choice import choose_remembered
    from ptacl_app.shell.settings import adapt_to_connection, load_settings
    from ptacl_app.terminal.guard import guarded_terminal

    settings = load_settings(config)
    cohort = check_cohort(cohort)
    check_terminal()
    settings = adapt_to_connection(
        settings,
        theme=theme,
        fps=fps,
        is_still=is_still,
        is_private=is_private,
        graphics=None if graphics is None else str(graphics),
    )
    chosen = choose_remembered(settings, is_asked=graphics is not None)
    with guarded_terminal():
        from ptacl_app.app import PtaclApp

        app = PtaclApp(
            cohort,
            first_patient=patient,
            settings=settings,
            graphics=chosen,
            originals=check_folders(originals),
        )
        status = app.run()
        if app.watch_of_terminal is not None:
            app.watch_of_terminal.stop()
        raise typer.Exit(app.return_code or (status if isinstance(status, int) else 0))


@command_line.command(hidden=True)
def files(
    recordings: Annotated[
        list[Path] | None, typer.Argument(metavar="FILES...", help="ECG files.")
    ] = None,
    model: Annotated[
        Path | None, typer.Option(metavar="FILE.ptacl", help="Packed model.", show_default=False)
    ] = None,
    theme: ThemeOption = None,
) -> None:
    """Show ECG files with what a packed model predicts of them, without a cohort.

    Without FILES, simulated patients stand in their place.
    """
    from ptacl_app.data.cohort_check import check_terminal
    from ptacl_app.data.passing_cohort import EXAMPLE, open_example, open_files

    check_terminal()
    chosen = EXAMPLE if model is None else model
    with ExitStack() as stack:
        sys.stderr.write("reading, and asking the model …\n")
        cohort = stack.enter_context(
            open_files(chosen, recordings) if recordings else open_example(chosen)
        )
        _show(cohort, theme=theme)


@command_line.command(hidden=True)
def example(theme: ThemeOption = None) -> None:
    """Show sixty simulated patients with the model that comes with the package."""
    from ptacl_app.data.cohort_check import check_terminal
    from ptacl_app.data.passing_cohort import open_example

    check_terminal()
    with ExitStack() as stack:
        sys.stderr.write("simulating 60 patients, and asking the model …\n")
        _show(stack.enter_context(open_example()), theme=theme)


@command_line.command()
def web(
    cohort: CohortArgument = HERE,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8750,
    privacy: PrivacyOption = False,
    theme: ThemeOption = None,
    i_have_a_proxy: Annotated[
        bool,
        typer.Option(
            "--i-have-a-proxy",
            help="Listen on another address than loopback: a proxy with TLS and login stands "
            "before it.",
        ),
    ] = False,
    public_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Where browsers find the proxy: https://name[:port]."),
    ] = None,
) -> None:
    """Show the same in a browser on this machine.

    From another machine: ssh -L 8750:127.0.0.1:8750 HOST, then open the address printed.
    """
    from ptacl_app.web.serve import serve

    serve(
        cohort,
        host=host,
        port=port,
        theme=theme,
        is_private=privacy,
        has_proxy=i_have_a_proxy,
        public_url=public_url,
    )


@command_line.command()
def desktop(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[COHORT | FILES...]",
            help="A cohort, ECG files, or a packed model (default: a start page).",
        ),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(metavar="FILE.ptacl", help="Packed model for FILES.", show_default=False),
    ] = None,
    privacy: PrivacyOption = False,
    theme: ThemeOption = None,
    install: Annotated[
        bool, typer.Option("--install", help="Put it into the desktop's menu, for you alone.")
    ] = False,
    uninstall: Annotated[bool, typer.Option("--uninstall", help="Take it out again.")] = False,
) -> None:
    """Show the same in a window of its own, with the desktop's dialogs.

    A second start brings the window that is open to the front.
    """
    if install or uninstall:
        from ptacl_app.desktop.install import install_entry, uninstall_entry

        for path in install_entry() if install else uninstall_entry():
            sys.stdout.write(f"{path}\n")
        return
    from ptacl_app.desktop.run import open_desktop

    open_desktop(paths or [], model=model, theme=theme, is_private=privacy)


@command_line.command()
def report(
    cohort: CohortArgument,
    patient: Annotated[str, typer.Option(metavar="ID", help="Whose report.")],
    visit: Annotated[
        int | None, typer.Option(metavar="N", help="Which visit (default: the first).")
    ] = None,
    run: Annotated[
        str | None, typer.Option(metavar="NAME", help="Whose predictions (default: as the app).")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Default: the cohort's exports/.")
    ] = None,
) -> None:
    """Write a patient's report as a page that prints true to scale on A4 and Letter."""
    from ptacl_app.output.report_file import write_report_file

    path = write_report_file(cohort, patient=patient, visit=visit, run=run, out=out)
    sys.stdout.write(f"{path}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the app; returns the process's exit status."""
    given = _name_command(list(sys.argv[1:] if arguments is None else arguments))
    try:
        command_line(args=given, prog_name="ptacl-app")
    except SystemExit as stop:
        return _status_of(stop.code)
    except PtaclError as error:
        from ptacl_app.text.formatting import safe

        name = f"ptacl-app {given[0]}" if given[:1] and given[0] in COMMANDS else "ptacl-app"
        print(f"{name}: {safe(error, max_length=600)}", file=sys.stderr)  # noqa: T201
        return error.exit_code
    return 0


def _name_command(given: list[str]) -> list[str]:
    """`--model FILE [FILES…]` and `--example` are commands of their own behind the scenes."""
    if given[:1] and given[0] in COMMANDS:
        return given
    if "--example" in given:
        return ["example", *(word for word in given if word != "--example")]
    has_model = any(word == "--model" or word.startswith("--model=") for word in given)
    return ["files", *given] if has_model else given


def _status_of(code: Any) -> int:
    return code if isinstance(code, int) else 0 if code is None else EXIT_INPUT


if __name__ == "__main__":
    sys.exit(main())
