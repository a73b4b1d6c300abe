"""Results of a session as typed documents, and as tables for pandas and Arrow."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

from ptacl_core.cohort.rows import SqlRow
from ptacl_core.documents.prediction import PredictionDocument

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

RESEARCH_USE = "Research use only: not a medical device, not for diagnosis."


@dataclass(frozen=True, slots=True)
class Rows(Sequence[SqlRow]):
    """Rows of a table, each a dictionary of its columns."""

    rows: tuple[SqlRow, ...]
    columns: tuple[str, ...]

    @overload
    def __getitem__(self, index: int) -> SqlRow: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[SqlRow, ...]: ...
    def __getitem__(self, index: int | slice) -> Any:
        """One row, or several."""
        return self.rows[index]

    def __len__(self) -> int:
        return len(self.rows)

    def to_arrow(self) -> "pa.Table":
        """The rows as an Arrow table."""
        import pyarrow as pa

        return pa.table({name: [row[name] for row in self.rows] for name in self.columns})

    def to_pandas(self) -> "pd.DataFrame":
        """The rows as a pandas table."""
        import pandas as pd

        return pd.DataFrame.from_records(list(self.rows), columns=list(self.columns))


@dataclass(frozen=True, slots=True)
class EcgPredictions(Sequence[PredictionDocument]):
    """What a model says of ECGs, one document each, in the order they were given.

    Research use only.
    """

    documents: tuple[PredictionDocument, ...]

    @overload
    def __getitem__(self, index: int) -> PredictionDocument: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[PredictionDocument, ...]: ...
    def __getitem__(self, index: int | slice) -> Any:
        """One document, or several."""
        return self.documents[index]

    def __len__(self) -> int:
        return len(self.documents)

    def rows(self) -> Rows:
        """One row per ECG and phenotype or target: value, interval, unit, how strange the ECG is.

        A binary target's value is a probability.

        An ECG that could not be used has one row with its `error` and no phenotype.
        """
        return Rows(tuple(self._list_rows()), _COLUMNS)

    def to_arrow(self) -> "pa.Table":
        """`rows` as an Arrow table."""
        return self.rows().to_arrow()

    def to_pandas(self) -> "pd.DataFrame":
        """`rows` as a pandas table."""
        return self.rows().to_pandas()

    def _list_rows(self) -> Iterator[SqlRow]:
        for document in self.documents:
            outside = document.out_of_distribution
            head = {
                "file": document.file,
                "model": document.run,
                "model_warning": document.model_warning,
                "error": document.error,
                "heart_rate_bpm": document.heart_rate_bpm,
                "out_of_distribution": None if outside is None else outside.flag,
                "outlier_score": None if outside is None else outside.score,
                "coverage": document.coverage,
                "use": RESEARCH_USE,
            }
            empty = dict.fromkeys(("phenotype", "value", "low", "high", "unit", "z_score"))
            if not document.phenotypes and not document.targets:
                yield {**head, **empty}
            for name, predicted in document.phenotypes.items():
                yield {**head, "phenotype": name, **predicted.model_dump()}
            for name, target in document.targets.items():
                shown = target.model_dump(include={"value", "low", "high", "unit"})
                yield {**head, "phenotype": name, **shown, "z_score": None}


_COLUMNS = (
    "file", "phenotype", "value", "low", "high", "unit", "z_score", "coverage",
    "out_of_distribution", "outlier_score", "heart_rate_bpm", "model", "model_warning", "error",
    "use",
)  # fmt: skip
