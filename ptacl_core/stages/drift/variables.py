"""Variables of two cohorts: how each is distributed in both, and which of them shifted."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

import numpy as np

from ptacl_core.arrays import Array, Float64
from ptacl_core.documents.drift import CategoryDrift, NumberDrift, ShiftedVariable, VariableDrift
from ptacl_core.documents.figures import Bounded
from ptacl_core.embedding.patients import EvaluationSplit
from ptacl_core.evaluate import (
    holm_adjust,
    stability_of_categories,
    stability_of_numbers,
    standardised_difference,
)
from ptacl_core.shards.spec import COVARIATE_NAMES

ALPHA = 0.05
LITTLE_PSI = 0.1
"""A stability index below it is not drift worth a name, however sure."""
_ABSENT = "absent from one cohort"

Variable = TypeVar("Variable", bound=VariableDrift)


def compare_covariates(
    people: tuple[EvaluationSplit, EvaluationSplit],
) -> dict[str, NumberDrift | CategoryDrift]:
    """Sex, age and size; people of unknown sex are left out of the shares."""
    sex = compare_categories(*(list(filter(None, split.sex)) for split in people))
    numbers = {
        name: compare_numbers(*(split.covariates[:, column] for split in people))
        for column, name in enumerate(COVARIATE_NAMES)
        if name != "sex_male"
    }
    return {"sex": sex, **numbers}


def compare_numbers(
    reference: Float64[Array, " patient"], other: Float64[Array, " other"]
) -> NumberDrift:
    """One numeric variable; counts and the reason where a cohort has none of it."""
    known = [values[np.isfinite(values)] for values in (reference, other)]
    if not all(map(len, known)):
        return NumberDrift(n=len(known[0]), other_n=len(known[1]), why=_ABSENT)
    difference, low, high = standardised_difference(*known)
    stability = stability_of_numbers(*known)
    return NumberDrift(
        n=len(known[0]),
        other_n=len(known[1]),
        mean=float(known[0].mean()),
        other_mean=float(known[1].mean()),
        sd=float(known[0].std()),
        other_sd=float(known[1].std()),
        difference_sd=Bounded(value=difference, low=low, high=high),
        psi=stability.psi,
        p_value=stability.p_value,
        bins=stability.num_bins,
    )


def compare_categories(reference: list[str], other: list[str]) -> CategoryDrift:
    """One variable of named categories."""
    if not (reference and other):
        return CategoryDrift(n=len(reference), other_n=len(other), why=_ABSENT)
    names = sorted({*reference, *other})
    stability = stability_of_categories(reference, other)
    return CategoryDrift(
        n=len(reference),
        other_n=len(other),
        shares={name: reference.count(name) / len(reference) for name in names},
        other_shares={name: other.count(name) / len(other) for name in names},
        psi=stability.psi,
        p_value=stability.p_value,
        bins=stability.num_bins,
    )


def compare_quality(people: tuple[EvaluationSplit, EvaluationSplit]) -> dict[str, CategoryDrift]:
    """Share of ECGs with each finding, and with any warning."""
    warnings = (
        ["warning" if flag else "good" for flag in split.has_warning.tolist()] for split in people
    )
    names = sorted({code for split in people for codes in split.ecg_codes for code in codes})
    by_code = {
        name: compare_categories(
            *(["yes" if name in codes else "no" for codes in split.ecg_codes] for split in people)
        )
        for name in names
    }
    return {"any_warning": compare_categories(*warnings), **by_code}


def adjust_p_values(
    sections: Mapping[str, Mapping[str, VariableDrift]],
) -> dict[tuple[str, str], float]:
    """Holm's p-values over all variables of all sections, by section and name."""
    p_values = {
        (section, name): cell.p_value
        for section, cells in sections.items()
        for name, cell in cells.items()
        if cell.p_value is not None
    }
    adjusted = holm_adjust(np.array(list(p_values.values())))
    return dict(zip(p_values, adjusted.tolist(), strict=True))


def judge_section(
    section: str,
    cells: Mapping[str, Variable],
    adjusted: Mapping[tuple[str, str], float],
) -> dict[str, Variable]:
    """The variables with their adjusted p-value; shifted are those sure and more than a little."""
    return {
        name: cell
        if cell.psi is None or (p_value := adjusted.get((section, name))) is None
        else cell.model_copy(
            update={
                "p_adjusted": p_value,
                "is_shifted": p_value < ALPHA and cell.psi >= LITTLE_PSI,
            }
        )
        for name, cell in cells.items()
    }


def list_shifted(
    sections: Iterable[tuple[str, Mapping[str, VariableDrift]]],
) -> tuple[ShiftedVariable, ...]:
    """The variables that drifted, the furthest first."""
    shifted = [
        ShiftedVariable(section=section, name=name, psi=cell.psi)
        for section, cells in sections
        for name, cell in cells.items()
        if cell.is_shifted and cell.psi is not None
    ]
    return tuple(sorted(shifted, key=lambda variable: -variable.psi))
