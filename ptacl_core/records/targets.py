"""What a cohort is predicted for: names, units, kinds and plausible values.

The ten CMR phenotypes are the built-in set and keep names, order and places; a cohort adds its own
(an echo's LVEF, LA volume, "LVEF < 50 %") beside them.
"""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, cast, get_args

import numpy as np

from ptacl_core.arrays import Array, Float64
from ptacl_core.errors import ConfigError
from ptacl_core.records.phenotypes import PHENOTYPE_NAMES, PHENOTYPE_UNITS

Kind = Literal["continuous", "binary"]
KINDS: tuple[str, ...] = get_args(Kind)
MAX_TARGETS = 64
PROBABILITY = "probability"
"""Unit of what is predicted of a binary target."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_RULE = re.compile(r"([a-z][a-z0-9_]{0,39})\s*(<=|>=|<|>)\s*(-?\d+(?:\.\d+)?)")
_TAKEN = {"sex", "age_years", "height_cm", "weight_kg", "bmi_kg_m2", "patient", "visit"}
_COMPARISONS: dict[str, Callable[[Array, float], Array]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rule:
    """A binary target that follows from a continuous one: `source` compared with `limit`."""

    source: str
    comparison: str
    limit: float

    def holds(self, value: float) -> bool:
        """Whether it holds of one value."""
        return bool(self.apply(np.array([value]))[0])

    def apply(self, values: Float64[Array, " row"]) -> Float64[Array, " row"]:
        """1 where it holds, 0 where not, NaN where there is no value."""
        holds = _COMPARISONS[self.comparison](values, self.limit)
        return np.where(np.isfinite(values), holds.astype(np.float64), np.nan)


@dataclass(frozen=True, slots=True)
class Target:
    """One quantity: `low` and `high` bound what is plausible, `rule` derives it from another.

    `unit` is empty of a binary target. `reference` is text on what is normal, or how it was
    measured. Raises ConfigError for a definition that contradicts itself.
    """

    name: str
    kind: Kind = "continuous"
    unit: str = ""
    title: str = ""
    low: float | None = None
    high: float | None = None
    rule: str = ""
    reference: str = ""

    def __post_init__(self) -> None:
        bounds = [bound for bound in (self.low, self.high) if bound is not None]
        faults = {
            "expected a name of a-z, 0-9 and _, at most 40, beginning with a letter": not (
                _NAME.fullmatch(self.name)
            ),
            "the name is taken by a column of the store": self.name in _TAKEN,
            f"expected a kind of {', '.join(KINDS)}, got {self.kind!r}": self.kind not in KINDS,
            "low must lie below high": len(bounds) == 2 and bounds[0] >= bounds[1],
            "a rule gives a binary target; leave out its kind, or the rule": bool(self.rule)
            and not self.is_binary,
            "a binary target has neither unit nor range": self.is_binary
            and bool(self.unit or bounds),
            f"expected a rule such as 'echo_lvef < 50', got {self.rule[:60]!r}": bool(self.rule)
            and self.parse_rule() is None,
        }
        for fault, is_there in faults.items():
            if is_there:
                raise ConfigError(f"target '{self.name[:40]}': {fault}")

    @property
    def is_binary(self) -> bool:
        """Whether it is there or not, with a probability as prediction."""
        return self.kind == "binary"

    @property
    def shown_title(self) -> str:
        """The title, or the name where it has none."""
        return self.title or self.name

    @property
    def prediction_unit(self) -> str:
        """Unit of its predictions."""
        return PROBABILITY if self.is_binary else self.unit

    def parse_rule(self) -> Rule | None:
        """The rule that derives it; None of one with values of its own."""
        match = _RULE.fullmatch(self.rule.strip()) if self.rule else None
        return None if match is None else Rule(match[1], match[2], float(match[3]))

    def is_plausible(self, values: Float64[Array, " row"]) -> Array:
        """Whether each value lies in the range; 0 or 1 of a binary target."""
        if self.is_binary:
            return np.isin(values, (0.0, 1.0))
        low = -np.inf if self.low is None else self.low
        high = np.inf if self.high is None else self.high
        return (values >= low) & (values <= high)


PHENOTYPE_TARGETS: tuple[Target, ...] = tuple(
    Target(name, unit=PHENOTYPE_UNITS[name]) for name in PHENOTYPE_NAMES
)
"""The built-in set, in the order of every table."""


def check_targets(targets: tuple[Target, ...]) -> None:
    """Raise ConfigError unless names are unique and every rule has a continuous source."""
    names = [target.name for target in targets]
    if len(set(names)) != len(names):
        raise ConfigError("targets: a name is given twice")
    if built_in := sorted(set(names) & set(PHENOTYPE_NAMES)):
        raise ConfigError(
            f"targets: {', '.join(built_in)} is built in; its values come with --phenotypes"
        )
    if len(targets) > MAX_TARGETS:
        raise ConfigError(f"targets: at most {MAX_TARGETS}, got {len(targets)}")
    kinds = {target.name: target.kind for target in (*PHENOTYPE_TARGETS, *targets)}
    for target in targets:
        rule = target.parse_rule()
        if rule is not None and kinds.get(rule.source) != "continuous":
            known = ", ".join(name for name, kind in kinds.items() if kind == "continuous")
            raise ConfigError(
                f"target '{target.name}': its rule needs a continuous target, got '{rule.source}'; "
                f"there are {known}"
            )


def as_kind(text: str) -> Kind:
    """A kind by its word; what is none is refused by `Target`."""
    return cast("Kind", text)
