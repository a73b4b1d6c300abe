"""What a validation of the run's weights on another cohort answers."""

from ptacl_core.documents.figures import Bounded
from ptacl_core.documents.validation import ValidatedColumn, ValidationDocument
from ptacl_core.report.numbers import show, show_interval
from ptacl_core.stages.report.facts import RunFacts

_MOST_SHIFTED = 8


def tell_external(facts: RunFacts) -> str:
    """The frozen model on other people, and what failed."""
    document = _validation(facts)
    frozen = document.columns[0]
    failures = "; ".join(f"{failure.whom}: {failure.text}" for failure in document.failures)
    failing = f" Failures: {failures}." if failures else ""
    return (
        f"Frozen model on {document.people} people of {document.cohort}: mean R² "
        f"{_show(frozen.mean_r2)}. {document.coverage_summary.text} {document.text}{failing}"
    )


def tell_external_figures(facts: RunFacts) -> str:
    """R² and calibration of the frozen model by phenotype."""
    document = _validation(facts)
    cells = "; ".join(
        f"{name} R² {_show(cell.r2)}, bias {_show(cell.bias, 2)}, slope {_show(cell.slope, 2)}"
        for name, cell in document.columns[0].phenotypes.items()
    )
    return f"On {document.cohort}: {cells}."


def tell_shift(facts: RunFacts) -> str:
    """How the other people differ from those of the training, the widest first."""
    document = _validation(facts)
    shifts = {
        name: shift.difference_sd
        for name, shift in document.drift.items()
        if shift.difference_sd is not None and shift.difference_sd.value is not None
    }
    widest = sorted(shifts, key=lambda name: -abs(shifts[name].value or 0.0))[:_MOST_SHIFTED]
    listed = ", ".join(f"{name} {_show(shifts[name], 2)}" for name in widest)
    outside = document.out_of_distribution
    return (
        f"People of {document.cohort} beside the training people, in SD of the latter: {listed}. "
        f"Share of their ECGs out of distribution: {_show(outside)}."
    )


def tell_updating(facts: RunFacts) -> str:
    """How predictions were recalibrated and refitted there."""
    document = _validation(facts)
    ways = [f"{column.name} ({column.how})" for column in document.columns[1:]]
    if not ways:
        return ""
    return f"Beside the frozen model, in folds by person: {'; '.join(ways)}."


def tell_updated_figures(facts: RunFacts) -> str:
    """What updating brought."""
    document = _validation(facts)
    if len(document.columns) < 2:
        return ""
    return f"Mean R² on {document.cohort}: {'; '.join(map(_tell_column, document.columns))}."


def _validation(facts: RunFacts) -> ValidationDocument:
    assert facts.validation is not None
    return facts.validation


def _tell_column(column: ValidatedColumn) -> str:
    return f"{column.name} {_show(column.mean_r2)}"


def _show(figure: Bounded, digits: int = 3) -> str:
    interval = show_interval(figure.low, figure.high, digits=digits)
    return f"{show(figure.value, digits=digits)} {interval}".strip()
