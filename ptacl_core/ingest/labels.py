"""What tables say of people, row by row: phenotypes, age, sex and size, whoever has recordings."""

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ptacl_core.cohort.identity.aliases import KnownPeople
from ptacl_core.cohort.identity.keys import CohortKey
from ptacl_core.io import read_phenotypes
from ptacl_core.io.identity.facts import fold_identifier
from ptacl_core.io.identity.names import split_name
from ptacl_core.io.layouts.tables import DataSetTable
from ptacl_core.io.phenotypes.cells import parse_numbers
from ptacl_core.io.phenotypes.checks import drop_impossible
from ptacl_core.io.phenotypes.sex_coding import parse_sexes
from ptacl_core.io.phenotypes.table import PhenotypeTable
from ptacl_core.records import PHENOTYPE_NAMES, Finding
from ptacl_core.records.phenotypes import SCANNER_COLUMNS
from ptacl_core.safety.text.printable import clean_text
from ptacl_core.shards.merging import Labels, LabelValues
from ptacl_core.shards.spec import EVERY_VISIT

_COVARIATES = ("age_years", "height_cm", "weight_kg", "bmi_kg_m2")
_MAX_VISIT_DIGITS = 3


@dataclass(frozen=True, slots=True)
class Label:
    """One row of a table: a person, a visit label ("" all of them), values by column."""

    subject: str
    visit: str
    values: LabelValues


@dataclass(slots=True)
class TableLabels:
    """The rows of one table, and what reading it found."""

    name: str
    labels: list[Label] = field(default_factory=list)
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class MatchedLabels:
    """Rows by pseudonym and visit number; of each table how many people, with files and in all.

    `subjects` says whose pseudonym is whose. `without_visit` gives, of the rows of people with
    recordings, how many are of a visit that has none, and how many there are.
    """

    values: Labels
    matched: dict[str, tuple[int, int]]
    subjects: dict[str, str]
    without_visit: dict[str, tuple[int, int]]


def read_tables(
    paths: Sequence[Path],
    set_tables: Sequence[DataSetTable],
    *,
    withdrawn: frozenset[str] = frozenset(),
    sex_coding: str | None = None,
) -> list[TableLabels]:
    """The rows of phenotype tables and of a data set's own, without people who withdrew.

    `withdrawn` are folded identifiers; a table that holds nobody else does not come at all.
    `sex_coding` says what numbers for a sex mean (see `read_phenotypes`). Raises RecordError.
    """
    tables = [
        _from_phenotypes(path.name, read_phenotypes(path, sex_coding=sex_coding)) for path in paths
    ]
    tables += [_from_set(table) for table in set_tables if table.rule.columns]
    kept: list[TableLabels] = []
    for table in tables:
        labels = [
            label for label in table.labels if fold_identifier(label.subject) not in withdrawn
        ]
        if labels or not table.labels:
            kept.append(replace(table, labels=labels))
    return kept


def match_labels(
    tables: Sequence[TableLabels],
    known: KnownPeople,
    key: CohortKey,
    held: Set[tuple[str, int]],
) -> MatchedLabels:
    """Rows under the pseudonyms of their people, whether these have recordings yet or not.

    Visits that are small numbers are their own; others are what recordings of that visit were
    numbered (`remember_visits`), and without such a recording are left out. `held` are the
    (pseudonym, visit) that have recordings: the counts tell how many of a table's people and rows
    do.
    """
    values: Labels = {}
    matched: dict[str, tuple[int, int]] = {}
    subjects: dict[str, str] = {}
    visits_of_rows: dict[str, list[tuple[str, int | None]]] = {}
    numbers: dict[str, set[int]] = defaultdict(set)
    for patient, number in held:
        numbers[patient].add(number)
    for table in tables:
        persons: set[str] = set()
        visits_of_rows[table.name] = []
        for label in table.labels:
            patient = find_person(label.subject, known)
            if patient is None:
                patient = key.pseudonym(label.subject)
                known.add("id", fold_identifier(label.subject), patient)
            persons.add(patient)
            subjects[label.subject] = patient
            visit = number_visit(patient, label.visit, known)
            if patient in numbers:
                visits_of_rows[table.name].append((patient, visit))
            if visit is not None:
                values.setdefault((patient, visit), {}).update(label.values)
        matched[table.name] = len(persons & numbers.keys()), len(persons)
    stated: dict[str, set[int]] = defaultdict(set)
    for patient, visit in values:
        stated[patient] |= {visit} - {EVERY_VISIT}
    without_visit = {
        name: (
            sum(
                not _has_recording(visit, numbers[person], stated[person]) for person, visit in rows
            ),
            len(rows),
        )
        for name, rows in visits_of_rows.items()
    }
    return MatchedLabels(values, matched, subjects, without_visit)


def find_person(subject: str, known: KnownPeople) -> str | None:
    """The pseudonym under which a cohort knows an identifier or a name of a source, if it does."""
    folded = fold_identifier(subject)
    return known.find("id", folded) or known.find("name", folded)


def remember_visits(known: KnownPeople, numbers: Mapping[tuple[str, str], int]) -> None:
    """Keep, sealed, the number of each (pseudonym, visit label), for tables of later calls."""
    for (patient, label), number in numbers.items():
        known.add("visit", f"{patient}\0{_fold_visit(label)}", str(number), owner=patient)


def _has_recording(visit: int | None, numbers: Set[int], stated: Set[int]) -> bool:
    """Whether a row's visit has a recording; see `merge_rows` for the only visit of a person."""
    if visit == EVERY_VISIT or visit in numbers:
        return True
    return visit is not None and numbers == {0} and stated == {visit}


def count_matches(tables: Sequence[TableLabels], names: set[str]) -> dict[str, tuple[int, int]]:
    """Table → how many of its people are among `names`, and how many it has."""
    known = {fold_identifier(name) for name in names}
    people = {t.name: {fold_identifier(label.subject) for label in t.labels} for t in tables}
    return {name: (len(persons & known), len(persons)) for name, persons in people.items()}


def number_visit(patient: str, label: str, known: KnownPeople) -> int | None:
    """The number of a visit that a table names, None when no recording was made at it."""
    if not label:
        return EVERY_VISIT
    folded = _fold_visit(label)
    number = known.find("visit", f"{patient}\0{folded}")
    if number is not None:
        return int(number)
    return int(folded) if folded.isdecimal() and len(folded) <= _MAX_VISIT_DIGITS else None


def _fold_visit(label: str) -> str:
    """A visit as tables and folders spell it in one form: `Visit 02` is 2, `Follow-up` followup."""
    folded = split_name(label.strip()).visit or label.strip().casefold()
    return folded.lstrip("0") or "0"


def _from_phenotypes(name: str, table: PhenotypeTable) -> TableLabels:
    columns = {
        column_name: getattr(table, column_name) for column_name in (*PHENOTYPE_NAMES, *_COVARIATES)
    }
    labels = []
    first_rows: dict[tuple[str, str], int] = {}
    num_respelled = 0
    for row in range(len(table)):
        visit = str(table.visit[row])
        key = fold_identifier(str(table.subject[row])), _fold_visit(visit) if visit else ""
        if first_rows.setdefault(key, row) != row:
            num_respelled += 1
            continue
        values: LabelValues = {
            column_name: float(column[row])
            for column_name, column in columns.items()
            if np.isfinite(column[row])
        }
        values |= {
            SCANNER_COLUMNS[column_name]: float(column[row])
            for column_name, column in table.scanner.items()
            if np.isfinite(column[row])
        }
        if table.sex[row] is not None:
            values["sex"] = str(table.sex[row])
        if values:
            labels.append(Label(str(table.subject[row]), str(table.visit[row]), values))
    findings = list(table.findings)
    if num_respelled:
        message = (
            f"{num_respelled} rows repeat a person and visit in another spelling (007 and 7, "
            "Visit 2 and 2), the first was kept"
        )
        findings.append(Finding("duplicate_rows", "warning", message))
    return TableLabels(clean_text(name, max_length=80), labels, tuple(findings))


def _from_set(table: DataSetTable) -> TableLabels:
    findings: list[Finding] = []
    wanted = {
        column: name
        for column, name in table.rule.columns.items()
        if name in (*PHENOTYPE_NAMES, *_COVARIATES, "sex")
    }
    labels: dict[str, LabelValues] = {}
    for column, name in wanted.items():
        cells = [row.cells.get(column, "") for row in table.rows]
        for row, value in zip(table.rows, _parse(cells, name, table, findings), strict=True):
            if value is not None:
                labels.setdefault(row.subject, {}).setdefault(name, value)
    rows = [Label(subject, "", values) for subject, values in labels.items() if subject and values]
    return TableLabels(clean_text(table.path.name, max_length=80), rows, tuple(findings))


def _parse(
    cells: list[str], name: str, table: DataSetTable, findings: list[Finding]
) -> list[float | str | None]:
    if name == "sex":
        coded = [table.rule.sex.get(cell.strip(), cell) for cell in cells]
        return [None if sex is None else str(sex) for sex in parse_sexes(coded, findings)]
    numbers = drop_impossible(parse_numbers(cells, name, False, findings), name, findings)
    return [float(number) if np.isfinite(number) else None for number in numbers]
