"""Phenotype tables → one row per patient and visit, in our units, checked for consistency."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ptacl_core.arrays import Array, Float64
from ptacl_core.errors import ConfigError, UnsupportedFormatError
from ptacl_core.io.files.bounded_file import shown_name
from ptacl_core.io.files.delimited_columns import open_delimited, read_columns
from ptacl_core.io.phenotypes.cells import find_text_fault, parse_numbers
from ptacl_core.io.phenotypes.checks import (
    check_consistency,
    drop_impossible,
    refuse_foreign_units,
    repair_units,
    report_missing,
)
from ptacl_core.io.phenotypes.columns import COVARIATE_NAMES, ColumnMeaning, find_meaning
from ptacl_core.io.phenotypes.origins import (
    describe_set_apart,
    find_sex_coding,
    resolve_shared_titles,
)
from ptacl_core.io.phenotypes.sex_coding import CODINGS, check_sex_coding, parse_sexes
from ptacl_core.records import PHENOTYPE_NAMES, Finding
from ptacl_core.safety.text.printable import clean_text

_NUMERIC_NAMES = (*PHENOTYPE_NAMES, *COVARIATE_NAMES)
_SCANNER = "scanner_"
_SHOWN_COLUMNS = 4
_Place = tuple[str | None, int]
"""Instance and rank of a column."""
_Readings = dict[_Place, Float64[Array, " row"]]
_Codings = tuple[Mapping[str, str] | None, Mapping[str, str] | None]
"""What numbers for a sex mean: as declared, and as usual in a table of these columns."""


@dataclass(frozen=True, slots=True, eq=False)
class PhenotypeTable:
    """One row per patient and visit; NaN (None for sex) where the table has no value.

    `subject` and `visit` are strings as given (leading zeros kept); `visit` is the UK Biobank
    instance ("2", "3"), the visit column's value, or "". `sex` is "F", "M" or None. `scanner`
    holds what the scanner's own contours gave (UK Biobank 22420 to 22424), by phenotype, apart
    from the phenotypes. Without `has_visits` a row holds for every visit of its person.
    """

    subject: np.ndarray
    visit: np.ndarray
    lvedv_ml: Float64[Array, " row"]
    lvesv_ml: Float64[Array, " row"]
    lvsv_ml: Float64[Array, " row"]
    lvef_pct: Float64[Array, " row"]
    lvco_l_min: Float64[Array, " row"]
    lvm_g: Float64[Array, " row"]
    rvedv_ml: Float64[Array, " row"]
    rvesv_ml: Float64[Array, " row"]
    rvsv_ml: Float64[Array, " row"]
    rvef_pct: Float64[Array, " row"]
    sex: np.ndarray
    age_years: Float64[Array, " row"]
    height_cm: Float64[Array, " row"]
    weight_kg: Float64[Array, " row"]
    bmi_kg_m2: Float64[Array, " row"]
    findings: tuple[Finding, ...] = ()
    scanner: Mapping[str, Float64[Array, " row"]] = field(default_factory=dict)
    has_visits: bool = True

    def __len__(self) -> int:
        return len(self.subject)

    @property
    def phenotypes(self) -> Float64[Array, "row target"]:
        """The ten phenotypes as columns, in the order of `PHENOTYPE_NAMES`."""
        return np.stack([getattr(self, name) for name in PHENOTYPE_NAMES], axis=1)


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of the file that is used: its meaning and its cells."""

    meaning: ColumnMeaning
    cells: list[str]


def read_phenotypes(
    path: str | Path,
    *,
    sex_coding: str | Mapping[str, str] | None = None,
    columns: Mapping[str, str] | None = None,
) -> PhenotypeTable:
    """The phenotypes and covariates in a CSV, TSV or semicolon table (gzip too).

    Columns are known by name: UK Biobank fields in every spelling (`spellings.py`), those of
    ukbb_cardiac (`LVEDV (mL)`), or plain (`lvedv_ml`, `sex`, `age_years`, `height_cm`,
    `weight_kg`, `bmi_kg_m2`, `visit`); others are ignored. A visit of UK Biobank becomes a row
    where it has a phenotype (any value, in a table without phenotypes). What was converted,
    missing, doubled, ambiguous or does not add up is in `findings`, as counts, never with an
    identifier.

    Args:
        path: The table.
        sex_coding: What numbers in the sex column mean: "ukb", "ptb_xl", "iso_5218", or pairs as
            `{"0": "M", "1": "F"}`. Without it 0 and 1 are read only where the table says which.
        columns: Names of columns → what they hold ("subject", "visit", "sex", a phenotype or a
            covariate by our name), where the names do not say it.

    Raises UnreadableFileError, UnsupportedFormatError for a file that is no such table, ConfigError
    for an unknown coding or quantity.
    """
    source = Path(path)
    shown = shown_name(source)
    declared = check_sex_coding(sex_coding)
    table = open_delimited(source)
    meanings = _find_meanings(table.columns, columns or {})
    findings: list[Finding] = []
    meanings = resolve_shared_titles(meanings, table.columns, findings)
    used = _choose_columns(meanings, table.columns, shown, findings)
    cells, num_skipped = read_columns(table, used)
    read = [_Column(meanings[index], column) for index, column in zip(used, cells, strict=True)]
    if num_skipped:
        findings.append(
            Finding(
                "rows_unreadable",
                "warning",
                f"{num_skipped} rows with another number of cells than the header were left out",
            )
        )
    codings = declared, find_sex_coding(table.columns)
    return _assemble(read, table.delimiter != ",", codings, findings)


def _find_meanings(names: Sequence[str], declared: Mapping[str, str]) -> dict[int, ColumnMeaning]:
    """The meaning of each column that has one, as declared, else by its name."""
    known = {*_NUMERIC_NAMES, "sex", "subject", "visit"}
    for quantity in declared.values():
        if quantity not in known:
            raise ConfigError(
                f"columns: expected a quantity of {', '.join(sorted(known))}, got "
                f"{clean_text(str(quantity), max_length=40)!r}"
            )
    meanings: dict[int, ColumnMeaning] = {}
    for index, header in enumerate(names):
        quantity = declared.get(header.strip())
        meaning = ColumnMeaning(quantity) if quantity else find_meaning(header)
        if meaning is not None and (quantity or meaning.quantity not in declared.values()):
            meanings[index] = meaning
    return meanings


def _describe_unclear(meanings: Mapping[int, ColumnMeaning], names: Sequence[str]) -> list[Finding]:
    """Columns that name a quantity of ours in words that are not known, so that none is lost."""
    unclear = [names[i] for i, meaning in meanings.items() if meaning.quantity == "unclear"]
    if not unclear:
        return []
    shown = ", ".join(clean_text(name, max_length=40) for name in unclear[:_SHOWN_COLUMNS])
    shown += ", …" if len(unclear) > _SHOWN_COLUMNS else ""
    message = (
        f"{len(unclear)} columns name a known quantity with a unit, a method or a visit that is "
        f"not known and were not used ({shown}); rename them, as lvef_pct or LVEF (%)"
    )
    return [Finding("columns_unclear", "warning", message)]


def _choose_columns(
    meanings: dict[int, ColumnMeaning],
    names: Sequence[str],
    shown: str,
    findings: list[Finding],
) -> list[int]:
    """Indices of the columns to read: one for each meaning, the best-ranked subject column."""
    subjects = [index for index, meaning in meanings.items() if meaning.quantity == "subject"]
    quantities = {meaning.quantity for meaning in meanings.values()}
    if not subjects or not quantities & {*_NUMERIC_NAMES, "sex"}:
        missing = "a subject column (eid, subject)" if not subjects else "a phenotype column"
        raise UnsupportedFormatError(
            f"{shown}: expected a phenotype table, found no {missing[2:]}; name columns as UK "
            "Biobank does (eid, 24100-2.0), as ukbb_cardiac does (LVEDV (mL)) or plainly "
            "(subject, lvedv_ml)"
        )
    num_indexed = sum(meaning.quantity == "indexed" for meaning in meanings.values())
    if num_indexed:
        findings.append(
            Finding(
                "indexed_columns_ignored",
                "warning",
                f"{num_indexed} columns are divided by body surface area and were not used",
            )
        )
    findings += describe_set_apart(meanings.values())
    findings += _describe_unclear(meanings, names)
    chosen: dict[tuple[str, str | None, int, bool], int] = {}
    num_doubled = 0
    for index, meaning in meanings.items():
        if meaning.quantity in {"subject", "visit", "indexed", "other_field", "unclear"}:
            continue
        key = meaning.quantity, meaning.instance, meaning.rank, meaning.is_scanner
        num_doubled += key in chosen
        chosen.setdefault(key, index)
    if num_doubled:
        findings.append(
            Finding(
                "doubled_columns",
                "warning",
                f"{num_doubled} columns repeat the meaning of an earlier one and were not used",
            )
        )
    best = min(subjects, key=lambda index: meanings[index].rank)
    visits = [index for index, meaning in meanings.items() if meaning.quantity == "visit"]
    return [best, *sorted(visits, key=lambda index: meanings[index].rank)[:1], *chosen.values()]


def _assemble(
    columns: Sequence[_Column],
    has_decimal_comma: bool,
    sex_codings: _Codings,
    findings: list[Finding],
) -> PhenotypeTable:
    subjects = [cell.strip() for cell in columns[0].cells]
    visit_cells = [column.cells for column in columns if column.meaning.quantity == "visit"]
    subjects, visits = _tidy_ids(subjects, visit_cells, findings)
    numbers, sexes = _parse(columns, has_decimal_comma, sex_codings, findings)
    scanner_names = [name for name in PHENOTYPE_NAMES if numbers[_SCANNER + name]]
    names = [*_NUMERIC_NAMES, *(_SCANNER + name for name in scanner_names)]
    instances = _find_instances(columns)
    parts: dict[str, list[np.ndarray]] = defaultdict(list)
    for instance in instances:
        values = {name: _pick(numbers[name], instance, len(subjects)) for name in names}
        deciding = [name for name in PHENOTYPE_NAMES if numbers[name]]
        deciding += [_SCANNER + name for name in scanner_names]
        deciding = deciding or list(COVARIATE_NAMES)
        has_value = np.any([np.isfinite(values[name]) for name in deciding], axis=0)
        if instance is None or not any(numbers[name] for name in names):
            has_value = np.ones(len(subjects), dtype=bool)
        has_value &= np.array([find_text_fault(subject) is None for subject in subjects], bool)
        for name, column in values.items():
            parts[name].append(column[has_value])
        parts["sex"].append(_pick_sex(sexes, instance, len(subjects))[has_value])
        parts["subject"].append(np.array(subjects, dtype=object)[has_value])
        at_visit = visits if instance is None else [instance] * len(subjects)
        parts["visit"].append(np.array(at_visit, dtype=object)[has_value])
    _report_bad_ids(subjects, findings)
    joined = {name: np.concatenate(arrays) for name, arrays in parts.items()}
    joined = _without_duplicates(joined, findings)
    phenotypes = {name: joined[name] for name in PHENOTYPE_NAMES}
    check_consistency(phenotypes, findings)
    report_missing(phenotypes, findings)
    has_visits = bool(visit_cells) or instances != [None]
    if not has_visits:
        message = "the table names no visit: its values hold for every visit of a person"
        findings.append(Finding("no_visit_column", "info", message))
    scanner = {name: joined.pop(_SCANNER + name) for name in scanner_names}
    return PhenotypeTable(
        **joined, findings=tuple(findings), scanner=scanner, has_visits=has_visits
    )


def _tidy_ids(
    subjects: list[str], visit_cells: list[list[str]], findings: list[Finding]
) -> tuple[list[str], list[str]]:
    """Subjects and visits; a column of whole floats (`1000017.0`) loses its `.0`."""
    visits = [cell.strip() for cell in visit_cells[0]] if visit_cells else [""] * len(subjects)
    visits = [re.sub(r"^(\d+)\.0$", r"\1", visit) for visit in visits]
    if subjects and all(re.fullmatch(r"\d+\.0", subject) for subject in subjects):
        subjects = [subject[:-2] for subject in subjects]
        findings.append(
            Finding("float_subjects", "info", "subjects were written as decimals, .0 was cut off")
        )
    return subjects, visits


def _report_bad_ids(subjects: list[str], findings: list[Finding]) -> None:
    faults = Counter(find_text_fault(subject) for subject in subjects)
    num_rounded = faults["rounded"]
    num_bad = len(subjects) - faults[None] - num_rounded
    if num_rounded:
        message = (
            f"{num_rounded} rows have a subject that a spreadsheet rounded (9.00E+06), of which "
            "nobody can be told, and were left out; export the column as text"
        )
        findings.append(Finding("subjects_rounded", "warning", message))
    if num_bad:
        findings.append(
            Finding(
                "subjects_unusable",
                "warning",
                f"{num_bad} rows have no usable subject (empty, too long, control characters) and "
                "were left out",
            )
        )


def _parse(
    columns: Sequence[_Column],
    has_decimal_comma: bool,
    sex_codings: _Codings,
    findings: list[Finding],
) -> tuple[dict[str, _Readings], dict[_Place, np.ndarray]]:
    """Cells → numbers in our units by quantity and (instance, rank); sexes the same."""
    numbers: dict[str, _Readings] = defaultdict(dict)
    sexes: dict[_Place, np.ndarray] = {}
    for column in columns:
        meaning = column.meaning
        key = meaning.instance, meaning.rank
        if meaning.quantity == "sex":
            declared, usual = sex_codings
            if "=" in meaning.coding:
                usual = check_sex_coding(meaning.coding)
            usual = CODINGS.get(meaning.coding, usual)
            sexes[key] = parse_sexes(
                column.cells,
                findings,
                declared=declared,
                usual=usual,
                language=meaning.language,
            )
        elif meaning.quantity in _NUMERIC_NAMES:
            values = parse_numbers(column.cells, meaning.quantity, has_decimal_comma, findings) * (
                meaning.factor or 1.0
            )
            if meaning.factor is None:
                values = refuse_foreign_units(values, meaning.quantity, findings)
            values = repair_units(values, meaning.quantity, findings)
            stored = _SCANNER * meaning.is_scanner + meaning.quantity
            numbers[stored][key] = drop_impossible(values, meaning.quantity, findings)
    return numbers, sexes


def _find_instances(columns: Sequence[_Column]) -> list[str | None]:
    """The visits that make rows: those of the phenotypes, else of the covariates."""
    for wanted in (PHENOTYPE_NAMES, COVARIATE_NAMES):
        instances = {
            column.meaning.instance for column in columns if column.meaning.quantity in wanted
        }
        if instances:
            return sorted(instances, key=lambda instance: (instance is None, instance or ""))
    return [None]


def _pick(
    by_key: dict[tuple[str | None, int], Float64[Array, " row"]],
    instance: str | None,
    num_rows: int,
) -> Float64[Array, " row"]:
    """The values of one visit; a column without a visit serves all, a sole visit one without."""
    stated = {key[0] for key in by_key}
    wanted: tuple[str | None, ...] = (instance, None)
    if instance is None and None not in stated and len(stated) == 1:
        wanted = (next(iter(stated)),)
    result = np.full(num_rows, math.nan)
    for key in sorted(by_key, key=lambda key: (key[0] is None, key[1])):
        if key[0] in wanted:
            result = np.where(np.isfinite(result), result, by_key[key])
    return result


def _pick_sex(
    by_key: dict[tuple[str | None, int], np.ndarray], instance: str | None, num_rows: int
) -> np.ndarray:
    """Sex as stated at the visit, else at any (UK Biobank states it once)."""
    result = np.full(num_rows, None, dtype=object)
    for key in sorted(by_key, key=lambda key: (key[0] != instance, key[0] or "", key[1])):
        is_open = np.array([value is None for value in result], dtype=bool)
        result[is_open] = by_key[key][is_open]
    return result


def _without_duplicates(
    columns: dict[str, np.ndarray], findings: list[Finding]
) -> dict[str, np.ndarray]:
    """The first row of each (subject, visit); how many others there were, and how many differ."""
    first: dict[tuple[str, str], int] = {}
    keep, num_differing = [], 0
    for index, key in enumerate(zip(columns["subject"], columns["visit"], strict=True)):
        if key not in first:
            first[key] = index
            keep.append(index)
            continue
        ours, theirs = (
            [column[at] for name, column in columns.items() if name in _NUMERIC_NAMES]
            for at in (first[key], index)
        )
        num_differing += not np.array_equal(ours, theirs, equal_nan=True)
    num_doubled = len(columns["subject"]) - len(keep)
    if num_doubled:
        findings.append(
            Finding(
                "duplicate_rows",
                "warning",
                f"{num_doubled} rows repeat a patient and visit ({num_differing} with other "
                "values), the first was kept",
            )
        )
    return {name: column[keep] for name, column in columns.items()}
