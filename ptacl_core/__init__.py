"""PTACL: what a 12-lead ECG says about the heart that only cardiac MRI can measure.

files --io--> records --preprocess--> prepared arrays --shards--> training-ready cohort
  --stages.pretrain--> one masked autoencoder per modality      (models, losses, train)
  --stages.align-----> ECG and cine encoders in one space       (Eqs. 1-4: losses)
  --stages.embed-----> embeddings, read-out, predictions        (evaluate, cohort)
  --stages.evaluate--> Tables 1 and 2, the alignment map        (evaluate)
  --cohort-----------> one DuckDB file that ptacl_app, SQL and pandas open

`simulate` makes a paired cohort with known truth; `cli` is the command line; `recipes`
chains stages (the demo). In Python: `load_model(path)`, `Cohort.open(path)`, `PtaclFeatures`
(docs/python.md), which nothing is imported for before they are used. Research use only.
"""

from importlib import import_module as _import_module

__version__ = "0.1.0"

_HOMES = {
    "Cohort": "ptacl_core.api.cohort",
    "Model": "ptacl_core.api.model",
    "PtaclFeatures": "ptacl_core.api.features",
    "load_model": "ptacl_core.api.model",
}
__all__ = [
    "Cohort", "Model", "PtaclFeatures", "__version__", "load_model",  # pyright: ignore[reportUnsupportedDunderAll]
]  # fmt: skip
"""Looked up by `__getattr__` when asked for."""


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(_import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
