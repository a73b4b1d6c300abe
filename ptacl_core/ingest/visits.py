"""Which files belong to one patient's visit: by name, or by a pairs file."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ptacl_core.cohort import Cohort
from ptacl_core.cohort.identity.keys import CohortKey
from ptacl_core.errors import RecordError
from ptacl_core.ingest.shard_files import VisitTask
from ptacl_core.io.discover.walk import FoundFile
from ptacl_core.io.files.delimited_columns import open_delimited, read_rows
from ptacl_core.io.phenotypes.table import PhenotypeTable
from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.safety.text.printable import clean_text

PAIR_COLUMNS = ("patient", "ecg", "cmr")
CENTRE_COLUMNS = ("centre_row", "centre_column")
"""Optional: the heart centre in pixels of the source image, where the found one is wrong."""
_COVARIATES = ("age_years", "height_cm", "weight_kg", "bmi_kg_m2")


@dataclass(frozen=True, slots=True)
class UnusedFile:
    """A file that belongs to no visit; `subject` is the identifier that its name may carry."""

    name: str
    subject: str
    reason: str
    message: str


@dataclass(slots=True)
class Inventory:
    """What lies in a source: recordings by (subject, visit label), and what is of no use."""

    recordings: dict[tuple[str, str], dict[str, Path]] = field(default_factory=dict)
    phenotype_tables: list[Path] = field(default_factory=list)
    unused: list[UnusedFile] = field(default_factory=list)
    centres_px: dict[tuple[str, str], tuple[float, float]] = field(default_factory=dict)

    def add(self, found: FoundFile) -> None:
        """Sort one found file in."""
        if found.modality == "phenotypes":
            self.phenotype_tables.append(found.path)
        elif found.modality in ("ecg", "cmr"):
            visit = self.recordings.setdefault((found.subject, found.visit), {})
            if found.modality in visit:
                message = f"another {found.modality} of the same visit came before"
                self.unused.append(UnusedFile(found.path.name, found.subject, "duplicate", message))
            else:
                visit[found.modality] = found.path
        else:
            self.unused.append(
                UnusedFile(found.path.name, found.subject, "not_a_recording", found.reason)
            )


def read_pairs(path: Path, source: Path) -> Inventory:
    """Recordings as a CSV with columns patient, ecg, cmr and optionally visit pairs them.

    Paths are relative to `source`; an empty cell means that there is no such recording. The
    optional columns centre_row and centre_column override the heart centre of a cine.
    Raises RecordError for a source that is no folder, missing columns, a patient's visit that
    comes twice, or a centre that is not two numbers.
    """
    if not source.is_dir():
        raise RecordError(
            f"{clean_text(source.name)}: with a list of pairs the source is the folder that its "
            "paths start from, found a file; unpack the archive"
        )
    inventory = Inventory()
    rows = read_rows(path)
    names = {name.strip() for name in open_delimited(path).columns}
    if missing := set(PAIR_COLUMNS) - names:
        raise RecordError(
            f"{clean_text(path.name)}: expected columns {', '.join(PAIR_COLUMNS)} and "
            f"optionally visit; missing: {', '.join(sorted(missing))}"
        )
    for line, row in enumerate(rows, start=2):
        key = ((row["patient"] or "").strip(), (row.get("visit") or "").strip())
        if not key[0] or key in inventory.recordings:
            fault = "no patient" if not key[0] else "a patient's visit that came before"
            raise RecordError(f"{clean_text(path.name)}, line {line}: {fault}")
        inventory.recordings[key] = {
            modality: source / cell.strip()
            for modality in ("ecg", "cmr")
            if (cell := row[modality] or "").strip()
        }
        centre_px = _read_centre(row, where=f"{clean_text(path.name)}, line {line}")
        if centre_px is not None:
            inventory.centres_px[key] = centre_px
    return inventory


def _read_centre(row: Mapping[str, str | None], *, where: str) -> tuple[float, float] | None:
    cells = [(row.get(name) or "").strip() for name in CENTRE_COLUMNS]
    if not any(cells):
        return None
    try:
        centre_row, centre_column = (float(cell) for cell in cells)
    except ValueError:
        raise RecordError(
            f"{where}: expected numbers in both of {' and '.join(CENTRE_COLUMNS)}, got "
            f"'{clean_text(cells[0], max_length=20)}' and '{clean_text(cells[1], max_length=20)}'"
        ) from None
    return centre_row, centre_column


def build_tasks(
    inventory: Inventory,
    tables: Sequence[PhenotypeTable],
    key: CohortKey,
    *,
    ecg_hints: Mapping[str, Any] | None = None,
) -> list[VisitTask]:
    """One task per visit with pseudonym, numbered visit and what the tables say of it.

    Visit labels that are numbers are kept; others (dates) become 0, 1, … in their order, so
    that no date reaches the cohort. A recording without a label joins the only visit there is.
    """
    numbers = _number_visits(inventory.recordings, tables)
    attributes = _index_tables(tables, numbers)
    centres_px = {
        (subject, numbers[subject][label]): centre_px
        for (subject, label), centre_px in inventory.centres_px.items()
    }
    merged: dict[tuple[str, int], dict[str, Path]] = defaultdict(dict)
    for (subject, label), files in sorted(inventory.recordings.items()):
        visit = merged[subject, numbers[subject][label]]
        for modality, path in files.items():
            if modality in visit:
                message = f"another {modality} of the same visit came before"
                inventory.unused.append(UnusedFile(path.name, subject, "duplicate", message))
            else:
                visit[modality] = path
    return [
        VisitTask(
            patient=key.pseudonym(subject),
            subject=subject,
            visit=visit,
            ecg=files.get("ecg"),
            cmr=files.get("cmr"),
            attributes=attributes.get((subject, visit), {}),
            cmr_centre_px=centres_px.get((subject, visit)),
            ecg_hints=dict(ecg_hints or {}),
        )
        for (subject, visit), files in merged.items()
    ]


def leave_out_erased(
    inventory: Inventory, tasks: Sequence[VisitTask], cohort: Cohort, key: CohortKey
) -> tuple[list[VisitTask], int]:
    """`tasks` without people who were erased from the cohort, and how many people those are.

    Their other files leave the inventory too, so that nothing of them is written down again.
    """
    subjects = {file.subject for file in inventory.unused if file.subject.strip()}
    pseudonyms = {subject: key.pseudonym(subject) for subject in subjects}
    erased = cohort.find_erased({*(task.patient for task in tasks), *pseudonyms.values()})
    inventory.unused = [
        file for file in inventory.unused if pseudonyms.get(file.subject) not in erased
    ]
    return [task for task in tasks if task.patient not in erased], len(erased)


def _number_visits(
    recordings: Mapping[tuple[str, str], Any], tables: Sequence[PhenotypeTable]
) -> dict[str, dict[str, int]]:
    labels: dict[str, set[str]] = defaultdict(set)
    for subject, label in recordings:
        labels[subject].add(label)
    for table in tables:
        for subject, label in zip(table.subject, table.visit, strict=True):
            labels[str(subject)].add(str(label))
    numbers = {}
    for subject, known in labels.items():
        named = sorted(known - {""})
        if all(label.isdecimal() for label in named):
            number = {label: int(label) for label in named}
        else:
            number = {label: index for index, label in enumerate(named)}
        if "" in known:
            number[""] = number[named[0]] if len(named) == 1 else 0
        numbers[subject] = number
    return numbers


def _index_tables(
    tables: Sequence[PhenotypeTable], numbers: Mapping[str, Mapping[str, int]]
) -> dict[tuple[str, int], dict[str, Any]]:
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for table in tables:
        columns = {name: getattr(table, name) for name in (*PHENOTYPE_NAMES, *_COVARIATES)}
        for row in range(len(table)):
            subject, label = str(table.subject[row]), str(table.visit[row])
            values: dict[str, Any] = {
                name: float(column[row])
                for name, column in columns.items()
                if np.isfinite(column[row])
            }
            if table.sex[row] is not None:
                values["sex"] = str(table.sex[row])
            at = {numbers[subject][label]} if table.has_visits else set(numbers[subject].values())
            for visit in at:
                found.setdefault((subject, visit), {}).update(values)
    return found
