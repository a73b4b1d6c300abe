"""The cohort store as everything else sees it: typed queries, neighbours, SQL, erasure."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ptacl_core.cohort.layout import (
    CohortDescription,
    CohortLayout,
    Source,
)
from ptacl_core.cohort.opened_store import OpenedStore
from ptacl_core.cohort.rows import (
    Direction,
    Method,
    Neighbour,
    QueryResult,
    SqlRow,
)
from ptacl_core.cohort.store_queries import StoreQueries
from ptacl_core.errors import CohortError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import numpy as np

    from ptacl_core.cohort.erasure.erase import BeyondStore, Certificate, EraseShards
    from ptacl_core.cohort.notes.notebook import Notes, SavedCohort
    from ptacl_core.cohort.search.index import IndexEntry
    from ptacl_core.cohort.sql.exports import Export
    from ptacl_core.cohort.sql.streams import ResultStream
    from ptacl_core.cohort.writing.writer import CohortWriter


class Cohort(StoreQueries):
    """A cohort directory opened for reading; writing goes through `Cohort.write`.

    A reader keeps the version it has opened while others publish; `is_stale` tells when there
    is a newer one, `reopen` changes to it. Methods may be called from several threads.
    """

    def __init__(self, layout: CohortLayout) -> None:
        self.layout = layout
        super().__init__(OpenedStore(layout))

    # -- life ------------------------------------------------------------------------------

    @classmethod
    def create(
        cls, path: str | Path, *, name: str, source: Source, preprocessing_hash: str
    ) -> Self:
        """Make an empty cohort at `path` and open it.

        Raises CohortError when `path` holds a cohort already, or cannot be made.
        """
        from ptacl_core.cohort.writing.creation import create_cohort

        layout = CohortLayout(Path(path).absolute())
        create_cohort(layout, name=name, source=source, preprocessing_hash=preprocessing_hash)
        return cls(layout)

    @classmethod
    def open(cls, path: str | Path, read_only: bool = True) -> Self:
        """Open the cohort at `path` for reading.

        Raises CohortError when it is not a cohort or damaged, CohortVersionError when it is newer
        than this software. `read_only=False` is refused: changes are made with `Cohort.write`.
        """
        if not read_only:
            raise CohortError("a cohort is opened read-only; change it with Cohort.write(path, …)")
        return cls(CohortLayout(Path(path).absolute()))

    @staticmethod
    def write(
        path: str | Path, *, purpose: str, waits: bool = False
    ) -> "AbstractContextManager[CohortWriter]":
        """Change the cohort at `path`: `with Cohort.write(path, purpose="embed") as writer:`.

        See `cohort.writing.transaction.write_cohort`: all or nothing, one writer at a time, for
        whom `waits` waits.
        """
        from ptacl_core.cohort.writing.transaction import write_cohort

        layout = CohortLayout(Path(path).absolute())
        CohortDescription.read(layout)
        return write_cohort(layout, purpose=purpose, waits=waits)

    def close(self) -> None:
        """Close the store; calling it again does nothing."""
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def path(self) -> Path:
        """The cohort directory."""
        return self.layout.root

    def is_stale(self) -> bool:
        """True when a newer version of the store has been published since this one was opened."""
        return self._opened.is_stale()

    def reopen(self) -> None:
        """Change to the newest published version. On an error the open one stays."""
        previous, self._opened = self._opened, OpenedStore(self.layout)
        previous.close()

    @property
    def version(self) -> int:
        """Number of the open version; it grows by one with every publication."""
        return self._opened.version

    @property
    def description(self) -> CohortDescription:
        """What `cohort.toml` said when this version was opened."""
        return self._opened.description

    @property
    def opened(self) -> OpenedStore:
        """The open version."""
        return self._opened

    # -- neighbours --------------------------------------------------------------------------

    def neighbours(
        self,
        query: "str | np.ndarray",
        *,
        k: int = 10,
        run: str | None = None,
        direction: Direction | None = None,
        where: str | None = None,
        exclude_self: bool = True,
        visit: int | None = None,
        space: str = "projected",
        method: Method = "auto",
    ) -> list[Neighbour]:
        """The `k` nearest patients by cosine similarity, the nearest first.

        `query` is a patient of the store or an embedding [dim] of the direction's first
        modality; candidates are embeddings of its second. `direction` None is ECG to CMR, and ECG
        to ECG of a run that was trained without cines. `run` None is the newest with
        embeddings; `where` a predicate over `overview` that candidates must meet;
        `exclude_self` leaves out every visit of the query patient. `method` "auto" is exact
        up to a million vectors and beyond unless `build_index` has made an index; "index"
        makes one when needed. Raises CohortError when the patient or the embeddings are not
        there, or the vector cannot be used.
        """
        from ptacl_core.cohort.asking import find_keys
        from ptacl_core.cohort.search.neighbours import find_neighbours

        return find_neighbours(
            self._opened,
            query,
            k=k,
            run=run,
            direction=direction,
            allowed=None if where is None else find_keys(self._opened, where),
            exclude_self=exclude_self,
            visit=visit,
            space=space,
            method=method,
        )

    def neighbours_of_many(
        self,
        queries: "Sequence[str] | np.ndarray",
        *,
        k: int = 10,
        run: str | None = None,
        direction: Direction | None = None,
        exclude_self: bool = True,
        space: str = "projected",
    ) -> list[list[Neighbour]]:
        """`neighbours` of many patients, or of many embeddings [query, dim], in one search.

        The answers are those of one query after another, without measured phenotypes; of a
        patient the earliest visit asks. Raises as `neighbours`.
        """
        from ptacl_core.cohort.search.neighbours import find_neighbours_of_many

        return find_neighbours_of_many(
            self._opened,
            queries,
            k=k,
            run=run,
            direction=direction,
            exclude_self=exclude_self,
            space=space,
        )

    def build_index(self, run: str, modality: str, space: str = "projected") -> "IndexEntry":
        """Build the neighbour index of one set of embeddings; tells its measured recall@10.

        Raises CohortError when it cannot be built or misses the goal: search is exact then.
        """
        from ptacl_core.cohort.embedding_rows import EmbeddingKey
        from ptacl_core.cohort.search.index import build_index

        return build_index(self._opened, EmbeddingKey(run, modality, space))

    # -- SQL -----------------------------------------------------------------------------------

    def sql(
        self, statement: str, max_rows: int | None = 10_000, *, deadline_s: float = 5.0
    ) -> QueryResult:
        """Run one SELECT over the store in a process of its own and return its rows.

        `knn('<patient>', k [, direction [, run]])` is a table of (patient, visit, rank,
        similarity) that can be joined in the same statement. Refused, with QueryError: all but
        SELECT, files, settings, extensions, functions that tell about the machine; a statement
        that runs longer than `deadline_s` or needs too much memory is ended. At most `max_rows`
        rows come back and `is_truncated` tells that there were more. The statement is noted in
        the user's own log (`ptacl_core.cohort.notes.readings`).
        """
        self.note_query(statement)
        return self.run_statement(statement, max_rows=max_rows, deadline_s=deadline_s)

    def export(
        self,
        statement: str,
        *,
        name: str,
        file_format: str = "csv",
        max_rows: int = 1_000_000,
        deadline_s: float = 60.0,
    ) -> "Export":
        """Write the rows of one SELECT to `exports/<name>.<file_format>` (csv, json, parquet).

        Raises QueryError as `sql` does, or CohortError when the file cannot be written.
        """
        from ptacl_core.cohort.sql.exports import check_export, write_export

        self.notes.append_audit(
            "export", statement=statement, name=name, store_version=self.version
        )
        check_export(name, file_format)
        with self.stream(statement, max_rows=max_rows, deadline_s=deadline_s) as stream:
            return write_export(
                self.layout,
                stream,
                name=name,
                file_format=file_format,
                statement=statement,
                store_version=self.version,
            )

    def stream(
        self, statement: str, *, max_rows: int | None = None, deadline_s: float = 60.0
    ) -> "AbstractContextManager[ResultStream]":
        """The rows of one SELECT piece by piece: `with cohort.stream(sql) as rows:`.

        As `sql`, in bounded memory; it is not noted, which `note_query` does. Raises QueryError.
        """
        from ptacl_core.cohort.asking import resolve_knn

        return self._opened.console.stream(
            statement,
            max_rows=max_rows,
            deadline_s=deadline_s,
            resolve=resolve_knn(self._opened),
        )

    def note_query(self, statement: str) -> None:
        """Put a statement into this user's own log of the cohort. Raises CohortError."""
        from ptacl_core.cohort.notes.readings import log_reading

        log_reading(self.description, "query", statement=statement, store_version=self.version)

    def save_cohort(self, name: str, criteria: Sequence[tuple[str, str]]) -> "SavedCohort":
        """Keep the patient-visits that meet all `criteria` (label, predicate over `overview`).

        The attrition table says how many were left after each; it starts with all there are.
        Raises QueryError.
        """
        from ptacl_core.cohort.queries.selection import save_selection

        return save_selection(self._opened, self.notes, name, criteria)

    def cancel_sql(self) -> None:
        """End the running statement, from another thread; its caller gets a QueryError."""
        self._opened.console.cancel()

    # -- erasure -------------------------------------------------------------------------------

    def is_erased(self, patient: str) -> bool:
        """True when this pseudonym was erased and may not come back."""
        return bool(self.find_erased([patient]))

    def find_erased(self, patients: Iterable[str]) -> set[str]:
        """Those of `patients` that were erased and may not come back."""
        from ptacl_core.cohort.identity.tombstones import find_erased

        with self._opened.cursor() as cursor:
            return find_erased(cursor, self.layout, patients)

    def erase(
        self,
        patients: Sequence[str],
        *,
        erase_shards: "EraseShards | None" = None,
        beyond: "BeyondStore | None" = None,
        also_search: Sequence[Path] = (),
    ) -> "Certificate":
        """Take people out of everything in this cohort and prove it; then open the result.

        See `ptacl_core.cohort.erasure.erase.erase_patients`.
        """
        from ptacl_core.cohort.erasure.erase import erase_patients

        certificate = erase_patients(
            self.layout,
            patients,
            erase_shards=erase_shards,
            beyond=beyond,
            also_search=also_search,
        )
        self.reopen()
        return certificate

    # -- below: used by the modules of this package ------------------------------------------

    def run_statement(
        self, statement: str, *, max_rows: int | None, deadline_s: float = 5.0
    ) -> QueryResult:
        """As `sql`, for statements that typed queries build around a person's predicate."""
        from ptacl_core.cohort.asking import run_statement

        return run_statement(self._opened, statement, max_rows=max_rows, deadline_s=deadline_s)

    @property
    def notes(self) -> "Notes":
        """Tags, notes, saved cohorts and the audit log."""
        from ptacl_core.cohort.notes.notebook import Notes

        return Notes(self.layout, self.description.cohort_id)

    def fetch(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows of one of our own statements. Raises CohortError when the store is damaged."""
        return self._opened.fetch(query, parameters)

    def fetch_dicts(self, query: str, parameters: Sequence[Any] = ()) -> list[SqlRow]:
        """As `fetch`, every row a dictionary of its columns."""
        return self._opened.fetch_dicts(query, parameters)
