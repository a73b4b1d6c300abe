"""Every setting by its dotted key: type, default, bounds and meaning, read off the models."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import to_jsonable_python

from ptacl_core.config.model import Settings
from ptacl_core.config.nearest_keys import suggest
from ptacl_core.config.preprocess import PreprocessSettings
from ptacl_core.config.run_presets import list_run_presets, load_run_settings
from ptacl_core.config.simulation import COHORT_PRESETS, SimulationSettings, load_cohort_settings
from ptacl_core.config.training import RunSettings
from ptacl_core.errors import ConfigError
from ptacl_core.json_values import JsonObject

Kind = Literal["run", "cohort", "preprocess"]
KINDS: tuple[Kind, ...] = ("run", "cohort", "preprocess")
_MODELS: dict[Kind, type[Settings]] = {
    "run": RunSettings,
    "cohort": SimulationSettings,
    "preprocess": PreprocessSettings,
}


@dataclass(frozen=True, slots=True)
class SettingEntry:
    """One setting. `default` is None where the settings must say it or where it is derived."""

    kind: Kind
    key: str
    type_text: str
    bounds: str
    default: Any
    is_required: bool
    meaning: str


@dataclass(frozen=True, slots=True)
class Preset:
    """A named document of settings with the first sentence of its notes."""

    kind: Kind
    name: str
    summary: str


def list_presets() -> list[Preset]:
    """All presets: runs, cohorts, and the one way of preprocessing that is the default."""
    presets = [
        Preset("run", name, _first_sentence(load_run_settings(name).notes))
        for name in list_run_presets()
    ]
    presets += [Preset("cohort", name, _first_comment(name)) for name in COHORT_PRESETS]
    return [*presets, Preset("preprocess", "default", "What `ptacl preprocess` does by default.")]


def load_preset(name: str) -> tuple[Kind, Settings]:
    """The settings that a preset stands for; `cohort:demo` and `run:demo` tell two apart.

    A name that both a run and a cohort have means the run. Raises ConfigError with the
    nearest names.
    """
    kind_text, has_kind, bare = name.partition(":")
    bare = bare if has_kind else name
    kinds = [kind for kind in KINDS if not has_kind or kind == kind_text]
    for kind in kinds:
        if kind == "run" and bare in list_run_presets():
            return kind, load_run_settings(bare)
        if kind == "cohort" and bare in COHORT_PRESETS:
            return kind, load_cohort_settings(bare)
        if kind == "preprocess" and bare in ("default", "preprocess"):
            return kind, PreprocessSettings()
    known = [preset.name for preset in list_presets()]
    raise ConfigError(f"no preset '{name}'{suggest(bare, known)}; `ptacl settings list` has all")


def list_settings(kind: Kind) -> list[SettingEntry]:
    """Every setting of `kind` with its dotted key, in the order of the models."""
    return list(_walk(kind, _MODELS[kind], ""))


def find_settings(key: str) -> list[SettingEntry]:
    """The settings that `key` names: a whole dotted key, a section, or its last part.

    Raises ConfigError with the nearest keys when there is none.
    """
    entries = [entry for kind in KINDS for entry in list_settings(kind)]
    exact = [entry for entry in entries if entry.key == key]
    if exact:
        return exact
    inside = [entry for entry in entries if entry.key.startswith(f"{key}.")]
    if inside:
        return inside
    last = [entry for entry in entries if entry.key.rpartition(".")[2] == key]
    if last:
        return last
    raise ConfigError(f"no setting '{key}'{suggest(key, [entry.key for entry in entries])}")


def build_settings_schema(kind: Kind) -> JsonSchemaValue:
    """The JSON schema of the settings of `kind`."""
    return _MODELS[kind].model_json_schema()


def flatten(settings: Settings) -> JsonObject:
    """Dotted key → value of every setting, as TOML and JSON write them."""
    return dict(_flatten(settings.model_dump(mode="json"), ""))


def find_differences(first: Settings, second: Settings) -> dict[str, tuple[Any, Any]]:
    """Dotted key → both values, for the keys in which two documents differ.

    A key that one of them lacks counts as None there.
    """
    left, right = flatten(first), flatten(second)
    keys = [*left, *(key for key in right if key not in left)]
    return {key: (left.get(key), right.get(key)) for key in keys if left.get(key) != right.get(key)}


def validate_settings_file(path: Path, kind: Kind | None = None) -> tuple[Kind, Settings]:
    """The settings in a TOML file, whole and valid.

    Without `kind` it follows from the top-level keys. Raises ConfigError that names every fault.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.name}: cannot be read ({error})") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path.name}: not TOML: {error}") from None
    kind = kind or _guess_kind(values, path.name)
    if kind == "run":
        return kind, load_run_settings(path)
    return kind, _MODELS[kind].from_mapping(values, source=path.name)


def _guess_kind(values: Mapping[str, Any], where: str) -> Kind:
    known = {kind: set(model.model_fields) for kind, model in _MODELS.items()}
    known["run"] = known["run"] | {"based_on"}
    counts: dict[Kind, int] = {kind: len(known[kind] & values.keys()) for kind in KINDS}
    best = max(counts.values())
    likely: list[Kind] = [kind for kind in KINDS if counts[kind] == best]
    if best == 0 or len(likely) > 1:
        raise ConfigError(
            f"{where}: its keys do not tell whether it describes a run, a cohort or "
            "preprocessing; say so with --kind run, --kind cohort or --kind preprocess"
        )
    return likely[0]


def _walk(kind: Kind, model: type[BaseModel], prefix: str) -> Iterator[SettingEntry]:
    for name, field in model.model_fields.items():
        section = _get_section(field.annotation)
        if section is not None:
            yield from _walk(kind, section, f"{prefix}{name}.")
            continue
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        yield SettingEntry(
            kind=kind,
            key=f"{prefix}{name}",
            type_text=_describe_type(field.annotation),
            bounds=_describe_bounds(field),
            default=_default_inside(kind, f"{prefix}{name}", default),
            is_required=field.is_required(),
            meaning=" ".join((field.description or "").split()),
        )


def _default_inside(kind: Kind, key: str, default: Any) -> Any:
    """The value that a section's own default gives the key, where a section sets one."""
    if kind == "cohort":
        return to_jsonable_python(default)
    whole = RunSettings(name="unnamed") if kind == "run" else PreprocessSettings()
    value: Any = whole.model_dump(mode="json")
    for part in key.split("."):
        value = value[part]
    return default if key == "name" else value


def _get_section(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return None


_PLAIN_NAMES = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true | false",
    type(None): "absent",
}


def _describe_type(annotation: Any) -> str:
    origin, parts = get_origin(annotation), get_args(annotation)
    texts = [
        _describe_type(part) for part in parts if part is not Ellipsis and origin is not Literal
    ]
    if origin is Literal:
        text = " | ".join(repr(value) for value in parts)
    elif origin in (Union, UnionType):
        text = " | ".join(texts)
    elif origin is tuple and Ellipsis in parts:
        text = f"list of {texts[0]}"
    elif origin is tuple:
        text = f"list ({', '.join(texts)})"
    elif origin is dict:
        text = f"table of {texts[0]} = {texts[1]}"
    else:
        text = _PLAIN_NAMES.get(annotation, getattr(annotation, "__name__", str(annotation)))
    return text


def _describe_bounds(field: FieldInfo) -> str:
    signs = (("gt", ">"), ("ge", "≥"), ("lt", "<"), ("le", "≤"), ("pattern", "matches"))
    bounds = []
    for constraint in field.metadata:
        for name, sign in signs:
            value = getattr(constraint, name, None)
            if value is not None:
                bounds.append(f"{sign} {value}")
    return ", ".join(bounds)


def _flatten(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _first_sentence(text: str) -> str:
    head, dot, _ = text.partition(". ")
    return head.rstrip(".") + "." if dot or text else ""


def _first_comment(name: str) -> str:
    path = resources.files("ptacl_core") / "presets" / "cohorts" / f"{name}.toml"
    line = path.read_text(encoding="utf-8").splitlines()[0]
    return line.removeprefix("#").strip()
