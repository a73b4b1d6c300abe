"""What a call of `ptacl preprocess` reports."""

from dataclasses import dataclass, field
from typing import Any


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

    def as_dict(self) -> dict[str, Any]:
        """The JSON document."""
        return {
            "accepted": self.accepted,
            "rejected": self.rejected,
            "reasons": self.reasons,
            "records_per_s": self.records_per_s,
            "plan": self.plan,
            "left_out": self.identity_reasons,
            "finished_visits": self.finished,
            "completed_visits": self.completed,
            "changed_visits": self.changed,
            "tables": {
                name: {
                    "people": total,
                    "with_recordings": matched,
                    "rows_without_visit": self.without_visit.get(name, (0, 0))[0],
                }
                for name, (matched, total) in self.tables.items()
            },
            "unmatched": self.unmatched,
        }

    @property
    def unmatched(self) -> dict[str, int]:
        """Recordings that are nobody's, people of tables without a recording, unused tables."""
        unused = [
            matched == 0 or not_placed == num_rows
            for name, (matched, _) in self.tables.items()
            for not_placed, num_rows in [self.without_visit.get(name, (0, 1))]
        ]
        return {
            "recordings": self.plan.get("recordings_left_out", 0),
            "table_people": sum(total - matched for matched, total in self.tables.values()),
            "tables": sum(unused),
        }
