"""UK Biobank's header styles: how each spells one field at one visit."""

import re
from collections.abc import Callable

TITLES = {
    "lvedv_ml": "LV end diastolic volume",
    "lvesv_ml": "LV end systolic volume",
    "lvsv_ml": "LV stroke volume",
    "lvef_pct": "LV ejection fraction",
    "lvco_l_min": "LV cardiac output",
    "lvm_g": "LV myocardial mass",
    "rvedv_ml": "RV end diastolic volume",
    "rvesv_ml": "RV end systolic volume",
    "rvsv_ml": "RV stroke volume",
    "rvef_pct": "RV ejection fraction",
}


def dotted(name: str) -> str:
    """What R's read.csv makes of a column name."""
    name = re.sub(r"[^A-Za-z0-9_.]", ".", name)
    return f"X{name}" if name[0].isdigit() else name


def cleaned(name: str) -> str:
    """Small letters and underscores, as column cleaners leave them."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def platform(title: str, field: int, instance: int) -> str:
    """The platform's title with its field."""
    return f"{title} | Instance {instance} (participant - p{field}_i{instance})"


STYLES: dict[str, Callable[[str, int, int], str]] = {
    "old csv": lambda title, field, instance: f"{field}-{instance}.0",
    "platform field": lambda title, field, instance: f"p{field}_i{instance}",
    "with entity": lambda title, field, instance: f"participant.p{field}_i{instance}",
    "R field": lambda title, field, instance: f"f.{field}.{instance}.0",
    "title": lambda title, field, instance: f"{title} | Instance {instance}",
    "title and field": platform,
    "dotted old csv": lambda title, field, instance: dotted(f"{field}-{instance}.0"),
    "dotted title": lambda title, field, instance: dotted(f"{title} | Instance {instance}"),
    "dotted title and field": lambda *of: dotted(platform(*of)),
    "cleaned title": lambda title, field, instance: cleaned(f"{title} | Instance {instance}"),
}
"""Style to the name of (title, field, visit)."""
