"""Files of patients' visits into shards: many processes, bounded memory, resumable.

Identifiers stay in this process: shards, manifests and messages carry pseudonyms.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from ptacl_core.cohort.identity.register import WithdrawnPeople
from ptacl_core.config.preprocess import CineSettings, PreprocessSettings
from ptacl_core.errors import PtaclError
from ptacl_core.ingest.ecg_columns import describe_analysis
from ptacl_core.ingest.local_copy import local_copy
from ptacl_core.io import read_cine, read_ecg
from ptacl_core.io.discover.source_hash import hash_source
from ptacl_core.io.hints import ReaderHints
from ptacl_core.preprocess import analyse_ecg, prepare_cine, prepare_ecg
from ptacl_core.progress import ProgressSink
from ptacl_core.records import Person, PreparedCine, PreparedEcg
from ptacl_core.safety.files.checksum import compute_text_hash
from ptacl_core.safety.processes.pool import open_process_pool
from ptacl_core.safety.text.printable import clean_text
from ptacl_core.shards import Rejection, ShardEntry, ShardWriter, assign_split
from ptacl_core.shards.spec import ManifestRow
from ptacl_core.shards.writer import StoredVisit

TASKS_IN_FLIGHT_PER_WORKER = 3
MIN_TASKS_FOR_WORKERS = 8
SPLIT_SALT = "ptacl"
WITHDRAWN = "withdrawn"

FindStored = Callable[["VisitTask"], StoredVisit | None]


@dataclass(frozen=True, slots=True)
class VisitTask:
    """One patient's visit: its files, its pseudonym, what is known about it.

    `subject` is the identifier that file names carry; it is replaced in every text that
    leaves the task. `cmr_centre_px` is a heart centre (row, column) given by a person; `split` is
    "" where the salted hash of the pseudonym decides; `is_numbered` says that the source states the
    visit's number; `num_bytes` is how large its files are, 0 where no plan says it.
    """

    patient: str
    subject: str
    visit: int
    ecg: Path | None
    cmr: Path | None
    attributes: ManifestRow = field(default_factory=dict)
    cmr_centre_px: tuple[float, float] | None = None
    ecg_hints: ReaderHints = field(default_factory=dict)
    split: str = ""
    is_numbered: bool = False
    cmr_hints: ReaderHints = field(default_factory=dict)
    num_bytes: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class VisitResult:
    """What became of a task."""

    task: VisitTask
    ecg: PreparedEcg | None
    cine: PreparedCine | None
    attributes: ManifestRow
    rejections: tuple[Rejection, ...]


@dataclass(slots=True)
class IngestCounts:
    """Recordings taken and left out."""

    ecg: int = 0
    cmr: int = 0
    pairs: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    def add(self, result: VisitResult) -> None:
        """Count one visit."""
        self.ecg += result.ecg is not None
        self.cmr += result.cine is not None
        self.pairs += result.ecg is not None and result.cine is not None
        for rejection in result.rejections:
            self.count_reason(rejection.reason)

    def count_reason(self, reason: str) -> None:
        """Count one recording left out."""
        self.reasons[reason] = self.reasons.get(reason, 0) + 1


def ingest_visits(
    writer: ShardWriter,
    tasks: Sequence[VisitTask],
    settings: PreprocessSettings,
    *,
    num_workers: int,
    counts: IngestCounts,
    progress: ProgressSink,
    find_stored: FindStored = lambda _: None,
    withdrawn: WithdrawnPeople | None = None,
    scratch: Path | None = None,
    check: Callable[[], None] = lambda: None,
) -> set[str]:
    """Prepare `tasks` and hand them to `writer` in their order.

    A file that cannot be used becomes a Rejection; the others go on. `find_stored` gives what the
    cohort holds of a visit already, which is kept beside what is new. A visit with a recording
    that `withdrawn` knows by its bytes is left out whole: its person withdrew, under whatever
    name the files came back. With `scratch` archives are copied there before they are read.
    `check` is called before each visit and raises where the work shall end.
    Returns the pseudonyms of those people.
    """
    left_out: set[str] = set()
    progress.start("preprocess", len(tasks), "visits")
    for result in _prepare_all(tasks, settings, num_workers, scratch):
        check()
        if withdrawn is not None and _is_withdrawn(result, withdrawn):
            counts.count_reason(WITHDRAWN)
            left_out.add(result.task.patient)
            progress.advance("preprocess")
            continue
        counts.add(result)
        for rejection in result.rejections:
            writer.reject(rejection)
        task = result.task
        if result.ecg is not None or result.cine is not None:
            stored = find_stored(task)
            counts.pairs += _completes(result, stored)
            writer.add(
                ShardEntry(
                    task.patient,
                    task.visit,
                    task.split or assign_split(task.patient, salt=SPLIT_SALT),
                    result.ecg,
                    result.cine,
                    {**task.attributes, **result.attributes},
                ),
                stored,
            )
        progress.advance("preprocess")
    progress.finish("preprocess")
    return left_out


def _completes(result: VisitResult, stored: StoredVisit | None) -> bool:
    """Whether a new half makes a pair of a visit that lacked it."""
    if stored is None:
        return False
    is_new_ecg = result.cine is None and stored.ecg is None and stored.cine is not None
    is_new_cine = result.ecg is None and stored.cine is None and stored.ecg is not None
    return is_new_ecg or is_new_cine


def _is_withdrawn(result: VisitResult, withdrawn: WithdrawnPeople) -> bool:
    hashes = (result.attributes.get(f"{modality}_sha256") for modality in ("ecg", "cmr"))
    return any(withdrawn.holds_recording(digest) for digest in hashes)


def prepare_visit(
    task: VisitTask, settings: PreprocessSettings, scratch: Path | None = None
) -> VisitResult:
    """Read and prepare both recordings of one visit, archives from their copy in `scratch`."""
    attributes: ManifestRow = {}
    rejections: list[Rejection] = []
    ecg = cine = None
    if task.ecg is not None:
        try:
            record = read_ecg(task.ecg, **task.ecg_hints)
            ecg = prepare_ecg(record, settings.ecg)
        except PtaclError as error:
            rejections.append(_reject_error(task, "ecg", task.ecg, error))
        else:
            rejections.extend(_reject_findings(task, "ecg", task.ecg, ecg))
            if ecg.is_accepted:
                analysis = analyse_ecg(ecg, record)
                # The samples before denoising are not stored, nor sent between processes.
                ecg = replace(ecg, findings=(*ecg.findings, *analysis.findings), unfiltered_mv=None)
                attributes |= describe_analysis(analysis, record)
                attributes |= _unknown_facts(record.person, task.attributes)
                attributes |= {
                    "ecg_format": record.source_format,
                    "ecg_sha256": hash_recording(task.ecg, task.ecg_hints),
                }
            else:
                ecg = None
    if task.cmr is not None:
        try:
            with local_copy(task.cmr, scratch) as source:
                stack = read_cine(source, **task.cmr_hints)
                cmr_sha256 = hash_source(source)
            cine = prepare_cine(stack, _with_centre(settings.cine, task.cmr_centre_px))
        except PtaclError as error:
            rejections.append(_reject_error(task, "cmr", task.cmr, error))
        else:
            rejections.extend(_reject_findings(task, "cmr", task.cmr, cine))
            if cine.is_accepted:
                attributes |= _unknown_facts(stack.person, {**task.attributes, **attributes})
                attributes |= {
                    "cmr_format": stack.source_format,
                    "cmr_sha256": cmr_sha256,
                }
            else:
                cine = None
    return VisitResult(task, ecg, cine, attributes, tuple(rejections))


def hash_recording(path: Path, hints: Mapping[str, object]) -> str:
    """The hash of a recording's files; of one recording in a file of many, with its number."""
    digest = hash_source(path)
    index = hints.get("record_index")
    return digest if index is None else compute_text_hash(f"{digest}\n{index}\n")


def _unknown_facts(person: Person, known: ManifestRow) -> ManifestRow:
    """What a recording states of its person and nothing else does: sex, age, height, weight."""
    return {
        name: value
        for name, value in asdict(person).items()
        if value is not None and known.get(name) is None
    }


def _with_centre(settings: CineSettings, centre_px: tuple[float, float] | None) -> CineSettings:
    return settings.model_copy(update={"centre_px": centre_px}) if centre_px else settings


def hide_subject(text: str, subject: str, patient: str) -> str:
    """`text` with the identifier replaced by the pseudonym, safe to print and store."""
    hidden = text.replace(subject, patient) if subject else text
    return clean_text(hidden, max_length=500)


def _prepare_all(
    tasks: Sequence[VisitTask],
    settings: PreprocessSettings,
    num_workers: int,
    scratch: Path | None,
) -> Iterator[VisitResult]:
    if num_workers == 1 or len(tasks) < MIN_TASKS_FOR_WORKERS:
        for task in tasks:
            yield prepare_visit(task, settings, scratch)
        return
    with open_process_pool(num_workers) as pool:
        yield from _in_order(pool, iter(tasks), settings, num_workers, scratch)


def _in_order(
    pool: ProcessPoolExecutor,
    tasks: Iterable[VisitTask],
    settings: PreprocessSettings,
    num_workers: int,
    scratch: Path | None,
) -> Iterator[VisitResult]:
    """Results in the order of the tasks, with a bounded number in flight."""
    waiting: list[Future[VisitResult]] = []
    for task in tasks:
        waiting.append(pool.submit(prepare_visit, task, settings, scratch))
        while len(waiting) >= num_workers * TASKS_IN_FLIGHT_PER_WORKER:
            yield waiting.pop(0).result()
    while waiting:
        wait(waiting[:1], return_when=FIRST_COMPLETED)
        yield waiting.pop(0).result()


def _reject_error(task: VisitTask, modality: str, path: Path, error: PtaclError) -> Rejection:
    reason = re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__.removesuffix("Error")).lower()
    return _rejection(task, modality, path, reason, str(error))


def _reject_findings(
    task: VisitTask, modality: str, path: Path, prepared: PreparedEcg | PreparedCine
) -> list[Rejection]:
    return [
        _rejection(task, modality, path, finding.code, str(finding))
        for finding in prepared.findings
        if finding.severity == "reject"
    ]


def _rejection(task: VisitTask, modality: str, path: Path, reason: str, message: str) -> Rejection:
    return Rejection(
        task.patient,
        task.visit,
        modality,
        hide_subject(path.name, task.subject, task.patient),
        reason,
        hide_subject(message, task.subject, task.patient),
    )
