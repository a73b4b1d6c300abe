import numpy as np
import pytest

from ptacl_core.evaluate import (
    EvaluationError,
    maximum_mean_discrepancy,
    stability_of_categories,
    stability_of_numbers,
    standardised_difference,
)


def test_index_of_categories_by_hand():
    index = stability_of_categories(["F"] * 60 + ["M"] * 40, ["F"] * 30 + ["M"] * 70)
    share, other = np.array([60.5, 40.5]) / 101, np.array([30.5, 70.5]) / 101
    assert index.psi == pytest.approx(((other - share) * np.log(other / share)).sum())
    assert index.psi > 0.25
    assert index.p_value < 1e-4
    assert stability_of_categories(["F"] * 9, ["F"] * 5) == (0.0, 1.0, 1)


def test_index_does_not_depend_on_units_and_leaves_absent_values_out():
    generator = np.random.default_rng(0)
    first, second = generator.normal(size=500), generator.normal(0.5, size=400)
    plain = stability_of_numbers(first, second)
    scaled = stability_of_numbers(
        np.append(60 + 7 * first, np.nan), np.append(60 + 7 * second, [np.nan, np.nan])
    )
    assert scaled.psi == pytest.approx(plain.psi)
    assert plain.psi > 0.1


def test_p_values_of_no_shift_hold_their_level():
    generator = np.random.default_rng(1)
    values = [
        stability_of_numbers(generator.normal(size=400), generator.normal(size=300)).p_value
        for _ in range(400)
    ]
    # Edges come from the reference, so its own bins are even and the test is conservative.
    assert np.mean(np.array(values) < 0.05) < 0.08
    assert np.mean(np.array(values) < 0.5) > 0.2


def test_standardised_difference_is_cohens_d():
    difference = standardised_difference(np.array([0.0, 2.0] * 50), np.array([1.0, 3.0] * 50))
    assert difference[0] == pytest.approx(1.0)
    assert difference[1] < 1.0 < difference[2]
    assert np.isnan(standardised_difference(np.ones(3), np.ones(4))[0])


def test_discrepancy_is_the_double_sum():
    generator = np.random.default_rng(2)
    first, second = generator.normal(size=(6, 2)), generator.normal(1.0, size=(5, 2))
    discrepancy = maximum_mean_discrepancy(
        first, second, generator=np.random.default_rng(0), num_permutations=20
    )

    def mean_kernel(a, b, skip):
        values = [
            np.exp(-((x - y) ** 2).sum() / discrepancy.bandwidth**2)
            for i, x in enumerate(a)
            for j, y in enumerate(b)
            if not (skip and i == j)
        ]
        return np.mean(values)

    expected = (
        mean_kernel(first, first, True)
        + mean_kernel(second, second, True)
        - 2 * mean_kernel(first, second, False)
    )
    assert discrepancy.squared == pytest.approx(expected)


def test_discrepancy_sees_a_shift_and_holds_its_level_without_one():
    generator = np.random.default_rng(4)
    p_values = [
        maximum_mean_discrepancy(
            generator.normal(size=(30, 4)),
            generator.normal(size=(25, 4)),
            generator=generator,
            num_permutations=99,
        ).p_value
        for _ in range(60)
    ]
    assert np.mean(np.array(p_values) <= 0.1) < 0.25
    shifted = maximum_mean_discrepancy(
        generator.normal(size=(60, 4)),
        generator.normal(0.8, size=(60, 4)),
        generator=generator,
        num_permutations=99,
    )
    assert shifted.p_value == pytest.approx(0.01)
    assert shifted.squared > 0
    # The same patients twice: all relabellings of pairs are near, none is a surprise.
    same = np.zeros((10, 3))
    alike = maximum_mean_discrepancy(same, same, generator=generator, num_permutations=20)
    assert (alike.squared, alike.p_value) == (pytest.approx(0.0, abs=1e-12), 1.0)


def test_what_cannot_be_compared_is_said():
    with pytest.raises(EvaluationError, match="no value present"):
        stability_of_numbers(np.array([np.nan]), np.ones(3))
    with pytest.raises(EvaluationError, match="two or more"):
        maximum_mean_discrepancy(
            np.ones((1, 2)), np.ones((5, 2)), generator=np.random.default_rng()
        )
    with pytest.raises(EvaluationError, match="NaN"):
        maximum_mean_discrepancy(
            np.full((3, 2), np.nan), np.ones((5, 2)), generator=np.random.default_rng()
        )
