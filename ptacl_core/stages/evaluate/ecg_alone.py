"""Evaluation of a run without cines: on ECGs alone, or aligned with another model's vectors."""

from typing import Any

import numpy as np

from ptacl_core import __version__
from ptacl_core.documents.alignment import AlignmentSection
from ptacl_core.documents.evaluation import EvaluationDocument, R2Cell
from ptacl_core.documents.retrieval import PairRecall
from ptacl_core.documents.table_two import TableTwoRow
from ptacl_core.documents.uncertainty import CoverageSummary, PhenotypeCoverage, Subgroups
from ptacl_core.embedding.coverage import evaluate_coverage, no_coverage, predict_split
from ptacl_core.embedding.feature_cache import FeatureCache
from ptacl_core.embedding.patients import EvaluationSplit, load_split
from ptacl_core.embedding.readout_fit import find_stored_readout
from ptacl_core.embedding.subgroups import evaluate_subgroups
from ptacl_core.evaluate import draw_resamples
from ptacl_core.evaluate.resampling import BOOTSTRAP_SEED
from ptacl_core.progress import ProgressSink
from ptacl_core.runs.choose import TrainedRun
from ptacl_core.runs.health import read_health, stage_failures
from ptacl_core.runs.provenance import describe_code
from ptacl_core.shards import ShardReader
from ptacl_core.stages.evaluate.rows import EvaluationRows
from ptacl_core.stages.evaluate.table_one import evaluate_pairs

ROW = "encoder-ecg"
_EMPTY = (
    "retrieval", "retrieval_mean", "retrieval_directions", "retrieval_rules", "calibration",
    "unjudged",
)  # fmt: skip
WHY = "the run was trained on ECGs alone"
WHY_VECTORS = "the run was aligned with vectors, which have no steps"
NAMES = {
    "ecg": "Pretrained encoder", "finetune-ecg": "Fine-tuned encoder", "align": "Aligned encoder",
}  # fmt: skip


def evaluate_ecg_alone(
    reader: ShardReader,
    run: TrainedRun,
    *,
    num_resamples: int,
    progress: ProgressSink,
) -> tuple[dict[str, Any], EvaluationSplit, EvaluationRows | None]:
    """The document's sections without its targets, the test people, and rows of Table 2.

    Rows there are where the cohort has phenotypes. Raises CohortError when train or test have
    fewer than two people with an ECG.
    """
    train, test = (load_split(reader, name, needs=("ecg",)) for name in ("train", "test"))
    validation = reader.rows("val", needs=("ecg",))
    rows = None
    if all(np.isfinite(split.phenotypes).any() for split in (train, test)):
        rows = _build_rows(reader, run, (train, test), num_resamples, progress)
    table = () if rows is None else rows.table.rows()
    coverage, summary = _cover(reader, run, test, progress)
    health = read_health(run.directory)
    values: dict[str, Any] = {
        "version": EvaluationDocument.VERSION,
        "run": run.name,
        "health": {} if health is None else {run.name: dict(health.stages)},
        "regression": {} if rows is None else {"ecg": _summarise(table)},
        "rows": table,
        **{section: {} for section in _EMPTY},
        "pair_recall": _find_pairs(reader, run, num_resamples, progress),
        "alignment": _no_alignment(WHY if run.vectors is None else WHY_VECTORS),
        "consistency": {"phenotypes": {}, "mean_difference": None, "max_abs_difference": None},
        "coverage": coverage,
        "coverage_summary": summary,
        "subgroups": Subgroups()
        if rows is None
        else evaluate_subgroups(test, rows.table.predicted(ROW), rows.resamples),
        "patients": {"train": len(train), "validation": len(validation), "test": len(test)},
        "resamples": num_resamples,
        "departures": run.settings.notes,
        "provenance": {
            "software": __version__,
            "code": describe_code(),
            "settings_hash": run.settings.hash(),
            "data_sha256": reader.manifest_sha256,
            "trained_on_sha256": run.data_sha256,
            "checkpoint_sha256": run.checkpoint_sha256,
        },
    }
    return values, test, rows


def _build_rows(
    reader: ShardReader,
    run: TrainedRun,
    splits: tuple[EvaluationSplit, EvaluationSplit],
    num_resamples: int,
    progress: ProgressSink,
) -> EvaluationRows:
    train, test = splits
    resamples = draw_resamples(
        len(test),
        generator=np.random.default_rng(BOOTSTRAP_SEED),
        num_resamples=num_resamples,
        patients=test.patients,
    )
    rows = EvaluationRows(train, test, resamples, None)
    cache = FeatureCache.of(reader, run, "ecg")
    features = tuple(
        cache.find(split.rows, task="evaluate", progress=progress).pooled for split in splits
    )
    cache.save()
    failures = stage_failures(run.directory, run.stage)
    both = (features[0], features[1])
    rows.add_features(ROW, NAMES[run.stage], "ecg", both, failures=failures)
    rows.ask(both, failures=failures)
    return rows


def _cover(
    reader: ShardReader, run: TrainedRun, test: EvaluationSplit, progress: ProgressSink
) -> tuple[dict[str, PhenotypeCoverage], CoverageSummary]:
    readout, why = find_stored_readout(run)
    if readout is None or not readout.names:
        return no_coverage(why or "the cohort has no phenotypes")
    pooled = FeatureCache.of(reader, run, "ecg").find(test.rows, progress=progress).pooled
    coverage, summary = evaluate_coverage(readout, predict_split(readout, pooled, test), test)
    source = "the read-out that predictions come from"
    return coverage, summary.model_copy(update={"read_out": source})


def _summarise(table: tuple[TableTwoRow, ...]) -> dict[str, R2Cell]:
    row = next(row for row in table if row.key == ROW)
    return {
        name: R2Cell(r2=cell.r2, low=cell.low, high=cell.high)
        for name, cell in row.phenotypes.items()
    }


def _find_pairs(
    reader: ShardReader, run: TrainedRun, num_resamples: int, progress: ProgressSink
) -> dict[str, PairRecall]:
    """Retrieval of the own vector by the ECG, and the other way, among test people who have both.

    Nothing of a run on ECGs alone, or of fewer than two such people.
    """
    if run.vectors is None:
        return {}
    rows = reader.rows("test")
    patients = [reader.patients[row] for row in rows]
    if len(set(patients)) < 2:
        progress.say("no retrieval: fewer than two test people have an ECG and a vector")
        return {}
    person = np.unique(np.asarray(patients), return_inverse=True)[1]
    resamples = draw_resamples(
        len(rows),
        generator=np.random.default_rng(BOOTSTRAP_SEED),
        num_resamples=num_resamples,
        patients=patients,
    )
    projected = []
    for modality in run.modalities:
        made = FeatureCache.of(reader, run, modality).find(
            rows, task="retrieval", progress=progress
        )
        assert made.projected is not None
        projected.append(made.projected)
    return evaluate_pairs(projected[0], projected[1], resamples, person=person)


def _no_alignment(why: str) -> AlignmentSection:
    return AlignmentSection(
        top1=None, top1_interval=None, within1=None, within1_interval=None, n=0, why=why,
        top1_chance=0.0, within1_chance=0.0, mean_circular_offset=None, diagonal_mass=None,
        entropy_nats=None, rank_correlation=None, patients=0, map=None,
    )  # fmt: skip
