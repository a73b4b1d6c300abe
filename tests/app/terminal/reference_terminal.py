"""A terminal to hold our bytes against: cells, kitty's protocol, sixels, iTerm2's images, our page.

Written from the protocols' own descriptions, not from our encoders. What it does not know is an
AssertionError, so that a stray byte is seen.
"""

import base64
import functools
import io
import json
import re
import unicodedata
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

PLACEHOLDER = "\U0010eeee"
EXCLUDED = {
    0x300, 0x301, 0x302, 0x303, 0x304, 0x306, 0x307, 0x308, 0x309, 0x30A, 0x30B, 0x30C, 0x30F,
    0x311, 0x313, 0x314, 0x342, 0x653, 0x654,
}  # fmt: skip


@dataclass
class Cell:
    text: str = " "
    ink: tuple[int, int, int] | None = None
    ground: tuple[int, int, int] | None = None


@dataclass
class KittyImage:
    pixels: np.ndarray
    cells: tuple[int, int] | None = None
    placements: dict[int, tuple[int, int, int, int, np.ndarray]] = field(default_factory=dict)
    scaled: np.ndarray | None = None

    @property
    def is_unplaced(self) -> bool:
        """Known by number only: neither in placeholder cells nor at a place."""
        return self.cells is None and not self.placements


class ReferenceTerminal:
    """Feed it text; `draw` gives the pixels that a person would see."""

    def __init__(self, columns: int, rows: int, cell_px: tuple[int, int] = (8, 16)) -> None:
        self.columns, self.rows, self.cell_px = columns, rows, cell_px
        self.grid = [[Cell() for _ in range(columns)] for _ in range(rows)]
        self.images: dict[int, KittyImage] = {}
        self.painted = np.full((rows * cell_px[1], columns * cell_px[0], 3), -1, np.int16)
        self.x = self.y = 0
        self.ink: tuple[int, int, int] | None = None
        self.ground: tuple[int, int, int] | None = None
        self.replies = 0
        self.panes: dict[int, dict[str, Any]] = {}
        self.last_write = 0
        self._pending: tuple[dict[str, str], str] | None = None

    # --- bytes

    def feed(self, text: str) -> None:
        place = 0
        while place < len(text):
            place = self._take(text, place)

    def _take(self, text: str, place: int) -> int:
        if text[place] != "\x1b":
            return self._take_text(text, place)
        kind = text[place + 1]
        if kind == "[":
            match = re.compile(r"\x1b\[([0-9;?=<>]*)([A-Za-z])").match(text, place)
            assert match, repr(text[place : place + 20])
            self._control(match[1], match[2])
            return match.end()
        if kind in "_P]":
            end = text.index("\x1b\\", place) if kind != "]" else self._end_of_osc(text, place)
            if kind == "P" and text.startswith("\x1bPtmux;", place):
                ending = re.compile(r"(?<!\x1b)(?:\x1b\x1b)*\x1b\\").search(text, place + 7)
                assert ending, repr(text[place : place + 20])
                end = ending.end() - 2
                self.feed(text[place + 7 : end].replace("\x1b\x1b", "\x1b"))
                return end + 2
            body = text[place + 2 : end]
            if body.startswith("7770;"):
                assert text[end] == "\x1b"
                self._page(json.loads(body.removeprefix("7770;")))
            else:
                {"_": self._kitty, "P": self._sixel, "]": self._iterm}[kind](body)
            return end + (1 if text[end] == "\x07" else 2)
        raise AssertionError(repr(text[place : place + 20]))

    def _end_of_osc(self, text: str, place: int) -> int:
        ending = re.compile("\x07|\x1b\\\\").search(text, place + 2)
        assert ending, repr(text[place : place + 20])
        return ending.start()

    def _take_text(self, text: str, place: int) -> int:
        character = text[place]
        if character == "\n":
            self.y = min(self.y + 1, self.rows - 1)
            return place + 1
        end = place + 1
        while end < len(text) and unicodedata.combining(text[end]):
            end += 1
        assert character.isprintable() or character == PLACEHOLDER, repr(character)
        if self.x < self.columns:
            self.grid[self.y][self.x] = Cell(text[place:end], self.ink, self.ground)
            width, height = self.cell_px
            self.painted[
                self.y * height : (self.y + 1) * height, self.x * width : (self.x + 1) * width
            ] = -1
        self.x += 1
        return end

    def _control(self, parameters: str, final: str) -> None:
        if final == "H":
            row, column = (int(part or 1) for part in (parameters + ";").split(";")[:2])
            self.y, self.x = row - 1, column - 1
        elif final == "m":
            self._style([int(part or 0) for part in parameters.split(";")])

    def _style(self, codes: list[int]) -> None:
        while codes:
            code = codes.pop(0)
            if code == 0:
                self.ink = self.ground = None
            elif code in (38, 48) and codes[:1] == [2]:
                colour = (codes[1], codes[2], codes[3])
                del codes[:4]
                if code == 38:
                    self.ink = colour
                else:
                    self.ground = colour

    # --- kitty

    def _kitty(self, body: str) -> None:
        assert body.startswith("G")
        head, _, payload = body[1:].partition(";")
        keys = dict(pair.split("=") for pair in head.split(","))
        assert keys.get("q") == "2", "the terminal would answer"
        assert len(payload) <= 4096
        if self._pending is not None:
            first, so_far = self._pending
            assert set(keys) <= {"q", "m"}
            keys, payload = {**first, "m": keys["m"]}, so_far + payload
        if keys.get("m") == "1":
            self._pending = keys, payload
            return
        self._pending = None
        number = int(keys["i"])
        action = keys["a"]
        if action in "tT":
            assert keys["f"] == "100"
            png = base64.b64decode(payload, validate=True)
            image = KittyImage(np.asarray(Image.open(io.BytesIO(png)).convert("RGB")))
            if action == "T":
                assert keys["U"] == "1"
                image.cells = int(keys["c"]), int(keys["r"])
            self.images[number] = image
        elif action == "p":
            assert keys["C"] == "1"
            left, top, width, height = (int(keys[key]) for key in "xywh")
            part = self.images[number].pixels[top : top + height, left : left + width]
            assert part.shape[:2] == (height, width)
            place = (self.x, self.y, int(keys["c"]), int(keys["r"]), part)
            self.images[number].placements[int(keys["p"])] = place
        elif action == "d":
            image = self.images.get(number)
            if keys["d"] == "I":
                self.images.pop(number, None)
                for other in [number for number, one in self.images.items() if one.is_unplaced]:
                    del self.images[other]  # as kitty 0.26 does
            elif image is not None:
                image.placements.clear()
        else:
            raise AssertionError(action)

    # --- the page around the app

    def _page(self, message: dict[str, Any]) -> None:
        """The same as `ptacl_app/web/pictures.js`: a picture over cells, shown in parts."""
        match message.pop("do"):
            case "upload":
                png = base64.b64decode(message["png"], validate=True)
                pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
                image = KittyImage(pixels, (message["columns"], message["rows"]))
                self.images[message["picture"]] = image
            case "show":
                self.panes[message["slot"]] = message
                for x, y, columns, rows, *_ in message["at"]:
                    assert 0 <= x < x + columns <= self.columns
                    assert 0 <= y < y + rows <= self.rows
            case "forget":
                del self.images[message["picture"]]
            case "forget all":
                self.images.clear()
                self.panes.clear()
            case "drawn":
                self.last_write = message["number"]
            case other:
                raise AssertionError(other)

    def list_page_parts(self) -> list[tuple[int, int, np.ndarray]]:
        """Column, row and pixels of every part of a picture that the page shows."""
        parts = []
        for pane in self.panes.values():
            image = self.images.get(pane["picture"])
            if image is None:
                continue
            assert image.cells is not None
            across = image.pixels.shape[1] / image.cells[0]
            down = image.pixels.shape[0] / image.cells[1]
            for x, y, columns, rows, left, top in pane["at"]:
                assert left + columns <= image.cells[0]
                assert top + rows <= image.cells[1]
                part = image.pixels[
                    round(top * down) : round((top + rows) * down),
                    round(left * across) : round((left + columns) * across),
                ]
                parts.append((x, y, part))
        return parts

    # --- sixels

    def _sixel(self, body: str) -> None:
        pixels = decode_sixel(body)
        self._paint(pixels, self.x * self.cell_px[0], self.y * self.cell_px[1])

    def _iterm(self, body: str) -> None:
        if not body.startswith("1337;File="):
            return
        head, _, payload = body.removeprefix("1337;File=").partition(":")
        keys = dict(pair.split("=") for pair in head.split(";"))
        assert keys["inline"] == "1"
        png = base64.b64decode(payload, validate=True)
        assert int(keys["size"]) == len(png)
        size = int(keys["width"]) * self.cell_px[0], int(keys["height"]) * self.cell_px[1]
        image = Image.open(io.BytesIO(png)).convert("RGB").resize(size, Image.Resampling.NEAREST)
        self._paint(np.asarray(image), self.x * self.cell_px[0], self.y * self.cell_px[1])

    def _paint(self, pixels: np.ndarray, left: int, top: int) -> None:
        height = min(pixels.shape[0], self.painted.shape[0] - top)
        width = min(pixels.shape[1], self.painted.shape[1] - left)
        part = pixels[:height, :width]
        is_set = (part >= 0).all(axis=2)
        self.painted[top : top + height, left : left + width][is_set] = part[is_set]

    # --- what is seen

    def draw(self) -> np.ndarray:
        """[row, column, rgb]; −1 where there is text or nothing."""
        width, height = self.cell_px
        seen = self.painted.copy()
        for y, line in enumerate(self.grid):
            for x, cell in enumerate(line):
                if cell.text[0] == PLACEHOLDER:
                    seen[y * height : (y + 1) * height, x * width : (x + 1) * width] = (
                        self._draw_placeholder(cell)
                    )
        taken: set[tuple[int, int]] = set()
        for image in self.images.values():
            for x, y, columns, rows, part in image.placements.values():
                ours = {(x + i, y + j) for i in range(columns) for j in range(rows)}
                assert not ours & taken, "which of two placements is seen is not known"
                taken |= ours
                size = columns * width, rows * height
                scaled = np.asarray(Image.fromarray(part).resize(size, Image.Resampling.NEAREST))
                seen[y * height : (y + rows) * height, x * width : (x + columns) * width] = scaled
        for x, y, part in self.list_page_parts():
            top, left = y * height, x * width
            seen[top : top + part.shape[0], left : left + part.shape[1]] = part
        return seen

    def _draw_placeholder(self, cell: Cell) -> np.ndarray:
        row, column, high = (find_mark_number(mark) for mark in cell.text[1:])
        assert cell.ink is not None
        red, green, blue = cell.ink
        image = self.images[high << 24 | red << 16 | green << 8 | blue]
        assert image.cells is not None
        columns, rows = image.cells
        width, height = self.cell_px
        size = columns * width, rows * height
        if image.scaled is None:
            scaled = Image.fromarray(image.pixels).resize(size, Image.Resampling.NEAREST)
            image.scaled = np.asarray(scaled)
        whole = image.scaled
        return whole[row * height : (row + 1) * height, column * width : (column + 1) * width]

    def text(self) -> list[str]:
        return ["".join(cell.text for cell in line) for line in self.grid]


@functools.cache
def list_marks() -> frozenset[str]:
    """The row and column marks, by the rule that the protocol's list was made by."""
    return frozenset(
        chr(code)
        for code in range(0x300, 0x1D245)
        if unicodedata.combining(chr(code)) == 230
        and unicodedata.ucd_3_2_0.combining(chr(code)) in (0, 230)
        and not unicodedata.decomposition(chr(code))
        and code not in EXCLUDED
    )


def find_mark_number(mark: str) -> int:
    """The number of a row or column mark."""
    assert mark in list_marks()
    from ptacl_app.terminal.placeholders import MARKS

    return MARKS.index(mark)


def decode_sixel(body: str) -> np.ndarray:
    """The body of a DCS: [row, column, rgb], −1 where nothing was painted."""
    head, _, data = body.partition("q")
    assert re.fullmatch(r"[0-9;]*", head)
    match = re.match(r'"(\d+);(\d+);(\d+);(\d+)', data)
    assert match
    assert match[1] == match[2]
    width, height = int(match[3]), int(match[4])
    pixels = np.full((-(-height // 6) * 6, width, 3), -1, np.int16)
    colours: dict[int, tuple[int, int, int]] = {}
    x = y = current = 0
    tokens = re.compile(r"#(\d+)(?:;2;(\d+);(\d+);(\d+))?|!(\d+)([?-~])|([?-~])|(\$)|(-)")
    place = match.end()
    while place < len(data):
        token = tokens.match(data, place)
        assert token, repr(data[place : place + 20])
        place = token.end()
        if token[1] is not None:
            current = int(token[1])
            if token[2] is not None:
                red, green, blue = (round(int(token[n]) * 255 / 100) for n in (2, 3, 4))
                colours[current] = (red, green, blue)
        elif token[8]:
            x = 0
        elif token[9]:
            x, y = 0, y + 6
        else:
            count, letter = (int(token[5]), token[6]) if token[5] else (1, token[7])
            bits = ord(letter) - 63
            assert x + count <= width
            for bit in range(6):
                if bits >> bit & 1:
                    pixels[y + bit, x : x + count] = colours[current]
            x += count
    return pixels[:height]
