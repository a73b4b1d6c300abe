"""The data sheet of a cohort, counted from its manifest; small cells left out when asked for."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from ptacl_core import __version__
from ptacl_core.arrays import Array, Float64
from ptacl_core.cohort import Cohort, CohortDescription, CohortLayout
from ptacl_core.documents.figures import SOURCE_NOTES
from ptacl_core.documents.reviews import DataSheetDocument, SplitSheet, VariableSheet
from ptacl_core.embedding.target_labels import load_target_labels
from ptacl_core.errors import CohortError
from ptacl_core.records import PHENOTYPE_NAMES, PHENOTYPE_UNITS
from ptacl_core.shards import ShardReader
from ptacl_core.shards.spec import MEASUREMENT_NAMES, REJECTED_FILE, SPLIT_NAMES

_NOTES = {
    "simulated": SOURCE_NOTES["simulated"],
    "files": "Counted from the cohort's own recordings and tables.",
}
SMALL_CELL = 10
"""Fewest people that a figure may be of in a sheet that leaves a data owner's platform."""
LEFT_TO_AUTHOR = (
    "Why and by whom the cohort was made, and who paid for it.",
    "When, where and in which setting people were recorded, with which devices and protocols.",
    "How people were invited, who took part and who did not, and what consent covers.",
    "Who measured the phenotypes, with which software, and how well readers agree.",
    "Known illnesses and treatments of the people, and whom the cohort does not represent.",
    "Ethical approval, terms of use, who may have the data, and how long they are kept.",
)
_QUANTILES = (0.05, 0.25, 0.50, 0.75, 0.95)
_UNITS = {
    "age_years": "years", "height_cm": "cm", "weight_kg": "kg", "bmi_kg_m2": "kg/m²",
    "heart_rate_bpm": "1/min", "axis_deg": "°", **PHENOTYPE_UNITS,
}  # fmt: skip
VARIABLES = (
    "age_years", "height_cm", "weight_kg", "bmi_kg_m2", "heart_rate_bpm", *MEASUREMENT_NAMES,
    *PHENOTYPE_NAMES,
)  # fmt: skip


def run(cohort_dir: Path, *, smallest_cell: int = 1) -> DataSheetDocument:
    """Count the cohort; with `smallest_cell` 10 no figure is of one to nine people.

    Raises CohortError or ShardError for a folder that is not a cohort with recordings.
    """
    description = CohortDescription.read(CohortLayout(cohort_dir.absolute()))
    cells = SmallCells(smallest_cell)
    with ShardReader.open(cohort_dir) as reader:
        preprocessing = {
            part: {key: str(value) for key, value in getattr(reader.preprocessing, part)}
            for part in ("ecg", "cine")
        }
        people = np.asarray(reader.patients)
        num_people = len(set(reader.patients))
        if num_people < smallest_cell:
            raise CohortError(
                f"{cohort_dir.name}: a sheet without figures of fewer than {smallest_cell} people "
                f"would be empty, of {num_people} people"
            )
        visits = Counter(Counter(reader.patients).values())
        document = DataSheetDocument(
            cohort=description.name,
            source=description.source,
            smallest_cell=smallest_cell,
            people=num_people,
            recordings=cells.hide("recordings", _count_recordings(reader)),
            splits=_describe_splits(reader, cells),
            people_in_two_splits=cells.hide(
                "people in two splits", {"n": _count_in_two_splits(reader.patients, reader.splits)}
            )["n"],
            sex=cells.hide("sex", _count_people(people, reader.table.column("sex").to_pylist())),
            visits_per_person=cells.hide(
                "visits per person", {str(number): count for number, count in visits.items()}
            ),
            formats={
                modality: cells.hide(
                    f"{modality} formats", _count_formats(reader, modality, people)
                )
                for modality in ("ecg", "cmr")
            },
            variables=tuple(_describe_variables(cohort_dir, reader, cells)),
            rejected=_count_rejected(cohort_dir / "shards" / REJECTED_FILE, cells),
            findings={
                modality: cells.hide(
                    f"{modality} findings",
                    _count_findings(people, reader.table.column(f"{modality}_findings")),
                )
                for modality in ("ecg", "cmr")
            },
            preprocessing=preprocessing,
            preprocessing_hash=description.preprocessing_hash,
            manifest_sha256=reader.manifest_sha256,
            left_to_author=LEFT_TO_AUTHOR,
            note=_NOTES[description.source],
            software=__version__,
        )
    return document.model_copy(update={"suppressed": tuple(cells.suppressed)})


class SmallCells:
    """Counts without those of fewer people than `smallest`; `suppressed` says where they were."""

    def __init__(self, smallest: int) -> None:
        self.smallest = smallest
        self.suppressed: list[str] = []

    def is_small(self, count: int) -> bool:
        """True for one to `smallest` - 1 people."""
        return 0 < count < self.smallest

    def hide(self, what: str, counts: Mapping[str, int]) -> dict[str, int | None]:
        """Small counts as None, and the next one where they would follow from the total."""
        hidden = {name for name, count in counts.items() if self.is_small(count)}
        shown = sorted(
            (name for name in counts if name not in hidden and counts[name]),
            key=lambda n: counts[n],
        )
        while (
            hidden
            and shown
            and (len(hidden) == 1 or sum(counts[name] for name in hidden) < self.smallest)
        ):
            hidden.add(shown.pop(0))
        if hidden:
            self.suppressed.append(f"{what}: figures of fewer than {self.smallest} people")
        return {name: None if name in hidden else count for name, count in sorted(counts.items())}


def _count_recordings(reader: ShardReader) -> dict[str, int]:
    return {
        "ecg": len(reader.rows(needs=("ecg",))),
        "cmr": len(reader.rows(needs=("cmr",))),
        "pairs": len(reader.rows(needs=("ecg", "cmr"))),
    }


def _describe_splits(reader: ShardReader, cells: SmallCells) -> dict[str, SplitSheet]:
    """People of each split that there is, by what they have."""
    names = [name for name in SPLIT_NAMES if name in set(reader.splits)]
    needs: dict[str, tuple[str, ...]] = {
        "people": (), "ecg": ("ecg",), "cmr": ("cmr",), "pairs": ("ecg", "cmr"),
    }  # fmt: skip
    counts = {
        key: cells.hide(
            f"{key} by split",
            {name: len({reader.patients[row] for row in reader.rows(name, needs=modalities)})
             for name in names},
        )
        for key, modalities in needs.items()
    }  # fmt: skip
    return {name: SplitSheet(**{key: counts[key][name] for key in needs}) for name in names}


def _count_in_two_splits(patients: Sequence[str], splits: Sequence[str]) -> int:
    seen: dict[str, set[str]] = {}
    for patient, split in zip(patients, splits, strict=True):
        seen.setdefault(patient, set()).add(split)
    return sum(len(names) > 1 for names in seen.values())


def _count_people(people: np.ndarray, values: Iterable[object]) -> dict[str, int]:
    """People by value; without one: "not known"."""
    groups: dict[str, set[str]] = {}
    for person, value in zip(people.tolist(), values, strict=True):
        groups.setdefault("not known" if value is None else str(value), set()).add(person)
    return {name: len(members) for name, members in groups.items()}


def _count_formats(reader: ShardReader, modality: str, people: np.ndarray) -> dict[str, int]:
    rows = reader.rows(needs=(modality,))
    return _count_people(
        people[rows], reader.table.column(f"{modality}_format").take(rows).to_pylist()
    )


def _describe_variables(
    cohort_dir: Path, reader: ShardReader, cells: SmallCells
) -> Iterator[VariableSheet]:
    """Covariates, measurements, phenotypes, and the cohort's own targets."""
    rows, people = np.arange(reader.num_rows), np.asarray(reader.patients)
    for name in VARIABLES:
        unit = _UNITS.get(name, "ms")
        yield _describe_variable(name, unit, reader.column(name, rows), people, cells)
    with Cohort.open(cohort_dir) as cohort:
        labels = load_target_labels(cohort, reader, rows)
    for target, values in zip(labels.targets, labels.values.T, strict=True):
        unit = "share" if target.is_binary else target.unit
        sheet = _describe_variable(target.name, unit, values, people, cells)
        known = values[np.isfinite(values)]
        if target.is_binary and cells.is_small(int(min((known == 1).sum(), (known == 0).sum()))):
            sheet = sheet.model_copy(update={"mean": None, "sd": None})
            cells.suppressed.append(f"{target.name}: fewer than {cells.smallest} on one side")
        yield sheet


def _describe_variable(
    name: str, unit: str, values: Float64[Array, " row"], people: np.ndarray, cells: SmallCells
) -> VariableSheet:
    known = np.isfinite(values)
    present, missing = len(set(people[known].tolist())), len(set(people[~known].tolist()))
    head = VariableSheet(name=name, unit=unit, present=None, missing=None)
    if cells.is_small(present) or cells.is_small(missing):
        cells.suppressed.append(f"{name}: missing in, or known of, fewer than {cells.smallest}")
        if cells.is_small(present):
            return head
    else:
        head = head.model_copy(update={"present": present, "missing": missing})
    if not present:
        return head
    quantiles = np.quantile(values[known], _QUANTILES) if cells.smallest <= 1 else ()
    return head.model_copy(
        update={
            "mean": float(f"{values[known].mean():.4g}"),
            "sd": float(f"{values[known].std():.4g}"),
            "quantiles": tuple(float(f"{value:.4g}") for value in quantiles),
        }
    )


def _count_findings(people: np.ndarray, column: object) -> dict[str, int]:
    groups: dict[str, set[str]] = {}
    texts = column.to_pylist()  # pyright: ignore[reportAttributeAccessIssue]
    for person, findings in zip(people.tolist(), texts, strict=True):
        for text in findings or ():
            groups.setdefault(json.loads(text)["code"], set()).add(person)
    return {name: len(members) for name, members in groups.items()}


def _count_rejected(path: Path, cells: SmallCells) -> dict[str, dict[str, int | None]] | None:
    """Recordings by modality and reason; None where the cohort keeps no such list."""
    if not path.exists():
        return None
    import pyarrow.parquet as pq

    table = pq.read_table(path, columns=["modality", "reason"])
    counts: dict[str, Counter[str]] = {}
    for modality, reason in zip(*(table.column(n).to_pylist() for n in table.column_names),
                                strict=True):  # fmt: skip
        counts.setdefault(modality or "not known", Counter())[reason] += 1
    return {
        modality: cells.hide(f"{modality} left out", reasons)
        for modality, reasons in counts.items()
    }
