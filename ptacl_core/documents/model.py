"""What all documents share: frozen, strict, readable in their older versions."""

import json
import math
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_serializer, model_validator

from ptacl_core.errors import PtaclError


class DocumentError(PtaclError):
    """A document on disk cannot be read as what it should be."""


class Part(BaseModel):
    """A part of a document: frozen, without unknown keys; a number that is undefined is null."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    @model_validator(mode="before")
    @classmethod
    def _undefined_is_none(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {key: None if _is_undefined(value) else value for key, value in values.items()}


class Document(Part):
    """A document with `kind` and `version` at its head.

    A subclass names its KIND and VERSION; `upgrade` turns older ones into the present form.
    """

    KIND: ClassVar[str]
    VERSION: ClassVar[int]

    kind: str = ""
    version: int = 0

    @model_validator(mode="before")
    @classmethod
    def _head(cls, values: Any) -> Any:
        """Fill kind and version, upgrade what is older, refuse what is newer or another kind."""
        if not isinstance(values, dict):
            return values
        values = dict(values)
        kind, version = values.get("kind") or cls.KIND, values.get("version", cls.VERSION)
        if kind != cls.KIND:
            raise ValueError(f"expected a document of kind {cls.KIND}, got {kind}")
        if not isinstance(version, int) or version > cls.VERSION:
            raise ValueError(
                f"{cls.KIND} of version {version}: this software reads versions up to "
                f"{cls.VERSION}; use the software that wrote it, or a newer one"
            )
        if version < cls.VERSION:
            values = cls.upgrade(values, version)
        return {**values, "kind": cls.KIND, "version": cls.VERSION}

    @classmethod
    def upgrade(cls, values: dict[str, Any], version: int) -> dict[str, Any]:  # noqa: ARG003  for subclasses
        """The values of an older version in the present form; a subclass says how."""
        raise ValueError(f"{cls.KIND} of version {version}: there is no way to read it")

    @model_serializer(mode="wrap")
    def _head_first(self, handler: Any) -> dict[str, Any]:
        values = handler(self)
        return {"kind": values.pop("kind"), "version": values.pop("version"), **values}

    @classmethod
    def parse(cls, values: Any, *, source: str) -> Self:
        """The document from plain values; raises DocumentError that names key and value.

        Values without a version are of the time before documents had one: version 0.
        """
        if isinstance(values, dict) and "version" not in values:
            values = {**values, "version": 0}
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "the document"
            raise DocumentError(
                f"{source}: {place}: {first['msg']}, got {_shorten(first.get('input'))}"
            ) from None

    @classmethod
    def read(cls, path: Path) -> Self:
        """The document in a JSON file. Raises DocumentError."""
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DocumentError(f"{path.name}: cannot be read ({type(error).__name__})") from None
        return cls.parse(values, source=path.name)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return self.model_dump(mode="json", by_alias=True)


def _is_undefined(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _shorten(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
