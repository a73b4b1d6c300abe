"""The cohort as a whole: summary, pages of the table, facets, saved selections, marks, SQL."""

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ptacl_app.data.patient_view import (
    CohortSummary,
    Facet,
    PatientPage,
    PatientSummary,
    QueryResult,
)
from ptacl_app.data.reading.opened import OpenedReader
from ptacl_app.data.reading.words import read_sex, safe_or_none
from ptacl_app.text.formatting import safe
from ptacl_core.records import PHENOTYPE_NAMES

OTHER_COLUMNS = (
    "height_cm", "weight_kg", "bmi_kg_m2", "pr_ms", "qrs_ms", "qt_ms", "qtc_ms", "axis_deg",
)  # fmt: skip
"""Numbers of a visit that the table can show besides the phenotypes."""
MAX_TAGGED_CHARACTERS = 12_000
"""Of the ids in a predicate: a statement holds 20 000 characters."""


class TableReading(OpenedReader):
    """What the cohort and SQL screens show."""

    def summarise(self) -> CohortSummary:
        """Name, size and runs of the cohort."""
        counts = self._cohort.fetch(
            "SELECT count(*), count(*) FILTER (WHERE has_ecg), count(*) FILTER (WHERE has_cmr) "
            "FROM overview"
        )[0]
        return CohortSummary(
            name=safe(self._cohort.description.name, max_length=60),
            source=self._cohort.description.source,
            version=self._cohort.version,
            num_patients=int(counts[0]),
            num_ecg=int(counts[1]),
            num_cmr=int(counts[2]),
            runs=tuple(safe(run.run, max_length=60) for run in self._cohort.runs()),
            run=self.find_run(),
        )

    # --- the table

    def load_page(
        self,
        *,
        where: str | None = None,
        sort: str = "patient",
        is_descending: bool = False,
        offset: int = 0,
        limit: int = 200,
    ) -> PatientPage:
        """One page of patient-visits. Raises QueryError when `where` is refused or fails."""
        rows = self._cohort.patients(
            where, f"{sort} DESC" if is_descending else sort, limit=limit, offset=offset
        )
        total = self._cohort.count(where)
        return PatientPage(tuple(_summarise_row(row) for row in rows), offset, total)

    def load_facets(self) -> tuple[Facet, ...]:
        """Counts by sex, age band, split and modality, with the predicate of each."""
        queries = (
            ("sex", "SELECT sex, count(*) FROM overview GROUP BY 1 ORDER BY 1", "sex = {}"),
            ("split", "SELECT split, count(*) FROM overview GROUP BY 1 ORDER BY 1", "split = {}"),
        )
        facets = []
        for group, query, predicate in queries:
            for value, count in self._cohort.fetch(query):
                if value is not None:
                    quoted = "'" + str(value).replace("'", "''") + "'"
                    facets.append(Facet(group, safe(value), count, predicate.format(quoted)))
        decades = self._cohort.fetch(
            "SELECT floor(age_years / 10) * 10 AS decade, count(*) FROM overview "
            "WHERE age_years IS NOT NULL GROUP BY 1 ORDER BY 1"
        )
        facets += [
            Facet(
                "age",
                f"{decade:.0f}–{decade + 9:.0f}",
                count,
                f"age_years >= {decade:.0f} and age_years < {decade + 10:.0f}",
            )
            for decade, count in decades
        ]
        for label, predicate in (
            ("ECG and CMR", "has_ecg and has_cmr"),
            ("ECG only", "has_ecg and not has_cmr"),
            ("CMR only", "has_cmr and not has_ecg"),
            ("with findings", "num_findings > 0"),
        ):
            query = f"SELECT count(*) FROM overview WHERE {predicate}"  # noqa: S608 - our own text
            count = self._cohort.fetch(query)[0][0]
            facets.append(Facet("recordings", label, count, predicate))
        return (*facets, *self._load_tag_facets())

    def _load_tag_facets(self) -> list[Facet]:
        """One for each tag; those of very many people have no predicate that is short enough."""
        people: dict[str, list[str]] = {}
        for patient, tags in self._cohort.notes.tags().items():
            for tag in tags:
                people.setdefault(tag, []).append("'" + patient.replace("'", "''") + "'")
        return [
            Facet(
                "tag",
                safe(tag, max_length=14),
                len(patients),
                f"patient IN ({', '.join(patients)})",
            )
            for tag, patients in sorted(people.items())
            if sum(map(len, patients)) < MAX_TAGGED_CHARACTERS
        ]

    # --- SQL

    def stream_query(
        self, statement: str, *, max_rows: int = 5000, rows_per_piece: int = 100
    ) -> Iterator[QueryResult]:
        """Run one statement in the sandbox and give its rows piece by piece, as they come.

        The first piece comes with the first rows (or with none), the last one says whether there
        were more than `max_rows`. Raises QueryError with the engine's own words.
        """
        started = time.perf_counter()
        self._cohort.note_query(statement)
        with self._cohort.stream(statement, max_rows=max_rows) as stream:
            columns = tuple(safe(name, max_length=60) for name in stream.columns)
            waiting: list[tuple[Any, ...]] = []
            for rows in stream.rows():
                waiting += rows
                while len(waiting) > rows_per_piece:
                    piece = tuple(waiting[:rows_per_piece])
                    del waiting[:rows_per_piece]
                    yield QueryResult(columns, piece, False, time.perf_counter() - started)
        elapsed_s = time.perf_counter() - started
        yield QueryResult(columns, tuple(waiting), stream.is_truncated, elapsed_s)

    def export_statement(self, statement: str) -> tuple[Path, int]:
        """All rows of a statement as CSV into exports/, streamed; the path and how many.

        Raises QueryError, CohortError.
        """
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
        written = self._cohort.export(statement, name=f"query-{stamp}")
        return written.path, written.num_rows

    def log_export(self, name: str) -> None:
        """Put a file that the app is about to write into the audit log. Raises CohortError."""
        self._cohort.notes.append_audit("export", name=name, store_version=self._cohort.version)

    def cancel_query(self) -> None:
        """End the statement under way; its caller gets a QueryError that says so."""
        self._cohort.cancel_sql()

    def load_catalogue(self) -> dict[str, tuple[tuple[str, str], ...]]:
        """Tables and views with their columns, `overview` first."""
        rows = self._cohort.fetch(
            "SELECT table_name, column_name, data_type FROM information_schema.columns "
            "WHERE table_catalog = 'store' AND table_schema = 'main' "
            "ORDER BY table_name <> 'overview', table_name, ordinal_position"
        )
        tables: dict[str, list[tuple[str, str]]] = {}
        for table, column, kind in rows:
            entry = (safe(column, max_length=40), safe(kind, max_length=16))
            tables.setdefault(safe(table, max_length=40), []).append(entry)
        return {table: tuple(columns) for table, columns in tables.items()}


def _summarise_row(row: Mapping[str, Any]) -> PatientSummary:
    return PatientSummary(
        patient=row["patient"],
        visit=int(row["visit"]),
        split=safe_or_none(row["split"]),
        sex=read_sex(row["sex"]),
        age_years=row["age_years"],
        heart_rate_bpm=row["heart_rate_bpm"],
        has_ecg=bool(row["has_ecg"]),
        has_cmr=bool(row["has_cmr"]),
        num_findings=int(row["num_findings"]),
        measured={name: row[name] for name in PHENOTYPE_NAMES if row[name] is not None},
        others={name: row.get(name) for name in OTHER_COLUMNS},
    )
