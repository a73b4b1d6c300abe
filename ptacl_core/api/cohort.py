"""A cohort in a Python session: its people as tables, searched by predicate or by likeness."""

from typing import TYPE_CHECKING, Any

from ptacl_core.api.results import Rows
from ptacl_core.cohort import Cohort as Store
from ptacl_core.errors import QueryError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


class Cohort(Store):
    """The store of a cohort, with tables for pandas and Arrow; `Cohort.open(path)` opens one."""

    def to_arrow(self, table: str = "overview") -> "pa.Table":
        """A table or view of the store, all of its rows. Raises QueryError for another name."""
        return self._read(table).to_arrow()

    def to_pandas(self, table: str = "overview") -> "pd.DataFrame":
        """A table or view of the store, all of its rows. Raises QueryError for another name."""
        return self._read(table).to_pandas()

    def search(
        self,
        where: str | None = None,
        *,
        like: Any = None,
        k: int = 10,
        run: str | None = None,
    ) -> Rows:
        """People who meet a predicate over `overview`, those most like somebody first.

        Args:
            where: such as `"sex = 'F' AND lvef_pct < 50"`; None: everybody.
            like: a patient of the cohort, or an embedding that `Model.embed` gave; None: no
                order of likeness, and all rows that meet `where`.
            k: how many of the most alike.
            run: whose embeddings are compared; None: the newest.

        Raises:
            QueryError: the predicate cannot be used.
            CohortError: the patient or the embeddings are not there.
        """
        if like is None:
            rows = tuple(self.patients(where))
            return Rows(rows, tuple(rows[0]) if rows else ())
        vector = like[0] if getattr(like, "ndim", 1) == 2 else like
        neighbours = self.neighbours(vector, k=k, run=run, where=where)
        names = sorted({name for neighbour in neighbours for name in neighbour.phenotypes})
        rows = tuple(
            {
                "patient": neighbour.patient,
                "visit": neighbour.visit,
                "rank": neighbour.rank,
                "similarity": neighbour.similarity,
                **{name: neighbour.phenotypes.get(name) for name in names},
            }
            for neighbour in neighbours
        )
        return Rows(rows, ("patient", "visit", "rank", "similarity", *names))

    def _read(self, table: str) -> Rows:
        if not table.isidentifier():
            raise QueryError(f"expected the name of a table or view, got {table[:40]!r}")
        answer = self.sql(f"SELECT * FROM {table}", max_rows=None, deadline_s=60.0)  # noqa: S608
        rows = tuple(dict(zip(answer.columns, row, strict=True)) for row in answer.rows)
        return Rows(rows, tuple(answer.columns))
