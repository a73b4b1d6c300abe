"""From a pooled embedding to ten phenotypes with intervals, and how strange the recording is.

Fitted once per run (probe and reference ranges on train, intervals and thresholds on
validation) and stored with it as safetensors and JSON; `ptacl predict`, the store and the app
all answer from it. Version 2 has intervals by sex and age, and reference ranges; version 3
holds prototypes in place of the training patients' rows. Offsets and thresholds are
order statistics, of one person each: they are kept to three digits, rounded to what is wider.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from ptacl_core.arrays import Array, Bool, Float64, Int64
from ptacl_core.errors import CheckpointError, CohortError
from ptacl_core.evaluate import (
    EvaluationError,
    LinearProbe,
    OutlierDetector,
    ReferenceRanges,
    fit_conformal,
    fit_linear_probe,
    fit_outlier_detector,
)
from ptacl_core.evaluate.conformal import POOLED
from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.safety.files.atomic import write_bytes, write_json

KIND = "ptacl-readout"
VERSION = 3
TENSORS_FILE = "readout.safetensors"
DOCUMENT_FILE = "readout.json"
DEFAULT_COVERAGE = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """Phenotypes in their units, columns in the order of PHENOTYPE_NAMES."""

    value: Float64[Array, "patient target"]
    low: Float64[Array, "patient target"]
    high: Float64[Array, "patient target"]
    outlier_score: Float64[Array, " patient"]
    interval_group: tuple[str, ...]
    """Group of calibration patients behind each one's intervals: "F 55-65", or "all"."""

    @property
    def is_outlier(self) -> Bool[Array, " patient"]:
        """Recordings unlike those of the training set (score above 1)."""
        return self.outlier_score > 1.0


@dataclass(frozen=True, slots=True, eq=False)
class ReadOut:
    """Linear probe, split-conformal offsets below and above, reference ranges, outlier detector.

    `offsets` are those of each of `groups`, the first being "all"; `num_calibration` the
    labels behind them. `coverage` is the nominal share of patients inside their interval; it
    holds for patients drawn like the validation patients, and fails under shift, of which the
    outlier score warns. `reference` describes the training patients by sex, age, height and
    weight.
    """

    probe: LinearProbe
    offsets: Float64[Array, "group target 2"]
    groups: tuple[str, ...]
    num_calibration: Int64[Array, "group target"]
    reference: ReferenceRanges
    detector: OutlierDetector
    coverage: float
    checkpoint_sha256: str
    preprocessing_hash: str
    names: tuple[str, ...] = PHENOTYPE_NAMES
    """The phenotypes in the order of the columns; none where the cohort has no CMR."""

    def predict(
        self, features: Float64[Array, "patient dim"], *, groups: Sequence[str] | None = None
    ) -> Predictions:
        """Phenotypes, intervals and outlier scores of pooled embeddings.

        `groups` names each person's sex and age (`name_sex_age_groups`); a group without
        offsets of its own, or None, takes those of all.
        """
        value = self.probe.predict(features)
        wanted = [POOLED] * len(value) if groups is None else list(groups)
        if len(wanted) != len(value):
            raise EvaluationError(f"{len(value)} recordings but {len(wanted)} groups")
        used = tuple(group if group in self.groups else POOLED for group in wanted)
        offsets = self.offsets[[self.groups.index(group) for group in used]]
        return Predictions(
            value=value,
            low=value - offsets[..., 0],
            high=value + offsets[..., 1],
            outlier_score=self.detector.score(features),
            interval_group=used,
        )

    def z_scores(
        self,
        value: Float64[Array, "patient target"],
        body: Float64[Array, "patient 3"],
        sex: Sequence[str],
    ) -> Float64[Array, "patient target"]:
        """Phenotypes among training patients of the same sex, by age, height and weight.

        `body` is age in years, height in cm, weight in kg. NaN where one of them, the sex or
        enough training patients are lacking.
        """
        if not self.reference.by_sex:
            return np.full(value.shape, np.nan)
        return self.reference.z_scores(value, body, sex)

    def as_tensors(self) -> dict[str, np.ndarray]:
        """All arrays by name, as `from_tensors` takes them."""
        return {
            "coefficients": self.probe.coefficients,
            "intercept": self.probe.intercept,
            "offsets": self.offsets,
            "num_calibration": self.num_calibration,
            **{
                f"{part}.{name}": np.ascontiguousarray(values)
                for part, arrays in (
                    ("detector", self.detector.as_arrays()),
                    ("reference", self.reference.as_arrays()),
                )
                for name, values in arrays.items()
            },
        }

    @classmethod
    def from_tensors(
        cls,
        tensors: Mapping[str, np.ndarray],
        *,
        groups: Sequence[str],
        coverage: float,
        checkpoint_sha256: str,
        preprocessing_hash: str,
        names: Sequence[str] = PHENOTYPE_NAMES,
    ) -> Self:
        """Rebuild a read-out.

        Raises CheckpointError when an array is missing, or shapes or values do not belong
        together.
        """
        try:
            readout = cls(
                probe=LinearProbe(tensors["coefficients"], tensors["intercept"]),
                offsets=tensors["offsets"],
                groups=tuple(groups),
                num_calibration=tensors["num_calibration"],
                reference=ReferenceRanges.from_arrays(_part(tensors, "reference")),
                detector=OutlierDetector.from_arrays(_part(tensors, "detector")),
                coverage=coverage,
                checkpoint_sha256=checkpoint_sha256,
                preprocessing_hash=preprocessing_hash,
                names=tuple(names),
            )
        except (KeyError, EvaluationError, TypeError, ValueError) as error:
            raise CheckpointError(f"the read-out lacks an array: {error}") from None
        readout.check()
        return readout

    def renamed(self, checkpoint_sha256: str) -> Self:
        """The same read-out for the same weights, stored in a file of another hash."""
        return replace(self, checkpoint_sha256=checkpoint_sha256)

    def check(self) -> None:
        """Raise CheckpointError unless shapes and values belong together."""
        num_targets, num_groups = len(self.names), len(self.groups)
        dim = self.probe.coefficients.shape[0]
        detector, references = self.detector, self.reference.by_sex.values()
        component = detector.whitening.shape[-1]
        expected = (
            (self.probe.coefficients, (dim, num_targets)),
            (self.probe.intercept, (num_targets,)),
            (self.offsets, (num_groups, num_targets, 2)),
            (self.num_calibration, (num_groups, num_targets)),
            (detector.mean, (dim,)),
            (detector.whitening, (dim, component)),
            (detector.prototypes.centres, (len(detector.prototypes.radii), component)),
            (detector.prototypes.radii, (len(detector.prototypes.radii),)),
            (detector.scales, (2,)),
            *((sex_ranges.expected.coefficients, (3, num_targets)) for sex_ranges in references),
            *((sex_ranges.expected.intercept, (num_targets,)) for sex_ranges in references),
            *((sex_ranges.sd, (num_targets,)) for sex_ranges in references),
        )
        if any(values.shape != shape for values, shape in expected):
            raise CheckpointError("the read-out's arrays do not fit each other")
        finite = (values for values, _ in expected[:9])
        is_sound = all(np.isfinite(values).all() for values in finite)
        is_sound = is_sound and bool((detector.scales > 0).all())
        is_sound = is_sound and bool((self.offsets.sum(axis=-1) >= 0).all())
        if not is_sound or POOLED not in self.groups or not len(detector.prototypes.radii):
            raise CheckpointError("the read-out holds values that no fit gives")

    def save(self, folder: Path) -> None:
        """Write both files atomically, the document last. Raises OSError."""
        data = save_tensors(self.as_tensors())
        write_bytes(folder / TENSORS_FILE, data)
        write_json(
            folder / DOCUMENT_FILE,
            {
                "kind": KIND,
                "version": VERSION,
                "phenotypes": list(self.names),
                "coverage": self.coverage,
                "groups": list(self.groups),
                "checkpoint_sha256": self.checkpoint_sha256,
                "preprocessing_hash": self.preprocessing_hash,
                "sha256": hashlib.sha256(data).hexdigest(),
            },
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote. Raises CheckpointError when it is missing or damaged."""
        try:
            document = json.loads((folder / DOCUMENT_FILE).read_text())
            data = (folder / TENSORS_FILE).read_bytes()
        except (OSError, ValueError) as error:
            raise CheckpointError(
                f"run {folder.parent.name}: no readable read-out ({type(error).__name__}); "
                "`ptacl embed COHORT --run RUN` makes it"
            ) from None
        known = (document.get("kind"), document.get("version"))
        names = document.get("phenotypes")
        if known != (KIND, VERSION) or names not in ([], list(PHENOTYPE_NAMES)):
            raise CheckpointError(
                f"run {folder.parent.name}: expected a read-out of kind {KIND} version {VERSION}, "
                f"got {known[0]!r} version {known[1]!r}; "
                f"`ptacl embed COHORT --run {folder.parent.name}` makes it anew"
            )
        if hashlib.sha256(data).hexdigest() != document.get("sha256"):
            raise CheckpointError(
                f"run {folder.parent.name}: {TENSORS_FILE} is damaged; `ptacl embed` makes it anew"
            )
        try:
            tensors = load_tensors(data)
        except SafetensorError as error:
            raise CheckpointError(f"run {folder.parent.name}: {TENSORS_FILE}: {error}") from None
        try:
            return cls.from_tensors(
                tensors,
                groups=[str(group) for group in document["groups"]],
                coverage=float(document["coverage"]),
                checkpoint_sha256=str(document["checkpoint_sha256"]),
                preprocessing_hash=str(document["preprocessing_hash"]),
                names=names,
            )
        except CheckpointError as error:
            raise CheckpointError(f"run {folder.parent.name}: {error}") from None


def fit_readout(
    train_features: Float64[Array, "train dim"],
    train_targets: Float64[Array, "train target"],
    validation_features: Float64[Array, "validation dim"],
    validation_targets: Float64[Array, "validation target"],
    *,
    checkpoint_sha256: str,
    preprocessing_hash: str,
    validation_groups: Sequence[str] | None = None,
    train_people: Sequence[str] | None = None,
    reference: ReferenceRanges | None = None,
    coverage: float = DEFAULT_COVERAGE,
) -> ReadOut:
    """Probe by least squares on train; asymmetric conformal offsets on validation.

    Where nobody has any phenotype (no CMR in the cohort) it predicts none, and tells only how
    strange a recording is.
    `validation_groups` are sex and age of the validation patients: groups with 100 labels of
    every phenotype or more get offsets of their own. `train_people` names the person of each
    training row, where one has several. Raises CohortError when a phenotype has
    no training label, or too few validation labels for an interval of this coverage.
    """
    has_labels = bool(np.isfinite(train_targets).any() or np.isfinite(validation_targets).any())
    names = PHENOTYPE_NAMES if has_labels else ()
    train_targets, validation_targets = (
        values[:, : len(names)] for values in (train_targets, validation_targets)
    )
    if has_labels:
        probe = fit_linear_probe(train_features, train_targets)
    else:
        probe = LinearProbe(np.zeros((train_features.shape[1], 0)), np.zeros(0))
    predicted = probe.predict(validation_features)
    fitted = []
    for column, name in enumerate(names):
        if np.isnan(probe.intercept[column]) or np.isnan(validation_targets[:, column]).all():
            raise CohortError(
                f"{name} has no label in training or validation; a prediction needs both"
            )
        intervals = fit_conformal(
            validation_targets[:, column],
            predicted[:, column],
            level=coverage,
            groups=validation_groups,
            is_asymmetric=True,
        )
        if not np.isfinite(intervals.offsets[POOLED]).all():
            count = int((~np.isnan(validation_targets[:, column])).sum())
            raise CohortError(
                f"{name}: {count} labels in validation are too few for a "
                f"{coverage * 100:.0f} % interval; at least {least_labels(coverage)} are needed"
            )
        fitted.append(intervals)
    detector = fit_outlier_detector(train_features, validation_features, people=train_people)
    common = set.intersection(*(set(intervals.offsets) for intervals in fitted)) if fitted else {""}
    groups = (POOLED, *sorted(common - {POOLED, ""}))
    offsets = [[calibration.offsets[group] for calibration in fitted] for group in groups]
    counts = [[calibration.num_calibration[group] for calibration in fitted] for group in groups]
    return ReadOut(
        probe=probe,
        offsets=round_up(np.array(offsets, float).reshape(len(groups), len(names), 2)),
        groups=groups,
        num_calibration=np.array(counts, np.int64).reshape(len(groups), len(names)),
        reference=reference if reference is not None and names else ReferenceRanges({}),
        detector=replace(detector, scales=round_up(detector.scales)),
        coverage=coverage,
        checkpoint_sha256=checkpoint_sha256,
        preprocessing_hash=preprocessing_hash,
        names=names,
    )


def _part(tensors: Mapping[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    """The arrays of one part of the read-out, under their own names."""
    prefix = f"{name}."
    return {
        key.removeprefix(prefix): values
        for key, values in tensors.items()
        if key.startswith(prefix)
    }


def round_up(values: np.ndarray) -> np.ndarray:
    """Three digits, towards what is wider: an order statistic is the figure of one person."""
    digit = 10.0 ** (np.floor(np.log10(np.maximum(np.abs(values), 1e-12))) - 2)
    return np.ceil(values / digit - 1e-9) * digit


def least_labels(coverage: float) -> int:
    """Fewest labels n with ⌈(n + 1) · (1 + coverage) / 2⌉ ≤ n."""
    tail = 0.5 * (1.0 + coverage)
    return int(np.ceil(tail / (1.0 - tail) - 1e-9))
