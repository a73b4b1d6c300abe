# ruff: noqa: S608 - names in statements are those of notes.py
"""`notes.duckdb` made anew without some people."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ptacl_core.cohort.engine import connect_writer, execute, quote_text, readable_errors
from ptacl_core.cohort.layout import CohortDescription, CohortLayout
from ptacl_core.cohort.notes.audit_heads import AuditHead, write_head
from ptacl_core.cohort.notes.notebook import Notes, append_entry
from ptacl_core.cohort.notes.notes_file import TABLES_SQL
from ptacl_core.cohort.writing.rebuild import name_pattern, refuse_mentions, scrub_expression
from ptacl_core.errors import CohortError
from ptacl_core.safety.files.atomic import choose_file_mode

if TYPE_CHECKING:
    import duckdb

_COPIES = (
    ("notes_version", "version", ""),
    ("tags", "patient, {tag}, created_at", "patient"),
    ("notes", "note_id, patient, {text}, created_at", "patient"),
    ("saved_cohorts", "{name}, {attrition_json}, store_version, created_at", ""),
    ("saved_cohort_members", "{name}, patient, visit", "patient"),
    ("moved_marks", "patient, visit, beat, mark, sample, actor, moved_at", "patient"),
)


def erase_notes(
    layout: CohortLayout, people: Sequence[str], *, tombstones: Sequence[str]
) -> dict[str, int]:
    """Rewrite the notes without `people`; returns rows removed per table and entries redacted.

    Entries of the audit log that name them lose their details, and a new entry says so.
    """
    notes = Notes(layout, CohortDescription.read(layout).cohort_id)
    private = layout.root / f".{layout.notes.name}.private"
    with notes.file.opened():
        pass  # makes the file when there is none, and merges a log that a crash left
    with notes.file.locked():
        private.unlink(missing_ok=True)
        connection = connect_writer(private)
        try:
            with readable_errors(layout.notes):
                removed, head = _rewrite(connection, layout, people, tombstones)
        finally:
            connection.close()
        try:
            private.chmod(choose_file_mode(layout.root))
            private.replace(layout.notes)
        except OSError as error:
            raise CohortError(
                f"{layout.notes}: could not be rewritten ({error.strerror or error}); "
                "free some space, then erase again"
            ) from None
        finally:
            private.unlink(missing_ok=True)
            private.with_name(private.name + ".wal").unlink(missing_ok=True)
        write_head(layout, notes.cohort_id, number=head.number, entry_hash=head.hash)
    return removed


def _rewrite(
    connection: "duckdb.DuckDBPyConnection",
    layout: CohortLayout,
    people: Sequence[str],
    tombstones: Sequence[str],
) -> tuple[dict[str, int], AuditHead]:
    for statement in TABLES_SQL:
        execute(connection, statement)
    execute(connection, f"ATTACH {quote_text(str(layout.notes))} AS old (READ_ONLY)")
    names = ", ".join(quote_text(person) for person in people)
    removed = {}
    for table, columns, patient_column in _COPIES:
        condition = f" WHERE {patient_column} NOT IN ({names})" if patient_column else ""
        values = columns.format_map(_Scrubbed(people))
        execute(connection, f"INSERT INTO {table} SELECT {values} FROM old.{table}{condition}")
        before = execute(connection, f"SELECT count(*) FROM old.{table}")[0][0]
        after = execute(connection, f"SELECT count(*) FROM {table}")[0][0]
        removed[table] = int(before) - int(after)
    mentions = f"regexp_matches(details_json, {quote_text(name_pattern(people))})"
    redacted = execute(
        connection, f"SELECT number FROM old.audit_log WHERE {mentions} ORDER BY number"
    )
    execute(
        connection,
        "INSERT INTO audit_log SELECT number, logged_at, actor, action, "
        f"CASE WHEN {mentions} THEN NULL ELSE details_json END, "
        "details_sha256, previous_hash, hash FROM old.audit_log",
    )
    execute(connection, "DETACH old")
    details = {
        "tombstones": list(tombstones),
        "redacted_entries": [row[0] for row in redacted],
    }
    head = append_entry(connection, "erase", details)
    refuse_mentions(connection, people, file=layout.notes)
    execute(connection, "CHECKPOINT")
    counts = {table: count for table, count in removed.items() if count}
    if redacted:
        counts["audit_log_redacted"] = len(redacted)
    return counts, head


class _Scrubbed(dict[str, str]):
    """Column name to the SQL that gives its text without `people`."""

    def __init__(self, people: Sequence[str]) -> None:
        super().__init__()
        self._people = people

    def __missing__(self, column: str) -> str:
        return scrub_expression(column, self._people)
