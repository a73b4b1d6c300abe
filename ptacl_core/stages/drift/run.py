"""Two cohorts or sites side by side: people, phenotypes, recordings, quality, embeddings."""

from collections.abc import Sequence
from pathlib import Path

from ptacl_core import __version__
from ptacl_core.documents.drift import DriftDocument, EmbeddingDrift, ShiftedVariable
from ptacl_core.embedding.patients import describe_rows
from ptacl_core.errors import CheckpointError, CohortError
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.runs.choose import load_trained_run
from ptacl_core.shards import ShardReader
from ptacl_core.shards.spec import MEASUREMENT_NAMES
from ptacl_core.stages.drift.embeddings import compare_embeddings
from ptacl_core.stages.drift.variables import (
    ALPHA,
    adjust_p_values,
    compare_covariates,
    compare_numbers,
    compare_quality,
    judge_section,
    list_shifted,
)


def run(
    cohort_dir: Path,
    other_dir: Path,
    *,
    run: str | None = None,
    num_permutations: int = 500,
    device: str = "auto",
    progress: ProgressSink = SILENT,
) -> DriftDocument:
    """How `other_dir` differs from `cohort_dir`, and what `run` of the latter makes of it.

    Variables are compared over all visits; embeddings, outliers, R² and coverage of the run's
    intervals between the cohort's test patients and all of the other. Without a trained run,
    or on recordings that were prepared otherwise, `embeddings` says why there are none.
    Raises CohortError or ShardError when one of the two is not a cohort.
    """
    for folder in (cohort_dir, other_dir):
        if not folder.is_dir():
            raise CohortError(f"{folder}: expected a cohort directory, found none there")
    with ShardReader.open(cohort_dir) as reference, ShardReader.open(other_dir) as other:
        people = (
            describe_rows(reference, reference.rows(needs=("ecg",))),
            describe_rows(other, other.rows(needs=("ecg",))),
        )
        for folder, split in zip((cohort_dir, other_dir), people, strict=True):
            if len(split) < 2:
                raise CohortError(f"{folder}: {len(split)} ECGs; drift needs two or more")
        phenotypes = {
            name: compare_numbers(*(split.phenotypes[:, column] for split in people))
            for column, name in enumerate(PHENOTYPE_NAMES)
        }
        recordings = {
            name: compare_numbers(
                reference.column(name, people[0].rows), other.column(name, people[1].rows)
            )
            for name in ("heart_rate_bpm", *MEASUREMENT_NAMES)
        }
        try:
            aligned = load_trained_run(cohort_dir, run, device=device)
        except (CohortError, CheckpointError) as error:
            if run is not None:
                raise
            embeddings = EmbeddingDrift(why=str(error))
        else:
            embeddings = compare_embeddings(
                aligned, (reference, other), num_permutations=num_permutations, progress=progress
            )
    covariates, quality = compare_covariates(people), compare_quality(people)
    adjusted = adjust_p_values(
        {
            "covariates": covariates,
            "phenotypes": phenotypes,
            "recordings": recordings,
            "quality": quality,
        }
    )
    document = DriftDocument(
        cohort=str(cohort_dir),
        other=str(other_dir),
        patients={"cohort": len(people[0]), "other": len(people[1])},
        covariates=judge_section("covariates", covariates, adjusted),
        phenotypes=judge_section("phenotypes", phenotypes, adjusted),
        recordings=judge_section("recordings", recordings, adjusted),
        quality=judge_section("quality", quality, adjusted),
        embeddings=embeddings,
        shifted=(),
        text="",
        software=__version__,
    )
    shifted = list_shifted(document.sections.items())
    text = _describe(shifted, embeddings)
    return document.model_copy(update={"shifted": shifted, "text": text})


def _describe(shifted: Sequence[ShiftedVariable], embeddings: EmbeddingDrift) -> str:
    parts = ["The variables are alike."]
    if shifted:
        named = ", ".join(f"{variable.name} (PSI {variable.psi:.2f})" for variable in shifted[:5])
        parts = [f"DRIFT in {len(shifted)} variables: {named}."]
    if embeddings.mmd is None or embeddings.coverage_summary is None:
        return " ".join([*parts, f"No embeddings were compared: {embeddings.why}."])
    is_apart = embeddings.mmd.p_value < ALPHA
    parts.append(
        f"The embeddings {'DIFFER' if is_apart else 'do not differ'} "
        f"(MMD p = {embeddings.mmd.p_value:.3f}); "
        f"{embeddings.outliers['other'] * 100:.0f} % of the other cohort's ECGs are out of "
        f"distribution, {embeddings.outliers['cohort'] * 100:.0f} % of this one's."
    )
    return " ".join([*parts, embeddings.coverage_summary.text])
