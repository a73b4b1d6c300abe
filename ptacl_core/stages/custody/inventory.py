"""The closed inventory: what the store, the lineage, the audit log and runs refer to is there."""

import json
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptacl_core.cohort import Cohort, CohortDescription, CohortLayout
from ptacl_core.cohort.engine import connect_reader, read_every_row, readable_errors
from ptacl_core.cohort.health.defects import Defect
from ptacl_core.cohort.identity.lineage import (
    StageRecord,
    log_part,
    read_files,
    read_stages,
)
from ptacl_core.cohort.identity.lineage_file import lineage_file
from ptacl_core.cohort.identity.register import register_file
from ptacl_core.cohort.notes.notebook import Notes
from ptacl_core.documents.health import HEALTH_FILE
from ptacl_core.documents.model import DocumentError
from ptacl_core.errors import CohortError, ConfigError, PtaclError
from ptacl_core.ingest.register import REGISTERED_FILE
from ptacl_core.runs.choose import ALIGN, ECG_STAGES
from ptacl_core.runs.health import learned_stages
from ptacl_core.safety.files.atomic import write_json
from ptacl_core.safety.files.checksum import compute_sha256
from ptacl_core.safety.files.json_object import read_json_object
from ptacl_core.safety.files.lock import read_holder
from ptacl_core.train.metrics_log import METRICS_FILE, hash_stages

NUM_CHECKS = 10
_RESTORE = "restore it from a copy"
_ROOT_NAMES = {
    "cohort.toml", "cohort.duckdb", "manifest.json", "notes.duckdb", "identities.duckdb",
    "lineage.duckdb", "withdrawn.json", "shards", "runs", "index", "features", "exports",
    "erasures", "reports", "card.json", "card.md", "generation.json", "simulation.json",
    "demo.json",
}  # fmt: skip
_SHARD_FILES = {"ecg.npy", "cine.npy", "manifest.parquet", "rejected.parquet", "shard.json"}


@dataclass(frozen=True, slots=True)
class _StoredRun:
    run: str
    stage: str
    checkpoint_sha256: str | None
    config: Mapping[str, Any]
    has_predictions: bool
    predicts_targets: bool
    learned: Mapping[str, bool]
    evaluation: Mapping[str, Any] | None


def check_inventory(layout: CohortLayout) -> list[Defect]:
    """Every file that something refers to, present and the one that is meant."""
    defects = [
        *_check_description(layout),
        *_check_audited(layout),
        *_check_databases(layout),
    ]
    try:
        stages = read_stages(layout)
    except CohortError as error:
        stages = []
        defects.append(Defect("lineage", lineage_file(layout).name, str(error)))
    try:
        stored = _read_runs(layout)
    except CohortError:
        stored = []  # the checks of the store name what is wrong with it
    defects.extend(_check_recorded(layout, stages))
    defects.extend(_check_files(layout))
    for run in stored:
        defects.extend(_check_stored_run(layout, run))
    for folder in _run_folders(layout):
        defects.extend(_check_log(folder))
    return defects


def find_orphans(layout: CohortLayout) -> list[str]:
    """What lies in the cohort and belongs to nothing that is known; no defect."""
    orphans = [
        path.name
        for path in sorted(layout.root.iterdir())
        if path.name not in _ROOT_NAMES and not path.name.startswith(".")
    ]
    shards = sorted(layout.shards.glob("*/*")) if layout.shards.is_dir() else []
    orphans += [
        str(path.relative_to(layout.root))
        for path in shards
        if path.name not in _SHARD_FILES and not path.name.startswith(".")
    ]
    return orphans


def repair_inventory(layout: CohortLayout) -> None:
    """Write evaluations that the store holds and their runs lack."""
    for run in _read_runs(layout):
        if run.evaluation is not None and (layout.runs / run.run).is_dir():
            path = _evaluation_file(layout, run.run)
            if not _holds(path, run.evaluation):
                write_json(path, run.evaluation)


def _read_runs(layout: CohortLayout) -> list[_StoredRun]:
    with Cohort.open(layout.root) as cohort:
        predicted = {row[0] for row in cohort.fetch("SELECT DISTINCT run FROM predictions")}
        targeted = {
            row[0]
            for row in cohort.fetch(
                "SELECT DISTINCT run FROM predictions WHERE name IN (SELECT name FROM targets)"
            )
        }
        verdicts = cohort.fetch(
            "SELECT run, variant, value > 0 FROM evaluation_results "
            "WHERE section = 'health' AND metric = 'learned'"
        )
        return [
            _StoredRun(
                run_of_store.run,
                str(run_of_store.kind) if run_of_store.kind in ECG_STAGES else ALIGN,
                run_of_store.checkpoint_sha256,
                json.loads(run_of_store.config_json or "{}"),
                run_of_store.run in predicted,
                run_of_store.run in targeted,
                {stage: bool(value) for run, stage, value in verdicts if run == run_of_store.run},
                cohort.evaluation_document(run_of_store.run),
            )
            for run_of_store in cohort.runs()
        ]


def _check_description(layout: CohortLayout) -> Iterator[Defect]:
    """`cohort.toml` is this cohort's: what was written beside it says the same."""
    description = CohortDescription.read(layout)
    own = {"cohort_id": description.cohort_id, "key_fingerprint": description.key_fingerprint}
    for file in (layout.shards / REGISTERED_FILE, register_file(layout)):
        written = read_json_object(file) or {}
        names = [
            name
            for name, value in own.items()
            if name in written and written[name] not in (value, None)
        ]
        if names:
            place = layout.description.name
            message = (
                f"it says another {names[0]} than {file.relative_to(layout.root)}; one of them is "
                f"another cohort's: {_RESTORE}"
            )
            yield Defect("foreign_description", place, message)
            return


def _check_databases(layout: CohortLayout) -> Iterator[Defect]:
    """Every block of the databases beside the store can be read: the engine keeps sums of them."""
    for file in (layout.notes, layout.identities, lineage_file(layout)):
        if not file.exists() or not os.access(file, os.R_OK):
            continue
        try:
            connection = connect_reader(str(file), label=file)
            try:
                with readable_errors(file):
                    read_every_row(connection)
            finally:
                connection.close()
        except CohortError as error:
            yield Defect("database", file.name, f"{error}; {_RESTORE}")


def _check_audited(layout: CohortLayout) -> Iterator[Defect]:
    """Files that the audit log says were written: identities, lineage, register, certificates."""
    notes = Notes(layout, CohortDescription.read(layout).cohort_id)
    try:
        entries = notes.audit_log()
    except CohortError:
        return  # the checks of the notes name what is wrong with them
    actions = {entry.action for entry in entries}
    for action, file in (("identities", layout.identities), ("lineage", lineage_file(layout))):
        if action in actions and not file.exists():
            message = f"it was written here, and is not there any more; {_RESTORE}"
            yield Defect(f"{action}_missing", file.name, message)
    registers = [entry.details for entry in entries if entry.action == "withdraw" and entry.details]
    if registers:
        expected = registers[-1].get("register_sha256")
        yield from _compare(layout, register_file(layout), expected, code="register")
    for entry in entries:
        if entry.action == "certificate" and entry.details:
            path = layout.erasures / str(entry.details.get("file", ""))
            yield from _compare(layout, path, entry.details.get("sha256"), code="certificate")


def _compare(layout: CohortLayout, path: Path, sha256: Any, *, code: str) -> Iterator[Defect]:
    place = str(path.relative_to(layout.root))
    if not path.is_file():
        yield Defect(f"{code}_missing", place, f"the audit log names it; {_RESTORE}")
    elif not os.access(path, os.R_OK):
        yield Defect(f"{code}_closed", place, "it cannot be read with the rights of this user")
    elif compute_sha256(path) != sha256:
        yield Defect(f"{code}_changed", place, f"it is not what was written; {_RESTORE}")


def _check_recorded(layout: CohortLayout, stages: list[StageRecord]) -> Iterator[Defect]:
    """Final weights of every stage that ended are those that it ended with."""
    for stage in stages:
        if stage.weights_sha256 is None:
            continue
        folder = layout.runs / stage.run / "checkpoints" / stage.stage / "final"
        if read_holder(layout.runs / stage.run / "trainer.lock") is not None:
            continue  # a training writes here
        yield from _check_weights(layout, folder, stage.weights_sha256, "the lineage")


def _check_files(layout: CohortLayout) -> Iterator[Defect]:
    """Verdicts and logs of runs are those that were recorded when they were written."""
    try:
        recorded = read_files(layout)
    except CohortError:
        return  # the check of the stages names what is wrong with the lineage
    for run, parts in recorded.items():
        folder = layout.runs / run
        if not folder.is_dir() or read_holder(folder / "trainer.lock") is not None:
            continue  # the store says whether it has to be there; a training writes here
        verdicts = parts.pop(HEALTH_FILE, None)
        if verdicts and _hash_file(folder / HEALTH_FILE) not in verdicts:
            message = f"not what the lineage recorded; `ptacl evaluate --run {run}` makes it anew"
            yield Defect("health_changed", f"runs/{run}/{HEALTH_FILE}", message)
        if parts and not _holds_lines(folder / METRICS_FILE, parts):
            message = f"its lines are not those that the lineage recorded; {_RESTORE}"
            yield Defect("log_changed", f"runs/{run}/{METRICS_FILE}", message)


def _hash_file(path: Path) -> str | None:
    try:
        return compute_sha256(path)
    except OSError:
        return None


def _holds_lines(log: Path, recorded: Mapping[str, Collection[str]]) -> bool:
    """Whether the lines of every recorded stage are the ones that it ended with."""
    try:
        hashes = {log_part(stage): sha256 for stage, sha256 in hash_stages(log).items()}
    except (OSError, ValueError):
        return False
    return all(hashes.get(part) in known for part, known in recorded.items())


def _check_weights(
    layout: CohortLayout, folder: Path, sha256: str, source: str
) -> Iterator[Defect]:
    place = str(folder.relative_to(layout.root))
    weights_hash = _read_weights_hash(folder)
    if weights_hash is None:
        message = f"{source} names these weights, and they are not there; {_RESTORE}"
        yield Defect("checkpoint_missing", place, message)
    elif weights_hash != sha256:
        message = f"these are not the weights that {source} names: another training's; {_RESTORE}"
        yield Defect("foreign_checkpoint", place, message)


def _read_weights_hash(folder: Path) -> str | None:
    """What the checkpoint says of its weights; None when there is none to be read."""
    if not (folder / "weights.safetensors").is_file():
        return None
    document: Any = read_json_object(folder / "checkpoint.json")
    try:
        return str(document["document"]["files"]["weights.safetensors"]["sha256"])
    except (KeyError, TypeError):
        return None


def _check_stored_run(layout: CohortLayout, run: _StoredRun) -> Iterator[Defect]:
    folder = layout.runs / run.run
    place = f"runs/{run.run}"
    if run.checkpoint_sha256 is None:
        return  # of before the store named weights
    if not folder.is_dir():
        message = f"the store holds results of this run, and its folder is not there; {_RESTORE}"
        yield Defect("run_missing", place, message)
        return
    final = folder / "checkpoints" / run.stage / "final"
    yield from _check_weights(layout, final, run.checkpoint_sha256, "the store")
    yield from _check_config(folder, place, run.config)
    if run.has_predictions:
        document = read_json_object(folder / "readout" / "readout.json")
        again = f"`ptacl embed COHORT --run {run.run}` makes it anew"
        if document is None or not (folder / "readout" / "readout.safetensors").is_file():
            message = f"the store holds predictions, and the read-out is not there; {again}"
            yield Defect("readout_missing", f"{place}/readout", message)
        elif document.get("checkpoint_sha256") != run.checkpoint_sha256:
            message = f"it was made for other weights than the store names; {again}"
            yield Defect("foreign_readout", f"{place}/readout", message)
        names = ("targets.json", "targets.safetensors")
        if run.predicts_targets and not all((folder / "readout" / n).is_file() for n in names):
            message = f"the store holds predictions of targets, and what made them is gone; {again}"
            yield Defect("readout_missing", f"{place}/readout", message)
    if run.learned:
        yield from _check_health(folder, place, run.learned)
    if run.evaluation is not None and not _holds(_evaluation_file(layout, run.run), run.evaluation):
        message = "it is not the evaluation that the store holds"
        file = f"{place}/evaluation/evaluation.json"
        yield Defect("evaluation", file, message, is_repairable=True)


def _check_health(folder: Path, place: str, learned: Mapping[str, bool]) -> Iterator[Defect]:
    """The verdicts of the run are there, and those that the store has."""
    again = f"`ptacl evaluate COHORT --run {folder.name}` makes it anew"
    try:
        remeasured = learned_stages(folder)
    except DocumentError as error:
        yield Defect("health", f"{place}/health.json", f"{error}; {again}")
        return
    if any(remeasured.get(stage) != value for stage, value in learned.items()):
        message = f"it does not have the verdicts that the store has; {again}"
        yield Defect("health", f"{place}/health.json", message)


def _check_config(folder: Path, place: str, config: Mapping[str, Any]) -> Iterator[Defect]:
    from ptacl_core.runs.folder import load_run_config

    try:
        settings = load_run_config(folder).model_dump(mode="json")
    except (ConfigError, PtaclError) as error:
        yield Defect("run_config", f"{place}/config.toml", str(error))
        return
    if _differs(
        {**settings, "device": None, "notes": None}, {**config, "device": None, "notes": None}
    ):
        message = f"these are not the settings that the store names; {_RESTORE}"
        yield Defect("run_config", f"{place}/config.toml", message)


def _differs(measured: Any, stored: Any) -> bool:
    """Whether two settings say different things where both say something.

    What a later version of the software added to one of them is not a difference.
    """
    if isinstance(measured, dict) and isinstance(stored, dict):
        return any(
            _differs(measured[name], stored[name]) for name in measured.keys() & stored.keys()
        )
    return measured != stored


def _run_folders(layout: CohortLayout) -> list[Path]:
    if not layout.runs.is_dir():
        return []
    return [path for path in sorted(layout.runs.iterdir()) if path.is_dir()]


def _check_log(folder: Path) -> Iterator[Defect]:
    """The log of a run reaches to the end of every stage that is finished."""
    finals = sorted(folder.glob("checkpoints/*/final/checkpoint.json"))
    if not finals or read_holder(folder / "trainer.lock") is not None:
        return
    place = f"runs/{folder.name}/metrics.jsonl"
    try:
        text = (folder / "metrics.jsonl").read_text(encoding="utf-8")
        lines = [json.loads(line) for line in text.splitlines() if line]
        is_whole = text.endswith("\n")
        steps: dict[str, list[int]] = {}
        for line in lines:
            steps.setdefault(str(line["stage"]), []).append(int(line["step"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        yield Defect("log_truncated", place, f"cannot be read ({type(error).__name__})")
        return
    short = [path.parents[1].name for path in finals if not _reaches_end(path, steps)]
    if short or not is_whole:
        where = f" of {', '.join(short)}" if short else ""
        yield Defect("log_truncated", place, f"its end{where} is missing; {_RESTORE}")


def _reaches_end(final: Path, steps: Mapping[str, list[int]]) -> bool:
    """Whether the last step logged is not further from the end than steps are from another."""
    document: Any = read_json_object(final)
    try:
        last = int(document["document"]["position"]["step"])
    except (KeyError, TypeError):
        return True  # the check of the checkpoint names what is wrong with it
    logged = sorted(set(steps.get(final.parents[1].name, [])))
    if not logged:
        return last == 0
    gaps = [after - before for before, after in zip([0, *logged], logged, strict=False)]
    return last - logged[-1] < max(gaps)


def _evaluation_file(layout: CohortLayout, run: str) -> Path:
    return layout.runs / run / "evaluation" / "evaluation.json"


def _holds(path: Path, document: Mapping[str, Any]) -> bool:
    return read_json_object(path) == json.loads(json.dumps(document))
