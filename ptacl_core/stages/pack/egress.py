"""`ptacl egress`: a folder for a data owner's review, of aggregates alone, with its reasons."""

from pathlib import Path

import tomli_w

from ptacl_core import __version__
from ptacl_core.bundle.model_file import CARD_FILE, EVALUATION_FILE, ModelFile
from ptacl_core.cohort import CohortDescription, CohortLayout
from ptacl_core.cohort.erasure.byte_search import search_directories
from ptacl_core.cohort.erasure.needles import Needle, number_of, text_needles
from ptacl_core.cohort.identity.identities import read_all_identities
from ptacl_core.documents.reviews import EgressDocument, EgressFile, IdentifierScan
from ptacl_core.errors import CohortError
from ptacl_core.json_values import JsonValue
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.safety.files.atomic import close_folder, write_json, write_text
from ptacl_core.safety.files.checksum import compute_sha256
from ptacl_core.shards import ShardReader
from ptacl_core.stages.pack.aggregates import MIN_CELL
from ptacl_core.stages.pack.run import PackOptions
from ptacl_core.stages.pack.run import run as pack
from ptacl_core.train.metrics_log import METRICS_FILE

MANIFEST_FILE = "manifest.json"
_REASONS = {
    "model": (
        "encoders, read-out and aggregates as one file",
        "weights, and figures of ten people and more; a read-out's groups hold at least ten, its "
        "offsets are rounded; `ptacl unpack --show` lists every member",
    ),
    EVALUATION_FILE: (
        "tables of the run's evaluation",
        f"every figure is of {MIN_CELL} people or more, in sum and in part",
    ),
    CARD_FILE: ("the same in words", "made from the two files above alone"),
    "settings.toml": ("settings of the run", "chosen before any person was seen"),
    "training.jsonl": (
        "losses by step",
        f"means over batches of {MIN_CELL} people or more, and over whole splits",
    ),
}


def run(
    cohort_dir: Path,
    run: str,
    out: Path,
    *,
    options: PackOptions | None = None,
    progress: ProgressSink = SILENT,
) -> EgressDocument:
    """Write into the new folder `out` what may leave of a run, and its manifest last.

    Every file is then searched for every pseudonym, identifier and hash of a recording of the
    cohort; where one is found, the files are removed again. Raises CohortError for that, for a
    folder that is not empty, and as `pack` does.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise CohortError(f"{out.name}: expected a new or empty folder for what may leave")
    close_folder(out)
    model_path = out / f"{run}.ptacl"
    summary = pack(cohort_dir, run, model_path, options=options, progress=progress)
    model = ModelFile(model_path)
    evaluation = model.evaluation()
    write_text(out / CARD_FILE, model.card())
    write_text(out / "settings.toml", tomli_w.dumps(model.document.settings))
    if evaluation is not None:
        write_json(out / EVALUATION_FILE, evaluation.as_dict())
    _copy_metrics(cohort_dir / "runs" / run / METRICS_FILE, model, out / "training.jsonl")
    scan = _scan(cohort_dir, out, progress)
    files = sorted(path for path in out.iterdir() if path.is_file())
    document = EgressDocument(
        run=run,
        cohort=CohortDescription.read(CohortLayout(cohort_dir.absolute())).name,
        software=__version__,
        smallest_cell=MIN_CELL,
        files=tuple(_describe(path) for path in files),
        scan=scan,
        membership=summary.membership,
        suppressed=() if evaluation is None else evaluation.suppressed,
    )
    write_json(out / MANIFEST_FILE, document.as_dict())
    return document


def _copy_metrics(source: Path, model: ModelFile, target: Path) -> None:
    """The losses, where every stage's batches hold ten people or more."""
    sizes = [
        size
        for section in model.document.settings.values()
        if (size := _find_batch_size(section)) is not None
    ]
    if source.exists() and all(size >= MIN_CELL for size in sizes):
        write_text(target, source.read_text(encoding="utf-8"))


def _find_batch_size(section: JsonValue) -> int | None:
    """People per step of a stage's section; None of a section that is not a stage's."""
    optimisation = section.get("optimisation") if isinstance(section, dict) else None
    size = optimisation["batch_size"] if isinstance(optimisation, dict) else None
    return size if isinstance(size, int) else None


def _scan(cohort_dir: Path, out: Path, progress: ProgressSink) -> IdentifierScan:
    """Search what is about to leave; remove it where it names anybody. Raises CohortError."""
    with ShardReader.open(cohort_dir) as reader:
        pseudonyms = sorted(set(reader.patients))
        columns = [reader.table.column(name) for name in ("ecg_sha256", "cmr_sha256")]
        hashes = sorted({sha256 for column in columns for sha256 in column.to_pylist() if sha256})
    layout = CohortLayout(cohort_dir.absolute())
    identifiers = sorted(set(read_all_identities(layout).values()))
    needles: list[Needle] = []
    for text in (*pseudonyms, *identifiers, *hashes):
        needles.extend(text_needles(text))
    numbers = [number for text in (*pseudonyms, *identifiers) if (number := number_of(text))]
    report = search_directories([out], needles, numbers=numbers, progress=progress)
    if report.hits or report.not_searched:
        places = ", ".join(sorted({hit.path.name for hit in report.hits})) or "unreadable files"
        for path in out.iterdir():
            path.unlink()
        raise CohortError(
            f"{places}: held what names people of the cohort, so nothing was kept; look for names "
            "in the run's name, its notes, --author and --licence"
        )
    return IdentifierScan(
        pseudonyms=len(pseudonyms),
        identifiers=len(identifiers),
        recording_hashes=len(hashes),
        files=report.num_files,
        bytes=report.num_bytes,
        found=0,
    )


def _describe(path: Path) -> EgressFile:
    what, why = _REASONS[path.name if path.name in _REASONS else "model"]
    return EgressFile(
        name=path.name,
        sha256=compute_sha256(path),
        num_bytes=path.stat().st_size,
        what=what,
        why_harmless=why,
    )
