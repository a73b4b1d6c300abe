"""Tables 1 and 2 and the alignment of a run on its held-out patients, with intervals.

Rows of Table 2: demographics only, random encoders, each modality's pretraining, alignment,
fine-tuned and supervised networks. The document goes to runs/<run>/evaluation/evaluation.json,
into the store and to stdout; what it says patient by patient lies beside it as Parquet.
"""

from pathlib import Path

import numpy as np

from ptacl_core import __version__
from ptacl_core.arrays import Array, Int64
from ptacl_core.cohort import Cohort
from ptacl_core.documents.evaluation import EVALUATION_FILE, EvaluationDocument, R2Cell
from ptacl_core.documents.figures import SOURCE_NOTES
from ptacl_core.documents.health import StageHealth
from ptacl_core.documents.retrieval import MeanRetrieval
from ptacl_core.documents.table_two import TableTwoRow
from ptacl_core.documents.uncertainty import CoverageSummary, PhenotypeCoverage
from ptacl_core.embedding.coverage import evaluate_coverage, no_coverage, predict_split
from ptacl_core.embedding.patients import EvaluationSplit, describe_rows, load_split
from ptacl_core.embedding.readout_fit import find_stored_readout, fit_split_readout
from ptacl_core.embedding.subgroups import evaluate_subgroups
from ptacl_core.errors import CohortError
from ptacl_core.evaluate import (
    EvaluationError,
    Resamples,
    draw_resamples,
    fit_linear_probe,
    why_undefined,
)
from ptacl_core.evaluate.resampling import BOOTSTRAP_SEED
from ptacl_core.evaluate.row_comparison import score_row
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.runs.choose import (
    ALIGN,
    AlignedRun,
    TrainedRun,
    check_preprocessing,
    load_trained_run,
)
from ptacl_core.runs.provenance import describe_code
from ptacl_core.runs.vectors import open_reader
from ptacl_core.safety.files.atomic import write_json
from ptacl_core.shards import ShardReader
from ptacl_core.stages.evaluate.bars import Bars, measure_bars
from ptacl_core.stages.evaluate.baselines import MODALITIES, add_baselines, add_networks
from ptacl_core.stages.evaluate.consistency import check_consistency
from ptacl_core.stages.evaluate.ecg_alone import evaluate_ecg_alone
from ptacl_core.stages.evaluate.events import evaluate_events
from ptacl_core.stages.evaluate.features import (
    AlignedFeatures,
    encode_aligned,
    find_residuals,
)
from ptacl_core.stages.evaluate.headlines import write_headlines
from ptacl_core.stages.evaluate.health import check_health, failures_of
from ptacl_core.stages.evaluate.publish import publish_evaluation
from ptacl_core.stages.evaluate.rows import EvaluationRows
from ptacl_core.stages.evaluate.steps.alignment import describe_steps, measure_steps
from ptacl_core.stages.evaluate.steps.controls import evaluate_controls
from ptacl_core.stages.evaluate.steps.outcomes import keep_outcomes, list_outcomes
from ptacl_core.stages.evaluate.steps.timing import measure_timing, read_simulation
from ptacl_core.stages.evaluate.table_one import RULES, evaluate_retrieval
from ptacl_core.stages.evaluate.tables import FORMER_FILES, build_predictions, build_retrieval
from ptacl_core.stages.evaluate.targets import evaluate_targets


def run(
    cohort_dir: Path,
    *,
    run: str | None = None,
    num_resamples: int = 2000,
    device: str = "auto",
    with_baselines: bool = True,
    progress: ProgressSink = SILENT,
) -> EvaluationDocument:
    """Evaluate `run` on the test split (None: the latest one that has learned).

    `with_baselines` adds the rows without learning and those of random and pretrained encoders.
    Raises CohortError when train or test lack pairs, CheckpointError when the run does not fit.
    """
    aligned = load_trained_run(cohort_dir, run, device=device)
    with Cohort.open(cohort_dir) as cohort:  # a store that cannot be read says so before the work
        note = SOURCE_NOTES[cohort.description.source]
    if not isinstance(aligned, AlignedRun) or aligned.vectors is not None:
        return _run_alone(cohort_dir, aligned, note, num_resamples, progress)
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
        bars = measure_bars(reader, train, test, progress) if with_baselines else None
        rows = EvaluationRows(train, test, resamples, bars)
        if with_baselines:
            add_baselines(rows, reader, aligned, progress)
        features = encode_aligned(
            reader, aligned, train, validation, test, progress,
            with_train_steps=read_simulation(cohort_dir) is not None,
        )  # fmt: skip
        health = _add_aligned(rows, aligned, features)
        add_networks(rows, reader, aligned, progress)
        tests = (features.ecg_test, features.cmr_test)
        controls = evaluate_controls(reader, test, aligned, tests, resamples, progress)
        person = np.unique(np.asarray(test.patients), return_inverse=True)[1]
        outcomes = measure_steps(*tests, person=person)
        keep_outcomes(cohort_dir, aligned.name, reader, test, list_outcomes(outcomes, person))
        data_sha256 = reader.manifest_sha256
        with Cohort.open(cohort_dir) as cohort:
            targets, targets_read_out = evaluate_targets(
                cohort, reader, aligned, num_resamples=num_resamples, progress=progress
            )
    table_one = evaluate_retrieval(
        *features.projected_test(), test.phenotypes, resamples, person=person
    )
    kept, timing_note = measure_timing(
        cohort_dir, (train, test), features.pairs(), None if bars is None else bars.features["ecg"],
        resamples,
    )  # fmt: skip
    table = rows.table.rows()
    regression = _summarise_regression(table)
    predicted = rows.table.predicted("aligned-ecg")
    coverage, coverage_summary = _cover(aligned, features, train, validation, test)
    document = EvaluationDocument.parse(
        {
            "version": EvaluationDocument.VERSION,
            "run": aligned.name,
            "headlines": write_headlines(
                rows.nested,
                next(row for row in table if row.key == "aligned-ecg"),
                bar="ridge on the mean beat",
            ),
            "health": health,
            "nested": rows.nested,
            "regression": regression,
            "rows": table,
            "retrieval": table_one.retrieval,
            "retrieval_mean": table_one.mean,
            "retrieval_directions": table_one.directions,
            "retrieval_rules": RULES,
            "pair_recall": table_one.pair_recall,
            "retrieval_bar": _retrieve_linear(bars, test, resamples, person),
            "alignment": describe_steps(
                outcomes, resamples, timing_kept=kept, timing_note=timing_note, controls=controls
            ),
            "consistency": check_consistency(regression, table_one.retrieval),
            "coverage": coverage,
            "coverage_summary": coverage_summary,
            "subgroups": evaluate_subgroups(test, predicted, resamples),
            "calibration": evaluate_events(
                test, predicted, find_residuals(features, train, validation), resamples
            ),
            "targets": targets,
            "targets_read_out": targets_read_out,
            "unjudged": find_unjudged(test),
            "patients": {"train": len(train), "validation": len(validation), "test": len(test)},
            "resamples": num_resamples,
            "departures": aligned.settings.notes,
            "provenance": {
                "software": __version__,
                "code": describe_code(),
                "settings_hash": aligned.settings.hash(),
                "data_sha256": data_sha256,
                "trained_on_sha256": aligned.data_sha256,
                "checkpoint_sha256": aligned.checkpoint_sha256,
            },
            "note": note,
        },
        source=f"evaluation of {aligned.name}",
    )
    folder = aligned.directory / "evaluation"
    write_json(folder / EVALUATION_FILE, document.as_dict())
    publish_evaluation(
        cohort_dir,
        aligned,
        document,
        predictions=build_predictions(aligned.name, test, rows.table.predictions),
        retrieval=build_retrieval(aligned.name, test, table_one.runs),
    )
    for name in FORMER_FILES:
        (folder / name).unlink(missing_ok=True)
    return document


def _run_alone(
    cohort_dir: Path,
    trained: TrainedRun,
    note: str,
    num_resamples: int,
    progress: ProgressSink,
) -> EvaluationDocument:
    """The evaluation of a run without cines: its rows, where there are phenotypes, and targets."""
    with (
        open_reader(cohort_dir, trained.settings) as reader,
        Cohort.open(cohort_dir) as cohort,
    ):
        check_preprocessing(trained, reader.preprocessing_hash)
        values, test, rows = evaluate_ecg_alone(
            reader, trained, num_resamples=num_resamples, progress=progress
        )
        targets, source = evaluate_targets(
            cohort, reader, trained, num_resamples=num_resamples, progress=progress
        )
    document = EvaluationDocument.parse(
        {**values, "targets": targets, "targets_read_out": source, "note": note},
        source=f"evaluation of {trained.name}",
    )
    write_json(trained.directory / "evaluation" / EVALUATION_FILE, document.as_dict())
    predictions = [] if rows is None else rows.table.predictions
    publish_evaluation(
        cohort_dir,
        trained,
        document,
        predictions=build_predictions(trained.name, test, predictions) if predictions else None,
        retrieval=None,
    )
    return document


def _add_aligned(
    rows: EvaluationRows, aligned: AlignedRun, features: AlignedFeatures
) -> dict[str, dict[str, StageHealth]]:
    """Rows of the aligned encoders and the nested question; returns the run's health.

    The verdict needs the encoders' R², and the rows need the verdict: scores come first.
    """
    scores = dict(rows.table.scores)
    for modality in MODALITIES:
        train, test = features.pooled(modality)
        probe = fit_linear_probe(train, rows.train.phenotypes)
        scores[f"aligned-{modality}"] = score_row(
            rows.test.phenotypes, probe.predict(test)[None], rows.resamples
        )
    health = check_health(aligned, features, rows.test, scores)
    failures = failures_of(health, aligned.name, ALIGN)
    for modality in MODALITIES:
        rows.add_features(
            f"aligned-{modality}", "Aligned", modality, features.pooled(modality),
            failures=failures,
        )  # fmt: skip
    rows.ask(features.pooled("ecg"), failures=failures)
    return health


def _summarise_regression(table: tuple[TableTwoRow, ...]) -> dict[str, dict[str, R2Cell]]:
    """R² of the aligned encoders, the section with stable keys."""
    cells = {row.key: row.phenotypes for row in table}
    return {
        modality: {
            name: R2Cell(r2=cell.r2, low=cell.low, high=cell.high)
            for name, cell in cells[f"aligned-{modality}"].items()
        }
        for modality in MODALITIES
    }


def _retrieve_linear(
    bars: Bars | None,
    test: EvaluationSplit,
    resamples: Resamples,
    person: Int64[Array, " patient"],
) -> dict[str, MeanRetrieval]:
    """Mean retrieval by linear alignment, beside that of the run."""
    if bars is None:
        return {}
    retrieval = evaluate_retrieval(
        bars.linear_test["ecg"], bars.linear_test["cmr"], test.phenotypes, resamples, person=person
    )
    return retrieval.mean


def _cover(
    aligned: AlignedRun,
    features: AlignedFeatures,
    train: EvaluationSplit,
    validation: EvaluationSplit,
    test: EvaluationSplit,
) -> tuple[dict[str, PhenotypeCoverage], CoverageSummary]:
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
    coverage, summary = evaluate_coverage(readout, predictions, test)
    return coverage, summary.model_copy(update={"read_out": source})


def find_unjudged(test: EvaluationSplit) -> dict[str, str]:
    """Phenotypes that no figure can be given for, each with the reason in one line."""
    reasons = {
        name: why_undefined(test.phenotypes[:, column])
        for column, name in enumerate(PHENOTYPE_NAMES)
    }
    return {name: reason for name, reason in reasons.items() if reason is not None}
