#!/usr/bin/env python3
"""Make the page's fonts from DejaVu Sans Mono 2.37: the characters of the app, braille added.

    pip install fonttools brotli
    scripts/draw/page_fonts.py FOLDER_OF_DEJAVU ptacl_app/web/fonts

DejaVu Sans Mono has no braille, in which traces are drawn where a page shows cells; its dots are
drawn here. The fonts are named PTACL Mono, as the licence of Bitstream Vera wants of changed ones.
"""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

RANGES = (
    (0x20, 0x7E), (0xA0, 0x17F), (0x2B0, 0x2FF), (0x370, 0x3FF), (0x2000, 0x20BF),
    (0x2100, 0x22FF), (0x2300, 0x23FF), (0x2500, 0x25FF), (0x2713, 0x2718), (0x2758, 0x275A),
)  # fmt: skip
BRAILLE = 0x2800
DOTS = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))
"""Column and row of the dots 1 to 8, bit by bit."""


def add_braille(font: Any) -> None:
    """256 characters of two by four dots over the whole cell."""
    width, ascent = font["hmtx"]["zero"][0], font["hhea"].ascent
    height = ascent - font["hhea"].descent
    side = width / 4
    pens = import_module("fontTools.pens.ttGlyphPen")
    cmaps = [table.cmap for table in font["cmap"].tables if table.isUnicode()]
    for pattern in range(256):
        pen = pens.TTGlyphPen(None)
        for bit, (column, row) in enumerate(DOTS):
            if pattern >> bit & 1:
                left = width * (column + 0.5) / 2 - side / 2
                top = ascent - height * (row + 0.5) / 4 + side / 2
                pen.moveTo((round(left), round(top)))
                pen.lineTo((round(left + side), round(top)))
                pen.lineTo((round(left + side), round(top - side)))
                pen.lineTo((round(left), round(top - side)))
                pen.closePath()
        name = f"braille{pattern:02x}"
        font.setGlyphOrder([*font.getGlyphOrder(), name])
        font["glyf"][name] = pen.glyph()
        font["hmtx"][name] = (width, 0)
        for cmap in cmaps:
            cmap[BRAILLE + pattern] = name


def main() -> None:
    """Regular and bold."""
    subset = import_module("fontTools.subset")
    fonts = import_module("fontTools.ttLib")
    source, out = Path(sys.argv[1]), Path(sys.argv[2])
    for given, style in (("DejaVuSansMono.ttf", "Regular"), ("DejaVuSansMono-Bold.ttf", "Bold")):
        font = fonts.TTFont(source / given)
        options = subset.Options()
        options.hinting = False
        options.layout_features = []
        options.name_IDs = [0, 1, 2, 4, 6, 13, 14]
        subsetter = subset.Subsetter(options)
        subsetter.populate(
            unicodes=[code for first, last in RANGES for code in range(first, last + 1)]
        )
        subsetter.subset(font)
        add_braille(font)
        for record in font["name"].names:
            names = {1: "PTACL Mono", 4: f"PTACL Mono {style}", 6: f"PTACLMono-{style}"}
            if record.nameID in names:
                record.string = names[record.nameID]
        font.flavor = "woff2"
        font.save(out / f"ptacl-mono-{style.lower()}.woff2")


if __name__ == "__main__":
    main()
