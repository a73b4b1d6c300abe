import numpy as np
import pytest

from ptacl_core.evaluate import EvaluationError, fit_reference_ranges


@pytest.fixture(scope="module")
def cohort():
    generator = np.random.default_rng(0)
    sex = generator.choice(["female", "male"], size=2000)
    age, height = generator.uniform(45, 80, 2000), generator.normal(170, 9, 2000)
    is_male = sex == "male"
    mean = 20 + 0.6 * height - 0.3 * age + np.where(is_male, 30, 0)
    spread = np.where(is_male, 20.0, 10.0)
    volume = mean + spread * generator.normal(size=2000)
    phenotypes = np.column_stack([volume, generator.normal(58, 5, size=2000)])
    return phenotypes, np.column_stack([age, height]), sex


def test_z_scores_are_standard_within_each_sex_and_free_of_the_covariates(cohort):
    phenotypes, covariates, sex = cohort
    z = fit_reference_ranges(phenotypes, covariates, sex).z_scores(phenotypes, covariates, sex)
    for key in ("female", "male"):
        rows = sex == key
        np.testing.assert_allclose(z[rows].mean(axis=0), 0, atol=1e-10)
        np.testing.assert_allclose(z[rows].std(axis=0), 1, atol=0.01)
        for column in covariates.T:
            assert abs(np.corrcoef(z[rows, 0], column[rows])[0, 1]) < 1e-8


def test_known_spread_is_found_and_limits_hold_95_percent(cohort):
    phenotypes, covariates, sex = cohort
    ranges = fit_reference_ranges(phenotypes, covariates, sex)
    assert ranges.by_sex["male"].sd[0] == pytest.approx(20, rel=0.05)
    assert ranges.by_sex["female"].sd[0] == pytest.approx(10, rel=0.05)
    low, high = ranges.limits(covariates, sex)
    inside = (phenotypes >= low) & (phenotypes <= high)
    np.testing.assert_allclose(inside.mean(axis=0), 0.95, atol=0.02)


def test_what_is_absent_stays_absent(cohort):
    phenotypes, covariates, sex = (part.copy() for part in cohort)
    covariates[0, 0] = np.nan
    phenotypes[1, 0] = np.nan
    sex[2] = "x"
    phenotypes[sex == "male", 1] = np.nan
    ranges = fit_reference_ranges(phenotypes, covariates, sex)
    z = ranges.z_scores(phenotypes, covariates, sex)
    assert np.isnan(z[0]).all()
    assert np.isnan(z[1, 0])
    assert np.isnan(z[2]).all()  # one person is no reference
    assert np.isnan(ranges.by_sex["male"].sd[1])
    assert ranges.by_sex["male"].num_patients[1] == 0
    unknown = ranges.z_scores(phenotypes[:1], covariates[:1] * 0, ["never seen"])
    assert np.isnan(unknown).all()


def test_shapes_that_do_not_fit_are_named(cohort):
    phenotypes, covariates, sex = cohort
    with pytest.raises(EvaluationError, match="2000 patients but 3 sexes"):
        fit_reference_ranges(phenotypes, covariates, sex[:3])
