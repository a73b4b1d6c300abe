"""The strict model that every settings class is, and how its errors read."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from ptacl_core.config.nearest_keys import suggest
from ptacl_core.errors import ConfigError


class Settings(BaseModel):
    """Frozen settings that refuse unknown keys and wrong types.

    `None` means "derive"; the derived value is written where the settings are stored.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True
    )

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], *, source: str) -> Self:
        """Validate `values`, read from `source`.

        Raises ConfigError that lists every fault at once: the key, what was expected, the
        value that came, and the nearest known key.
        """
        try:
            return cls.model_validate_json(json.dumps(values))
        except ValidationError as error:
            raise ConfigError(f"{source}: {_explain(cls, error)}") from None

    def hash(self) -> str:
        """First 16 hex digits of the SHA-256 of the settings, the same on every machine."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _explain(model: type[BaseModel], error: ValidationError) -> str:
    lines = []
    for fault in error.errors():
        key = ".".join(str(part) for part in fault["loc"])
        if fault["type"] == "extra_forbidden":
            lines.append(f"unknown key '{key}'{suggest(key, _known_keys(model))}")
        else:
            lines.append(f"'{key}': {fault['msg']}, got {fault['input']!r}")
    return "; ".join(lines)


def _known_keys(model: type[BaseModel], prefix: str = "") -> list[str]:
    keys: list[str] = []
    for name, field in model.model_fields.items():
        keys.append(f"{prefix}{name}")
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            keys.extend(_known_keys(field.annotation, f"{prefix}{name}."))
    return keys
