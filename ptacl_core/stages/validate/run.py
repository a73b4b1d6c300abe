"""A frozen model on another cohort: figures, calibration, what fails, what local labels mend."""

from pathlib import Path

import numpy as np

from ptacl_core import __version__
from ptacl_core.arrays import Array, Float64
from ptacl_core.bundle.model_file import ModelFile
from ptacl_core.cohort import CohortDescription, CohortLayout
from ptacl_core.documents.bundle import BundledTraining
from ptacl_core.documents.figures import SOURCE_NOTES, Bounded
from ptacl_core.documents.validation import ValidationDocument, VariableShift
from ptacl_core.embedding.coverage import evaluate_coverage, predict_split
from ptacl_core.embedding.patients import EvaluationSplit, describe_rows
from ptacl_core.embedding.rows import encode_rows
from ptacl_core.embedding.subgroups import evaluate_subgroups
from ptacl_core.errors import BundleError, CohortError
from ptacl_core.evaluate import draw_resamples
from ptacl_core.evaluate.conformal import clopper_pearson
from ptacl_core.evaluate.resampling import BOOTSTRAP_SEED
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.shards import ShardReader
from ptacl_core.shards.spec import COVARIATE_NAMES, MEASUREMENT_NAMES
from ptacl_core.stages.validate.decisions import draw_decision_curves
from ptacl_core.stages.validate.failures import list_failures
from ptacl_core.stages.validate.figures import (
    assign_folds,
    measure_column,
    measure_recalibrated_coverage,
    recalibrate,
    refit,
)
from ptacl_core.trained.ecg_model import EcgModel

LEAST_PEOPLE = 30


def run(
    model_path: Path,
    other_dir: Path,
    *,
    num_resamples: int = 2000,
    device: str = "auto",
    progress: ProgressSink = SILENT,
) -> ValidationDocument:
    """Measure a packed model on all people of `other_dir` who have an ECG and a label.

    Nothing of the model is changed for the column `frozen`, on which `failures` are judged.
    Raises BundleError for a file that does not predict, or whose recordings were prepared
    otherwise, CohortError for the cohort that it was trained on and for one of fewer than 30
    such people.
    """
    packed = ModelFile(model_path)
    model = EcgModel.of_file(model_path, device=device)
    with ShardReader.open(other_dir) as reader:
        _check_other(packed, model, reader)
        rows = reader.rows(needs=("ecg",))
        rows = rows[np.isfinite(reader.phenotypes(rows)).any(axis=1)]
        people = describe_rows(reader, rows)
        if len(set(people.patients)) < LEAST_PEOPLE:
            raise CohortError(
                f"{other_dir.name}: {len(set(people.patients))} people have an ECG and a label; "
                f"a validation needs {LEAST_PEOPLE}"
            )
        pooled = encode_rows(
            reader, rows, "ecg", model.encoder, model.projection, model.view, progress=progress
        ).pooled.astype(np.float64)
        numbers = {
            name: reader.column(name, rows) for name in ("heart_rate_bpm", *MEASUREMENT_NAMES)
        }
    progress.say(f"measuring {len(set(people.patients))} people")
    source = CohortDescription.read(CohortLayout(other_dir.absolute()))
    return _describe(packed, model, source, people, pooled, numbers, num_resamples)


def _check_other(packed: ModelFile, model: EcgModel, reader: ShardReader) -> None:
    theirs, ours = model.preprocessing.ecg, reader.preprocessing.ecg
    differing = [
        f"{key} is {value!r} there and {getattr(ours, key)!r} here"
        for key, value in theirs
        if value != getattr(ours, key)
    ]
    if differing:
        raise BundleError(
            f"{packed.place}: its ECGs were prepared otherwise than this cohort's: "
            f"{'; '.join(differing)}; preprocess the cohort with these settings"
        )
    if packed.document.training.data_sha256 == reader.manifest_sha256:
        raise CohortError(
            "this is the cohort that the model was trained on; `ptacl evaluate` measures its "
            "held-out people"
        )


def _describe(
    packed: ModelFile,
    model: EcgModel,
    source: CohortDescription,
    people: EvaluationSplit,
    pooled: Float64[Array, "row dim"],
    numbers: dict[str, Float64[Array, " row"]],
    num_resamples: int,
) -> ValidationDocument:
    observed, readout = people.phenotypes, model.readout
    if not readout.names:
        raise BundleError(
            f"{packed.place}: its training cohort had no CMR, so it predicts none of the ten "
            "phenotypes that a validation measures"
        )
    resamples = draw_resamples(
        len(people),
        generator=np.random.default_rng(BOOTSTRAP_SEED),
        num_resamples=num_resamples,
        patients=people.patients,
    )
    predictions = predict_split(readout, pooled, people)
    folds = assign_folds(people)
    frozen = measure_column("frozen", "as the file is", observed, predictions.value, resamples)
    again = recalibrate(predictions.value, observed, folds, coverage=readout.coverage)
    refitted, transfer = refit(pooled, observed, people, folds)
    coverage, summary = evaluate_coverage(readout, predictions, people)
    subgroups = evaluate_subgroups(people, predictions.value, resamples)
    num_outside = int(predictions.is_outlier.sum())
    low, high = clopper_pearson(num_outside, len(people))
    outliers = Bounded(value=num_outside / len(people), low=low, high=high)
    failures = list_failures(
        frozen, observed, coverage, summary, subgroups, outliers, packed.evaluation()
    )
    return ValidationDocument(
        model=model.name,
        model_sha256=packed.sha256,
        checkpoint_sha256=model.checkpoint_sha256,
        cohort=source.name,
        people=len(set(people.patients)),
        recordings=len(people),
        columns=(
            frozen,
            measure_column(
                "recalibrated", "intercept, slope and intervals from other people here",
                observed, again.value, resamples,
            ),
            measure_column(
                "refitted", "a ridge probe on the frozen features, fitted on other people here",
                observed, refitted, resamples,
            ),
        ),
        coverage=coverage,
        coverage_summary=summary,
        recalibrated_coverage=measure_recalibrated_coverage(again, observed),
        subgroups=subgroups,
        transfer=transfer,
        decisions=draw_decision_curves(predictions, observed, coverage=readout.coverage),
        drift=_compare_people(packed.document.training, people, numbers),
        out_of_distribution=outliers,
        failures=failures,
        text=_summarise(len(failures), {failure.what for failure in failures}),
        unfit=model.unfit,
        note=SOURCE_NOTES[source.source],
        software=__version__,
    )  # fmt: skip


def _compare_people(
    training: BundledTraining,
    people: EvaluationSplit,
    numbers: dict[str, Float64[Array, " row"]],
) -> dict[str, VariableShift]:
    """Each variable beside the training people's mean, in units of their SD."""
    columns = {
        **dict(zip(COVARIATE_NAMES[1:], people.covariates.T[1:], strict=True)),
        **numbers,
        **dict(zip(PHENOTYPE_NAMES, people.phenotypes.T, strict=True)),
    }
    shifts = {}
    for name, values in columns.items():
        known = values[np.isfinite(values)]
        trained = training.variables.get(name)
        mean = None if trained is None else trained.mean
        sd = None if trained is None else trained.sd
        difference = None
        if len(known) >= 2 and mean is not None and sd:
            centre = (known.mean() - mean) / sd
            half = 1.96 * known.std(ddof=1) / sd / np.sqrt(len(known))
            difference = Bounded(value=centre, low=centre - half, high=centre + half)
        shifts[name] = VariableShift(
            n=len(known),
            mean=float(known.mean()) if len(known) else None,
            trained_mean=mean,
            difference_sd=difference,
        )
    return shifts


def _summarise(num_failures: int, kinds: set[str]) -> str:
    if not num_failures:
        return "Nothing fails here beyond chance: the frozen model does as it did at home."
    return (
        f"FAILS here in {num_failures} respects ({', '.join(sorted(kinds))}): do not rely on the "
        "frozen model for these people."
    )
