"""Do the intervals cover what they promise: measured on patients that nothing was fitted on."""

from collections.abc import Mapping, Sequence

import numpy as np

from ptacl_core.arrays import Array, Float64
from ptacl_core.documents.uncertainty import (
    CoverageCell,
    CoverageSummary,
    FailedCell,
    PhenotypeCoverage,
)
from ptacl_core.embedding.patients import EvaluationSplit
from ptacl_core.embedding.readout import Predictions, ReadOut
from ptacl_core.evaluate import (
    Interval,
    holm_adjust,
    measure_coverage,
    name_sex_age_groups,
    shortfall_p_value,
)
from ptacl_core.records import PHENOTYPE_NAMES

ALPHA = 0.05
OVERALL = "overall"
NOT_MEASURED = "not measured"


def predict_split(
    readout: ReadOut, pooled: Float64[Array, "row dim"], split: EvaluationSplit
) -> Predictions:
    """Predictions with the intervals of each patient's sex and age."""
    groups = name_sex_age_groups(split.sex, split.covariates[:, 1])
    return readout.predict(pooled, groups=groups)


def evaluate_coverage(
    readout: ReadOut, predictions: Predictions, split: EvaluationSplit
) -> tuple[dict[str, PhenotypeCoverage], CoverageSummary]:
    """Sections `coverage` and `coverage_summary`.

    Per phenotype, over all patients and by sex and age: how many labels lie in their interval,
    the share with its Clopper-Pearson bounds, the mean width in the phenotype's unit, and
    `p_value`, the probability of so few if the patients were like those of the calibration.
    An interval has failed when that is below 0.05 after Holm's adjustment over all cells.
    """
    members = _group_members(split)
    measured = {
        (name, group): cell
        for column, name in enumerate(PHENOTYPE_NAMES)
        for group, rows in members.items()
        if (cell := _measure(readout, predictions, split, column, rows)) is not None
    }
    adjusted = holm_adjust(np.array([cell.p_value for cell in measured.values()]))
    cells = {
        place: cell.model_copy(
            update={"p_adjusted": p_value, "verdict": "failed" if p_value < ALPHA else "held"}
        )
        for (place, cell), p_value in zip(measured.items(), adjusted.tolist(), strict=True)
    }
    coverage = {
        name: PhenotypeCoverage(
            overall=cells[name, OVERALL],
            groups={
                group: cells[name, group]
                for group in members
                if group != OVERALL and (name, group) in cells
            },
        )
        for name in PHENOTYPE_NAMES
        if (name, OVERALL) in cells
    }
    return coverage, _summarise(readout, coverage)


def no_coverage(why: str) -> tuple[dict[str, PhenotypeCoverage], CoverageSummary]:
    """The sections where no interval can be had, with the reason."""
    return {}, CoverageSummary(nominal=None, verdict=NOT_MEASURED, failed=(), text=why)


def _group_members(split: EvaluationSplit) -> dict[str, np.ndarray]:
    keys = np.asarray(name_sex_age_groups(split.sex, split.covariates[:, 1]))
    return {OVERALL: np.arange(len(split))} | {
        str(key): np.flatnonzero(keys == key) for key in np.unique(keys) if str(key) != "all"
    }


def _measure(
    readout: ReadOut,
    predictions: Predictions,
    split: EvaluationSplit,
    column: int,
    rows: np.ndarray,
) -> CoverageCell | None:
    """One cell before adjustment; None where no patient of the group has the label."""
    observed = split.phenotypes[rows, column]
    if np.isnan(observed).all():
        return None
    interval = Interval(predictions.low[rows, column], predictions.high[rows, column])
    covered = measure_coverage(observed, interval)
    num_covered = round(covered.share * covered.num_patients)
    used = {predictions.interval_group[row] for row in rows.tolist()}
    # Patients of one group answer to its calibration, of several to that of all.
    group = used.pop() if len(used) == 1 else readout.groups[0]
    p_value = shortfall_p_value(
        num_covered,
        covered.num_patients,
        num_calibration=int(readout.num_calibration[readout.groups.index(group), column]),
        level=readout.coverage,
    )
    return CoverageCell(
        n=covered.num_patients,
        covered=num_covered,
        value=covered.share,
        low=covered.low,
        high=covered.high,
        width=covered.mean_width,
        median_width=covered.median_width,
        interval_group=group,
        p_value=p_value,
        p_adjusted=p_value,
        verdict=NOT_MEASURED,
    )


def _summarise(readout: ReadOut, coverage: Mapping[str, PhenotypeCoverage]) -> CoverageSummary:
    failed = [
        (name, group, cell)
        for name, entry in coverage.items()
        for group, cell in ((OVERALL, entry.overall), *entry.groups.items())
        if cell.verdict == "failed"
    ]
    nominal = f"{readout.coverage * 100:.0f} %"
    if not coverage:
        text = "No test patient has a label: coverage cannot be shown."
    elif failed:
        text = (
            f"FAILED: the {nominal} intervals cover too few of these patients for "
            f"{_list_cells(failed)}. They are not like the patients that the intervals were "
            "calibrated on: do not rely on the intervals here."
        )
    else:
        text = (
            f"The {nominal} intervals cover as many of these patients as they promise, within "
            "the chance of calibration and test."
        )
    return CoverageSummary(
        nominal=readout.coverage,
        verdict="failed" if failed else "held" if coverage else NOT_MEASURED,
        failed=tuple(FailedCell(phenotype=name, group=group) for name, group, _ in failed),
        interval_groups=tuple(readout.groups),
        text=text,
    )


def _list_cells(failed: Sequence[tuple[str, str, CoverageCell]]) -> str:
    """The worst three, and how many there are."""
    worst = sorted(failed, key=lambda place: place[2].value)[:3]
    named = ", ".join(
        f"{name} in {group} ({cell.value * 100:.0f} % "
        f"[{cell.low * 100:.0f}, {cell.high * 100:.0f}])"
        for name, group, cell in worst
    )
    return f"{len(failed)} of the groups and phenotypes, worst {named}"
