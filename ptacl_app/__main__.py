"""`ptacl-app`: options → app. A path that is not a cohort ends in one line and status 2."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ptacl_app.terminal.graphics import CHOICES
from ptacl_core import __version__
from ptacl_core.errors import PtaclError

EXIT_INPUT = 2


def build_parser() -> argparse.ArgumentParser:
    """The options; `--help` names each and the keys to start with."""
    parser = argparse.ArgumentParser(
        prog="ptacl-app",
        description="Look at a cohort in the terminal: ECG, cine, predictions, neighbours, SQL.",
        epilog="`ptacl-app web COHORT` shows the same in a browser on this machine "
        "(`ptacl-app web --help`). Keys: ? help, ctrl+p every action, 1-5 screens, q quit. "
        "Over SSH use `ssh -C`. Research use only.",
    )
    parser.add_argument(
        "cohort", nargs="?", type=Path, default=Path(), help="cohort directory (default: here)"
    )
    parser.add_argument("--patient", metavar="ID", help="open this patient at once")
    parser.add_argument("--theme", metavar="NAME", help="ptacl-dark, ptacl-paper, ptacl-contrast …")
    parser.add_argument("--fps", type=float, metavar="N", help="frames drawn per second at most")
    parser.add_argument(
        "--no-animation", action="store_true", help="nothing moves before it is asked to"
    )
    parser.add_argument(
        "--graphics",
        choices=CHOICES,
        help="how pictures are shown (default: what the environment tells; remembered)",
    )
    parser.add_argument("--privacy", action="store_true", help="random names instead of ids")
    parser.add_argument("--config", type=Path, metavar="FILE", help="another config.toml")
    parser.add_argument("--version", action="version", version=f"ptacl-app {__version__}")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the app; returns the process's exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["web"]:
        from ptacl_app.web import main as serve

        return serve(given[1:])
    options = build_parser().parse_args(given)
    try:
        return _run(options)
    except PtaclError as error:
        from ptacl_app.text.formatting import safe

        print(f"ptacl-app: {safe(error, max_length=600)}", file=sys.stderr)  # noqa: T201
        return error.exit_code


def _run(options: argparse.Namespace) -> int:
    from ptacl_app.data.cohort_check import check_cohort, check_terminal
    from ptacl_app.shell.graphics_choice import choose_remembered
    from ptacl_app.shell.settings import adapt_to_connection, load_settings
    from ptacl_app.terminal.guard import guarded_terminal

    settings = load_settings(options.config)
    cohort = check_cohort(options.cohort)
    check_terminal()
    settings = adapt_to_connection(
        settings,
        theme=options.theme,
        fps=options.fps,
        is_still=options.no_animation,
        is_private=options.privacy,
        graphics=options.graphics,
    )
    graphics = choose_remembered(settings, is_asked=options.graphics is not None)
    with guarded_terminal():
        from ptacl_app.app import PtaclApp

        app = PtaclApp(cohort, first_patient=options.patient, settings=settings, graphics=graphics)
        status = app.run()
        if app.watch_of_terminal is not None:
            app.watch_of_terminal.stop()
        return app.return_code or (status if isinstance(status, int) else 0)


if __name__ == "__main__":
    sys.exit(main())
