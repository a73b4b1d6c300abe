"""Which run speaks, and what is to be said of it before any of its numbers. Read-only."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ptacl_app.text.formatting import safe

DEMOGRAPHICS = "demographics"
Fetch = Callable[..., list[tuple[Any, ...]]]
_RUNS = (
    "SELECT run, config_json, CASE WHEN kind IN ('ecg', 'finetune-ecg') THEN kind "
    "ELSE 'align' END FROM runs WHERE run IN "
    "(SELECT run FROM embedding_sets UNION SELECT run FROM predictions) "
    "ORDER BY created_at DESC, run DESC"
)
_HEALTH = (
    "SELECT run, variant, metric, value FROM evaluation_results WHERE section = 'health' "
    "AND metric IN ('learned', 'is_control')"
)


@dataclass(frozen=True, slots=True)
class RunStanding:
    """A run with what speaks against taking it unasked."""

    run: str
    failures: tuple[str, ...] = ()
    """Stages that have not learned."""
    is_control: bool = False
    has_local_alignment: bool = True
    kind: str = "align"
    """The stage that its embeddings are of."""

    @property
    def rank(self) -> int:
        """0: learned, with local alignment; 1: learned, Global only; 2: neither to be taken."""
        if self.is_control or self.kind in self.failures:
            return 2
        return 0 if self.has_local_alignment else 1


def list_standings(fetch: Fetch) -> list[RunStanding]:
    """Every run with embeddings or predictions, the newest first."""
    failures: dict[str, list[str]] = {}
    controls: set[str] = set()
    for run, stage, metric, value in fetch(_HEALTH):
        if metric == "learned" and value == 0:
            failures.setdefault(run, []).append(str(stage))
        elif metric == "is_control" and value == 1:
            controls.add(run)
    return [
        RunStanding(
            run=str(run),
            failures=tuple(sorted(failures.get(run, ()))),
            is_control=run in controls,
            has_local_alignment=_has_local_alignment(config_json),
            kind=str(kind),
        )
        for run, config_json, kind in fetch(_RUNS)
    ]


def choose_default(standings: Sequence[RunStanding]) -> str | None:
    """The newest run that has learned and is not a control, one with local alignment first.

    Where every run is a control or has not learned: the newest of them, which then says so.
    """
    if not standings:
        return None
    best = min(standing.rank for standing in standings)
    return next(standing.run for standing in standings if standing.rank == best)


def describe_faults(standing: RunStanding | None, document: Mapping[str, Any] | None) -> list[str]:
    """What is said before any number of the run; nothing where nothing speaks against it."""
    said = []
    name = "" if standing is None else safe(standing.run, max_length=40)
    if standing is not None and standing.failures:
        stages = ", ".join(safe(stage, max_length=20) for stage in standing.failures)
        said.append(f"run {name} has not learned ({stages}): its numbers say nothing")
    if standing is not None and standing.is_control:
        said.append(f"run {name} is a negative control, not a model to read")
    gain = find_gain_over_demographics(document)
    if gain is not None and gain < 0:
        said.append(
            f"run {name} is worse than sex, age and body size alone (mean R² {gain:+.3f})".replace(
                "-", "−"
            )
        )
    return said


def find_gain_over_demographics(document: Mapping[str, Any] | None) -> float | None:
    """Mean R² of the run's ECG less that of demographics; None where it was not evaluated."""
    if document is None:
        return None
    cells = (document.get("regression") or {}).get("ecg") or {}
    ours = [cell["r2"] for cell in cells.values() if cell.get("r2") is not None]
    rows = [row for row in document.get("rows") or () if row.get("key") == DEMOGRAPHICS]
    theirs = (rows[0].get("mean") or {}).get("r2") if rows else None
    if not ours or theirs is None:
        return None
    return float(sum(ours) / len(ours) - theirs)


def _has_local_alignment(config_json: str | None) -> bool:
    """False of a run trained with β = 0, the Global baseline."""
    try:
        config = json.loads(config_json or "{}")
    except json.JSONDecodeError:
        return True
    align = config.get("align") if isinstance(config, Mapping) else None
    beta = align.get("beta") if isinstance(align, Mapping) else None
    return not (isinstance(beta, int | float) and beta == 0)
