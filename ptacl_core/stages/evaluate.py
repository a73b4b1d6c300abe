"""Tables 1 and 2 and the alignment of a run on its held-out patients, with intervals.

Rows of Table 2: demographics only, random encoders, each modality's pretraining, alignment.
The document goes to runs/<run>/evaluation/evaluation.json, into the store and to stdout.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ptacl_core import __version__
from ptacl_core.arrays import Array, Float64, Int64
from ptacl_core.checkpoint import CheckpointFolder
from ptacl_core.cohort import Cohort
from ptacl_core.config.training import Modality
from ptacl_core.embedding.encoding import Features
from ptacl_core.errors import CohortError
from ptacl_core.evaluate import (
    BootstrapInterval,
    PhenotypeRetrieval,
    bootstrap_interval,
    fit_linear_probe,
    measure_alignment,
    own_pair_ranks,
    r2,
    retrieve,
)
from ptacl_core.models import TokenEncoder
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.safety.atomic import write_json
from ptacl_core.shards import ShardReader
from ptacl_core.stages.encoders import build_encoder, load_encoder
from ptacl_core.stages.encoding_rows import encode_cine_rows, encode_ecg_rows
from ptacl_core.stages.run_choice import AlignedRun, check_preprocessing, load_aligned_run

if TYPE_CHECKING:
    import pyarrow as pa

KS = (1, 3, 5, 10, 15)
MODALITIES: tuple[Modality, Modality] = ("ecg", "cmr")
BOOTSTRAP_SEED = 2025
NOTES = {
    "simulated": "Simulated patients: evidence about the code, never about hearts.",
    "files": "Measured on this cohort's held-out patients.",
}


@dataclass(frozen=True, slots=True, eq=False)
class _Split:
    """Rows of one split that have both modalities, with their phenotypes."""

    rows: Int64[Array, "row"]
    phenotypes: Float64[Array, "row target"]


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
        train, test = _load_split(reader, "train"), _load_split(reader, "test")
        generator = np.random.default_rng(BOOTSTRAP_SEED)
        table = _TableTwo(train, test, num_resamples, generator)
        if with_baselines:
            table.add(
                "demographics",
                "Demographics only",
                "covariates",
                *(_demographics(reader, split.rows) for split in (train, test)),
            )
            _add_baselines(table, reader, aligned, progress)
        ecg = _encode_aligned_ecg(reader, train, test, aligned, progress)
        cmr = _encode_aligned_cine(reader, train, test, aligned, progress)
        table.add("aligned-ecg", "Aligned", "ecg", ecg[0].pooled, ecg[1].pooled)
        table.add("aligned-cmr", "Aligned", "cmr", cmr[0].pooled, cmr[1].pooled)
    document = {
        "run": aligned.name,
        "regression": {
            modality: table.figures(f"aligned-{modality}") for modality in ("ecg", "cmr")
        },
        "rows": table.rows,
        **_evaluate_retrieval(ecg[1], cmr[1], test.phenotypes, num_resamples, generator),
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
        writer.put_evaluation(
            aligned.name, _build_result_table(aligned.name, document), document=document
        )
    return document


class _TableTwo:
    """R² of one set of features after another, on the same resampled patients."""

    def __init__(
        self, train: _Split, test: _Split, num_resamples: int, generator: np.random.Generator
    ) -> None:
        self.train, self.test = train, test
        self.rows: list[dict[str, Any]] = []
        self._num_resamples = num_resamples
        self._seed = int(generator.integers(2**63))

    def add(
        self, key: str, name: str, modality: str, train_features: Array, test_features: Array
    ) -> None:
        """Fit the probe on train and append the row of its R² on test."""
        probe = fit_linear_probe(train_features, self.train.phenotypes)
        predicted = probe.predict(test_features)
        observed = self.test.phenotypes

        def figures(rows: Int64[Array, "_"]) -> Float64[Array, "figure"]:
            scores = np.asarray(r2(observed[rows], predicted[rows]))
            return np.append(scores, scores.mean())

        interval = bootstrap_interval(
            figures,
            len(observed),
            generator=np.random.default_rng(self._seed),
            num_resamples=self._num_resamples,
        )
        cells = [
            {"r2": value, "low": low, "high": high}
            for value, low, high in zip(
                _plain(interval.estimate), _plain(interval.low), _plain(interval.high), strict=True
            )
        ]
        self.rows.append(
            {
                "key": key,
                "name": name,
                "modality": modality,
                "phenotypes": dict(zip(PHENOTYPE_NAMES, cells[:-1], strict=True)),
                "mean": cells[-1],
            }
        )

    def figures(self, key: str) -> dict[str, dict[str, float | None]]:
        """The cells of one row."""
        return next(row["phenotypes"] for row in self.rows if row["key"] == key)


def _add_baselines(
    table: _TableTwo, reader: ShardReader, aligned: AlignedRun, progress: ProgressSink
) -> None:
    settings = aligned.settings
    device = next(aligned.ecg_encoder.parameters()).device
    for key, name in (("random", "Random encoder"), ("pretrained", "Pretrained (MAE)")):
        for modality in MODALITIES:
            encoder = _baseline_encoder(aligned, key, modality)
            if encoder is None:
                continue
            encode = encode_ecg_rows if modality == "ecg" else encode_cine_rows
            features = [
                encode(
                    reader,
                    split.rows,
                    encoder.to(device),
                    None,
                    settings,
                    task=f"{key} {modality}",
                    progress=progress,
                ).pooled
                for split in (table.train, table.test)
            ]
            table.add(f"{key}-{modality}", name, modality, *features)


def _baseline_encoder(aligned: AlignedRun, key: str, modality: Modality) -> TokenEncoder | None:
    """Untrained weights as the run began with, or its pretraining; None where it had none."""
    if key == "random":
        return build_encoder(aligned.settings, modality)
    source = getattr(aligned.settings.pretrained_from, modality)
    directory = aligned.directory.parent / source if source else aligned.directory
    if not CheckpointFolder(directory / "checkpoints" / modality).is_finished:
        return None
    return load_encoder(directory, modality, "pretrain").encoder


def _load_split(reader: ShardReader, name: str) -> _Split:
    rows = reader.rows(name, needs=("ecg", "cmr"))
    if len(rows) < 2:
        raise CohortError(
            f"split {name} has {len(rows)} pairs of ECG and CMR; an evaluation needs at least two"
        )
    return _Split(rows, reader.phenotypes(rows))


def _demographics(reader: ShardReader, rows: Int64[Array, "row"]) -> Float64[Array, "row 4"]:
    """Sex, age, height, BMI; absent values become the cohort's mean of the column."""
    values = reader.covariates(rows)[:, [0, 1, 2, 4]]
    everyone = reader.covariates(np.arange(reader.num_rows))[:, [0, 1, 2, 4]]
    present = np.isfinite(everyone)
    mean = np.where(present, everyone, 0).sum(axis=0) / np.maximum(present.sum(axis=0), 1)
    return np.where(np.isfinite(values), values, mean)


def _encode_aligned_ecg(
    reader: ShardReader, train: _Split, test: _Split, aligned: AlignedRun, progress: ProgressSink
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
    reader: ShardReader, train: _Split, test: _Split, aligned: AlignedRun, progress: ProgressSink
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


def _evaluate_retrieval(
    ecg: Features,
    cmr: Features,
    phenotypes: Float64[Array, "patient target"],
    num_resamples: int,
    generator: np.random.Generator,
) -> dict[str, Any]:
    assert ecg.projected is not None
    assert cmr.projected is not None
    tables, means = {}, {}
    for own in ("included", "excluded"):
        found = retrieve(
            ecg.projected, cmr.projected, phenotypes, ks=KS, exclude_self=own == "excluded"
        )
        tables[own] = {
            name: {
                **result.summary(),
                "intervals": _retrieval_intervals(result, num_resamples, generator),
            }
            for name, result in found.items()
        }
        means[own] = _mean_retrieval(found, num_resamples, generator)
    ranks = own_pair_ranks(ecg.projected, cmr.projected)
    interval = bootstrap_interval(
        lambda rows: np.array([(ranks[rows] <= k).mean() for k in (1, 5, 10)]),
        len(ranks),
        generator=generator,
        num_resamples=num_resamples,
    )
    pair = {
        f"recall_at_{k}": _cell(interval, index) | {"chance": min(k / len(ranks), 1.0)}
        for index, k in enumerate((1, 5, 10))
    }
    return {
        "retrieval": tables,
        "retrieval_mean": means,
        "pair": {**pair, "median_rank": float(np.median(ranks)), "patients": len(ranks)},
    }


def _retrieval_intervals(
    result: PhenotypeRetrieval, num_resamples: int, generator: np.random.Generator
) -> dict[str, dict[str, float]]:
    def figures(rows: Int64[Array, "_"]) -> Float64[Array, "figure"]:
        ranks = result.first_match_rank[rows]
        return np.array([*result.precision[rows].mean(axis=0), ranks.mean(), np.median(ranks)])

    interval = bootstrap_interval(
        figures, len(result.query_indices), generator=generator, num_resamples=num_resamples
    )
    names = [*(f"p_at_{k}" for k in result.ks), "mean_rank", "median_rank"]
    return {
        name: {"low": float(interval.low[index]), "high": float(interval.high[index])}
        for index, name in enumerate(names)
    }


def _mean_retrieval(
    found: dict[str, PhenotypeRetrieval], num_resamples: int, generator: np.random.Generator
) -> dict[str, Any]:
    """P@1 and P@10 averaged over the phenotypes, over queries that have them all."""
    if not found:
        raise CohortError("no phenotype can be judged in the test split: nothing to retrieve")
    common = sorted(set.intersection(*(set(result.query_indices) for result in found.values())))
    if len(common) < 2:
        raise CohortError("fewer than two test patients have all phenotypes: no mean over them")
    precision = np.mean(
        [
            result.precision[np.isin(result.query_indices, common)][:, [KS.index(1), KS.index(10)]]
            for result in found.values()
        ],
        axis=0,
    )
    interval = bootstrap_interval(
        lambda rows: precision[rows].mean(axis=0),
        len(precision),
        generator=generator,
        num_resamples=num_resamples,
    )
    random = float(np.mean([result.random_precision.mean() for result in found.values()]))
    return {
        "p_at_1": _cell(interval, 0),
        "p_at_10": _cell(interval, 1),
        "random_p_at_1": random,
        "random_p_at_10": random,
    }


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
        "rank_correlation": _finite(measures.rank_correlation),
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


def _cell(interval: BootstrapInterval, index: int) -> dict[str, float]:
    return {
        "value": float(interval.estimate[index]),
        "low": float(interval.low[index]),
        "high": float(interval.high[index]),
    }


def _plain(values: Array) -> list[float | None]:
    return [_finite(float(value)) for value in values]


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
