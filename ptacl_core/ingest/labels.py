"""What tables say of people, row by row: phenotypes, age, sex and size, whoever has recordings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ptacl_core.cohort.identity.aliases import KnownPeople
from ptacl_core.cohort.identity.keys import CohortKey
from ptacl_core.io import read_phenotypes
from ptacl_core.io.identity.facts import fold_identifier
from ptacl_core.io.layouts.tables import DataSetTable
from ptacl_core.io.phenotypes.cells import parse_numbers
from ptacl_core.io.phenotypes.checks import drop_impossible
from ptacl_core.io.phenotypes.sex_coding import parse_sexes
from ptacl_core.io.phenotypes.table import PhenotypeTable
from ptacl_core.records import PHENOTYPE_NAMES, Finding
from ptacl_core.safety.text.printable import clean_text
from ptacl_core.shards.spec import EVERY_VISIT

_COVARIATES = ("age_years", "height_cm", "weight_kg", "bmi_kg_m2")
_MAX_VISIT_DIGITS = 3


@dataclass(frozen=True, slots=True)
class Label:
    """One row of a table: a person, a visit label ("" all of them), values by column."""

    subject: str
    visit: str
    values: Mapping[str, Any]


@dataclass(slots=True)
class TableLabels:
    """The rows of one table, and what reading it found."""

    name: str
    labels: list[Label] = field(default_factory=list)
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class MatchedLabels:
    """Rows by pseudonym and visit number; of each table how many people, with files and in all.

    `subjects` says whose pseudonym is whose.
    """

    values: dict[tuple[str, int], dict[str, Any]]
    matched: dict[str, tuple[int, int]]
    subjects: dict[str, str]


def read_tables(paths: Sequence[Path], set_tables: Sequence[DataSetTable]) -> list[TableLabels]:
    """The rows of phenotype tables and of a data set's own. Raises RecordError."""
    tables = [_from_phenotypes(path.name, read_phenotypes(path)) for path in paths]
    tables += [_from_set(table) for table in set_tables if table.rule.columns]
    return tables


def match_labels(
    tables: Sequence[TableLabels],
    known: KnownPeople,
    key: CohortKey,
    visit_numbers: Mapping[tuple[str, str], int],
    people: set[str],
) -> MatchedLabels:
    """Rows under the pseudonyms of their people, whether these have recordings yet or not.

    `visit_numbers` gives the number of a (pseudonym, visit label) of this call; labels that are
    small numbers are their own. `people` are the pseudonyms that have recordings: the counts tell
    how many of a table's people do.
    """
    values: dict[tuple[str, int], dict[str, Any]] = {}
    matched: dict[str, tuple[int, int]] = {}
    subjects: dict[str, str] = {}
    for table in tables:
        persons: set[str] = set()
        for label in table.labels:
            folded = fold_identifier(label.subject)
            patient = known.find("id", folded) or known.find("name", folded)
            if patient is None:
                patient = key.pseudonym(label.subject)
                known.add("id", folded, patient)
            persons.add(patient)
            subjects[label.subject] = patient
            visit = _number(patient, label.visit, visit_numbers)
            if visit is not None:
                values.setdefault((patient, visit), {}).update(label.values)
        matched[table.name] = len(persons & people), len(persons)
    return MatchedLabels(values, matched, subjects)


def count_matches(tables: Sequence[TableLabels], names: set[str]) -> dict[str, tuple[int, int]]:
    """Table → how many of its people are among `names`, and how many it has."""
    known = {fold_identifier(name) for name in names}
    people = {t.name: {fold_identifier(label.subject) for label in t.labels} for t in tables}
    return {name: (len(persons & known), len(persons)) for name, persons in people.items()}


def _number(patient: str, label: str, visit_numbers: Mapping[tuple[str, str], int]) -> int | None:
    if not label:
        return EVERY_VISIT
    if (patient, label) in visit_numbers:
        return visit_numbers[patient, label]
    if label.isdecimal() and len(label) <= _MAX_VISIT_DIGITS:
        return int(label)
    return None


def _from_phenotypes(name: str, table: PhenotypeTable) -> TableLabels:
    columns = {each: getattr(table, each) for each in (*PHENOTYPE_NAMES, *_COVARIATES)}
    labels = []
    for row in range(len(table)):
        values: dict[str, Any] = {
            each: float(column[row]) for each, column in columns.items() if np.isfinite(column[row])
        }
        if table.sex[row] is not None:
            values["sex"] = str(table.sex[row])
        if values:
            labels.append(Label(str(table.subject[row]), str(table.visit[row]), values))
    return TableLabels(clean_text(name, max_length=80), labels, table.findings)


def _from_set(table: DataSetTable) -> TableLabels:
    findings: list[Finding] = []
    wanted = {
        column: name
        for column, name in table.rule.columns.items()
        if name in (*PHENOTYPE_NAMES, *_COVARIATES, "sex")
    }
    labels: dict[str, dict[str, Any]] = {}
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
