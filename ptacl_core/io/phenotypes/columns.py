"""What the columns of a phenotype table mean: UK Biobank fields, ukbb_cardiac, plain names."""

import re
from dataclasses import dataclass

from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.records.phenotypes import PHENOTYPE_FIELD_IDS

COVARIATE_NAMES = ("age_years", "height_cm", "weight_kg", "bmi_kg_m2")
"""The numeric covariates; sex is kept apart."""

_FIELDS: dict[int, tuple[str, int]] = {
    **{field: (name, 0) for name, field in PHENOTYPE_FIELD_IDS.items()},
    31: ("sex", 0),
    21003: ("age_years", 0),
    21001: ("bmi_kg_m2", 0),
    12144: ("height_cm", 0),  # measured at the imaging visit
    50: ("height_cm", 1),
    12143: ("weight_kg", 0),
    21002: ("weight_kg", 1),
}
_FIELD_SPELLINGS = (
    re.compile(r"(?P<field>\d{2,6})-(?P<instance>\d+)\.(?P<array>\d+)"),
    re.compile(r"p(?P<field>\d{2,6})(?:_i(?P<instance>\d+))?(?:_a(?P<array>\d+))?"),
    re.compile(r"[fx]\.?(?P<field>\d{2,6})[._](?P<instance>\d+)[._](?P<array>\d+)"),
)
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
)
_VISIT_NAMES = ("visit", "visitid", "instance", "session", "timepoint")
_COVARIATE_SPELLINGS = {
    "sex": "sex",
    "gender": "sex",
    "age": "age_years",
    "ageatvisit": "age_years",
    "height": "height_cm",
    "weight": "weight_kg",
    "bmi": "bmi_kg_m2",
    "bodymassindex": "bmi_kg_m2",
}
_BASES = (
    {name.split("_")[0]: name for name in PHENOTYPE_NAMES}
    | {
        "lvmass": "lvm_g",
        "lvmi": "indexed",
    }
    | {f"{name.split('_')[0]}i": "indexed" for name in PHENOTYPE_NAMES}
)
_UNIT_FACTORS = {
    ("volume", "ml"): 1.0,
    ("volume", "l"): 1000.0,
    ("volume", "cm3"): 1.0,
    ("fraction", "%"): 1.0,
    ("fraction", "pct"): 1.0,
    ("fraction", "percent"): 1.0,
    ("flow", "l/min"): 1.0,
    ("flow", "lmin"): 1.0,
    ("flow", "ml/min"): 0.001,
    ("mass", "g"): 1.0,
    ("mass", "kg"): 1000.0,
    ("age", "years"): 1.0,
    ("age", "y"): 1.0,
    ("length", "cm"): 1.0,
    ("length", "m"): 100.0,
    ("weight", "kg"): 1.0,
    ("bmi", "kg/m2"): 1.0,
    ("bmi", "kgm2"): 1.0,
}
_KINDS = {
    "lvef_pct": "fraction",
    "rvef_pct": "fraction",
    "lvco_l_min": "flow",
    "lvm_g": "mass",
    "age_years": "age",
    "height_cm": "length",
    "weight_kg": "weight",
    "bmi_kg_m2": "bmi",
}


@dataclass(frozen=True, slots=True)
class ColumnMeaning:
    """What one column holds.

    `quantity` is a phenotype, a covariate, "sex", "subject", "visit", or "indexed" (divided by body
    surface: never used). `instance` is the UK Biobank visit, None when the name has none; of
    several columns for the same the lowest `rank` counts. `factor` turns the unit that the name
    states into ours, None when it states none.
    """

    quantity: str
    instance: str | None = None
    rank: int = 0
    factor: float | None = None


def find_meaning(header: str) -> ColumnMeaning | None:
    """The meaning of a column name, None when it is none of ours."""
    text = header.strip().strip("\ufeff\"'").lower().removeprefix("participant.")
    for spelling in _FIELD_SPELLINGS:
        match = spelling.fullmatch(text)
        if match:
            known = _FIELDS.get(int(match["field"]))
            if known is None or int(match["array"] or 0) != 0:
                return None
            return ColumnMeaning(known[0], match["instance"], known[1], 1.0)
    return _find_plain(text)


def kind_of(quantity: str) -> str:
    """The kind of quantity (volume, fraction, flow, mass, age, length, weight, bmi)."""
    return _KINDS.get(quantity, "volume")


def _find_plain(text: str) -> ColumnMeaning | None:
    letters = re.sub(r"[^a-z0-9]", "", text)
    if letters in _SUBJECT_NAMES:
        return ColumnMeaning("subject", rank=_SUBJECT_NAMES.index(letters))
    if letters in _VISIT_NAMES:
        return ColumnMeaning("visit", rank=_VISIT_NAMES.index(letters))
    for base, unit in _splits(text):
        quantity = _BASES.get(base) or _COVARIATE_SPELLINGS.get(base)
        if quantity is None:
            continue
        is_indexed = quantity == "indexed" or bool(re.search(r"m2|m²|bsa|index", unit))
        if is_indexed and quantity != "bmi_kg_m2":
            return ColumnMeaning("indexed")
        if not unit or quantity == "sex":
            return ColumnMeaning(quantity)
        factor = _UNIT_FACTORS.get((kind_of(quantity), unit))
        return None if factor is None else ColumnMeaning(quantity, factor=factor)
    return None


def _splits(text: str) -> list[tuple[str, str]]:
    """Ways to read a name as (quantity, unit): `LVEDV (mL)`, `lvedv_ml`, `lvco_l_min`, `lvedv`."""
    in_brackets = re.fullmatch(r"(.*?)\s*[(\[]\s*(.*?)\s*[)\]]", text)
    if in_brackets:
        return [(re.sub(r"[^a-z0-9]", "", in_brackets[1]), in_brackets[2].replace("^", ""))]
    words = [word for word in re.split(r"[\s_.\-]+", text) if word]
    return [("".join(words[:count]), "".join(words[count:])) for count in range(len(words), 0, -1)]
