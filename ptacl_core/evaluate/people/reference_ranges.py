"""How usual a phenotype is for a person's sex, age and body size, from a cohort's own labels.

Per sex, each phenotype is regressed on the covariates; the z-score is the distance from the
expected value in residual standard deviations. The ranges describe the cohort they were
fitted on, healthy or not: say so wherever they are shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ptacl_core.arrays import Array, Float64
from ptacl_core.evaluate.labels import EvaluationError, as_features, as_targets
from ptacl_core.evaluate.linear_probe import LinearProbe, fit_linear_probe

MIN_PATIENTS_PER_COVARIATE = 20


@dataclass(frozen=True, slots=True, eq=False)
class SexReference:
    """Expected values and residual spread of one sex; NaN where too few had the label."""

    expected: LinearProbe
    sd: Float64[Array, " target"]
    num_patients: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceRanges:
    """References by sex, as the sexes are spelt in the cohort."""

    by_sex: dict[str, SexReference]

    def z_scores(
        self,
        phenotypes: Float[Array, "patient target"],
        covariates: Float[Array, "patient covariate"],
        sex: Sequence[str] | np.ndarray,
    ) -> Float64[Array, "patient target"]:
        """NaN where the label, a covariate or the reference of the sex is absent."""
        expected, sd = self._expect(covariates, sex)
        return (np.asarray(phenotypes, dtype=np.float64) - expected) / sd

    def limits(
        self,
        covariates: Float[Array, "patient covariate"],
        sex: Sequence[str] | np.ndarray,
        *,
        z: float = 1.96,
    ) -> tuple[Float64[Array, "patient target"], Float64[Array, "patient target"]]:
        """Lower and upper limit for each person, in label units; 95 % by default."""
        expected, sd = self._expect(covariates, sex)
        return expected - z * sd, expected + z * sd

    def as_arrays(self) -> dict[str, np.ndarray]:
        """What `from_arrays` takes: `<sex>.<array>`."""
        arrays = {}
        for sex, reference in self.by_sex.items():
            arrays[f"{sex}.coefficients"] = reference.expected.coefficients
            arrays[f"{sex}.intercept"] = reference.expected.intercept
            arrays[f"{sex}.sd"] = reference.sd
            arrays[f"{sex}.num_patients"] = np.asarray(reference.num_patients, np.int64)
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "ReferenceRanges":
        """Rebuild stored references; raises EvaluationError when an array is missing."""
        by_sex = {}
        for sex in sorted({name.partition(".")[0] for name in arrays}):
            try:
                coefficients, intercept, sd, counts = (
                    arrays[f"{sex}.{name}"]
                    for name in ("coefficients", "intercept", "sd", "num_patients")
                )
            except KeyError as error:
                raise EvaluationError(f"reference ranges: missing array {error}") from None
            by_sex[sex] = SexReference(
                LinearProbe(coefficients, intercept), sd, tuple(int(count) for count in counts)
            )
        return cls(by_sex)

    def _expect(
        self, covariates: Float[Array, "patient covariate"], sex: Sequence[str] | np.ndarray
    ) -> tuple[Float64[Array, "patient target"], Float64[Array, "patient target"]]:
        matrix = np.asarray(covariates, dtype=np.float64)
        keys = np.asarray([str(key) for key in sex])
        if matrix.ndim != 2 or keys.shape != (len(matrix),):
            raise EvaluationError(
                f"covariates of shape {matrix.shape} and {keys.size} sexes do not fit"
            )
        num_targets = next(iter(self.by_sex.values())).sd.size if self.by_sex else 0
        expected = np.full((len(matrix), num_targets), np.nan)
        sd = np.full((len(matrix), num_targets), np.nan)
        is_complete = np.isfinite(matrix).all(axis=1)
        for key, reference in self.by_sex.items():
            rows = is_complete & (keys == key)
            expected[rows] = reference.expected.predict(matrix[rows])
            sd[rows] = reference.sd
        return expected, sd


def fit_reference_ranges(
    phenotypes: Float[Array, "patient target"],
    covariates: Float[Array, "patient covariate"],
    sex: Sequence[str] | np.ndarray,
) -> ReferenceRanges:
    """Regress each phenotype on the covariates (age, height, weight, …), per sex.

    Patients with an absent covariate are left out. A phenotype of a sex with fewer than 20
    labelled patients per covariate has no reference (NaN). Raises EvaluationError when shapes
    do not fit.
    """
    matrix = np.asarray(covariates, dtype=np.float64)
    if matrix.ndim != 2:
        raise EvaluationError(f"covariates: expected [patient, covariate], got {matrix.shape}")
    labels = as_targets(phenotypes, name="phenotypes", num_patients=len(matrix))
    keys = np.asarray([str(key) for key in sex])
    if keys.shape != (len(matrix),):
        raise EvaluationError(f"{len(matrix)} patients but {keys.size} sexes")
    is_complete = np.isfinite(matrix).all(axis=1)
    least = MIN_PATIENTS_PER_COVARIATE * matrix.shape[1]
    by_sex = {}
    for key in np.unique(keys):
        rows = is_complete & (keys == key)
        if not rows.any():
            continue
        known = labels[rows].copy()
        count = (~np.isnan(known)).sum(axis=0)
        known[:, count < least] = np.nan
        expected = fit_linear_probe(as_features(matrix[rows], name="covariates"), known)
        residual = known - expected.predict(matrix[rows])
        degrees = np.maximum(count - matrix.shape[1] - 1, 1)
        sd = np.sqrt(np.nansum(np.square(residual), axis=0) / degrees)
        sd[(count < least) | (sd == 0)] = np.nan
        by_sex[str(key)] = SexReference(expected, sd, tuple(int(n) for n in count))
    return ReferenceRanges(by_sex)
