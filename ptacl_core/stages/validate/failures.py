"""What fails on the other cohort, and for whom: effects that are large and beyond chance.

A figure fails when its whole 95 % interval lies beyond a bound that matters: calibration within
what phenotypes vary, R² against the same model's at home. Bounds are wide, so that a model which
has been carried to more people of the same kind passes.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from ptacl_core.arrays import Array, Float64
from ptacl_core.documents.bundle import AggregateEvaluation, GroupAggregate, RowAggregate
from ptacl_core.documents.figures import Bounded
from ptacl_core.documents.uncertainty import CoverageSummary, PhenotypeCoverage, Subgroups
from ptacl_core.documents.validation import Failure, ValidatedColumn
from ptacl_core.records import PHENOTYPE_NAMES, PHENOTYPE_UNITS

R2_DROP = 0.05
"""R² has dropped when the intervals lie apart and the difference is larger than this."""
BIAS_SD = 0.25
"""Bias that matters, in SD of the phenotype here; of a group, beyond its bias at home."""
SLOPES = (0.6, 1.6)
COVERAGE_DROP = 0.05
OUTLIER_SHARE = 0.05
MIN_GROUP = 20
EVERYBODY = "everybody"


def list_failures(
    frozen: ValidatedColumn,
    observed: Float64[Array, "row target"],
    coverage: Mapping[str, PhenotypeCoverage],
    summary: CoverageSummary,
    subgroups: Subgroups,
    outliers: Bounded,
    home: AggregateEvaluation | None,
) -> tuple[Failure, ...]:
    """Failures of the frozen model, the widest first by kind."""
    sd = {
        name: float(np.nanstd(observed[:, column]))
        if np.isfinite(observed[:, column]).any()
        else 0.0
        for column, name in enumerate(PHENOTYPE_NAMES)
    }
    return (
        *_judge_r2(frozen, _find_home_row(home)),
        *_judge_calibration(frozen, sd),
        *_judge_coverage(coverage, summary),
        *_judge_groups(subgroups, {} if home is None else home.subgroups, sd),
        *_judge_outliers(outliers),
    )


def _find_home_row(home: AggregateEvaluation | None) -> RowAggregate | None:
    rows = () if home is None else home.rows
    return next((row for row in rows if row.modality == "ecg" and row.name == "Aligned"), None) or (
        next((row for row in reversed(rows) if row.modality == "ecg"), None)
    )


def _judge_r2(frozen: ValidatedColumn, home: RowAggregate | None) -> Iterator[Failure]:
    if home is None:
        return
    pairs = [("the mean of the phenotypes", frozen.mean_r2, home.mean_r2)]
    pairs += [
        (name, cell.r2, home.phenotypes[name].r2)
        for name, cell in frozen.phenotypes.items()
        if name in home.phenotypes
    ]
    for name, here, there in pairs:
        if None in (here.value, here.high, there.value, there.low):
            continue
        assert here.value is not None
        assert there.value is not None
        apart = float(here.high or 0.0) < float(there.low or 0.0)
        if apart and there.value - here.value > R2_DROP:
            yield Failure(
                what="R²",
                whom=EVERYBODY,
                text=f"{name}: R² {_tell(here)}, at home {_tell(there)}",
            )


def _judge_calibration(frozen: ValidatedColumn, sd: Mapping[str, float]) -> Iterator[Failure]:
    for name, cell in frozen.phenotypes.items():
        unit = PHENOTYPE_UNITS[name]
        if _lies_beyond(cell.bias, BIAS_SD * sd[name]):
            yield Failure(
                what="bias", whom=EVERYBODY, text=f"{name}: bias {_tell(cell.bias)} {unit}"
            )
        low, high = cell.slope.low, cell.slope.high
        if low is not None and high is not None and (high < SLOPES[0] or low > SLOPES[1]):
            yield Failure(
                what="slope", whom=EVERYBODY, text=f"{name}: slope {_tell(cell.slope)}, not 1"
            )


def _judge_coverage(
    coverage: Mapping[str, PhenotypeCoverage], summary: CoverageSummary
) -> Iterator[Failure]:
    for failed in summary.failed:
        entry = coverage[failed.phenotype]
        cell = entry.overall if failed.group == "overall" else entry.groups[failed.group]
        if cell.value < (summary.nominal or 1.0) - COVERAGE_DROP:
            yield Failure(
                what="coverage",
                whom=EVERYBODY if failed.group == "overall" else failed.group,
                text=f"{failed.phenotype}: {cell.value * 100:.0f} % inside "
                f"[{cell.low * 100:.0f}, {cell.high * 100:.0f}], "
                f"not {(summary.nominal or 0.0) * 100:.0f} %",
            )


def _judge_groups(
    subgroups: Subgroups,
    home: Mapping[str, Mapping[str, GroupAggregate]],
    sd: Mapping[str, float],
) -> Iterator[Failure]:
    """Groups whose bias is not what it was at home, where the file tells it."""
    for grouping, groups in subgroups.groupings.items():
        for name, group in groups.items():
            known = home.get(grouping, {}).get(name)
            if known is None or group.n < MIN_GROUP:
                continue
            for phenotype, cell in group.phenotypes.items():
                before = known.phenotypes.get(phenotype)
                if before is None or before.bias.value is None:
                    continue
                bias = Bounded(value=cell.bias, low=cell.bias_low, high=cell.bias_high)
                bound = BIAS_SD * sd[phenotype]
                moved = (cell.bias or 0.0) - before.bias.value
                if _lies_beyond(bias, bound) and abs(moved) > bound and _apart(bias, before.bias):
                    yield Failure(
                        what="bias",
                        whom=f"{grouping} {name}",
                        text=f"{phenotype}: bias {_tell(bias)} {PHENOTYPE_UNITS[phenotype]}, "
                        f"at home {_tell(before.bias)}",
                    )


def _judge_outliers(outliers: Bounded) -> Iterator[Failure]:
    if outliers.low is not None and outliers.low > OUTLIER_SHARE:
        share, low, high = (
            100 * (bound or 0.0) for bound in (outliers.value, outliers.low, outliers.high)
        )
        yield Failure(
            what="recordings",
            whom=EVERYBODY,
            text=f"{share:.0f} % [{low:.0f}, {high:.0f}] of the ECGs are unlike those of the "
            "training",
        )


def _lies_beyond(figure: Bounded, bound: float) -> bool:
    if figure.low is None or figure.high is None or bound <= 0:
        return False
    return figure.low > bound or figure.high < -bound


def _apart(first: Bounded, second: Bounded) -> bool:
    if None in (first.low, first.high, second.low, second.high):
        return False
    return (first.low or 0.0) > (second.high or 0.0) or (first.high or 0.0) < (second.low or 0.0)


def _tell(figure: Bounded) -> str:
    if figure.value is None or figure.low is None or figure.high is None:
        return "not defined"
    return f"{figure.value:.2f} [{figure.low:.2f}, {figure.high:.2f}]"
