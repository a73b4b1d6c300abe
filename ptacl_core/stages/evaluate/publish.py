"""The figures of an evaluation document as rows of the store."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptacl_core.cohort import Cohort
from ptacl_core.documents.evaluation import EvaluationDocument
from ptacl_core.documents.table_two import MeanCell
from ptacl_core.evaluate import REGRESSION_FIGURES
from ptacl_core.ingest.register import SPLIT_NAME
from ptacl_core.runs.choose import TrainedRun
from ptacl_core.runs.health import is_control

if TYPE_CHECKING:
    import pyarrow as pa

TARGET_FIGURES = (
    "r2", "mean_absolute_error", "auc", "brier", "slope", "intercept", "baseline", "gain",
)  # fmt: skip


def publish_evaluation(
    cohort_dir: Path,
    aligned: TrainedRun,
    document: EvaluationDocument,
    *,
    predictions: "pa.Table | None",
    retrieval: "pa.Table | None",
) -> None:
    """Put the run, its figures and the document itself into the store. Raises CohortError.

    `predictions` and `retrieval` are the same patient by patient.
    """
    with Cohort.write(cohort_dir, purpose=f"evaluate {aligned.name}", waits=True) as writer:
        writer.put_run(
            aligned.name,
            kind=aligned.stage,
            config=aligned.settings.model_dump(mode="json"),
            checkpoint_sha256=aligned.checkpoint_sha256,
            preprocessing_hash=aligned.preprocessing.hash(),
            split_name=SPLIT_NAME,
            data_sha256=aligned.data_sha256,
            code_version=aligned.code_version,
            seed=aligned.settings.seed,
        )
        writer.put_audit("evaluate", run=aligned.name, checkpoint_sha256=aligned.checkpoint_sha256)
        writer.put_evaluation(
            aligned.name,
            build_result_table(aligned.name, document),
            document=document.as_dict(),
            predictions=predictions,
            retrieval=retrieval,
        )
        stages = document.health.get(aligned.name, {})
        writer.put_health(
            aligned.name,
            {name: stage.learned for name, stage in stages.items()},
            is_control=is_control(aligned.settings),
        )


def build_result_table(run: str, document: EvaluationDocument) -> "pa.Table":
    """One figure per row: regression, retrieval, alignment."""
    import pyarrow as pa

    results: list[tuple[Any, ...]] = []
    for row in document.rows:
        cells: dict[str, MeanCell] = {**row.phenotypes, "": row.mean}
        for name, cell in cells.items():
            metric = "r2" if name else "mean_r2"
            place = ("regression", row.key, row.modality, name)
            results.append((*place, metric, cell.r2, cell.low, cell.high))
            for other in REGRESSION_FIGURES[1:-1] if name else ():
                figure = tuple(getattr(cell, f"{other}{end}") for end in ("", "_low", "_high"))
                results.append((*place, other, *figure))
    for own, table in document.retrieval.items():
        for name, scores in table.items():
            for metric, bounds in scores.intervals.items():
                figure = (getattr(scores, metric), bounds.low, bounds.high)
                results.append(("retrieval", own, "ecg", name, metric, *figure))
            results.extend(
                ("retrieval", own, "", name, metric, getattr(scores, metric), None, None)
                for metric in ("random_p_at_1", "random_p_at_10")
            )
    for metric in ("top1", "within1"):
        interval = getattr(document.alignment, f"{metric}_interval") or (None, None)
        figure = (getattr(document.alignment, metric), *interval)
        results.append(("alignment", "", "", "", metric, *figure))
    for nested in document.nested:
        for name, difference in nested.figures.items():
            place = ("nested", nested.key, "ecg", "" if name == "mean" else name)
            results.append(
                (*place, "delta_r2", difference.difference, difference.low, difference.high)
            )
    results.extend(_list_target_figures(document))
    for row in document.rows:
        for point in row.label_curve:
            place = ("labels", row.key, row.modality, "", f"mean_r2_at_{point.labels}")
            results.append((*place, point.mean_r2, point.low, point.high))
    names = ("section", "variant", "modality", "phenotype", "metric", "value", "low", "high")
    columns: dict[str, object] = {"run": [run] * len(results)}
    for index, name in enumerate(names):
        kind = pa.float64() if name in ("value", "low", "high") else pa.string()
        columns[name] = pa.array([result[index] for result in results], kind)
    return pa.table(columns)


def _list_target_figures(document: EvaluationDocument) -> list[tuple[Any, ...]]:
    """Figures of the cohort's own targets; the name of the target stands as phenotype."""
    results: list[tuple[Any, ...]] = []
    for name, target in document.targets.items():
        for metric in TARGET_FIGURES:
            figure = getattr(target, metric)
            if figure is not None:
                bounds = (figure.value, figure.low, figure.high)
                results.append(("targets", target.kind, "ecg", name, metric, *bounds))
        if target.coverage is not None:
            bounds = (target.coverage.share, target.coverage.low, target.coverage.high)
            results.append(("targets", target.kind, "ecg", name, "coverage", *bounds))
    return results
