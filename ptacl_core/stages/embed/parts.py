"""A cohort through a run's encoders in blocks of its manifest, in one go or in parts.

Blocks are the same however the cohort is divided, so that parts computed by many jobs hold
the very numbers that one job computes.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ptacl_core.arrays import Array, Int64, Modality
from ptacl_core.embedding.cohort_features import (
    CohortFeatures,
    combine_features,
    join_features,
    no_features,
)
from ptacl_core.embedding.encoding import Features
from ptacl_core.embedding.feature_cache import Caches, open_caches
from ptacl_core.embedding.part_files import Part, PartOrigin, hash_cohort, load_part, save_part
from ptacl_core.embedding.rows import BATCH_SIZE
from ptacl_core.errors import CohortError
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.runs.choose import TrainedRun
from ptacl_core.safety.files.atomic import make_folder
from ptacl_core.shards import ShardReader

PARTS_FOLDER = "embedding-parts"
MODALITIES: tuple[Modality, Modality] = ("ecg", "cmr")
WHOLE = Part(1, 1)


def encode_cohort(
    reader: ShardReader,
    aligned: TrainedRun,
    *,
    part: Part = WHOLE,
    progress: ProgressSink = SILENT,
) -> CohortFeatures:
    """Features of every recording of `part`; memory holds no more than a block's tokens.

    What another command encoded is taken from the disk, and a whole cohort is kept there.
    """
    caches = open_caches(reader, aligned, keeps=part == WHOLE)
    blocks = _divide(reader.num_rows)
    chosen = [blocks[index] for index in part.take(len(blocks))]
    ecg_rows, cmr_rows = (
        reader.rows(needs=(modality,)) if modality in caches else np.empty(0, np.int64)
        for modality in MODALITIES
    )
    held = [(_within(ecg_rows, block), _within(cmr_rows, block)) for block in chosen]
    task = "embed" if part == WHOLE else f"embed part {part}"
    progress.start(task, sum(len(ecg) + len(cmr) for ecg, cmr in held), "recordings")
    pieces = [_encode_nothing(aligned)]
    for ecg, cmr in held:
        pieces.append(_encode_block(caches, aligned, ecg, cmr))
        progress.advance(task, len(ecg) + len(cmr))
    for cache in caches.values():
        cache.save()
    progress.finish(task)
    return join_features(pieces)


def keep_features(reader: ShardReader, aligned: TrainedRun, features: CohortFeatures) -> None:
    """Have merged parts where other commands look for features."""
    caches = open_caches(reader, aligned)
    caches["ecg"].put(features.ecg_rows, features.ecg)
    if "cmr" in caches:
        caches["cmr"].put(features.cmr_rows, features.cmr)
    for cache in caches.values():
        cache.save()


def write_part(
    reader: ShardReader, aligned: TrainedRun, part: Part, *, progress: ProgressSink = SILENT
) -> CohortFeatures:
    """Encode `part` into its file, unless a whole one of this run and cohort lies there.

    Parts of another division of the cohort are removed. Raises OSError when the disk is full.
    """
    folder = aligned.directory / PARTS_FOLDER
    path, origin = folder / part.file_name, _describe_origin(reader, aligned)
    if path.exists():
        try:
            features = load_part(path, origin)
        except CohortError as error:
            progress.say(f"{error}: made anew")
        else:
            progress.say(f"part {part} is there already: kept")
            return features
    features = encode_cohort(reader, aligned, part=part, progress=progress)
    make_folder(folder)
    save_part(path, features, origin, reader.patients)
    for other in find_parts(aligned.directory):
        if not other.name.endswith(part.file_name.partition("-of-")[2]):
            other.unlink(missing_ok=True)
            progress.say(f"{other.name} is of another division of the cohort: removed")
    return features


def gather_parts(reader: ShardReader, aligned: TrainedRun) -> CohortFeatures:
    """All parts as one. Raises CohortError that names those missing, damaged or outdated."""
    paths = find_parts(aligned.directory)
    if not paths:
        raise CohortError(
            f"run {aligned.name}: no parts to merge; make them with `ptacl embed --shard i/n`, "
            "i from 1 to n (merged parts are removed)"
        )
    count = int(paths[-1].stem.rpartition("-")[2])
    origin = _describe_origin(reader, aligned)
    parts, faults = [], []
    for part in (Part(index, count) for index in range(1, count + 1)):
        path = aligned.directory / PARTS_FOLDER / part.file_name
        if not path.exists():
            faults.append((part, "is missing"))
            continue
        try:
            parts.append(load_part(path, origin))
        except CohortError as error:
            faults.append((part, str(error)))
    if faults:
        named = "; ".join(f"part {part} {words}" for part, words in faults[:5])
        again = ", ".join(str(part) for part, _ in faults[:20])
        raise CohortError(
            f"run {aligned.name}: {len(faults)} of {count} parts cannot be merged: {named}. "
            f"Run `ptacl embed --run {aligned.name} --shard` again for {again}"
        )
    return join_features(parts)


def find_parts(run_dir: Path) -> list[Path]:
    """Files of the parts of a run's embedding, by name."""
    return sorted((run_dir / PARTS_FOLDER).glob("part-*-of-*.parquet"))


def remove_parts(run_dir: Path) -> None:
    """Remove all parts, which the store now holds."""
    for path in find_parts(run_dir):
        path.unlink(missing_ok=True)
    if (run_dir / PARTS_FOLDER).is_dir() and not any((run_dir / PARTS_FOLDER).iterdir()):
        (run_dir / PARTS_FOLDER).rmdir()


def _encode_block(
    caches: Caches,
    aligned: TrainedRun,
    ecg_rows: Int64[Array, " ecg"],
    cmr_rows: Int64[Array, " cmr"],
) -> CohortFeatures:
    ecg, cmr = (find_no_features(aligned, modality) for modality in MODALITIES)
    if len(ecg_rows):
        ecg = caches["ecg"].find(ecg_rows, with_steps=True)
    if len(cmr_rows):
        cmr = caches["cmr"].find(cmr_rows, with_steps=True)
    return combine_features(ecg_rows, ecg, cmr_rows, cmr)


def _encode_nothing(aligned: TrainedRun) -> CohortFeatures:
    none = np.empty(0, np.int64)
    ecg, cmr = (find_no_features(aligned, modality) for modality in MODALITIES)
    return combine_features(none, ecg, none, cmr)


def find_no_features(aligned: TrainedRun, modality: Modality) -> Features:
    """Features of no recording of a modality, in the widths that the run gives them."""
    if modality not in aligned.modalities:
        return no_features(0, 0)
    dim = aligned.tower(modality)[0].dim
    is_projected = aligned.modalities == MODALITIES
    return no_features(dim, aligned.settings.align.projection.dim if is_projected else dim)


def _describe_origin(reader: ShardReader, aligned: TrainedRun) -> PartOrigin:
    return PartOrigin(aligned.name, aligned.checkpoint_sha256, hash_cohort(reader.table))


def _divide(num_rows: int) -> Sequence[range]:
    """Manifest rows in blocks of at most BATCH_SIZE."""
    return [
        range(start, min(start + BATCH_SIZE, num_rows)) for start in range(0, num_rows, BATCH_SIZE)
    ]


def _within(rows: Int64[Array, " row"], block: range) -> Int64[Array, " held"]:
    first, last = np.searchsorted(rows, (block.start, block.stop))
    return rows[first:last]
