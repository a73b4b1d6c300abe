"""What a call of `ptacl preprocess` reports."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ptacl_core.documents.preprocess import (
    Accepted,
    PreprocessDocument,
    TableMatch,
    Unmatched,
)


@dataclass(frozen=True, slots=True)
class PreprocessSummary:
    """What `ptacl preprocess` reports; `accepted` counts ECGs, CMRs and pairs of this call.

    `plan` counts people, visits, recordings, what stays alone and what is left out; `tables` gives
    of each table how many of its people have recordings, and how many it has; `without_visit` how
    many rows of such people are of a visit that has no recording, and how many rows these are.
    """

    accepted: dict[str, int]
    rejected: int
    reasons: dict[str, int]
    records_per_s: float
    plan: dict[str, int] = field(default_factory=dict)
    identity_reasons: dict[str, int] = field(default_factory=dict)
    finished: int = 0
    completed: int = 0
    changed: int = 0
    tables: dict[str, tuple[int, int]] = field(default_factory=dict)
    without_visit: dict[str, tuple[int, int]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def document(self) -> PreprocessDocument:
        """What `--json` prints."""
        return PreprocessDocument(
            accepted=Accepted.model_validate(self.accepted),
            rejected=self.rejected,
            reasons=self.reasons,
            records_per_s=self.records_per_s,
            plan=self.plan,
            left_out=self.identity_reasons,
            finished_visits=self.finished,
            completed_visits=self.completed,
            changed_visits=self.changed,
            tables=describe_tables(self.tables, self.without_visit),
            unmatched=self.unmatched,
        )

    @property
    def unmatched(self) -> Unmatched:
        """Recordings that are nobody's, people of tables without a recording, unused tables."""
        left_out = self.plan.get("recordings_left_out", 0)
        return count_unmatched(left_out, self.tables, self.without_visit)


def describe_tables(
    tables: Mapping[str, tuple[int, int]],
    without_visit: Mapping[str, tuple[int, int]] | None = None,
) -> dict[str, TableMatch]:
    """Of each table, its people, those that have recordings, and rows that name no visit."""
    return {
        name: TableMatch(
            people=total,
            with_recordings=matched,
            rows_without_visit=(without_visit or {}).get(name, (0, 0))[0],
        )
        for name, (matched, total) in tables.items()
    }


def count_unmatched(
    left_out: int,
    tables: Mapping[str, tuple[int, int]],
    without_visit: Mapping[str, tuple[int, int]] | None = None,
) -> Unmatched:
    """What has no partner; a table is unused without its people, or where no row has a visit."""
    is_unused = [
        matched == 0 or not_placed == num_rows
        for name, (matched, _) in tables.items()
        for not_placed, num_rows in [(without_visit or {}).get(name, (0, 1))]
    ]
    return Unmatched(
        recordings=left_out,
        table_people=sum(total - matched for matched, total in tables.values()),
        tables=sum(is_unused),
    )
