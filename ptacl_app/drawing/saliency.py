"""What a prediction rests on: its change when a lead, or a step of the beat, is hidden. Pure.

Levels are relative to the largest change of the phenotype: the strongest lead or step has
level ±4, what hardly matters has 0. The sign is that of the change.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ptacl_app.drawing.ecg_page import GUTTER_COLUMNS, Ink, PageCells, PageView
from ptacl_app.drawing.paper import PaperPage
from ptacl_app.drawing.playback import NUM_STEPS
from ptacl_app.text.formatting import format_change
from ptacl_core.arrays import Array, Float64, Int64
from ptacl_core.errors import PtaclError
from ptacl_core.records import LEAD_NAMES, PHENOTYPE_NAMES, PHENOTYPE_UNITS

NUM_LEVELS = 4
MAX_TINT = 0.7
"""Share of the overlay's colour at the highest level."""


@dataclass(frozen=True, slots=True)
class Saliency:
    """Changes of one phenotype's prediction, in its unit: one per lead, one per step."""

    name: str
    leads: tuple[float, ...]
    steps: tuple[float, ...]

    @property
    def unit(self) -> str:
        """Unit of every change in it."""
        return PHENOTYPE_UNITS[self.name]

    @property
    def step_levels(self) -> Int64[Array, " step"]:
        """-4 … 4 per step."""
        return compute_levels(self.steps)


def compute_levels(changes: Sequence[float]) -> Int64[Array, " part"]:
    """round(4 · change / largest change), 0 where there is none."""
    values = np.nan_to_num(np.asarray(changes, np.float64))
    largest = float(np.abs(values).max(initial=0.0))
    if largest <= 0:
        return np.zeros(values.size, np.int64)
    return np.round(NUM_LEVELS * values / largest).astype(np.int64)


def read_saliency(document: Mapping[str, Any]) -> dict[str, Saliency]:
    """The child's answer by phenotype; without a whole beat every step's change is 0.

    Raises PtaclError when it is of another shape.
    """
    by_phenotype = {}
    try:
        for name in PHENOTYPE_NAMES:
            if name not in document["leads"]:
                continue
            leads = tuple(float(document["leads"][name][lead]) for lead in LEAD_NAMES)
            found_steps = None if document["steps"] is None else document["steps"][name]
            steps = tuple(float(value) for value in found_steps or [0.0] * NUM_STEPS)
            if len(steps) != NUM_STEPS:
                raise ValueError
            by_phenotype[name] = Saliency(name, leads, steps)
    except (KeyError, TypeError, ValueError):
        raise PtaclError(
            f"expected a change per lead and {NUM_STEPS} per phenotype from the model, "
            "got something else; `ptacl doctor` checks the installation"
        ) from None
    return by_phenotype


def describe_saliency(saliency: Saliency) -> str:
    """The strongest lead and step in words: `hiding V3 −4.1 %, step 5 −2.0 %`."""
    lead = int(np.argmax(np.abs(saliency.leads)))
    step = int(np.argmax(np.abs(saliency.steps)))
    unit = saliency.unit
    return (
        f"hiding {LEAD_NAMES[lead]} {format_change(saliency.leads[lead], unit)} {unit}, "
        f"step {step + 1} {format_change(saliency.steps[step], unit)} {unit}"
    )


def annotate_leads(cells: PageCells, view: PageView, saliency: Saliency) -> PageCells:
    """The page with each lead's change written behind its name, as far as there is room."""
    characters, inks = cells.characters.copy(), cells.inks.copy()
    for panel in view.panels:
        if panel.lead >= len(saliency.leads):
            continue  # one beside the twelve: the model does not see it
        name = LEAD_NAMES[panel.lead]
        text = " " + format_change(saliency.leads[panel.lead], saliency.unit)
        start = panel.first_column + len(name)
        for column, letter in enumerate(text[: panel.num_columns - len(name)], start=start):
            characters[panel.first_row, column] = ord(letter)
            inks[panel.first_row, column] = Ink.LABEL
    return PageCells(characters, inks, cells.grounds)


def place_levels(
    view: PageView, r_peak_times_s: Sequence[float], levels: Int64[Array, " step"]
) -> Int64[Array, " column"]:
    """The level of every column of the page: its step within its beat, 0 outside whole beats."""
    placed = np.zeros(view.num_columns, np.int64)
    inside = np.arange(view.page_columns)
    middles_s = view.start_shown_s + (inside + 0.5) / view.columns_per_s
    placed[GUTTER_COLUMNS + inside] = find_levels(middles_s, r_peak_times_s, levels)
    return placed


def find_levels(
    times_s: Float64[Array, " moment"],
    r_peak_times_s: Sequence[float],
    levels: Int64[Array, " step"],
) -> Int64[Array, " moment"]:
    """The level of every moment: that of its step within its beat, 0 outside whole beats."""
    peaks = np.asarray(r_peak_times_s, np.float64)
    if peaks.size < 2:
        return np.zeros(times_s.size, np.int64)
    beats = np.searchsorted(peaks, times_s, side="right") - 1
    is_whole = (beats >= 0) & (beats < peaks.size - 1)
    beats = np.clip(beats, 0, peaks.size - 2)
    phases = (times_s - peaks[beats]) / (peaks[beats + 1] - peaks[beats])
    steps = np.clip((phases * NUM_STEPS).astype(np.int64), 0, NUM_STEPS - 1)
    return np.where(is_whole, levels[steps], 0)


def place_levels_px(
    page: PaperPage, r_peak_times_s: Sequence[float], levels: Int64[Array, " step"]
) -> Int64[Array, " column"]:
    """The level of every pixel column of a page."""
    middles_px = np.arange(page.width_px) + 0.5
    times_s = page.start_shown_s + (middles_px - page.left_px) / page.px_per_s
    return np.where(middles_px >= page.left_px, find_levels(times_s, r_peak_times_s, levels), 0)
