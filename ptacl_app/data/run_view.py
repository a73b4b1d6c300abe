"""A run's evaluation document → tables of text for the runs screen. Pure."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ptacl_app.data.patient_view import Prediction, RunTable, RunView
from ptacl_app.text.formatting import (
    MISSING,
    PHENOTYPE_LABELS,
    format_interval,
    format_prediction,
    format_quantity,
    safe,
)
from ptacl_core.arrays import Array, Float32
from ptacl_core.cohort import Run
from ptacl_core.records import PHENOTYPE_NAMES, PHENOTYPE_UNITS

NUM_STEPS = 13


def build_run_view(run: Run, document: Mapping[str, Any] | None) -> RunView:
    """Everything that the screen shows of one run; without an evaluation, its provenance."""
    evaluation = document or {}
    alignment_map, alignment = read_alignment(document)
    return RunView(
        run=safe(run.run, max_length=60),
        kind=safe(run.kind or "", max_length=40),
        created=safe(f"{run.created_at:%Y-%m-%d %H:%M}"),
        provenance=(
            ("weights", _shorten(run.checkpoint_sha256)),
            ("data", _shorten(run.data_sha256)),
            ("preprocessing", _shorten(run.preprocessing_hash)),
            ("code", safe(run.code_version or MISSING, max_length=20)),
            ("seed", MISSING if run.seed is None else str(run.seed)),
            *_tell_withdrawals(run),
        ),
        tables=(
            *_build_regression(_list_models(evaluation)),
            *_build_targets(_mapping(evaluation.get("targets"))),
            *_build_retrieval(_mapping(evaluation.get("retrieval"))),
        ),
        alignment_map=alignment_map,
        alignment=alignment,
    )


def _tell_withdrawals(run: Run) -> tuple[tuple[str, str], ...]:
    """The mark of a run that was trained with people who withdrew since."""
    if not run.withdrawn_people:
        return ()
    return (("withdrawn", f"{run.withdrawn_people} of its training, or may be: train anew"),)


def read_alignment(
    document: Mapping[str, Any] | None,
) -> tuple[Float32[Array, "13 13"] | None, Mapping[str, float]]:
    """The mean similarity of ECG and CMR steps over the test patients, and its figures."""
    alignment = _mapping((document or {}).get("alignment"))
    figures = {
        key: float(value)
        for key, value in alignment.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    return _read_map(alignment.get("map")), figures


def build_patient_table(
    by_run: Mapping[str, Mapping[str, Prediction]], measured: Mapping[str, float]
) -> RunTable:
    """One patient's phenotypes: a column per run with interval, then what CMR measured."""
    rows = []
    for name in PHENOTYPE_NAMES:
        unit = PHENOTYPE_UNITS[name]
        cells = []
        for values in by_run.values():
            prediction = values.get(name)
            shown = MISSING
            if prediction is not None:
                interval = format_interval(prediction.low, prediction.high, unit)
                shown = f"{format_prediction(prediction.value, unit)} [{interval}]"
            cells.append(shown)
        rows.append((PHENOTYPE_LABELS[name], *cells, format_quantity(measured.get(name), unit)))
    headings = ("", *(safe(run, max_length=24) for run in by_run), "CMR")
    return RunTable("this patient, predicted [interval] by every run", headings, tuple(rows))


def _list_models(document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Models by the name to show: the rows of Table 2, else one per modality."""
    models: dict[str, Mapping[str, Any]] = {}
    rows = document.get("rows")
    for row in rows if isinstance(rows, list) else ():
        entry = _mapping(row)
        modality = str(entry.get("modality", ""))
        suffix = "" if modality == "covariates" else f" {modality.upper()}"
        models[f"{entry.get('name', '?')}{suffix}".strip()] = _mapping(entry.get("phenotypes"))
    if not models:
        regression = _mapping(document.get("regression"))
        models = {str(name): _mapping(figures) for name, figures in regression.items()}
    return models


def _build_regression(models: Mapping[str, Mapping[str, Any]]) -> list[RunTable]:
    if not models:
        return []
    rows = [("mean", *(_describe_mean(values) for values in models.values()))]
    rows += [
        (
            PHENOTYPE_LABELS[name],
            *(_describe_r2(_mapping(values.get(name))) for values in models.values()),
        )
        for name in PHENOTYPE_NAMES
    ]
    headings = ("R²", *(safe(name, max_length=24) for name in models))
    return [RunTable("R² on held-out patients [interval], by model", headings, tuple(rows))]


def _describe_mean(values: Mapping[str, Any]) -> str:
    r2_values = [_mapping(values.get(name)).get("r2") for name in PHENOTYPE_NAMES]
    finite = [float(r2) for r2 in r2_values if isinstance(r2, int | float)]
    return f"{np.mean(finite):.3f}" if finite else MISSING


def _describe_r2(entry: Mapping[str, Any]) -> str:
    value, low, high = (entry.get(key) for key in ("r2", "low", "high"))
    if not isinstance(value, int | float):
        return MISSING
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        return f"{value:.2f}"
    return f"{value:.2f} [{low:.2f} {high:.2f}]"


def _build_targets(targets: Mapping[str, Any]) -> list[RunTable]:
    """The cohort's own targets: R² or AUC beside sex and age, coverage or calibration slope."""
    rows = []
    for name, value in targets.items():
        entry = _mapping(value)
        is_binary = entry.get("kind") == "binary"
        main = _mapping(entry.get("auc" if is_binary else "r2"))
        reliable = _mapping(entry.get("slope" if is_binary else "coverage"))
        label = "slope" if is_binary else "inside"
        spread = {"r2": reliable.get("value", reliable.get("share")), **reliable}
        rows.append(
            (
                safe(name, max_length=40),
                str(entry.get("n", MISSING)),
                f"{'AUC' if is_binary else 'R²'} {_describe_bounded(main)}"
                if main
                else safe(entry.get("why") or MISSING, max_length=60),
                _describe_bounded(_mapping(entry.get("baseline"))),
                f"{label} {_describe_r2(spread)}" if reliable else MISSING,
            )
        )
    if not rows:
        return []
    headings = ("", "n", "from the ECG", "sex and age", "interval, calibration")
    return [RunTable("Targets of the cohort on held-out people", headings, tuple(rows))]


def _describe_bounded(figure: Mapping[str, Any]) -> str:
    return _describe_r2({"r2": figure.get("value"), **figure})


def _build_retrieval(retrieval: Mapping[str, Any]) -> list[RunTable]:
    tables = []
    for variant, directions in retrieval.items():
        by_phenotype = {
            name: entry
            for name in PHENOTYPE_NAMES
            for entry in (_mapping(_mapping(directions).get(name)),)
            if entry
        }
        metrics = list(
            dict.fromkeys(
                key
                for entry in by_phenotype.values()
                for key, value in entry.items()
                if isinstance(value, int | float)
            )
        )
        if not metrics:
            continue
        rows = tuple(
            (
                PHENOTYPE_LABELS[name],
                *(_describe_figure(entry.get(metric)) for metric in metrics),
            )
            for name, entry in by_phenotype.items()
        )
        headings = ("", *(_name_metric(metric) for metric in metrics))
        title = f"Retrieval ECG → CMR, the patient's own CMR {safe(variant, max_length=20)}"
        tables.append(RunTable(title, headings, rows))
    return tables


def _name_metric(metric: str) -> str:
    text = safe(metric, max_length=20).replace("p_at_", "P@").replace("_", " ")
    return text.replace("median rank", "MdR").replace("mean rank", "MnR")


def _describe_figure(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return MISSING
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _read_map(value: object) -> Float32[Array, "13 13"] | None:
    try:
        similarity_map = np.asarray(value, np.float32)
    except (TypeError, ValueError):
        return None
    return similarity_map if similarity_map.shape == (NUM_STEPS, NUM_STEPS) else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _shorten(digest: str | None) -> str:
    return MISSING if not digest else safe(digest, max_length=80)[:12]
