"""R² by number of labels of each row, beside the line of linear algebra of its modality."""

from collections.abc import Sequence

import numpy as np

from ptacl_core.arrays import Array, Float64
from ptacl_core.documents.figures import finite
from ptacl_core.documents.table_two import LabelPoint
from ptacl_core.evaluate import Resamples
from ptacl_core.evaluate.bars import LabelCurve, labels_needed
from ptacl_core.evaluate.row_comparison import RowScores, compare_rows, score_row
from ptacl_core.evaluate.trainings import average_trainings
from ptacl_core.stages.evaluate.table_two import describe_difference

ScoredCurve = tuple[tuple[int, bool, RowScores, tuple[float, float]], ...]
"""Labels, whether these are all, scores of the row, least and greatest mean R² of a draw."""


def score_curves(
    curves: Sequence[LabelCurve],
    observed: Float64[Array, "test target"],
    resamples: Resamples,
    *,
    is_trained: bool,
) -> ScoredCurve:
    """Score the label curves of one row, one per training: draws averaged, trainings resampled."""
    scored = []
    for points in zip(*(curve.points for curve in curves), strict=True):
        per_training = [
            score_row(observed, point.predicted, resamples, is_trained=False) for point in points
        ]
        draws = np.concatenate(
            [training_scores.per_seed[:, -1] for training_scores in per_training]
        )
        together = RowScores(
            np.stack([training_scores.mean for training_scores in per_training]),
            _average(
                [training_scores.draws for training_scores in per_training], is_trained=is_trained
            ),
            is_trained,
        )
        first = points[0]
        extremes = (float(draws.min()), float(draws.max()))
        scored.append((first.num_labels, first.is_all, together, extremes))
    return tuple(scored)


def describe_curve(
    scored: ScoredCurve,
    bar: ScoredCurve | None,
    *,
    num_draws: int,
    untrained: Sequence[str] = (),
) -> tuple[LabelPoint, ...]:
    """The document's points; `bar` is the line's curve (None: the row is the line itself)."""
    points = []
    for index, (labels, is_all, scores, (least, greatest)) in enumerate(scored):
        over, needed, is_beyond, saved = None, None, False, None
        value = finite(scores.mean[-1])
        if bar is not None:
            over = describe_difference(compare_rows(scores, bar[index][2]), untrained=untrained)
        if bar is not None and value is not None:
            needed, is_reached = labels_needed(
                value,
                [bar_point[0] for bar_point in bar],
                [float(bar_point[2].mean[-1]) for bar_point in bar],
            )
            is_beyond = not is_reached
            saved = max(needed - labels, 0.0)
        points.append(
            LabelPoint(
                labels=labels,
                is_all=is_all,
                mean_r2=value,
                low=finite(scores.bound(0.025)[-1]),
                high=finite(scores.bound(0.975)[-1]),
                least=least,
                greatest=greatest,
                draws=1 if is_all else num_draws,
                over_bar=None if over is None else over["mean"],
                needed_by_bar=needed,
                is_beyond_bar=is_beyond,
                saved=saved,
            )
        )
    return tuple(points)


def _average(
    draws: Sequence[Float64[Array, "resample figure"]], *, is_trained: bool
) -> Float64[Array, "resample figure"]:

    stacked = np.stack(draws)
    return average_trainings(stacked) if is_trained else stacked.mean(axis=0)
