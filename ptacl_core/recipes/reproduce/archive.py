"""Finished runs of simulated patients as small files, from which a fresh clone goes on.

    <archive>/<run>.zip
        run.json        who made it (software, settings, patients), the texts of the run's folder
                        (settings, health, evaluation, documents of checkpoints and rows), and
                        the scale of each row's predictions
        rows/<row>/     predictions, whole steps of 1/64 of the phenotype's standard deviation
                        (1/16 by number of labels): [patient, phenotype]
        steps.npy       figures of the local alignment, patient by patient
        retrieval.npy   hits among the first k of every query, 255 for none to count

No weights: a run that another one starts from is trained again where the other is not archived.
Predictions stand patient by patient, so that only simulated patients are ever archived.
"""

import io
import json
import tomllib
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np

from ptacl_core.arrays import Array, Float64
from ptacl_core.cohort import Cohort
from ptacl_core.config.training import RunSettings
from ptacl_core.embedding.patients import load_split
from ptacl_core.errors import CohortError, ConfigError
from ptacl_core.json_values import JsonObject
from ptacl_core.recipes.reproduce.hits import HITS_FILE, read_hits
from ptacl_core.recipes.reproduce.step_result import StepResult
from ptacl_core.safety.files.atomic import atomic_path, write_text
from ptacl_core.shards import ShardReader
from ptacl_core.stages.evaluate.measure_row import (
    RowName,
    list_rows,
    read_row,
    write_row,
)
from ptacl_core.stages.evaluate.steps.outcomes import (
    FOLDER,
    NAME,
    has_outcomes,
    load_outcomes,
)

FindRun = Callable[[str], Path]
"""Name of a run → the folder that holds what it came to, trained here or archived."""

FINE_STEP = 1 / 64
COARSE_STEP = 1 / 16
"""In standard deviations of the phenotype; rounding to the coarse one adds 0.0003 of variance."""
VERSION = 1
_TEXTS = (
    "config.toml", "health.json", "reproduce.json", "evaluation/evaluation.json",
    "checkpoints/*/final/checkpoint.json",
)  # fmt: skip
_WHEN = (2026, 1, 1, 0, 0, 0)
"""Time of every member, so that the same run gives the same bytes."""


class RowScale(TypedDict):
    """What brings rounded predictions back: names of the arrays, steps by name, scale."""

    names: list[str]
    steps: dict[str, float]
    mean: list[float]
    sd: list[float]


class ArchivedRow(RowScale):
    """A row as run.json has it: its document, and the scale of its predictions."""

    document: JsonObject


def check_simulated(cohort_dir: Path) -> None:
    """Raise CohortError unless every patient of the cohort is simulated."""
    with Cohort.open(cohort_dir) as cohort:
        source = cohort.description.source
    if source != "simulated":
        raise CohortError(
            "--archive: it holds predictions patient by patient, so only those of simulated "
            f"patients; the patients of {cohort_dir.name} come from {source}"
        )


@dataclass(frozen=True, slots=True)
class Archive:
    """The archive of one size on one cohort; restored runs lie in `restored`."""

    folder: Path
    cohort_dir: Path
    restored: Path

    def save(self, run: str, identity: Mapping[str, str]) -> None:
        """Put a finished run of the cohort into the archive. Raises CohortError, OSError."""
        run_dir = self.cohort_dir / "runs" / run
        members: dict[str, Array] = {}
        rows: dict[str, ArchivedRow] = {}
        for row in list_rows(self.cohort_dir, run):
            document, arrays = read_row(self.cohort_dir, run, row)
            packed_rows, scale = _round(arrays)
            rows[row] = {"document": document, **scale}
            members |= {f"rows/{row}/{name}.npy": values for name, values in packed_rows.items()}
        with Cohort.open(self.cohort_dir) as cohort:
            hits = read_hits(cohort, run)
        if hits is not None:
            members["retrieval.npy"] = hits.counts()
        if has_outcomes(self.cohort_dir, run):
            members["steps.npy"] = load_outcomes(self.cohort_dir, run).astype(np.float32)
        texts = {
            str(path.relative_to(run_dir)): path.read_text(encoding="utf-8")
            for pattern in _TEXTS
            for path in sorted(run_dir.glob(pattern))
        }
        head = {"version": VERSION, "identity": dict(identity), "texts": texts, "rows": rows}
        self.folder.mkdir(parents=True, exist_ok=True)
        with (
            atomic_path(self.folder / f"{run}.zip") as temporary,
            zipfile.ZipFile(temporary, "w") as packed,
        ):
            packed.writestr(_member("run.json"), json.dumps(head, sort_keys=True))
            for name, values in members.items():
                stream = io.BytesIO()
                np.save(stream, values, allow_pickle=False)
                packed.writestr(_member(name), stream.getvalue())

    def has(
        self, run: str, settings: RunSettings, *, patients_hash: str, steps: Iterable[str]
    ) -> bool:
        """Whether the archive has the run with all `steps`, of these settings and patients.

        The settings are compared, not their hash: one that came later counts as its default.
        Raises CohortError of a file that cannot be read.
        """
        try:
            with zipfile.ZipFile(self.folder / f"{run}.zip") as packed:
                head = json.loads(packed.read("run.json"))
        except FileNotFoundError:
            return False
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise CohortError(
                f"--archive: {run}.zip cannot be read ({type(error).__name__}); remove it, and "
                "the run is made again"
            ) from None
        if head.get("version") != VERSION or head["identity"]["patients_hash"] != patients_hash:
            return False
        stored = tomllib.loads(head["texts"]["config.toml"])
        try:
            known = RunSettings.from_mapping(stored, source=f"{run}.zip")
        except ConfigError:  # settings that this version does not have any more
            return False
        if _compared(known) != _compared(settings):
            return False
        return json.loads(head["texts"]["reproduce.json"])["steps"].keys() >= set(steps)

    def restore(self, run: str) -> Path:
        """Unpack a run that the archive has; returns its folder. Raises CohortError."""
        folder = self.restored / run
        with ShardReader.open(self.cohort_dir) as reader:
            test = load_split(reader, "test")
            patients = [(reader.patients[row], reader.visits[row]) for row in test.rows]
        with zipfile.ZipFile(self.folder / f"{run}.zip") as packed:
            head = json.loads(packed.read("run.json"))
            arrays = {
                name: np.load(io.BytesIO(packed.read(name)), allow_pickle=False)
                for name in packed.namelist()
                if name.endswith(".npy")
            }
        for name, text in head["texts"].items():
            path = (folder / name).resolve()
            if not path.is_relative_to(folder.resolve()):
                raise CohortError(f"--archive: {run}.zip names a file outside of the run's folder")
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, text)
        for row, stored in head["rows"].items():
            values = {
                name: _restore(arrays[f"rows/{row}/{name}.npy"], stored, name)
                for name in stored["names"]
            }
            if values["predicted"].shape != test.phenotypes.shape:
                raise CohortError(
                    f"--archive: {run}.zip has other test patients than {self.cohort_dir.name}"
                )
            values |= {"rows": test.rows, "observed": test.phenotypes}
            write_row(self.cohort_dir, stored["document"], values)
        if "steps.npy" in arrays:
            document: RowName = {
                "row": NAME,
                "run": run,
                "patients_hash": head["identity"]["patients_hash"],
            }
            outcomes = {"rows": test.rows, "outcomes": arrays["steps.npy"].astype(np.float64)}
            write_row(self.cohort_dir, document, outcomes, folder=FOLDER)
        if "retrieval.npy" in arrays:
            np.savez(
                folder / HITS_FILE,
                patient=np.asarray([name for name, _ in patients]),
                visit=np.asarray([visit for _, visit in patients]),
                counts=arrays["retrieval.npy"],
            )
        return folder

    def steps(self, run: str) -> dict[str, StepResult]:
        """What each step of a restored run came to."""
        document = json.loads((self.restored / run / "reproduce.json").read_text())
        return document["steps"]


def choose_restored(
    archived: Mapping[tuple[int, str], bool],
    takes: Mapping[str, tuple[str, ...]],
) -> frozenset[tuple[int, str]]:
    """(seed, run) that need not be made: archived, and no run to be made starts from it.

    `archived` says of every planned run whether it is there, `takes` from which it starts.
    """
    needed = {
        (seed, source)
        for (seed, key), is_there in archived.items()
        if not is_there
        for source in _sources(key, takes)
    }
    return frozenset(
        place for place, is_there in archived.items() if is_there and place not in needed
    )


def _sources(key: str, takes: Mapping[str, tuple[str, ...]]) -> set[str]:
    direct = set(takes[key])
    return direct.union(*(_sources(source, takes) for source in direct))


def _round(arrays: Mapping[str, Array]) -> tuple[dict[str, Array], RowScale]:
    """Predictions as whole steps, and what brings them back."""
    observed = arrays["observed"]
    mean, sd = np.nanmean(observed, axis=0), np.nanstd(observed, axis=0)
    sd = np.where(sd > 0, sd, 1.0)
    rounded: dict[str, Array] = {}
    steps: dict[str, float] = {}
    for name, values in arrays.items():
        if name not in ("rows", "observed"):
            steps[name] = COARSE_STEP if values.ndim == 3 else FINE_STEP
            whole = np.rint((values - mean) / (sd * steps[name]))
            rounded[name] = np.clip(whole, -32768, 32767).astype(np.int16)
    names = list(rounded)
    return rounded, {"names": names, "steps": steps, "mean": mean.tolist(), "sd": sd.tolist()}


def _restore(rounded: Array, stored: RowScale, name: str) -> Float64[Array, "... target"]:
    mean, sd = np.asarray(stored["mean"]), np.asarray(stored["sd"])
    return mean + rounded * (sd * stored["steps"][name])


def _compared(settings: RunSettings) -> RunSettings:
    """The settings without what changes no figure."""
    return settings.model_copy(update={"device": "auto", "notes": ""})


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, _WHEN)
    member.compress_type = zipfile.ZIP_LZMA
    return member
