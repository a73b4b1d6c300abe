"""Every row of both tables, seed by seed, and one report; goes on where it was stopped.

Each run is trained (its checkpoints resume within a stage), each row measured, the aligned
runs evaluated; what is finished stands in the run's folder and is not done again.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from ptacl_core import __version__
from ptacl_core.arrays import Modality
from ptacl_core.config.reproduction import (
    Method,
    ReproductionPlan,
    ReproductionSize,
    load_plan,
    load_size,
    name_run,
    plan_run,
)
from ptacl_core.config.training import RunSettings
from ptacl_core.documents.reproduction import ReproductionDocument
from ptacl_core.errors import ConfigError
from ptacl_core.json_values import JsonObject
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.recipes.finished_steps import FinishedSteps
from ptacl_core.recipes.reproduce.archive import Archive, check_simulated, choose_restored
from ptacl_core.recipes.reproduce.document import ReproductionCall, summarise
from ptacl_core.recipes.reproduce.step_result import StepResult
from ptacl_core.report.reproduction import write_report
from ptacl_core.runs.folder import store_settings
from ptacl_core.safety.files.lock import hold_lock
from ptacl_core.safety.processes.pool import open_process_pool
from ptacl_core.shards import ShardReader
from ptacl_core.stages.embed import run as embed
from ptacl_core.stages.evaluate import measure_row, model_card
from ptacl_core.stages.evaluate import run as evaluate
from ptacl_core.stages.evaluate.measure_row import hash_patients
from ptacl_core.stages.evaluate.steps.outcomes import has_outcomes
from ptacl_core.stages.train import run as train

STEPS_FILE = "reproduce.json"
"""In a run's folder: what of it is finished, and how long each step took."""


@dataclass(frozen=True, slots=True)
class ReproductionSummary:
    """The report's document and where its three files lie."""

    document: ReproductionDocument
    folder: Path

    def as_dict(self) -> JsonObject:
        """The JSON document."""
        return {
            **self.document.as_dict(),
            "files": [str(self.folder / name) for name in ("report.html", "report.md")],
        }


def run(
    cohort_dir: Path,
    *,
    rows: Sequence[str] | None = None,
    num_seeds: int = 1,
    size: str = "demo",
    out: Path | None = None,
    device: str = "auto",
    num_resamples: int = 2000,
    num_jobs: int = 1,
    archive: Path | None = None,
    progress: ProgressSink = SILENT,
) -> ReproductionSummary:
    """Train and measure `rows` (None: all) with seeds 0 … `num_seeds` - 1, and report.

    The report goes to `out`, or to reports/reproduce-<size> in the cohort. `num_jobs` runs are
    trained and measured side by side, each in a process of one thread, on one GPU or each on
    the next of several; the figures are those of one job with one thread. `archive` is a folder
    of finished runs of simulated patients: what it has is not trained again, and what is
    finished here goes there. Raises ConfigError for an unknown row, CohortError for an archive
    of people who are not simulated, and whatever the stages raise; the same call then goes on.
    """
    if num_seeds < 1:
        raise ConfigError(f"--seeds: expected at least 1, got {num_seeds}")
    plan, chosen_size = load_plan(), load_size(size)
    methods = plan.choose(rows)
    folder = out or cohort_dir / "reports" / f"reproduce-{size}"
    with ShardReader.open(cohort_dir) as reader:
        patients_hash = hash_patients(reader)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    started_s = time.monotonic()
    with hold_lock(folder / ".reproduce.lock", purpose="reproduce"):
        work = Work(
            cohort_dir, plan, chosen_size, methods, patients_hash, device, num_resamples,
            num_jobs, progress,
        )  # fmt: skip
        if archive is not None:
            work = work.with_archive(Archive(archive, cohort_dir, folder / "archived"), num_seeds)
        steps = do_in_jobs(work, num_seeds) if num_jobs > 1 else do_in_turn(work, num_seeds)
        document = summarise(
            cohort_dir,
            work.find_run,
            plan,
            chosen_size,
            methods,
            seeds=list(range(num_seeds)),
            steps=steps,
            num_resamples=num_resamples,
            call=ReproductionCall(
                _name_command(cohort_dir.name, rows, num_seeds, size),
                time.monotonic() - started_s,
                sorted(name_run(chosen_size.name, seed, key) for seed, key in work.restored),
            ),
            progress=progress,
        )
        write_report(folder, document)
    progress.say(f"report: {folder / 'report.html'}")
    return ReproductionSummary(document, folder)


def _name_command(cohort: str, rows: Sequence[str] | None, num_seeds: int, size: str) -> str:
    chosen = "" if rows is None else f" --rows {','.join(rows)}"
    return f"ptacl reproduce {cohort}{chosen} --seeds {num_seeds} --size {size}"


Steps = dict[int, dict[str, dict[str, StepResult]]]
"""Results of the finished steps by seed and run."""


def do_in_turn(work: "Work", num_seeds: int) -> Steps:
    """One seed after another, run by run."""
    keys = work.plan.list_runs(work.methods)
    steps: Steps = {seed: {} for seed in range(num_seeds)}
    for seed in range(num_seeds):
        for number, key in enumerate(keys, start=1):
            position = f"seed {seed + 1}/{num_seeds}, run {number}/{len(keys)}"
            steps[seed][key] = work.do_run(key, seed, position)
    return steps


def do_in_jobs(work: "Work", num_seeds: int) -> Steps:
    """Runs side by side, each as soon as those that it takes from are done."""
    keys = work.plan.list_runs(work.methods)
    waiting = [(seed, key) for seed in range(num_seeds) for key in keys]
    num_all = len(waiting)
    steps: Steps = {seed: {} for seed in range(num_seeds)}
    in_child = replace(work, progress=SILENT)
    free = list(range(work.num_jobs))
    running: dict[Future[dict[str, StepResult]], tuple[int, str, int]] = {}
    with open_process_pool(work.num_jobs) as pool:
        while waiting or running:
            for place in list(waiting):
                seed, key = place
                is_ready = all(
                    source in steps[seed] for source in work.plan.runs[key].takes.values()
                )
                if free and is_ready:
                    slot = free.pop()
                    waiting.remove(place)
                    work.progress.say(f"begun: {name_run(work.size.name, seed, key)}")
                    job = pool.submit(_do_in_child, in_child.on_slot(slot), key, seed)
                    running[job] = (seed, key, slot)
            for job in wait(running, return_when=FIRST_COMPLETED).done:
                seed, key, slot = running.pop(job)
                steps[seed][key] = job.result()
                free.append(slot)
                num_done = num_all - len(waiting) - len(running)
                name = name_run(work.size.name, seed, key)
                work.progress.say(f"done ({num_done}/{num_all}): {name}")
    return steps


def _do_in_child(work: "Work", key: str, seed: int) -> dict[str, StepResult]:
    return work.do_run(key, seed, "")


@dataclass(frozen=True, slots=True)
class Work:
    """What there is to do for every run; `device` is that of the runs of this process."""

    cohort_dir: Path
    plan: ReproductionPlan
    size: ReproductionSize
    methods: tuple[Method, ...]
    patients_hash: str
    device: str
    num_resamples: int
    num_jobs: int
    progress: ProgressSink
    archive: Archive | None = None
    restored: frozenset[tuple[int, str]] = frozenset()

    def with_archive(self, archive: Archive, num_seeds: int) -> "Work":
        """The same work, less what the archive has; that is unpacked. Raises CohortError."""
        check_simulated(self.cohort_dir)
        keys = self.plan.list_runs(self.methods)
        archived = {
            (seed, key): archive.has(
                name_run(self.size.name, seed, key),
                self._plan(key, seed),
                patients_hash=self.patients_hash,
                steps=self._list_steps(key, seed),
            )
            for seed in range(num_seeds)
            for key in keys
        }
        takes = {key: tuple(self.plan.runs[key].takes.values()) for key in keys}
        restored = choose_restored(archived, takes)
        for seed, key in sorted(restored):
            archive.restore(name_run(self.size.name, seed, key))
        if restored:
            self.progress.say(f"archive: {len(restored)} of {len(archived)} runs are taken from it")
        return replace(self, archive=archive, restored=restored)

    def find_run(self, name: str) -> Path:
        """The folder that holds what a run came to."""
        names = {name_run(self.size.name, seed, key) for seed, key in self.restored}
        if self.archive is not None and name in names:
            return self.archive.restored / name
        return self.cohort_dir / "runs" / name

    def on_slot(self, slot: int) -> "Work":
        """The same work on the GPU of a slot, where there are several and none was named."""
        num_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if self.device not in ("auto", "cuda") or num_gpus < 2:
            return self
        return replace(self, device=f"cuda:{slot % num_gpus}")

    def do_run(self, key: str, seed: int, position: str) -> dict[str, StepResult]:
        """Train and measure one run, but for what is finished; returns its steps."""
        name = name_run(self.size.name, seed, key)
        if self.archive is not None and (seed, key) in self.restored:
            return self.archive.steps(name)
        settings = self._plan(key, seed)
        identity = self._identify(settings)
        finished = FinishedSteps(self.cohort_dir / "runs" / name / STEPS_FILE, identity)
        steps = self._list_steps(key, seed)
        for row in self._list_rows(key):
            if not measure_row.has_row(self.cohort_dir, name, row):
                finished.forget(f"measure {row}")
        if self.plan.runs[key].is_evaluated and not has_outcomes(self.cohort_dir, name):
            finished.forget(self._name_evaluation())
        for step, do in steps.items():
            if not finished.is_done(step):
                self.progress.say(f"{position}: {step} {name}")
            finished.once(step, do)
        if self.archive is not None:
            self.archive.save(name, identity)
        return {step: finished.once(step, do) for step, do in steps.items()}

    def _list_rows(self, key: str) -> list[str]:
        """Rows that are measured of a run."""
        return [
            method.row(modality)
            for method in self.methods
            if method.run == key
            for modality in method.modalities
        ]

    def _name_evaluation(self) -> str:
        return f"evaluate ({self.num_resamples} resamples)"

    def _plan(self, key: str, seed: int) -> RunSettings:
        return plan_run(self.plan, self.size, key, seed=seed, device=self.device)

    def _identify(self, settings: RunSettings) -> dict[str, str]:
        """What a result belongs to; of another one nothing is taken."""
        return {
            "software": __version__,
            "settings_hash": settings.model_copy(update={"device": "auto"}).hash(),
            "patients_hash": self.patients_hash,
        }

    def _list_steps(self, key: str, seed: int) -> dict[str, Callable[[], StepResult]]:
        """Steps of a run by name, in order."""
        settings = self._plan(key, seed)
        name = name_run(self.size.name, seed, key)
        planned = self.plan.runs[key]
        steps: dict[str, Callable[[], StepResult]] = {
            "train": lambda: self._train(self.cohort_dir / "runs" / name, settings)
        }
        if planned.is_embedded:  # before what takes features from the disk
            steps["embed"] = lambda: self._embed(name)
        if planned.is_evaluated:
            steps[self._name_evaluation()] = lambda: self._evaluate(name)
        for method in self.methods:
            if method.run == key:
                steps |= self._plan_rows(method, name)
        steps["card"] = lambda: self._write_card(name)
        return steps

    def _train(self, directory: Path, settings: RunSettings) -> StepResult:
        if not settings.stages:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            store_settings(directory, settings)
            return {"wall_s": 0.0, "steps": 0, "was_resumed": False}
        was_begun = any((directory / "checkpoints").glob("*/*/checkpoint.json"))
        started_s = time.monotonic()
        summary = train.run(
            self.cohort_dir,
            settings,
            resume=True,
            run_name=directory.name,
            memory_share=1.0 / self.num_jobs,
            progress=self.progress,
        )
        return {
            "wall_s": time.monotonic() - started_s,
            "steps": summary.steps,
            "was_resumed": was_begun,
        }

    def _plan_rows(self, method: Method, name: str) -> dict[str, Callable[[], StepResult]]:
        def measure(row: str, modality: Modality) -> StepResult:
            document = measure_row.run(
                self.cohort_dir,
                name,
                row,
                stage=method.stage,
                modality=modality,
                device=self.device,
                progress=self.progress,
            )
            return {"wall_s": document["wall_s"]}

        return {
            f"measure {method.row(modality)}": partial(measure, method.row(modality), modality)
            for modality in method.modalities
        }

    def _evaluate(self, name: str) -> StepResult:
        started_s = time.monotonic()
        evaluate.run(
            self.cohort_dir,
            run=name,
            num_resamples=self.num_resamples,
            device=self.device,
            with_baselines=False,
            progress=self.progress,
        )
        return {"wall_s": time.monotonic() - started_s}

    def _embed(self, name: str) -> StepResult:
        started_s = time.monotonic()
        embed.run(self.cohort_dir, run=name, device=self.device, progress=self.progress)
        return {"wall_s": time.monotonic() - started_s}

    def _write_card(self, name: str) -> StepResult:
        started_s = time.monotonic()
        model_card.run(self.cohort_dir, name)
        return {"wall_s": time.monotonic() - started_s}
