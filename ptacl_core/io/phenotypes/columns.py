"""What the columns of a phenotype table mean: UK Biobank fields, ukbb_cardiac, plain names."""

import re
from dataclasses import dataclass, replace

from ptacl_core.io.identity.names import split_name
from ptacl_core.io.phenotypes.sex_words import LANGUAGES, SEX_WORDS
from ptacl_core.io.phenotypes.spellings import SHARED_TITLES, Spelling, read_spelling
from ptacl_core.io.phenotypes.units import find_unit_factor
from ptacl_core.io.phenotypes.words import (
    SUBJECT_WORDS,
    VISIT_WORDS,
    build_covariates,
    fold_name,
    read_long_name,
)
from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.records.phenotypes import PHENOTYPE_FIELD_IDS, SCANNER_FIELD_IDS

COVARIATE_NAMES = ("age_years", "height_cm", "weight_kg", "bmi_kg_m2")
"""The numeric covariates; sex is kept apart."""

SCANNER_FIELDS = {field: name for name, field in SCANNER_FIELD_IDS.items()}
"""Category 133: from the contours that the scanner drew by itself, not to be mixed with 157's."""

FIELDS: dict[int, tuple[str, int]] = {
    **{field: (name, 0) for name, field in PHENOTYPE_FIELD_IDS.items()},
    31: ("sex", 0),
    21003: ("age_years", 0),
    21001: ("bmi_kg_m2", 0),
    12144: ("height_cm", 0),  # measured at the imaging visit
    50: ("height_cm", 1),
    12143: ("weight_kg", 0),
    21002: ("weight_kg", 1),
}
_SUBJECT_NAMES = (
    "eid",
    "feid",
    "subject",
    "subjectid",
    "patient",
    "patientid",
    "participant",
    "participantid",
    "id",
    "",
    "unnamed0",
    "externalcode",
    "caseid",
    "studyid",
    "participantidparticipanteid",
    "eidparticipanteid",
    *map(fold_name, SUBJECT_WORDS),
)
_VISIT_NAMES = (
    "visit",
    "visitid",
    "instance",
    "session",
    "timepoint",
    *map(fold_name, VISIT_WORDS),
)
_COVARIATE_SPELLINGS = {
    "sex": "sex",
    "gender": "sex",
    "age": "age_years",
    "ageatvisit": "age_years",
    "height": "height_cm",
    "weight": "weight_kg",
    "bmi": "bmi_kg_m2",
    "bodymassindex": "bmi_kg_m2",
    "patientsex": "sex",
    "patientage": "age_years",
    "patientsize": "height_cm",
    "patientheight": "height_cm",
    "patientweight": "weight_kg",
    **build_covariates(),
}
_FLAGS = {
    "ismale": "male_flag",
    "male": "male_flag",
    "isfemale": "female_flag",
    "female": "female_flag",
}
"""Names whose 1 or true states the sex by itself."""

_BASES = (
    {name.split("_")[0]: name for name in PHENOTYPE_NAMES}
    | {
        "lvmass": "lvm_g",
        "lvmi": "indexed",
    }
    | {f"{name.split('_')[0]}i": "indexed" for name in PHENOTYPE_NAMES}
)
_SHARED_BASES = {fold_name(title) for title in SHARED_TITLES}
_OTHER_CODES = {"0": "1", "1": "02", "2": "1"}
_CODED = re.compile(r"\b(\d)\s*[=:]\s*([^\W\d_]+)")
_CODED_BACKWARDS = re.compile(r"\b([^\W\d_]+)\s*[=:]\s*(\d)\b")


@dataclass(frozen=True, slots=True)
class ColumnMeaning:
    """What one column holds.

    `quantity` is a phenotype, a covariate, "sex", "subject", "visit", "indexed" (divided by body
    surface: never used), "other_field" (a phenotype's title on a field of another derivation: never
    used) or "unclear" (a quantity of ours with words that are not known: never used). `instance` is
    the visit that the name states (UK Biobank's instance), None when it states none; of several
    columns for the same the lowest `rank` counts. `factor` turns the unit that the name states
    into ours, None when it states none. `is_scanner` marks what the scanner's own contours gave;
    `shared_title` a title that both derivations have, without a field number; `coding` how a sex
    is coded: "ukb", "male_flag", "female_flag", `0=F,1=M` as its name states, "" unknown;
    `language` is that of a name whose letters for a sex differ.
    """

    quantity: str
    instance: str | None = None
    rank: int = 0
    factor: float | None = None
    is_scanner: bool = False
    shared_title: bool = False
    coding: str = ""
    language: str = ""


_WHOLE_NAMES = {
    **{name: ColumnMeaning("subject", rank=rank) for rank, name in enumerate(_SUBJECT_NAMES)},
    **{name: ColumnMeaning("visit", rank=rank) for rank, name in enumerate(_VISIT_NAMES)},
    **{name: ColumnMeaning("sex", coding=coding) for name, coding in _FLAGS.items()},
    "ageatrecruitment": ColumnMeaning("age_years", rank=1),
}
"""Names without signs that are read whole, without a unit behind them."""


def find_meaning(header: str) -> ColumnMeaning | None:
    """The meaning of a column name, None when it is none of ours."""
    spelling = read_spelling(header)
    if spelling is not None:
        return _meaning_of_field(spelling)
    text = header.strip().strip("\ufeff\"'").lower().removeprefix("participant.")
    return _find_plain(text)


def _meaning_of_field(spelling: Spelling) -> ColumnMeaning | None:
    """What a UK Biobank column holds; first of its array only."""
    if spelling.array != 0:
        return None
    if spelling.field is None:
        return _meaning_of_title(spelling)
    if spelling.field in SCANNER_FIELDS:
        quantity = SCANNER_FIELDS[spelling.field]
        return ColumnMeaning(quantity, spelling.instance, 0, 1.0, is_scanner=True)
    known = FIELDS.get(spelling.field)
    if known is not None:
        coding = "ukb" if known[0] == "sex" else ""
        return ColumnMeaning(known[0], spelling.instance, known[1], 1.0, coding=coding)
    if spelling.quantity in PHENOTYPE_NAMES:
        return ColumnMeaning("other_field", spelling.instance)
    return None


def _meaning_of_title(spelling: Spelling) -> ColumnMeaning | None:
    if spelling.title == "cardiac output":
        return ColumnMeaning("lvco_l_min", spelling.instance, 0, 1.0, is_scanner=True)
    if spelling.quantity is None:
        return None
    rank = 1 if spelling.title in {"standing height", "age at recruitment"} else 0
    return ColumnMeaning(
        spelling.quantity,
        spelling.instance,
        rank,
        1.0,
        shared_title=spelling.title in SHARED_TITLES,
        coding="ukb" if spelling.quantity == "sex" else "",
    )


def _find_plain(text: str) -> ColumnMeaning | None:
    """The meaning of a name that is not UK Biobank's, with the visit before or behind it."""
    meaning = _find_without_visit(text)
    if meaning is not None and meaning.quantity != "unclear":
        return meaning
    for pattern, name, visit in ((_VISIT_BEHIND, 1, 2), (_VISIT_BEFORE, 2, 1)):
        match = pattern.fullmatch(text)
        part = split_name(match[visit]) if match else None
        if match is None or part is None or part.core or not part.has_visit_word:
            continue
        inner = _find_without_visit(match[name])
        if inner is not None and inner.quantity in (*PHENOTYPE_NAMES, *COVARIATE_NAMES):
            return replace(inner, instance=part.visit)
    return meaning


_VISIT_BEHIND = re.compile(r"(.+?)[\s_.\-(\[]+([^\s_.()\[\]]+)[)\]]?")
_VISIT_BEFORE = re.compile(r"([^\s_.()\[\]]+?)[\s_.\-]+(.+)")


def _find_without_visit(text: str) -> ColumnMeaning | None:
    coding = _find_stated_coding(text)
    whole = ColumnMeaning("sex", coding=coding) if coding else _WHOLE_NAMES.get(fold_name(text))
    if whole is not None:
        return whole
    for name, unit in _splits(text):
        base = fold_name(name)
        quantity = _BASES.get(base) or _COVARIATE_SPELLINGS.get(base)
        quantity = quantity or _BASES.get(read_long_name(base) or "")
        if quantity is None:
            continue
        is_indexed = quantity == "indexed" or bool(re.search(r"m2|m²|bsa|index", unit))
        if is_indexed and quantity != "bmi_kg_m2":
            return ColumnMeaning("indexed")
        if not unit or quantity == "sex":
            language = LANGUAGES.get(base, "")
            return ColumnMeaning(quantity, shared_title=base in _SHARED_BASES, language=language)
        factor = find_unit_factor(quantity, unit)
        if factor is not None:
            return ColumnMeaning(quantity, factor=factor)
        is_ours = quantity in PHENOTYPE_NAMES or (name != text and text.endswith((")", "]")))
        return ColumnMeaning("unclear") if is_ours else None
    return None


def _find_stated_coding(text: str) -> str:
    """`Sex (0=female; 1=male)` → "0=F,1=M": what a column's name says of its own numbers."""
    name, bracket, rest = (
        re.split(r"([(\[:])", text, maxsplit=1) if _CODED.search(text) else (text, "", "")
    )
    if not bracket or _COVARIATE_SPELLINGS.get(fold_name(name)) != "sex":
        return ""
    pairs = [(code, SEX_WORDS.get(word)) for code, word in _CODED.findall(rest)]
    pairs += [(code, SEX_WORDS.get(word)) for word, code in _CODED_BACKWARDS.findall(rest)]
    known = {code: sex for code, sex in pairs if sex is not None}
    if len(known) == 1:  # `Gender (1=male)`: the other sex is the other number
        (code, sex), other = next(iter(known.items())), {"M": "F", "F": "M"}
        known |= dict.fromkeys(_OTHER_CODES.get(code, ""), other[sex])
    return (
        ",".join(f"{code}={sex}" for code, sex in sorted(known.items())) if len(known) > 1 else ""
    )


def _splits(text: str) -> list[tuple[str, str]]:
    """Ways to read a name as (quantity, unit): `LVEDV (mL)`, `lvedv_ml`, `lvco_l_min`, `lvedv`."""
    in_brackets = re.fullmatch(r"(.*?)\s*[(\[]\s*(.*?)\s*[)\]]", text)
    if in_brackets:
        return [(in_brackets[1], in_brackets[2].replace("^", ""))]
    words = [word for word in re.split(r"[\s_.\-]+", text) if word]
    return [("".join(words[:count]), "".join(words[count:])) for count in range(len(words), 0, -1)]
