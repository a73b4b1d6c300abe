"""One run on disk: its folder, its lock, its settings, and what its stages share."""

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w
import torch

from ptacl_core.checkpoint import CheckpointFolder
from ptacl_core.config.training import RunSettings
from ptacl_core.errors import ConfigError
from ptacl_core.json_values import JsonObject
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.runs.lineage import STOP_FILE, check_may_train
from ptacl_core.runs.vectors import open_reader
from ptacl_core.safety.files.atomic import close_folder, write_text
from ptacl_core.safety.files.lock import hold_lock
from ptacl_core.shards import ShardReader
from ptacl_core.train.distributed import World, join_world, wait_for_all
from ptacl_core.train.interruption import StopRequest, watch_signals
from ptacl_core.train.metrics_log import METRICS_FILE, MetricsLog
from ptacl_core.train.precision import resolve_device

CONFIG_FILE = "config.toml"
LOCK_FILE = "trainer.lock"


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """A run that this process trains, with everything that its stages need."""

    name: str
    directory: Path
    settings: RunSettings
    reader: ShardReader
    device: torch.device
    world: World
    progress: ProgressSink
    stop: StopRequest
    memory_share: float = 1.0
    """Part of the device's free memory that this run may take for recordings."""

    @property
    def cohort_dir(self) -> Path:
        """The cohort that the run belongs to."""
        return self.directory.parent.parent

    @property
    def metrics(self) -> MetricsLog:
        """The run's metrics.jsonl."""
        return MetricsLog(self.directory / METRICS_FILE)

    def checkpoints(self, stage: str) -> CheckpointFolder:
        """Checkpoints of one stage of this run."""
        return CheckpointFolder(self.directory / "checkpoints" / stage, progress=self.progress)


@contextmanager
def open_training_run(
    cohort_dir: Path,
    settings: RunSettings,
    *,
    run_name: str | None,
    progress: ProgressSink,
    memory_share: float = 1.0,
) -> Iterator[TrainingRun]:
    """Create or reopen `<cohort>/runs/<run>` and hold its lock while the block runs.

    The first process of a distributed training holds the lock and writes; the others are
    silent. Raises ConfigError when the run exists with other settings, CohortLockedError when
    another trainer works on it, ShardError when the cohort has no shards.
    """
    name = run_name or settings.name
    RunSettings.from_mapping({"name": name}, source=f"run name '{name}'")
    device_type = "cuda" if settings.device != "cpu" and torch.cuda.is_available() else "cpu"
    with join_world(device_type) as world, open_reader(cohort_dir, settings) as reader:
        device = resolve_device(settings.device, local_rank=world.local_rank)
        directory = cohort_dir / "runs" / name
        with watch_signals() as stop, _hold_run(directory, world):
            if world.is_first:
                close_folder(directory)
                store_settings(directory, settings)
                check_may_train(cohort_dir, name, reader, progress)
                stop.file = directory / STOP_FILE
            wait_for_all()
            yield TrainingRun(
                name=name,
                directory=directory,
                settings=settings,
                reader=reader,
                device=device,
                world=world,
                progress=progress if world.is_first else SILENT,
                stop=stop,
                memory_share=memory_share,
            )


def store_settings(directory: Path, settings: RunSettings) -> None:
    """Write config.toml, or check that the one there says the same.

    Raises ConfigError that names the keys which differ.
    """
    path = directory / CONFIG_FILE
    values = settings.model_dump(mode="json", exclude_none=True)
    if not path.exists():
        write_text(path, tomli_w.dumps(values))
        return
    stored = load_run_config(directory).model_dump(mode="json", exclude_none=True)
    differing = [
        f"{key} ({_show(stored, key)} there, {_show(values, key)} now)"
        for key in sorted(_flat_keys(stored) | _flat_keys(values))
        if key not in _MAY_DIFFER
        and not key.startswith("health.")
        and _get(stored, key) != _get(values, key)
    ]
    if differing:
        raise ConfigError(
            f"run {directory.name} exists with other settings: {'; '.join(differing[:5])}; "
            "give the run another name, or the settings it was started with"
        )


def load_run_config(directory: Path) -> RunSettings:
    """The resolved settings of a run. Raises ConfigError."""
    path = directory / CONFIG_FILE
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(
            f"run {directory.name}: {CONFIG_FILE} cannot be read ({error}); "
            "restore it, or train under another name"
        ) from None
    return RunSettings.from_mapping(values, source=f"run {directory.name}, {CONFIG_FILE}")


_MAY_DIFFER = {
    "device",
    "data.memory_budget_gib",
    "data.prefetch_batches",
    "compute.rows_per_piece",
    "compute.recompute_blocks",
    "compute.compile",
    "notes",
}
"""Keys that change where and how fast a run computes, not what."""


@contextmanager
def _hold_run(directory: Path, world: World) -> Iterator[None]:
    if world.is_first:
        with hold_lock(directory / LOCK_FILE, purpose="training"):
            yield
    else:
        yield


def _flat_keys(values: JsonObject, prefix: str = "") -> set[str]:
    keys: set[str] = set()
    for key, value in values.items():
        if isinstance(value, dict):
            keys |= _flat_keys(value, f"{prefix}{key}.")
        else:
            keys.add(f"{prefix}{key}")
    return keys


def _get(values: Any, key: str) -> Any:
    for part in key.split("."):
        if not isinstance(values, dict) or part not in values:
            return None
        values = values[part]
    return values


def _show(values: JsonObject, key: str) -> str:
    value = _get(values, key)
    return "unset" if value is None else repr(value)
