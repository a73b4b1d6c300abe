"""Targets of a cohort's own → values to show beside the phenotypes. Pure.

A binary target is shown as what is predicted of it: a probability, in per cent.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ptacl_app.data.patient_view import PhenotypeValue, Prediction
from ptacl_app.text.formatting import safe
from ptacl_core.cohort.rows import TargetValue
from ptacl_core.records.targets import Target

PERCENT = "%"


def build_targets(
    targets: Sequence[Target],
    predicted: Mapping[str, Prediction],
    measured: Sequence[TargetValue],
    *,
    visit: int,
    phenotypes: Mapping[str, Any],
) -> tuple[PhenotypeValue, ...]:
    """What is known of each target at a visit; rules are applied to what was measured."""
    values = {value.name: value.value for value in measured if value.visit < 0}
    values |= {value.name: value.value for value in measured if value.visit == visit}
    known = {**{name: value for name, value in phenotypes.items() if value is not None}, **values}
    shown = []
    for target in targets:
        rule = target.parse_rule()
        value = known.get(target.name) if rule is None else known.get(rule.source)
        if rule is not None and value is not None:
            value = float(rule.holds(float(value)))
        shown.append(_show(target.name, target.shown_title, target.unit, target.is_binary,
                           predicted.get(target.name), value))  # fmt: skip
    return tuple(shown)


def read_answer(answer: Mapping[str, Any]) -> tuple[PhenotypeValue, ...]:
    """The targets that a prediction of a file has."""
    return tuple(
        _show(
            name,
            str(entry["title"]),
            str(entry["unit"]),
            entry["kind"] == "binary",
            Prediction(
                float(entry["value"]),
                float(entry["low"]),
                float(entry["high"]),
                interval_group=safe(entry.get("interval_group", "all"), max_length=20),
            ),
            None,
        )
        for name, entry in (answer.get("targets") or {}).items()
    )


def _show(
    name: str,
    title: str,
    unit: str,
    is_binary: bool,
    predicted: Prediction | None,
    measured: float | None,
) -> PhenotypeValue:
    if is_binary:
        unit = PERCENT
        measured = None if measured is None else 100.0 * measured
        if predicted is not None:
            predicted = Prediction(
                100.0 * predicted.value, 100.0 * predicted.low, 100.0 * predicted.high,
                interval_group=predicted.interval_group,
            )  # fmt: skip
    return PhenotypeValue(
        safe(name, max_length=40),
        predicted=predicted,
        measured=None if measured is None else float(measured),
        title=f"{'P: ' if is_binary else ''}{safe(title, max_length=60)}",
        own_unit=safe(unit, max_length=10),
    )
