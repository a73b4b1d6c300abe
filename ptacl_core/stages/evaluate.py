"""Tables 1 and 2 and the alignment of a run on its held-out patients, with intervals.

Rows of Table 2: demographics only, random encoders, each modality's pretraining, alignment.
The document goes to runs/<run>/evaluation/evaluation.json, into the store and to stdout.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ptacl_core import __version__
from ptacl_core.cohort import Cohort
from ptacl_core.embedding.encoding import Features
from ptacl_core.evaluate import (
    measure_alignment,
)
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.safety.atomic import write_json
from ptacl_core.shards import ShardReader
from ptacl_core.stages.encoding_rows import encode_cine_rows, encode_ecg_rows
from ptacl_core.stages.run_choice import AlignedRun, check_preprocessing, load_aligned_run
from ptacl_core.stages.table_one import evaluate_retrieval
from ptacl_core.stages.table_two import (
    MODALITIES,
    EvaluationSplit,
    TableTwo,
    add_baselines,
    load_split,
)

if TYPE_CHECKING:
    import pyarrow as pa

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
    with ShardReader.open(cohort_dir) as reader:
        check_preprocessing(aligned, reader.preprocessing_hash)
        train, test = load_split(reader, "train"), load_split(reader, "test")
        generator = np.random.default_rng(BOOTSTRAP_SEED)
        table = TableTwo(train, test, num_resamples, generator)
        if with_baselines:
            add_baselines(table, reader, aligned, progress)
        ecg = _encode_aligned_ecg(reader, train, test, aligned, progress)
        cmr = _encode_aligned_cine(reader, train, test, aligned, progress)
        table.add("aligned-ecg", "Aligned", "ecg", ecg[0].pooled, ecg[1].pooled)
        table.add("aligned-cmr", "Aligned", "cmr", cmr[0].pooled, cmr[1].pooled)
    document = {
        "run": aligned.name,
        "regression": {modality: table.figures(f"aligned-{modality}") for modality in MODALITIES},
        "rows": table.rows,
        **evaluate_retrieval(ecg[1], cmr[1], test.phenotypes, num_resamples, generator),
        "alignment": _evaluate_alignment(ecg[1], cmr[1], num_resamples, generator),
        "patients": {"train": len(train.rows), "test": len(test.rows)},
        "resamples": num_resamples,
        "checkpoint_sha256": aligned.checkpoint_sha256,
        "software": __version__,
    }
    with Cohort.open(cohort_dir) as cohort:
        document["note"] = NOTES[cohort.description.source]
    write_json(aligned.directory / "evaluation" / "evaluation.json", document)
    with Cohort.write(cohort_dir, purpose=f"evaluate {aligned.name}") as writer:
        writer.put_run(
            aligned.name,
            kind="align",
            config=aligned.settings.model_dump(mode="json"),
            checkpoint_sha256=aligned.checkpoint_sha256,
            preprocessing_hash=aligned.preprocessing.hash(),
            split_name="default",
            seed=aligned.settings.seed,
        )
        writer.put_audit("evaluate", run=aligned.name, checkpoint_sha256=aligned.checkpoint_sha256)
        writer.put_evaluation(
            aligned.name, _build_result_table(aligned.name, document), document=document
        )
    return document


def _encode_aligned_ecg(
    reader: ShardReader,
    train: EvaluationSplit,
    test: EvaluationSplit,
    aligned: AlignedRun,
    progress: ProgressSink,
) -> tuple[Features, Features]:
    train_features, test_features = (
        encode_ecg_rows(
            reader,
            split.rows,
            aligned.ecg_encoder,
            aligned.ecg_projection,
            aligned.settings,
            with_steps=split is test,
            task="aligned ecg",
            progress=progress,
        )
        for split in (train, test)
    )
    return train_features, test_features


def _encode_aligned_cine(
    reader: ShardReader,
    train: EvaluationSplit,
    test: EvaluationSplit,
    aligned: AlignedRun,
    progress: ProgressSink,
) -> tuple[Features, Features]:
    train_features, test_features = (
        encode_cine_rows(
            reader,
            split.rows,
            aligned.cine_encoder,
            aligned.cine_projection,
            aligned.settings,
            with_steps=split is test,
            task="aligned cmr",
            progress=progress,
        )
        for split in (train, test)
    )
    return train_features, test_features


def _evaluate_alignment(
    ecg: Features, cmr: Features, num_resamples: int, generator: np.random.Generator
) -> dict[str, Any]:
    assert ecg.steps is not None
    assert cmr.steps is not None
    measures = measure_alignment(ecg.steps, cmr.steps, is_valid=ecg.is_step_valid)
    interval = measures.interval(generator=generator, num_resamples=num_resamples)
    num_steps = len(measures.mean_map)
    return {
        "top1": float(interval.estimate[0]),
        "top1_interval": [float(interval.low[0]), float(interval.high[0])],
        "top1_chance": 1 / num_steps,
        "within1": float(interval.estimate[1]),
        "within1_interval": [float(interval.low[1]), float(interval.high[1])],
        "within1_chance": (3 * num_steps - 2) / num_steps**2,
        "mean_circular_offset": float(interval.estimate[2]),
        "diagonal_mass": measures.diagonal_mass,
        "entropy_nats": measures.entropy_nats,
        "rank_correlation": (
            measures.rank_correlation if np.isfinite(measures.rank_correlation) else None
        ),
        "patients": len(measures.top1),
        "map": measures.mean_map.tolist(),
    }


def _build_result_table(run: str, document: dict[str, Any]) -> "pa.Table":
    import pyarrow as pa

    results: list[tuple[Any, ...]] = []
    for row in document["rows"]:
        cells = {**row["phenotypes"], "": row["mean"]}
        for name, cell in cells.items():
            metric = "r2" if name else "mean_r2"
            figure = (cell["r2"], cell["low"], cell["high"])
            results.append(("regression", row["key"], row["modality"], name, metric, *figure))
    for own, table in document["retrieval"].items():
        for name, scores in table.items():
            for metric, bounds in scores["intervals"].items():
                figure = (scores[metric], bounds["low"], bounds["high"])
                results.append(("retrieval", own, "ecg", name, metric, *figure))
            results.extend(
                ("retrieval", own, "", name, metric, scores[metric], None, None)
                for metric in ("random_p_at_1", "random_p_at_10")
            )
    for metric in ("top1", "within1"):
        figure = (document["alignment"][metric], *document["alignment"][f"{metric}_interval"])
        results.append(("alignment", "", "", "", metric, *figure))
    names = ("section", "variant", "modality", "phenotype", "metric", "value", "low", "high")
    columns: dict[str, Any] = {"run": [run] * len(results)}
    for index, name in enumerate(names):
        kind = pa.float64() if name in ("value", "low", "high") else pa.string()
        columns[name] = pa.array([result[index] for result in results], kind)
    return pa.table(columns)
