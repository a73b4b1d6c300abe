"""`ptacl settings`: what can be set, what it means, and what a preset or a file says."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ptacl_core.cli.options import JsonOption
from ptacl_core.cli.output import print_json, print_line
from ptacl_core.json_values import JsonObject

if TYPE_CHECKING:
    from ptacl_core.config.catalogue import SettingEntry
    from ptacl_core.config.model import Settings

KindOption = Annotated[
    Literal["run", "cohort", "preprocess"] | None,
    typer.Option("--kind", help="What the settings describe."),
]
settings_app = typer.Typer(
    help="Look up every setting of runs, cohorts and preprocessing.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@settings_app.command("list")
def list_presets(as_json: JsonOption = False) -> None:
    """List the presets, one line each."""
    from ptacl_core.config import catalogue

    presets = catalogue.list_presets()
    if as_json:
        print_json([_as_dict(preset, ("kind", "name", "summary")) for preset in presets])
        return
    from ptacl_core.cli.tables.grid import print_table, start_table

    table = start_table("Presets")
    table.add_column("Kind", no_wrap=True)
    table.add_column("Name", no_wrap=True)
    table.add_column("What it is")
    for preset in presets:
        table.add_row(preset.kind, preset.name, preset.summary)
    print_table(table)


@settings_app.command("show")
def show(
    preset: Annotated[str, typer.Argument(help="A preset, such as demo or cohort:easy.")],
    diff: Annotated[
        str | None, typer.Option("--diff", metavar="OTHER", help="Only where OTHER differs.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print a preset whole, as TOML, or where two presets differ."""
    from ptacl_core.config import catalogue

    kind, settings = catalogue.load_preset(preset)
    if diff is None:
        if as_json:
            print_json({"kind": kind, "name": preset, "settings": settings.model_dump(mode="json")})
        else:
            sys.stdout.write(_to_toml(settings))
        return
    _other_kind, other = catalogue.load_preset(diff)
    differences = catalogue.find_differences(settings, other)
    if as_json:
        print_json(
            {
                "first": preset,
                "second": diff,
                "differences": {k: [*v] for k, v in differences.items()},
            }
        )
        return
    for key, (mine, theirs) in differences.items():
        print_line(f"{key}: {_show(mine)} → {_show(theirs)}")
    print_line(f"{len(differences)} settings differ between {preset} and {diff}")


@settings_app.command("explain")
def explain(
    key: Annotated[str, typer.Argument(help="A dotted key, a section, or the last part of a key.")],
    as_json: JsonOption = False,
) -> None:
    """Say what a setting means: its type, bounds, default and purpose."""
    from ptacl_core.config import catalogue

    entries = catalogue.find_settings(key)
    if as_json:
        names = ("kind", "key", "type_text", "bounds", "default", "is_required", "meaning")
        print_json([_as_dict(entry, names) for entry in entries])
        return
    for entry in entries:
        print_line(_explain(entry))


@settings_app.command("schema")
def schema(
    kind: Annotated[
        Literal["run", "cohort", "preprocess"], typer.Argument(help="What the settings describe.")
    ] = "run",
) -> None:
    """Print the JSON schema of the settings."""
    from ptacl_core.config import catalogue

    print_line(json.dumps(catalogue.build_settings_schema(kind), indent=1))


@settings_app.command("validate")
def validate(
    file: Annotated[Path, typer.Argument(help="A TOML file of settings.")],
    kind: KindOption = None,
) -> None:
    """Check a file of settings; every fault is named at once. Exit status 2 with faults."""
    from ptacl_core.config import catalogue

    found_kind, settings = catalogue.validate_settings_file(file, kind)
    print_line(f"{file.name}: valid settings of a {found_kind}, hash {settings.hash()}")


def register(app: typer.Typer) -> None:
    """Add the group to the application."""
    app.add_typer(settings_app, name="settings")


def _as_dict(record: object, names: tuple[str, ...]) -> JsonObject:
    return {name: getattr(record, name) for name in names}


def _explain(entry: "SettingEntry") -> str:
    default = "required" if entry.is_required else f"default {_show(entry.default)}"
    bounds = f", {entry.bounds}" if entry.bounds else ""
    return f"{entry.key}  ({entry.kind}: {entry.type_text}{bounds}; {default})\n  {entry.meaning}"


def _show(value: Any) -> str:
    return "derived" if value is None else json.dumps(value, ensure_ascii=False)


def _to_toml(settings: "Settings") -> str:
    import tomli_w

    return tomli_w.dumps(_without_absent(settings.model_dump(mode="json")))


def _without_absent(values: JsonObject) -> JsonObject:
    """TOML has no null: a setting that is derived is left out."""
    return {
        name: _without_absent(value) if isinstance(value, dict) else value
        for name, value in values.items()
        if value is not None
    }
