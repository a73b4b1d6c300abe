"""One remark about a recording: what was derived, cut, missing, suspicious or unusable."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["info", "warning", "reject"]


@dataclass(frozen=True, slots=True)
class Finding:
    """A named remark. `severity` "reject" keeps the recording out, with `code` as the reason.

    `code` is a stable snake_case name (`lead_off`, `derived_leads`, `too_short`), `message`
    one sentence with the figures and units that a reader needs and no identifier, `leads`
    the leads concerned (empty: the whole recording).
    """

    code: str
    severity: Severity
    message: str
    leads: tuple[str, ...] = ()

    def __str__(self) -> str:
        where = f" [{', '.join(self.leads)}]" if self.leads else ""
        return f"{self.code}{where}: {self.message}"

    def as_dict(self) -> dict[str, object]:
        """The finding as it stands in JSON documents and Parquet tables."""
        return {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "leads": list(self.leads),
        }
