"""Pages that are made from the code: settings, command line, documents; never edited, not kept."""

import inspect
import json
from pathlib import Path

import typer

from ptacl_core.cli.main import app
from ptacl_core.config import catalogue


def write_generated_pages(folder: Path) -> None:
    """Write every generated page into `folder`."""
    folder.mkdir(exist_ok=True)
    (folder / "settings.md").write_text(describe_settings(), encoding="utf-8")
    (folder / "command_line.md").write_text(describe_commands(), encoding="utf-8")


def describe_settings() -> str:
    """Every setting of runs, cohorts and preprocessing, from the models."""
    titles = {
        "run": "Runs (`ptacl train --preset NAME | --config FILE --set key=value`)",
        "cohort": "Simulated cohorts (`ptacl simulate --preset NAME --set key=value`)",
        "preprocess": "Preprocessing",
    }
    lines = [
        "# Settings",
        "",
        "Made from the schema; `ptacl settings explain KEY` prints the same on the command line,",
        "`ptacl settings show PRESET` a whole preset, `ptacl settings schema` the JSON schema.",
        "",
        "## Presets",
        "",
        "| Kind | Name | What it is |",
        "|---|---|---|",
    ]
    for preset in catalogue.list_presets():
        lines.append(f"| {preset.kind} | `{preset.name}` | {_cell(preset.summary)} |")
    for kind in catalogue.KINDS:
        lines += [
            "",
            f"## {titles[kind]}",
            "",
            "| Key | Type | Default | Meaning |",
            "|---|---|---|---|",
        ]
        for entry in catalogue.list_settings(kind):
            default = "required" if entry.is_required else f"`{json.dumps(entry.default)}`"
            bounds = f", {entry.bounds}" if entry.bounds else ""
            lines.append(
                f"| `{entry.key}` | {_cell(entry.type_text + bounds)} | {_cell(default)} "
                f"| {_cell(entry.meaning)} |"
            )
    return "\n".join(lines) + "\n"


def describe_commands() -> str:
    """Every command with its arguments and options, from the application itself."""
    root = typer.main.get_command(app)
    lines = [
        "# Command line",
        "",
        "Made from the application; `ptacl COMMAND --help` prints the same. Exit status: 0 done,",
        "1 our fault (or a requirement that `--strict` made), 2 the input's, 130 interrupted.",
        "Data goes to stdout, narration and progress to stderr.",
    ]
    for name, command in sorted(root.commands.items()):
        lines += _describe_command(f"ptacl {name}", command, level=2)
    return "\n".join(lines) + "\n"


def _describe_command(path: str, command, *, level: int) -> list[str]:
    lines = ["", f"{'#' * level} `{path}`", "", inspect.cleandoc(command.help or "")]
    if hasattr(command, "commands"):
        for name, child in sorted(command.commands.items()):
            lines += _describe_command(f"{path} {name}", child, level=level + 1)
        return lines
    rows = []
    for parameter in command.params:
        if getattr(parameter, "hidden", False):
            continue
        names = ", ".join(f"`{each}`" for each in parameter.opts) or parameter.name
        if parameter.param_type_name == "argument":
            shown = (parameter.metavar or parameter.name).strip("{}[].")
            names = f"`{shown.upper()}`"
        rows.append(f"| {names} | {_cell(getattr(parameter, 'help', None) or '')} |")
    if rows:
        lines += ["", "| Argument or option | Meaning |", "|---|---|", *rows]
    return lines


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
