"""Rows of all shards → one row per visit: the latest arrays, with what tables said laid over."""

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from ptacl_core.shards import spec

if TYPE_CHECKING:
    import pyarrow as pa

LabelValues = dict[str, float | str]
"""What a table says of a person, by column of the manifest."""
Labels = dict[tuple[str, int], LabelValues]
"""By pseudonym and visit."""


def merge_rows(table: "pa.Table") -> "pa.Table":
    """The manifest of a cohort from all rows of its shards, oldest first.

    Of a patient's visit the latest row with arrays counts; values of rows without arrays (tables)
    replace what it says, later ones those before. What a table says of every visit holds where it
    says nothing of that one; a table's only visit holds for a person's only visit when the
    recording has no visit of its own (0). One person has one split: that of the earliest row.
    """
    import pyarrow as pa

    patients: list[str] = table.column("patient").to_pylist()
    visits: list[int] = table.column("visit").to_pylist()
    has_arrays = _has_arrays(table)
    keys = enumerate(zip(patients, visits, strict=True))
    latest = {key: row for row, key in keys if has_arrays[row]}
    chosen = sorted(latest.values())
    splits = _first_splits(patients, table.column("split").to_pylist(), has_arrays)
    merged = table.take(pa.array(chosen, pa.int64())).drop_columns(["sequence"])
    merged = _replace(merged, "split", [splits[patients[row]] for row in chosen])
    return _lay_over(merged, collect_labels(table))


def collect_labels(table: "pa.Table") -> Labels:
    """(patient, visit) → values of the rows without arrays, later ones over those before."""
    import pyarrow as pa

    is_label = [not has_arrays for has_arrays in _has_arrays(table)]
    rows = table.filter(pa.array(is_label, pa.bool_())).to_pylist()
    labels: Labels = defaultdict(dict)
    skipped = {*spec.PLACE_COLUMNS, "sequence"}
    for row in rows:
        known = {k: v for k, v in row.items() if v is not None and k not in skipped}
        labels[row["patient"], row["visit"]].update(known)
    return dict(labels)


def merge_rejections(table: "pa.Table", rows: "pa.Table") -> "pa.Table":
    """Recordings left out, each once, without those of which a later call made use."""
    import pyarrow as pa

    accepted: dict[tuple[str, int, str], int] = {}
    for modality, column in (("ecg", "ecg_row"), ("cmr", "cine_row")):
        used = zip(
            rows.column("patient").to_pylist(),
            rows.column("visit").to_pylist(),
            rows.column(column).to_pylist(),
            rows.column("sequence").to_pylist(),
            strict=True,
        )
        for patient, visit, row, sequence in used:
            if row is not None:
                accepted[patient, visit, modality] = sequence
    kept: dict[tuple[Any, ...], int] = {}
    for index, row in enumerate(table.to_pylist()):
        place = row["patient"], row["visit"], row["modality"]
        if row["sequence"] >= accepted.get(place, 0):
            kept[(*place, row["file"], row["reason"])] = index
    chosen = pa.array(sorted(kept.values()), pa.int64())
    return table.take(chosen).drop_columns(["sequence"])


def _has_arrays(table: "pa.Table") -> list[bool]:
    columns = (table.column(name).to_pylist() for name in ("ecg_row", "cine_row"))
    return [ecg is not None or cine is not None for ecg, cine in zip(*columns, strict=True)]


def _first_splits(patients: list[str], splits: list[str], has_arrays: list[bool]) -> dict[str, str]:
    first: dict[str, str] = {}
    for patient, split, is_recording in zip(patients, splits, has_arrays, strict=True):
        if is_recording:
            first.setdefault(patient, split)
    return first


def _lay_over(merged: "pa.Table", labels: Labels) -> "pa.Table":
    if not labels:
        return merged
    visits_of: dict[str, list[int]] = defaultdict(list)
    for patient, visit in labels:
        if visit != spec.EVERY_VISIT:
            visits_of[patient].append(visit)
    own = list(
        zip(merged.column("patient").to_pylist(), merged.column("visit").to_pylist(), strict=True)
    )
    count: dict[str, int] = defaultdict(int)
    for patient, _ in own:
        count[patient] += 1
    changes: dict[str, dict[int, float | str]] = defaultdict(dict)
    for row, (patient, visit) in enumerate(own):
        values = dict(labels.get((patient, spec.EVERY_VISIT), {}))
        stated = visits_of.get(patient, [])
        is_only = visit == 0 and count[patient] == 1 and len(stated) == 1
        values |= labels.get((patient, stated[0] if is_only else visit), {})
        for name, value in values.items():
            changes[name][row] = value
    for name, by_row in changes.items():
        values = merged.column(name).to_pylist()
        for row, value in by_row.items():
            values[row] = value
        merged = _replace(merged, name, values)
    return merged


def _replace(table: "pa.Table", name: str, values: list[Any]) -> "pa.Table":
    import pyarrow as pa

    index = table.schema.get_field_index(name)
    field = table.schema.field(index)
    return table.set_column(index, field, pa.array(values, field.type))
