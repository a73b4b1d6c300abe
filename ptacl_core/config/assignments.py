"""`key=value` as the command line takes it, for keys that settings have."""

import tomllib

from ptacl_core.errors import ConfigError
from ptacl_core.json_values import JsonObject, JsonValue


def parse_assignment(text: str, *, example: str) -> JsonObject:
    """The mapping that `text` lays over settings: `a.b=1` gives {"a": {"b": 1}}.

    The value is read as TOML, or else as text. Raises ConfigError, which shows `example`, when
    there is no key or no `=`.
    """
    key, sign, written = text.partition("=")
    parts = [part.strip() for part in key.split(".")]
    if not sign or not all(parts):
        raise ConfigError(f"--set {text}: expected key=value, such as {example}")
    try:
        value: JsonValue = tomllib.loads(f"value = {written}")["value"]
    except tomllib.TOMLDecodeError:
        value = written
    for part in reversed(parts[1:]):
        value = {part: value}
    return {parts[0]: value}
