"""What the columns of an ECG table mean: leads with units, long form."""

import re
from dataclasses import dataclass

from ptacl_core.io.ecg.leads import find_lead
from ptacl_core.io.ecg.voltage import find_millivolts

_UNIT_IN_NAME = re.compile(r"(.+?)\s*[(\[/]\s*([^)\]]+?)\s*[)\]]?")
_UNIT_AFTER = re.compile(r"(.+)[_\s](\S+)")
MIN_LEADS = 8
"""Columns named after leads that make a table an ECG: eight complete to twelve."""
_LEAD_COLUMN_NAMES = {"lead", "leads", "lead_name", "leadname", "channel", "channel_name"}
_VALUE_COLUMN_NAMES = {"value", "voltage", "amplitude", "signal", "signal_mv", "signal_uv"}


@dataclass(frozen=True, slots=True)
class LeadColumn:
    """Column `index` of a table: the lead, and the unit if its name holds one."""

    index: int
    lead: str
    unit: str | None


def find_lead_columns(names: list[str]) -> list[LeadColumn]:
    """Columns whose names are leads: "aVR", "I (mV)", "V1 [uV]", "lead_II_mV"."""
    lead_columns: list[LeadColumn] = []
    for index, name in enumerate(names):
        base, unit = split_unit(name)
        lead = find_lead(name)
        if lead is not None:
            lead_columns.append(LeadColumn(index, lead, None))
        elif unit is not None and (lead := find_lead(base)) is not None:
            lead_columns.append(LeadColumn(index, lead, unit))
    return lead_columns


def split_unit(name: str) -> tuple[str, str | None]:
    """A column name and the voltage unit written after it, if any."""
    for pattern in (_UNIT_IN_NAME, _UNIT_AFTER):
        match = pattern.fullmatch(name.strip())
        if match is not None and find_millivolts(match[2]) is not None:
            return match[1], match[2]
    return name, None


def find_long_columns(names: list[str]) -> tuple[int, int, str | None] | None:
    """Indices of the lead and the value column of a table in long form, and the unit if named."""
    folded = [name.strip().casefold() for name in names]
    lead = next((i for i, name in enumerate(folded) if name in _LEAD_COLUMN_NAMES), None)
    for index, name in enumerate(names):
        base, unit = split_unit(name)
        is_value = base.strip().casefold() in _VALUE_COLUMN_NAMES
        is_value = is_value or folded[index] in _VALUE_COLUMN_NAMES
        is_value = is_value or find_millivolts(name) is not None
        if lead is not None and is_value:
            return lead, index, unit if unit or find_millivolts(name) is None else name
    return None
