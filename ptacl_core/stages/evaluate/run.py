"""Tables 1 and 2 and the alignment of a run on its held-out patients, with intervals.

Rows of Table 2: demographics only, random encoders, each modality's pretraining, alignment,
fine-tuned and supervised networks. The document goes to runs/<run>/evaluation/evaluation.json,
into the store and to stdout; what it says patient by patient lies beside it as Parquet.
"""

from pathlib import Path
from typing import Any

import numpy as np

from ptacl_core import __version__
from ptacl_core.cohort import Cohort
from ptacl_core.embedding.coverage import evaluate_coverage, no_coverage, predict_split
from ptacl_core.embedding.patients import EvaluationSplit, describe_rows, load_split
from ptacl_core.embedding.readout_fit import find_stored_readout, fit_split_readout
from ptacl_core.errors import CohortError
from ptacl_core.evaluate import EvaluationError, draw_resamples, why_undefined
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.runs.choose import AlignedRun, check_preprocessing, load_aligned_run
from ptacl_core.safety.files.atomic import write_json
from ptacl_core.shards import ShardReader
from ptacl_core.stages.evaluate.alignment import evaluate_alignment
from ptacl_core.stages.evaluate.baselines import MODALITIES, add_baselines, add_networks
from ptacl_core.stages.evaluate.consistency import check_consistency
from ptacl_core.stages.evaluate.controls import evaluate_controls
from ptacl_core.stages.evaluate.events import evaluate_events
from ptacl_core.stages.evaluate.features import (
    AlignedFeatures,
    encode_aligned,
    find_residuals,
)
from ptacl_core.stages.evaluate.publish import publish_evaluation
from ptacl_core.stages.evaluate.subgroups import evaluate_subgroups
from ptacl_core.stages.evaluate.table_one import evaluate_retrieval
from ptacl_core.stages.evaluate.table_two import TableTwo
from ptacl_core.stages.evaluate.tables import FORMER_FILES, build_predictions, build_retrieval

BOOTSTRAP_SEED = 2025
NOTES = {
    "simulated": "Simulated patients: evidence about the code, never about hearts.",
    "files": "Measured on this cohort's held-out patients.",
}


def run(
    cohort_dir: Path,
    *,
    run: str | None = None,
    num_resamples: int = 2000,
    device: str = "auto",
    with_baselines: bool = True,
    progress: ProgressSink = SILENT,
) -> dict[str, Any]:
    """Evaluate `run` (None: the latest) on the test split; returns the JSON document.

    `with_baselines` adds the rows of demographics, random and pretrained encoders. Raises
    CohortError when train or test lack pairs, CheckpointError when the run does not fit.
    """
    aligned = load_aligned_run(cohort_dir, run, device=device)
    with Cohort.open(cohort_dir) as cohort:  # a store that cannot be read says so before the work
        note = NOTES[cohort.description.source]
    with ShardReader.open(cohort_dir) as reader:
        check_preprocessing(aligned, reader.preprocessing_hash)
        train, test = load_split(reader, "train"), load_split(reader, "test")
        validation = describe_rows(reader, reader.rows("val", needs=("ecg",)))
        resamples = draw_resamples(
            len(test),
            generator=np.random.default_rng(BOOTSTRAP_SEED),
            num_resamples=num_resamples,
            patients=test.patients,
        )
        table_two = TableTwo(train, test, resamples)
        if with_baselines:
            add_baselines(table_two, reader, aligned, progress)
        features = encode_aligned(reader, aligned, train, validation, test, progress)
        for modality in MODALITIES:
            fitted, judged = features.pooled(modality)
            table_two.add_probe(f"aligned-{modality}", "Aligned", modality, fitted, judged)
        add_networks(table_two, reader, aligned, progress)
        table_one = evaluate_retrieval(*features.projected_test(), test.phenotypes, resamples)
        tests = (features.ecg_test, features.cmr_test)
        controls = evaluate_controls(reader, test, aligned, tests, resamples, progress)
    regression = {modality: table_two.figures(f"aligned-{modality}") for modality in MODALITIES}
    predicted = table_two.predicted("aligned-ecg")
    document = {
        "run": aligned.name,
        "regression": regression,
        "rows": table_two.rows,
        **table_one.sections,
        "alignment": {**evaluate_alignment(*tests, resamples), "controls": controls},
        "consistency": check_consistency(regression, table_one.sections["retrieval"]),
        **_cover(aligned, features, train, validation, test),
        "subgroups": evaluate_subgroups(test, predicted, resamples),
        "calibration": evaluate_events(
            test, predicted, find_residuals(features, train, validation), resamples
        ),
        "unjudged": find_unjudged(test),
        "patients": {"train": len(train), "validation": len(validation), "test": len(test)},
        "resamples": num_resamples,
        "checkpoint_sha256": aligned.checkpoint_sha256,
        "software": __version__,
        "note": note,
    }
    folder = aligned.directory / "evaluation"
    write_json(folder / "evaluation.json", document)
    publish_evaluation(
        cohort_dir,
        aligned,
        document,
        predictions=build_predictions(aligned.name, test, table_two.predictions),
        retrieval=build_retrieval(aligned.name, test, table_one.runs),
    )
    for name in FORMER_FILES:
        (folder / name).unlink(missing_ok=True)
    return document


def _cover(
    aligned: AlignedRun,
    features: AlignedFeatures,
    train: EvaluationSplit,
    validation: EvaluationSplit,
    test: EvaluationSplit,
) -> dict[str, Any]:
    """Coverage of the run's stored read-out, or of one fitted here where there is none."""
    readout, why = find_stored_readout(aligned)
    source = "the read-out that predictions come from"
    if readout is None:
        source = f"fitted for this evaluation, since {why}"
        try:
            readout = fit_split_readout(
                (train, features.ecg_train.pooled),
                (validation, features.validation_pooled),
                checkpoint_sha256=aligned.checkpoint_sha256,
                preprocessing_hash=aligned.preprocessing.hash(),
            )
        except (CohortError, EvaluationError) as error:
            return no_coverage(str(error))
    predictions = predict_split(readout, features.ecg_test.pooled, test)
    sections = evaluate_coverage(readout, predictions, test)
    return {**sections, "coverage_summary": {**sections["coverage_summary"], "read_out": source}}


def find_unjudged(test: EvaluationSplit) -> dict[str, str]:
    """Phenotypes that no figure can be given for, each with the reason in one line."""
    reasons = {
        name: why_undefined(test.phenotypes[:, column])
        for column, name in enumerate(PHENOTYPE_NAMES)
    }
    return {name: reason for name, reason in reasons.items() if reason is not None}
