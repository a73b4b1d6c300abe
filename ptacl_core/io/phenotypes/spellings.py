"""UK Biobank's columns in every spelling that exports give them: field, title, instance, array.

`24100-2.0` (the old CSV), `p24100_i2` (the platform), `f.24100.2.0` and `X24100.2.0` (R),
`n_24100_2_0` (Stata), `lv_end_diastolic_volume_f24100_2_0` (with its title before it), field
titles (`LV ejection fraction | Instance 2`), titles with the field behind them (`… | Instance 2
(participant - p24103_i2)`), and all of these after R or a cleaner of names has put dots or
underscores for everything else.
"""

import re
from dataclasses import dataclass

_FIELD_SPELLINGS = (
    re.compile(r"(?P<field>\d{2,6})-(?P<instance>\d+)\.(?P<array>\d+)"),
    re.compile(r"p(?P<field>\d{2,6})(?:_i(?P<instance>\d+))?(?:_a(?P<array>\d+))?"),
    re.compile(r"[fx]\.?(?P<field>\d{2,6})[._-](?P<instance>\d+)[._](?P<array>\d+)"),
    re.compile(r"n_(?P<field>\d{2,6})_(?P<instance>\d+)_(?P<array>\d+)"),
    re.compile(r"[a-z][a-z0-9_]*_f(?P<field>\d{2,6})_(?P<instance>\d+)_(?P<array>\d+)"),
)
_FIELD_BEHIND = re.compile(r"\bp(?P<field>\d{2,6})(?: i(?P<instance>\d+))?(?: a(?P<array>\d+))?$")
_INSTANCE = re.compile(r"\binstance (?P<instance>\d+)\b")
_ARRAY = re.compile(r"\barray (?P<array>\d+)\b")
_ENTITY = re.compile(r"^participant\.(?=p?\d|eid)")

_TITLES = {
    "lv end diastolic volume": "lvedv_ml",
    "lv end systolic volume": "lvesv_ml",
    "lv stroke volume": "lvsv_ml",
    "lv ejection fraction": "lvef_pct",
    "lv cardiac output": "lvco_l_min",
    "lv myocardial mass": "lvm_g",
    "rv end diastolic volume": "rvedv_ml",
    "rv end systolic volume": "rvesv_ml",
    "rv stroke volume": "rvsv_ml",
    "rv ejection fraction": "rvef_pct",
    "sex": "sex",
    "age when attended assessment centre": "age_years",
    "age at recruitment": "age_years",
    "standing height": "height_cm",
    "height": "height_cm",
    "weight": "weight_kg",
    "body mass index bmi": "bmi_kg_m2",
}
"""Titles of the fields of `columns.FIELDS` as the platform writes them, without signs."""

SHARED_TITLES = {
    "lv end diastolic volume",
    "lv end systolic volume",
    "lv stroke volume",
    "lv ejection fraction",
}
"""Titles that field 22420 to 22423 (the scanner's contours) and 24100 to 24103 have in common."""

SCANNER_TITLES = {"cardiac output", "cardiac index", "average heart rate", "body surface area"}
"""Titles of category 133 (the scanner's own contours) that category 157 does not have."""


@dataclass(frozen=True, slots=True)
class Spelling:
    """What a column name states: a UK Biobank field, or a field's title, and the instance.

    `field` is None where only the title is known, `quantity` None where the title is not one of
    ours; `array` counts repeats within an instance.
    """

    field: int | None
    title: str
    quantity: str | None
    instance: str | None
    array: int


def read_spelling(header: str) -> Spelling | None:
    """The UK Biobank column that `header` names, None when it is spelt like none.

    A title alone counts only with an instance beside it (`Sex` without one is a plain name).
    """
    text = _ENTITY.sub("", header.strip().strip("\ufeff\"'").lower())
    for spelling in _FIELD_SPELLINGS:
        match = spelling.fullmatch(text)
        if match:
            return Spelling(
                int(match["field"]), "", None, match["instance"], int(match["array"] or 0)
            )
    words = " ".join(re.findall(r"[a-z0-9]+", text))
    behind = _FIELD_BEHIND.search(words)
    named = _INSTANCE.search(words)
    array = _ARRAY.search(words)
    if behind is None and named is None:
        return None
    end = min(match.start() for match in (behind, named, array) if match is not None)
    title = words[:end].strip().removesuffix(" participant").strip()
    if behind is not None:
        instance = behind["instance"] or (named["instance"] if named else None)
        number = int(behind["array"] or (array["array"] if array else 0))
        return Spelling(int(behind["field"]), title, _TITLES.get(title), instance, number)
    assert named is not None
    number = int(array["array"]) if array else 0
    return Spelling(None, title, _TITLES.get(title), named["instance"], number)
