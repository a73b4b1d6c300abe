"""The two questions that a reader comes with, answered before any table."""

from collections.abc import Sequence

from ptacl_core.documents.figures import Difference
from ptacl_core.documents.table_two import Headline, LabelPoint, NestedQuestion, TableTwoRow


def write_headlines(
    nested: Sequence[NestedQuestion], row: TableTwoRow | None, *, bar: str
) -> tuple[Headline, ...]:
    """What the ECG adds to demographics, then what its features save where labels are few.

    `row` is the aligned ECG, `bar` the name of the line that its label curve is held against.
    """
    headlines = [_describe_nested(question) for question in nested[:1]]
    if row is not None and row.label_curve:
        headlines.append(_describe_labels(row, bar))
    return tuple(headlines)


def show_difference(difference: Difference) -> str:
    """Such as +0.069 [+0.026, +0.111]; the reason where nothing is compared."""
    if difference.verdict == "not comparable":
        return difference.why or "not comparable"
    if difference.difference is None or difference.low is None or difference.high is None:
        return "not defined"
    return f"{difference.difference:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]"


def _describe_nested(nested: NestedQuestion) -> Headline:
    answer = nested.figures["mean"]
    text = show_difference(answer)
    if answer.verdict != "not comparable" and nested.without.value is not None:
        text = (
            f"R² {nested.without.value:.3f} with demographics alone, "
            f"{nested.with_features.value:.3f} with both: {text}, {answer.verdict}"
        )
    return Headline(key="nested", question=nested.question, text=text, answer=answer)


def _describe_labels(row: TableTwoRow, bar: str) -> Headline:
    question = f"What do its features save where labels are few, against {bar}?"
    points = [point for point in row.label_curve if point.over_bar is not None]
    if row.failures:
        text = f"not comparable: {row.name} did not train"
        return Headline(key="labels", question=question, text=text)
    text = "; ".join(_describe_point(point) for point in points)
    few = next((point for point in points if point.labels == 100), None)
    return Headline(
        key="labels",
        question=question,
        text=text or "not measured",
        answer=few.over_bar if few is not None else None,
    )


def _describe_point(point: LabelPoint) -> str:
    assert point.over_bar is not None
    labels = f"{'all ' if point.is_all else ''}{point.labels:,} labels"
    shown = "-" if point.mean_r2 is None else f"{point.mean_r2:.3f}"
    text = f"{labels}: {shown} ({show_difference(point.over_bar)})"
    if point.saved is None or point.needed_by_bar is None:
        return text
    if point.is_beyond_bar:
        return f"{text}, more than the line reaches with {point.needed_by_bar:.0f}"
    return f"{text}, {point.saved:.0f} labels saved" if point.saved >= 1 else text
