"""File → record: one reader per format, no processing. Nothing heavy is imported until used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

# Imported at once: bound later, the name would be the submodule or the function by turns.
from ptacl_core.io.discover.walk import discover

if TYPE_CHECKING:
    from ptacl_core.io.cine.read import read_cine
    from ptacl_core.io.ecg.read import read_ecg
    from ptacl_core.io.phenotypes.table import read_phenotypes

__all__ = ["discover", "read_cine", "read_ecg", "read_phenotypes"]

_HOMES = {
    "read_cine": "ptacl_core.io.cine.read",
    "read_ecg": "ptacl_core.io.ecg.read",
    "read_phenotypes": "ptacl_core.io.phenotypes.table",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    function = getattr(import_module(_HOMES[name]), name)
    globals()[name] = function
    return function
