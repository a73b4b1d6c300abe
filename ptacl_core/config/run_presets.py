"""Runs that come with the package, files of a user's own, and single keys laid over either."""

import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

from ptacl_core.config.assignments import parse_assignment
from ptacl_core.config.training import RunSettings
from ptacl_core.errors import ConfigError
from ptacl_core.json_values import JsonObject, JsonValue


def list_run_presets() -> list[str]:
    """Names of the runs that come with the package."""
    folder = resources.files("ptacl_core") / "presets" / "runs"
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in folder.iterdir()
        if entry.name.endswith(".toml")
    )


def load_run_settings(source: str | Path, *, overrides: Sequence[str] = ()) -> RunSettings:
    """Settings of a preset (by name) or of a TOML file, with `key=value` overrides.

    A file may name a preset to start from as `based_on`; its own keys are laid over it. A
    dotted key reaches into sections (`align.beta=0`); a value is read as TOML, or else as
    text. Raises ConfigError that lists every fault at once.
    """
    values, where = _read(source)
    values = _lay_over(_defaults(), values)
    for override in overrides:
        _assign(values, override)
    shown = f"{where} with --set {' '.join(overrides)}" if overrides else where
    return RunSettings.from_mapping(values, source=shown)


def lay_over_preset(
    preset: str, overlays: Sequence[Mapping[str, JsonValue]], *, name: str
) -> RunSettings:
    """Settings of a preset with nested values laid over it, one after another, named `name`.

    Raises ConfigError that lists every fault at once.
    """
    values, where = _read(preset)
    values = _lay_over(_defaults(), values)
    for overlay in overlays:
        values = _lay_over(values, dict(overlay))
    return RunSettings.from_mapping(
        {**values, "name": name}, source=f"{where} with the overlays of {name}"
    )


def _defaults() -> JsonObject:
    """Default values of every section, so that a file may give single keys of one."""
    values = RunSettings(name="unnamed").model_dump(mode="json")
    del values["name"]
    return values


def _read(source: str | Path, *, parents: tuple[str, ...] = ()) -> tuple[JsonObject, str]:
    if isinstance(source, Path):
        where = source.name
        try:
            text = source.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{where}: cannot be read ({error})") from None
    else:
        where = f"preset {source}"
        if source not in list_run_presets():
            raise ConfigError(
                f"no preset '{source}'; there are {', '.join(list_run_presets())} "
                "(a file of your own goes with --config)"
            )
        text = (resources.files("ptacl_core") / "presets" / "runs" / f"{source}.toml").read_text(
            encoding="utf-8"
        )
    if where in parents:
        raise ConfigError(f"{where}: based on itself ({' → '.join((*parents, where))})")
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where}: not TOML: {error}") from None
    parent = values.pop("based_on", None)
    if parent is None:
        return values, where
    if not isinstance(parent, str):
        raise ConfigError(f"{where}: 'based_on' is the name of a preset, got {parent!r}")
    inherited, _ = _read(parent, parents=(*parents, where))
    return _lay_over(inherited, values), where


def _lay_over(below: JsonObject, above: JsonObject) -> JsonObject:
    """`above` over `below`, section by section; epochs replace steps and the other way round."""
    merged = dict(below)
    if "steps" in above:
        merged.pop("epochs", None)
    if "epochs" in above:
        merged.pop("steps", None)
    for key, value in above.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            merged[key] = _lay_over(old, value)
        else:
            merged[key] = value
    return merged


def _assign(values: JsonObject, override: str) -> None:
    place = parse_assignment(override, example="align.beta=0")
    merged = _lay_over(values, place)
    values.clear()
    values.update(merged)
