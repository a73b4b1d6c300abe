"""One thing that is wrong with a cohort directory."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Defect:
    """A named defect; `place` is a file or table, and `message` names no participant."""

    code: str
    place: str
    message: str
    is_repairable: bool = False

    def __str__(self) -> str:
        return f"{self.code} [{self.place}]: {self.message}"
