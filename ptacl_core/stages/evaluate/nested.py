"""What a recording adds to demographics: the model with both against demographics alone."""

from collections.abc import Sequence

import numpy as np

from ptacl_core.arrays import Array, Float64
from ptacl_core.documents.table_two import NestedQuestion
from ptacl_core.embedding.patients import EvaluationSplit, fill_demographics
from ptacl_core.evaluate import Resamples
from ptacl_core.evaluate.bars import Ridge
from ptacl_core.evaluate.row_comparison import compare_rows, score_row
from ptacl_core.stages.evaluate.table_two import bounded, describe_difference


def predict_nested(
    train: EvaluationSplit,
    test: EvaluationSplit,
    train_features: Array,
    test_features: Array,
) -> tuple[Float64[Array, "test target"], Float64[Array, "test target"]]:
    """Predictions from demographics alone, and from demographics and features.

    The first is least squares; the second has the same unpenalised demographics and ridge on
    the features, so that the first model is a part of it.
    """
    people = fill_demographics(train, train), fill_demographics(test, train)
    nothing = np.zeros((len(train), 1)), np.zeros((len(test), 1))
    models = [
        Ridge(*features, train_covariates=people[0], test_covariates=people[1])
        for features in (nothing, (train_features, test_features))
    ]
    without, with_features = (model.predict(train.phenotypes) for model in models)
    return without, with_features


def ask_nested(
    key: str,
    name: str,
    observed: Float64[Array, "test target"],
    without: Float64[Array, "test target"],
    with_features: Float64[Array, "training test target"],
    resamples: Resamples,
    *,
    is_trained: bool,
    failures: Sequence[str] = (),
) -> NestedQuestion:
    """The question with its answer by phenotype and on average."""
    base = score_row(observed, without[None], resamples, is_trained=False)
    both = score_row(observed, with_features, resamples, is_trained=is_trained)
    return NestedQuestion(
        key=key,
        name=name,
        question=f"What does {name} add to sex, age, height and BMI?",
        without=bounded(base),
        with_features=bounded(both),
        num_trainings=both.num_trainings,
        figures=describe_difference(
            compare_rows(both, base), untrained=[f"the encoder of {name}"] if failures else ()
        ),
        failures=tuple(failures),
    )
