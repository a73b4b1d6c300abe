"""The cohort store: one directory per cohort, SQL and vectors together, for many processes.

`Cohort.open` reads, `Cohort.write` changes. Names are imported when first used, so that
importing this package costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ptacl_core.cohort.layout import CohortDescription, CohortLayout
    from ptacl_core.cohort.rows import (
        Direction,
        Embeddings,
        EvaluationResult,
        Neighbour,
        OutOfDistribution,
        Phenotype,
        Prediction,
        QueryResult,
        Recording,
        Run,
        ShardRow,
    )
    from ptacl_core.cohort.schema.documentation import describe_schema
    from ptacl_core.cohort.store import Cohort
    from ptacl_core.cohort.writing.writer import CohortWriter

__all__ = [
    "Cohort",
    "CohortDescription",
    "CohortLayout",
    "CohortWriter",
    "Direction",
    "Embeddings",
    "EvaluationResult",
    "Neighbour",
    "OutOfDistribution",
    "Phenotype",
    "Prediction",
    "QueryResult",
    "Recording",
    "Run",
    "ShardRow",
    "describe_schema",
]

_MODULES = {
    "Cohort": "store",
    "CohortDescription": "layout",
    "CohortLayout": "layout",
    "CohortWriter": "writing.writer",
    "describe_schema": "schema.documentation",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_MODULES.get(name, 'rows')}")
    return getattr(module, name)
