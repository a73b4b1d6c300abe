"""Colours of the ECG paper: pink as in print, dark for a dim room, contrast for weak eyes."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

import numpy as np

from ptacl_core.arrays import Array, Float64, UInt8

Rgb = tuple[int, int, int]


class Ink(IntEnum):
    """What is drawn with a stroke."""

    TRACE = 0
    GHOST = 1
    LABEL = 2
    SELECTED = 3
    PULSE = 4
    MARK_P = 5
    MARK_QRS = 6
    MARK_T = 7


class Overlay(IntEnum):
    """What lies over the page and moves; each keeps a palette entry of its own."""

    CURSOR = 0
    CALIPER = 1


OVERLAYS: Mapping[Overlay, int] = MappingProxyType({Overlay.CURSOR: 255, Overlay.CALIPER: 254})


class TINTS:
    """Codes of a ground's tint: none, the current step, then the levels −4 … 4 of saliency."""

    NONE = 0
    STEP = 1
    LOWEST = 2
    NUM_LEVELS = 4
    COUNT = LOWEST + 2 * NUM_LEVELS + 1


_MAX_TINT = 0.5


@dataclass(frozen=True, slots=True)
class PaperInks:
    """One paper. Every colour is RGB, 0 … 255."""

    name: str
    paper: Rgb
    fine_line: Rgb
    coarse_line: Rgb
    trace: Rgb
    ghost: Rgb
    label: Rgb
    selected: Rgb
    pulse: Rgb
    marks: tuple[Rgb, Rgb, Rgb]
    step: Rgb
    cursor: Rgb
    caliper: Rgb
    salient_up: Rgb
    salient_down: Rgb

    @property
    def ink_colours(self) -> Float64[Array, "ink rgb"]:
        """By `Ink`."""
        inks = (self.trace, self.ghost, self.label, self.selected, self.pulse, *self.marks)
        return np.array(inks, np.float64)

    @staticmethod
    def num_ground_entries(num_lines: int) -> int:
        """Palette entries of the grounds, from 0."""
        return TINTS.COUNT * num_lines

    def build_ground_palette(self, num_lines: int) -> UInt8[Array, "entry rgb"]:
        """256 entries: every ground under every tint, and the overlays."""
        plain = np.array([self.paper, self.fine_line, self.coarse_line], np.float64)
        palette = np.zeros((256, 3), np.uint8)
        for tint in range(TINTS.COUNT):
            colour, share = self._tint(tint)
            mixed = plain * (1 - share) + np.array(colour) * share
            palette[tint * num_lines : (tint + 1) * num_lines] = np.floor(mixed + 0.5)
        palette[OVERLAYS[Overlay.CURSOR]] = self.cursor
        palette[OVERLAYS[Overlay.CALIPER]] = self.caliper
        return palette

    def _tint(self, tint: int) -> tuple[Rgb, float]:
        if tint == TINTS.NONE:
            return self.paper, 0.0
        if tint == TINTS.STEP:
            return self.step, 0.35
        level = tint - TINTS.LOWEST - TINTS.NUM_LEVELS
        colour = self.salient_up if level > 0 else self.salient_down
        return colour, _MAX_TINT * abs(level) / TINTS.NUM_LEVELS


PINK = PaperInks(
    name="pink",
    paper=(255, 246, 244),
    fine_line=(252, 222, 216),
    coarse_line=(240, 172, 160),
    trace=(16, 16, 20),
    ghost=(60, 110, 200),
    label=(120, 40, 32),
    selected=(0, 90, 200),
    pulse=(70, 60, 60),
    marks=((0, 130, 90), (170, 60, 170), (0, 110, 190)),
    step=(255, 190, 90),
    cursor=(230, 120, 0),
    caliper=(0, 70, 220),
    salient_up=(210, 60, 40),
    salient_down=(40, 90, 210),
)
DARK = PaperInks(
    name="dark",
    paper=(9, 15, 14),
    fine_line=(18, 33, 30),
    coarse_line=(32, 62, 56),
    trace=(214, 245, 226),
    ghost=(110, 150, 240),
    label=(120, 200, 150),
    selected=(245, 165, 36),
    pulse=(130, 160, 150),
    marks=((80, 210, 150), (220, 130, 230), (90, 180, 250)),
    step=(150, 100, 20),
    cursor=(245, 165, 36),
    caliper=(90, 190, 255),
    salient_up=(215, 80, 50),
    salient_down=(60, 110, 230),
)
CONTRAST = PaperInks(
    name="contrast",
    paper=(0, 0, 0),
    fine_line=(36, 36, 36),
    coarse_line=(92, 92, 92),
    trace=(255, 255, 255),
    ghost=(120, 190, 255),
    label=(255, 255, 255),
    selected=(255, 255, 0),
    pulse=(200, 200, 200),
    marks=((0, 255, 160), (255, 140, 255), (110, 200, 255)),
    step=(140, 110, 0),
    cursor=(255, 200, 0),
    caliper=(0, 220, 255),
    salient_up=(255, 80, 40),
    salient_down=(70, 130, 255),
)
PAPERS: Mapping[str, PaperInks] = MappingProxyType(
    {paper.name: paper for paper in (PINK, DARK, CONTRAST)}
)
"""By name, in the order in which a key goes through them."""
