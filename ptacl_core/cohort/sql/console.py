"""The console: statements of people, run in a process that can be ended at any moment."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ptacl_core.cohort.engine import descriptor_path
from ptacl_core.cohort.rows import Neighbour, QueryResult
from ptacl_core.cohort.sql.statement import KnnCall
from ptacl_core.cohort.sql.streams import ResultStream, read_batches
from ptacl_core.errors import CohortError, QueryError
from ptacl_core.safety.processes.worker import Message, Worker, WorkerEndedError, WorkerFailedError

if TYPE_CHECKING:
    import pyarrow as pa

ADDRESS_SPACE_BYTES = 3 * 2**30
_START_DEADLINE_S = 30.0

Resolve = Callable[[KnnCall], list[Neighbour]]
"""Finds the neighbours that a `knn` call asks for."""


class Console:
    """Runs checked statements over one open version of a store, in a child process.

    The child is started by the first statement, kept for the next ones, and started anew after
    it had to be killed. One statement runs at a time; others wait.
    """

    def __init__(self, store_descriptor: int) -> None:
        self._descriptor = store_descriptor
        self._worker = Worker(
            "ptacl_core.cohort.sql.console_worker:handle",
            name="query",
            address_space_bytes=ADDRESS_SPACE_BYTES,
            pass_files=(store_descriptor,),
        )
        self._opened_start = 0

    def query(
        self, statement: str, *, max_rows: int | None, deadline_s: float, resolve: Resolve
    ) -> QueryResult:
        """The rows of `statement`. Raises QueryError."""
        answer, _ = self._run("fetch", statement, max_rows, deadline_s, resolve)
        return QueryResult(
            columns=tuple(answer["columns"]),
            types=tuple(answer["types"]),
            rows=tuple(tuple(row) for row in answer["rows"]),
            is_truncated=bool(answer["is_truncated"]),
        )

    @contextmanager
    def stream(
        self, statement: str, *, max_rows: int | None, deadline_s: float, resolve: Resolve
    ) -> Iterator[ResultStream]:
        """The rows of `statement` piece by piece, while the block runs. Raises QueryError.

        The deadline counts the console's own time, not the reader's. A block that ends early
        ends the statement.
        """
        import pyarrow as arrow

        spent_s = 0.0

        def ask(request: Mapping[str, object], payload: bytes = b"") -> tuple[Message, bytes]:
            nonlocal spent_s
            started_s = time.monotonic()
            try:
                return call(request, payload, deadline_s=max(0.001, deadline_s - spent_s))
            except WorkerEndedError as error:
                raise _explain_end(error, deadline_s) from None
            except WorkerFailedError as error:
                raise _explain_failure(error) from None
            finally:
                spent_s += time.monotonic() - started_s

        with self._worker.session() as call:
            self._open_if_new(call)
            prepared, _ = ask({"operation": "prepare", "statement": statement})
            calls = [KnnCall(**wanted) for wanted in prepared["knn"]]
            rows = json.dumps([row for knn in calls for row in _rows(knn, resolve(knn))])
            request = {"operation": "stream", "max_rows": max_rows}
            answer, schema = ask(request, rows.encode())
            is_ended = False

            def read() -> "Iterator[pa.RecordBatch]":
                nonlocal is_ended
                yield from read_batches(ask, mark_truncated)
                is_ended = True

            def mark_truncated() -> None:
                result.is_truncated = True

            result = ResultStream(
                tuple(answer["columns"]),
                tuple(answer["types"]),
                arrow.ipc.open_stream(schema).schema,
                read(),
            )
            try:
                yield result
            finally:
                if not is_ended:
                    self._worker.cancel()

    def cancel(self) -> None:
        """End the running statement."""
        self._worker.cancel()

    def close(self) -> None:
        """End the process."""
        self._worker.close()

    @property
    def process_id(self) -> int | None:
        """The process's id; None while there is none."""
        return self._worker.process_id

    @property
    def num_starts(self) -> int:
        """How often the process had to be started."""
        return self._worker.num_starts

    def _run(
        self,
        operation: str,
        statement: str,
        max_rows: int | None,
        deadline_s: float,
        resolve: Resolve,
    ) -> tuple[Message, bytes]:
        if max_rows is not None and max_rows < 0:
            raise QueryError(f"max_rows: expected 0 or more, got {max_rows}")
        with self._worker.session() as call:
            try:
                self._open_if_new(call)
                deadline = time.monotonic() + deadline_s
                request = {"operation": "prepare", "statement": statement}
                prepared, _ = call(request, deadline_s=deadline_s)
                calls = [KnnCall(**wanted) for wanted in prepared["knn"]]
                rows = json.dumps([row for knn in calls for row in _rows(knn, resolve(knn))])
                left = max(0.001, deadline - time.monotonic())
                request = {"operation": operation, "max_rows": max_rows}
                return call(request, rows.encode(), deadline_s=left)
            except WorkerEndedError as error:
                raise _explain_end(error, deadline_s) from None
            except WorkerFailedError as error:
                raise _explain_failure(error) from None

    def _open_if_new(self, call: Callable[..., tuple[Message, bytes]]) -> None:
        if self._worker.is_running and self._opened_start == self._worker.num_starts:
            return
        call(
            {"operation": "open", "store": descriptor_path(self._descriptor)},
            deadline_s=_START_DEADLINE_S,
        )
        self._opened_start = self._worker.num_starts


def _rows(call: KnnCall, neighbours: list[Neighbour]) -> list[list[Any]]:
    head = [call.patient, call.k, call.direction, call.run]
    return [
        [*head, neighbour.patient, neighbour.visit, neighbour.rank, neighbour.similarity]
        for neighbour in neighbours
    ]


def _explain_end(error: WorkerEndedError, deadline_s: float) -> QueryError:
    if error.reason == "deadline":
        return QueryError(
            f"the statement was stopped after {deadline_s:g} s; narrow it (WHERE, LIMIT), or "
            "raise the time limit"
        )
    if error.reason == "cancelled":
        return QueryError("the statement was cancelled")
    return QueryError("the statement ended its process, most likely out of memory; narrow it")


def _explain_failure(error: WorkerFailedError) -> CohortError:
    if error.kind == "QueryError":
        return QueryError(str(error))
    if error.kind in ("CohortError", "CohortVersionError"):
        return CohortError(str(error))
    if error.kind == "MemoryError":
        return QueryError("the statement needs more memory than it may have; narrow it")
    return QueryError(f"the statement failed ({error.kind}); write it in another way")
