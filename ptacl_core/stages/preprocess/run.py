"""`ptacl preprocess`: files of any supported format into shards and the store."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

from ptacl_core.cohort import Cohort, CohortLayout
from ptacl_core.cohort.identity.keys import CohortKey, open_key, supply_key
from ptacl_core.cohort.source_folders import remember_source_folders
from ptacl_core.config.preprocess import PreprocessSettings, load_preprocess_settings
from ptacl_core.errors import CohortError, CohortLockedError, ConfigError, RecordError
from ptacl_core.ingest.labels import read_tables
from ptacl_core.ingest.plan import Plan
from ptacl_core.ingest.register import register_shards
from ptacl_core.ingest.sources import Sources, read_plan
from ptacl_core.ingest.targets import put_targets, read_values
from ptacl_core.io.targets.definitions import read_definitions
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.safety.files.lock import hold_lock
from ptacl_core.safety.processes.termination import signals_interrupt
from ptacl_core.safety.text.printable import clean_text
from ptacl_core.shards import find_preprocessing
from ptacl_core.stages.preprocess.call import Call
from ptacl_core.stages.preprocess.preview import draw_preview
from ptacl_core.stages.preprocess.summary import PreprocessSummary

Result = TypeVar("Result")
ROWS_PER_SHARD = 128
CONVENTION = "as given"
STORE_PATIENCE_S = 600.0
"""How long an array job waits for another one that writes the store."""


def parse_part(text: str | None) -> tuple[int, int]:
    """`i/n` (from 1) as (index from 0, number of parts). Raises ConfigError."""
    if text is None:
        return 0, 1
    index, _, count = text.partition("/")
    if not (index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count)):
        raise ConfigError(f"--shard: expected i/n with 1 <= i <= n, got '{text}'")
    return int(index) - 1, int(count)


def run(
    source: Path | Sequence[Path] | Sources,
    cohort_dir: Path,
    *,
    pairs: Path | None = None,
    phenotypes: Path | Sequence[Path] | None = None,
    targets: Path | None = None,
    num_workers: int | None = None,
    part: tuple[int, int] = (0, 1),
    preview: Path | None = None,
    keep_identities: bool = False,
    ecg_hints: Mapping[str, Any] | None = None,
    key_from: Path | None = None,
    assignments: Sequence[str] = (),
    progress: ProgressSink = SILENT,
) -> PreprocessSummary:
    """Bring the recordings in `source` into `cohort_dir`, which is made when it is new.

    Whose a recording is comes from the `pairs` list or the data set's layout, else from what files
    say inside, their names and folders; what is not known is left out with its reason. Phenotypes
    come from `phenotypes`, or from tables found in the source, and hold for recordings of other
    calls too. `targets` defines targets of the cohort's own and names the tables that have their
    values, which go to people and ECGs of this call. What an earlier call finished is not made
    again, unless a file changed. `part` (i, n) takes the i-th of n shares of the people; `preview`
    is a PNG of the crops of this share's cines.
    Who a pseudonym is goes into a file of its own only with `keep_identities`. `key_from` is the
    key file of another cohort: cohorts with one key have the same pseudonyms and can be merged.
    `ecg_hints` are
    those of `read_ecg` for all ECGs whose files lack the facts; arrays without a sidecar then count
    as ECGs. `assignments` (`ecg.normalisation=per_lead`) change how recordings are prepared; a
    cohort that has recordings keeps its own way.

    Raises RecordError when the source is missing or holds no recording and no table, CohortError
    when the cohort cannot be used.
    """
    if not isinstance(source, Sources):
        paths = (source,) if isinstance(source, Path) else tuple(source)
        source = Sources(paths, pairs=pairs, ecg_hints=ecg_hints or {})
    if not os.access(_nearest_folder(cohort_dir), os.W_OK | os.X_OK):
        raise CohortError(
            f"{cohort_dir.name}: a cohort could not be made there (no right to write)"
        )
    if part[1] > 1 and source.pairs is None and source.files_from is None:
        progress.say(
            f"each of the {part[1]} parts walks the sources for itself; to walk once, write the "
            "plan with --plan plan.csv and give it to every part with --pairs plan.csv"
        )
    definitions = None if targets is None else read_definitions(targets)
    target_tables = [] if definitions is None else read_values(definitions, ())
    plan = read_plan(source, progress)
    tables = read_tables(
        _tables_of(plan, phenotypes),
        plan.set_tables,
        withdrawn=plan.withdrawn,
        sex_coding=source.sex_coding,
    )
    if source.pairs is not None and not tables and phenotypes is None:
        progress.say(
            "the list of pairs names no table: values of people come only from --phenotypes TABLE"
        )
    if not plan.visits and not any(table.labels for table in tables) and not plan.withdrawn:
        raise _nothing_there(source, plan)
    for table in tables:
        for finding in table.findings:
            progress.say(f"{table.name}: {finding}")
    settings = choose_settings(cohort_dir, assignments)
    layout, key = open_or_create(cohort_dir, settings, key_from=key_from)
    workers = num_workers or os.cpu_count() or 1
    call = Call(layout, key, plan, tables, part, workers, progress, ROWS_PER_SHARD, source.scratch)
    index, count = part
    lock = cohort_dir / f".preprocess-{index}-{count}.lock"
    with signals_interrupt() as interrupts, hold_lock(lock, purpose="preprocess"):
        summary = call.fill(settings, keep_identities=keep_identities, check=interrupts.check)
    _register(cohort_dir, progress)
    if definitions is not None:
        moments = {who: moment for who, moment in call.moments.items() if call.is_mine(who)}
        placed = put_targets(
            cohort_dir, definitions, target_tables,
            key=key, moments=moments, withdrawn=plan.withdrawn,
        )  # fmt: skip
        for line in placed.lines:
            progress.say(line)
    _note_folders(cohort_dir, source, progress)
    if preview is not None:
        drawn = draw_preview(cohort_dir, preview, is_wanted=call.is_mine)
        progress.say(f"preview: {drawn} cines" if drawn else "preview: no cine, no picture")
    return summary


def choose_settings(cohort_dir: Path, assignments: Sequence[str]) -> PreprocessSettings:
    """How recordings are prepared: as the cohort's are, or as a new cohort's shall be.

    Raises CohortError where `assignments` ask for another way than the cohort's, naming each key.
    """
    asked = load_preprocess_settings(assignments)
    stored = find_preprocessing(cohort_dir / "shards")
    if stored is None:
        return asked
    differing = asked.list_differences(stored)
    if assignments and differing:
        raise CohortError(
            f"{cohort_dir.name}: its recordings were prepared in another way "
            f"({'; '.join(differing)}); leave out --set, or use another cohort directory"
        )
    return stored


def _note_folders(cohort_dir: Path, source: Sources, progress: ProgressSink) -> None:
    """Have the app find the recordings themselves in folders and archives; no single file."""
    folders = [path for path in source.paths if path.is_dir() or path.suffix.lower() == ".zip"]
    try:
        remember_source_folders(cohort_dir, folders)
    except OSError as error:
        progress.say(f"where the files lie was not noted for the app ({error.strerror or error})")


def _tables_of(plan: Plan, given: Path | Sequence[Path] | None) -> list[Path]:
    if given is None:
        return plan.tables
    return [given] if isinstance(given, Path) else list(given) or plan.tables


def _nothing_there(source: Sources, plan: Plan) -> RecordError:
    name = clean_text(source.paths[0].name) if source.paths else "the list of files"
    reasons = ", ".join(f"{count} × {reason}" for reason, count in plan.count_reasons().items())
    nobody = f" ({reasons}: `--plan FILE` lists them)" if reasons else ""
    return RecordError(
        f"{name}: holds no ECG and no CMR that the readers know and that can be told whose it is; "
        f"{len(plan.unused)} other files{nobody}. `ptacl doctor FILE` shows what a reader sees"
    )


def open_or_create(
    cohort_dir: Path, settings: PreprocessSettings, *, key_from: Path | None = None
) -> tuple[CohortLayout, CohortKey]:
    """Layout and key of the cohort, made when they are new; the key may lie in `key_from`.

    Array jobs that start together wait for the one that makes them. Raises CohortError when its
    recordings were preprocessed in another way.
    """
    if not os.access(_nearest_folder(cohort_dir), os.W_OK | os.X_OK):
        raise CohortError(
            f"{cohort_dir.name}: a cohort could not be made there (no right to write)"
        )
    lock = cohort_dir / ".preprocess-open.lock"
    with ExitStack() as held:
        _wait_in_turn(
            lambda: held.enter_context(hold_lock(lock, purpose="preprocess")), interval_s=0.1
        )
        if not (cohort_dir / "cohort.toml").exists():
            Cohort.create(
                cohort_dir, name=cohort_dir.name, source="files", preprocessing_hash=settings.hash()
            ).close()
        layout = _open_checked(cohort_dir, settings)
        if key_from is not None:
            return layout, supply_key(layout, key_from)
        return layout, open_key(layout, create=True)


def _nearest_folder(path: Path) -> Path:
    """`path` itself, or the first folder above it that is there."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def _wait_in_turn(
    attempt: Callable[[], Result], progress: ProgressSink = SILENT, *, interval_s: float = 1.0
) -> Result:
    """What `attempt` gives once no other process holds its lock.

    Raises CohortLockedError after a long wait.
    """
    deadline_s = time.monotonic() + STORE_PATIENCE_S
    while True:
        try:
            return attempt()
        except CohortLockedError as error:
            if time.monotonic() > deadline_s:
                raise
            progress.say(f"waiting for the store: {error}")
            time.sleep(interval_s)


def _open_checked(cohort_dir: Path, settings: PreprocessSettings) -> CohortLayout:
    with Cohort.open(cohort_dir) as cohort:
        stored = cohort.description.preprocessing_hash
        if stored != settings.hash():
            raise CohortError(
                f"{cohort_dir.name}: its recordings were preprocessed as {stored}, this version "
                f"would do {settings.hash()}; use another cohort directory"
            )
        return cohort.layout


def _register(cohort_dir: Path, progress: ProgressSink) -> None:
    def register() -> None:
        register_shards(cohort_dir, name=cohort_dir.name, source="files", convention=CONVENTION)

    _wait_in_turn(register, progress)
