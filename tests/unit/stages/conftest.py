"""Test patients of an evaluation as arrays: sections of the document need no cohort."""

from dataclasses import replace

import numpy as np
import pytest

from ptacl_core.embedding.patients import EvaluationSplit
from ptacl_core.evaluate import draw_resamples

SD = np.array([30, 20, 18, 6, 1.2, 25, 32, 22, 19, 6.0])
MEAN = np.array([150, 60, 90, 60, 5.5, 90, 155, 65, 88, 58.0])


def draw_split(num: int, seed: int, *, prefix: str = "P") -> EvaluationSplit:
    """Patients whose phenotypes hang on sex and age, and on something else."""
    generator = np.random.default_rng(seed)
    is_male = generator.random(num) < 0.5
    age = generator.uniform(45, 75, num)
    height = 165 + 12 * is_male + 6 * generator.normal(size=num)
    weight = 70 + 10 * is_male + 10 * generator.normal(size=num)
    covariates = np.stack(
        [is_male.astype(float), age, height, weight, weight / (height / 100) ** 2], axis=1
    )
    z_scores = 0.8 * (is_male[:, None] - 0.5) + generator.normal(size=(num, 10))
    return EvaluationSplit(
        rows=np.arange(num),
        patients=tuple(f"{prefix}{index:04d}" for index in range(num)),
        visits=np.zeros(num, np.int64),
        phenotypes=MEAN + SD * z_scores,
        covariates=covariates,
        sex=tuple("M" if flag else "F" for flag in is_male),
        heart_rate_bpm=generator.normal(65, 10, num),
        ecg_codes=(frozenset(),) * num,
        is_irregular=generator.random(num) < 0.1,
        has_warning=generator.random(num) < 0.2,
    )


@pytest.fixture(scope="session")
def train():
    return draw_split(400, 1, prefix="T")


@pytest.fixture(scope="session")
def held_out():
    return draw_split(240, 2)


@pytest.fixture(scope="session")
def resamples():
    return draw_resamples(240, generator=np.random.default_rng(0), num_resamples=200)


@pytest.fixture
def without_labels(held_out):
    """No label of the first phenotype, a constant second one, one label of the third."""
    phenotypes = held_out.phenotypes.copy()
    phenotypes[:, 0] = np.nan
    phenotypes[:, 1] = 60.0
    phenotypes[1:, 2] = np.nan
    return replace(held_out, phenotypes=phenotypes)
