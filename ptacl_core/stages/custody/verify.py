"""`ptacl verify`: store, shards and runs of a cohort directory, each by its own rules."""

import os
from pathlib import Path

from ptacl_core.cohort import Cohort, CohortDescription, CohortLayout
from ptacl_core.cohort.health.defects import Defect
from ptacl_core.cohort.health.verification import Verification, verify_cohort
from ptacl_core.cohort.identity.keys import key_file
from ptacl_core.cohort.layout import list_secret_files
from ptacl_core.errors import CheckpointError, CohortError, ShardError
from ptacl_core.ingest.register import register_shards
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.safety.files.disks import find_network_disk
from ptacl_core.shards import ShardReader
from ptacl_core.shards.erasure import remove_cut_off_shards
from ptacl_core.shards.locks import hold_shards, is_any_held
from ptacl_core.shards.manifest import merge_manifests
from ptacl_core.shards.verification import NUM_CHECKS as NUM_SHARD_CHECKS
from ptacl_core.shards.verification import find_array_rows, verify_shards
from ptacl_core.stages.custody.inventory import NUM_CHECKS as NUM_INVENTORY_CHECKS
from ptacl_core.stages.custody.inventory import check_inventory, find_orphans, repair_inventory

_NUM_OWN_CHECKS = 2
_TASK = "verify"


def run(
    cohort_dir: Path,
    *,
    repair: bool = False,
    is_light: bool = False,
    progress: ProgressSink = SILENT,
) -> Verification:
    """Name every defect of `cohort_dir`; with `repair`, make anew what is derived.

    Repaired are manifests, overview and views, indexes, rights of files, what dead processes
    left behind, rows of the store that the shards' manifests tell, and evaluations that the
    store holds. Arrays, weights and what people wrote are not derived: their defects stay.
    `is_light` compares sizes in place of hashes of the large files. Raises CohortError when the
    directory is not a cohort.
    """
    layout = CohortLayout(cohort_dir.absolute())
    CohortDescription.read(layout)
    progress.start(_TASK, 2, "parts")
    progress.say("verifying the store, the shards and the runs")
    store = verify_cohort(layout.root, repair=repair, is_light=is_light)
    progress.advance(_TASK)
    beyond_store = _check_beyond_store(layout, is_light=is_light)
    progress.advance(_TASK)
    progress.finish(_TASK)
    repaired: tuple[Defect, ...] = ()
    if repair and any(defect.is_repairable for defect in beyond_store):
        _repair(layout, {defect.code for defect in beyond_store if defect.is_repairable})
        again = _check_beyond_store(layout, is_light=is_light)
        left = {(defect.code, defect.place) for defect in again}
        repaired = tuple(
            defect for defect in beyond_store if (defect.code, defect.place) not in left
        )
        beyond_store = again
    defects, kept_from_us = _tell_apart(layout, [*store.defects, *beyond_store])
    num_checks = store.num_checks + NUM_SHARD_CHECKS + _NUM_OWN_CHECKS + NUM_INVENTORY_CHECKS
    return Verification(
        num_checks,
        tuple(defects),
        (*store.repaired, *repaired),
        (*kept_from_us, *_collect_remarks(layout)),
    )


def _tell_apart(layout: CohortLayout, defects: list[Defect]) -> tuple[list[Defect], list[str]]:
    """Defects, and as remarks what only the cohort's owner can look into.

    Who reads a shared cohort has neither its key nor rights to identities, lineage and register.
    """
    if os.geteuid() in (0, layout.root.stat().st_uid):
        return defects, []
    closed = {
        path.name
        for path in list_secret_files(layout)
        if path.exists() and not os.access(path, os.R_OK)
    }
    has_key = key_file(CohortDescription.read(layout).cohort_id).exists()
    defects = [
        defect
        for defect in defects
        if (defect.code != "key" or has_key)
        and (defect.place not in closed or defect.code == "erasure")
    ]
    names = sorted(closed) + ([] if has_key else ["the key"])
    remarks = [f"not checked, the owner's alone: {', '.join(names)}"] if names else []
    return defects, remarks


def _collect_remarks(layout: CohortLayout) -> list[str]:
    remarks = [f"{name} belongs to nothing in this cohort" for name in find_orphans(layout)]
    kind = find_network_disk(layout.root)
    if kind is not None:
        remarks.append(
            f"the cohort lies on a network disk ({kind}): locks may not hold between machines, so "
            "let one machine at a time write to it"
        )
    return remarks


def _check_beyond_store(layout: CohortLayout, *, is_light: bool) -> list[Defect]:
    is_written = _is_written(layout)
    defects = [
        Defect(defect.code, f"shards/{defect.place}", defect.message, defect.is_repairable)
        for defect in verify_shards(layout.shards, is_light=is_light)
        if not (is_written and defect.is_repairable)
    ]
    codes = {defect.code for defect in defects}
    if not (is_written or codes & {"shard", "shard_manifest"}):
        defects.extend(_check_rows_of_store(layout))
    defects.extend(_check_runs(layout, is_light=is_light))
    known = {(defect.code, defect.place) for defect in defects}
    defects.extend(
        defect for defect in check_inventory(layout) if (defect.code, defect.place) not in known
    )
    return defects


def _is_written(layout: CohortLayout) -> bool:
    """True while a command writes shards: what it has not finished is not a defect."""
    return is_any_held(layout.root)


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _check_rows_of_store(layout: CohortLayout) -> list[Defect]:
    """Store and shards tell the same rows of arrays."""
    if not (layout.shards / "manifest.parquet").exists():
        return []
    try:
        with Cohort.open(layout.root) as cohort:
            stored = {
                (row[0], row[1], row[2], row[3], row[4])
                for row in cohort.fetch('SELECT patient, visit, modality, shard, "row" FROM shards')
            }
    except CohortError:
        return []  # the checks of the store name what is wrong with it
    try:
        rows_of_shards = _rows_told_by_shards(layout)
    except ShardError as error:
        return [Defect("shard", "shards", str(error))]
    defects = []
    if rows_of_shards - stored:
        message = f"{len(rows_of_shards - stored)} rows of arrays are not in the store"
        defects.append(Defect("unregistered", "shards", message, is_repairable=True))
    missing = stored - find_array_rows(layout.shards)
    if missing:
        message = f"the store names {len(missing)} rows of arrays that the shards do not have"
        defects.append(Defect("arrays_missing", "shards", message))
    return defects


def _rows_told_by_shards(layout: CohortLayout) -> set[tuple[str, int, str, str, int]]:
    with ShardReader.open(layout.root) as reader:
        return {
            (row["patient"], row["visit"], modality, row["shard"], row[column])
            for row in reader.table.to_pylist()
            for modality, column in (("ecg", "ecg_row"), ("cmr", "cine_row"))
            if row[column] is not None
        }


def _check_runs(layout: CohortLayout, *, is_light: bool) -> list[Defect]:
    """Every checkpoint and read-out is byte for byte what was written."""
    from ptacl_core.checkpoint import load_document, load_tensors  # loads torch
    from ptacl_core.embedding.readout import ReadOut
    from ptacl_core.embedding.target_readout import TargetReadOut

    defects = []
    for path in sorted(layout.runs.glob("*/checkpoints/*/*/checkpoint.json")):
        place = str(path.parent.relative_to(layout.root))
        try:
            document = load_document(path.parent)
            for name, stored in document.files.items():
                if not is_light:
                    load_tensors(path.parent, document, name)
                elif _size_of(path.parent / name) != stored.num_bytes:
                    raise CheckpointError(f"{name} is missing or cut short")
        except CheckpointError as error:
            defects.append(Defect("checkpoint", place, str(error)))
    for folder in sorted(layout.runs.glob("*/readout")):
        try:
            ReadOut.load(folder)
            TargetReadOut.load(folder)
        except CheckpointError as error:
            defects.append(Defect("readout", str(folder.relative_to(layout.root)), str(error)))
    return defects


def _repair(layout: CohortLayout, codes: set[str]) -> None:
    with hold_shards(layout.root, purpose="repair"):
        if "shard_cut_off" in codes:
            remove_cut_off_shards(layout.shards)
        if "shard_manifest" in codes:
            merge_manifests(layout.shards, anew=True)
    if "evaluation" in codes:
        repair_inventory(layout)
    if codes & {"unregistered", "shard_manifest"}:
        description = CohortDescription.read(layout)
        register_shards(
            layout.root,
            name=description.name,
            source=description.source,
            convention=_find_convention(layout),
        )


def _find_convention(layout: CohortLayout) -> str:
    """How the phenotypes that are there were measured, so that a repair does not change it."""
    with Cohort.open(layout.root) as cohort:
        rows = cohort.fetch("SELECT any_value(convention) FROM phenotypes")
    return rows[0][0] or "as given"
