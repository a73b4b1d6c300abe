"""What a file does not say and its owner does: keywords, or a JSON file beside the recording."""

import difflib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from ptacl_core.errors import ConfigError, UnreadableFileError
from ptacl_core.io.ecg.voltage import UNIT_EXAMPLES, find_millivolts
from ptacl_core.io.files.bounded_file import read_bytes, shown_name
from ptacl_core.safety.text.printable import clean_text

_MAX_SIDECAR_BYTES = 1024**2


@dataclass(frozen=True, slots=True)
class EcgHints:
    """Facts about a recording that its file lacks; None: not given.

    `lead_names` in the order of the stored channels; `unit` what one stored step is worth
    ("mV", "uV", "4.88 uV"); `record_index` which recording of a batch, from 0; `array_name`
    which array of an NPZ or HDF5 file; `lead_axis` which axis holds the leads.
    """

    lead_names: tuple[str, ...] | None = None
    unit: str | None = None
    sampling_rate_hz: float | None = None
    record_index: int | None = None
    array_name: str | None = None
    lead_axis: int | None = None

    @classmethod
    def from_mapping(cls, given: Mapping[str, Any], *, where: str) -> "EcgHints":
        """Checked hints from keywords or a JSON object; `where` names them in messages.

        Raises ConfigError for an unknown name or a value of the wrong kind.
        """
        known = [field.name for field in fields(cls)]
        for key in given:
            if key not in known:
                nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.4)
                advice = f"did you mean {nearest[0]}?" if nearest else ""
                raise ConfigError(
                    f"{where}: unknown hint {clean_text(str(key), max_length=40)!r}; known are "
                    f"{', '.join(known)}. {advice}".rstrip()
                )
        checked = {
            key: _CHECKS[key](value, where) for key, value in given.items() if value is not None
        }
        return cls(**checked)

    def completed_by_sidecar(self, path: Path) -> "EcgHints":
        """These hints, what is absent filled from `<file>.json` or `<stem>.json` beside it.

        Keys of the sidecar that are not hints are left alone. Raises UnreadableFileError when it
        is not a JSON object, ConfigError when one of its hints has the wrong kind of value.
        """
        beside = (path.with_name(f"{path.name}.json"), path.with_suffix(".json"))
        sidecar = next((file for file in beside if file.is_file() and file != path), None)
        if sidecar is None:
            return self
        name = shown_name(sidecar)
        try:
            document = json.loads(read_bytes(sidecar, max_bytes=_MAX_SIDECAR_BYTES))
        except (ValueError, RecursionError) as error:
            raise UnreadableFileError(
                f"{name}: expected a JSON object with the hints of the recording beside it, found "
                "no valid JSON; correct or remove it"
            ) from error
        if not isinstance(document, dict):
            raise UnreadableFileError(
                f"{name}: expected a JSON object with the hints of the recording beside it, found "
                f"a {type(document).__name__}; correct or remove it"
            )
        known = {field.name for field in fields(self)}
        given = {key: value for key, value in document.items() if key in known}
        return self.completed_by(EcgHints.from_mapping(given, where=name))

    def completed_by(self, other: "EcgHints") -> "EcgHints":
        """These hints, what is absent taken from `other`."""
        absent = {
            field.name: getattr(other, field.name)
            for field in fields(self)
            if getattr(self, field.name) is None
        }
        return replace(self, **absent)


def _check_lead_names(value: Any, where: str) -> tuple[str, ...]:
    if isinstance(value, str):
        value = value.replace(",", " ").split()
    if (
        not isinstance(value, Sequence)
        or not value
        or not all(isinstance(lead, str) for lead in value)
    ):
        raise _wrong(where, "lead_names", "a list of names such as I, II, V1 in stored order")
    return tuple(value)


def _check_unit(value: Any, where: str) -> str:
    if not isinstance(value, str) or find_millivolts(value) is None:
        raise _wrong(where, "unit", UNIT_EXAMPLES)
    return value


def _check_rate(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(where, "sampling_rate_hz", "a number of Hz above 0")
    if not (math.isfinite(value) and value > 0):
        raise _wrong(where, "sampling_rate_hz", "a number of Hz above 0")
    return float(value)


def _check_count(key: str) -> Any:
    def check(value: Any, where: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise _wrong(where, key, "a whole number from 0")
        return value

    return check


def _check_array_name(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise _wrong(where, "array_name", "the name of an array in the file")
    return value


def _wrong(where: str, key: str, expected: str) -> ConfigError:
    return ConfigError(f"{where}: {key} must be {expected}")


_CHECKS = {
    "lead_names": _check_lead_names,
    "unit": _check_unit,
    "sampling_rate_hz": _check_rate,
    "record_index": _check_count("record_index"),
    "array_name": _check_array_name,
    "lead_axis": _check_count("lead_axis"),
}
