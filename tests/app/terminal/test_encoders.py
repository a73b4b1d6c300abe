"""Each encoder's bytes, held against a terminal written from the protocols' descriptions."""

import re
import unicodedata

import numpy as np
import pytest

from ptacl_app.drawing.picture import Picture
from ptacl_app.terminal import iterm, kitty
from ptacl_app.terminal.placeholders import (
    MARKS,
    MAX_CELLS,
    PictureCells,
    build_row,
    compute_image_id,
    holds_only_cells,
    read_row,
    split_runs,
)
from ptacl_app.terminal.sixel import encode_sixel
from ptacl_app.terminal.tmux import pass_graphics_through
from tests.app.terminal.reference_terminal import ReferenceTerminal


def make_picture(width=44, height=39, colours=9, seed=0):
    rng = np.random.default_rng(seed)
    palette = np.zeros((256, 3), np.uint8)
    palette[:colours] = rng.integers(0, 256, (colours, 3))
    palette[:colours] = np.round(np.round(palette[:colours] / 2.55) * 2.55)  # sixels' percentages
    indices = rng.integers(0, colours, (height, width)).astype(np.uint8)
    indices[height // 3 : height // 2] = 3  # long runs beside noise
    return Picture(indices, palette)


def test_png_keeps_every_pixel():
    import io

    from PIL import Image

    picture = make_picture()
    read = np.asarray(Image.open(io.BytesIO(picture.encode_png())).convert("RGB"))
    np.testing.assert_array_equal(read, picture.to_rgb())


@pytest.mark.parametrize("size", [(44, 39), (1, 1), (7, 6), (300, 5), (3, 61)])
def test_sixels_paint_every_pixel(size):
    picture = make_picture(*size)
    terminal = ReferenceTerminal(60, 8)
    terminal.feed("\x1b[2;3H" + encode_sixel(picture))
    seen = terminal.draw()[16 : 16 + size[1], 16 : 16 + size[0]]
    np.testing.assert_allclose(seen, picture.to_rgb(), atol=1)


def test_sixels_with_fewer_registers_keep_the_commonest_and_leave_none_far():
    picture = make_picture(colours=40)
    text = encode_sixel(picture, max_colours=8)
    assert len(re.findall(r"#\d+;2;", text)) == 8
    terminal = ReferenceTerminal(60, 8)
    terminal.feed(text)
    seen = terminal.draw()[:39, :44]
    assert len(np.unique(seen.reshape(-1, 3), axis=0)) == 8
    np.testing.assert_allclose(seen[14], picture.to_rgb()[14], atol=1)  # the commonest


def test_sixels_keep_a_rare_bright_rim_of_a_grey_picture():
    rows = np.minimum(np.arange(60)[:, None] + np.zeros((1, 40), int), 239)
    indices = np.where(rows < 58, rows * 2, 239).astype(np.uint8)  # two rows of white
    greys = np.repeat(np.arange(256)[:, None], 3, axis=1).astype(np.uint8)
    terminal = ReferenceTerminal(60, 8)
    terminal.feed(encode_sixel(Picture(indices, greys), max_colours=16))
    seen = terminal.draw()[:60, :40]
    assert np.abs(seen.astype(int) - greys[indices]).max() <= 8
    np.testing.assert_allclose(seen[59], greys[indices][59], atol=2)


def test_a_long_upload_goes_in_pieces_and_comes_out_whole():
    picture = make_picture(200, 160, colours=200)
    text = kitty.upload_png(7, picture.encode_png(), columns=25, rows=10, is_virtual=True)
    assert text.count("\x1b_G") > 3
    terminal = ReferenceTerminal(30, 12)
    terminal.feed(text)
    np.testing.assert_array_equal(terminal.images[7].pixels, picture.to_rgb())
    assert terminal.images[7].cells == (25, 10)


def test_placeholder_cells_show_the_picture_where_they_stand():
    picture = make_picture(80, 48)
    number = compute_image_id(5, 0x123456)
    terminal = ReferenceTerminal(30, 12)
    terminal.feed(
        kitty.upload_png(number, picture.encode_png(), columns=10, rows=3, is_virtual=True)
    )
    for row in range(3):
        cells = build_row(5, row, first_column=0, count=10)
        terminal.feed(f"\x1b[{row + 3};5H\x1b[38;2;18;52;86m{cells}")
    terminal.feed("\x1b[4;6H\x1b[0mtext")
    seen = terminal.draw()
    block = seen[32:80, 32:112]
    expected = picture.to_rgb().astype(np.int16)
    expected[16:32, 8:40] = -1  # what lies over the picture hides its cells
    np.testing.assert_array_equal(block, expected)
    terminal.feed(kitty.forget(number))
    assert terminal.images == {}


def test_a_part_is_placed_and_taken_away():
    picture = make_picture(80, 48)
    terminal = ReferenceTerminal(30, 12)
    terminal.feed(kitty.upload_png(9, picture.encode_png(), columns=10, rows=3, is_virtual=False))
    placed = kitty.place(9, 1, source_px=(16, 16, 24, 32), columns=3, rows=2)
    terminal.feed("\x1b[2;2H" + placed)
    assert len(placed) < 80
    assert ",z=" not in placed
    np.testing.assert_array_equal(terminal.draw()[16:48, 8:32], picture.to_rgb()[16:48, 16:40])
    terminal.feed(kitty.remove_placements(9))
    assert (terminal.draw() == -1).all()
    assert 9 in terminal.images


def test_iterm_scales_to_cells():
    picture = make_picture(80, 48)
    terminal = ReferenceTerminal(30, 12)
    terminal.feed("\x1b[1;2H" + iterm.show_png(picture.encode_png(), columns=10, rows=3))
    np.testing.assert_array_equal(terminal.draw()[:48, 8:88], picture.to_rgb())


def test_through_tmux_comes_out_the_same():
    picture = make_picture(200, 160, colours=200)
    text = kitty.upload_png(7, picture.encode_png(), columns=25, rows=10, is_virtual=True)
    wrapped = pass_graphics_through("\x1b[1;1Habc" + text + "def")
    assert wrapped.count("\x1bPtmux;") == text.count("\x1b_G")
    assert "\x1b_G" not in wrapped.replace("\x1b\x1b_G", "")
    terminal = ReferenceTerminal(30, 12)
    terminal.feed(wrapped)
    np.testing.assert_array_equal(terminal.images[7].pixels, picture.to_rgb())
    assert terminal.text()[0].startswith("abcdef")


def test_marks_are_those_of_the_protocol():
    assert len(MARKS) == len(set(MARKS)) == MAX_CELLS == 297
    assert MARKS.startswith("\u0305\u030d\u030e\u0310\u0312\u033d\u033e\u033f\u0346\u034a")
    assert all(unicodedata.combining(mark) == 230 for mark in MARKS)
    assert list(MARKS) == sorted(MARKS)


@pytest.mark.parametrize(("first", "count"), [(0, 1), (3, 40), (256, 41)])
def test_a_run_of_cells_is_read_back(first, count):
    text = build_row(12, 30, first_column=first, count=count)
    assert read_row(text) == PictureCells(12, 30, first, count)
    assert read_row(text + "x") is None
    assert read_row(text[4:] + text[:4]) is None or count == 1
    assert read_row("plain text") is None
    assert read_row("\U0010eeee" * 4) is None


def test_runs_that_have_become_one_text_are_told_apart():
    runs = [
        build_row(3, 7, first_column=0, count=5),
        build_row(4, 7, first_column=0, count=2),
        build_row(3, 7, first_column=7, count=3),
    ]
    pieces = split_runs("ab" + "".join(runs) + " c")
    assert [text for text, _ in pieces] == ["ab", *runs, " c"]
    assert [cells for _, cells in pieces] == [
        None,
        PictureCells(3, 7, 0, 5),
        PictureCells(4, 7, 0, 2),
        PictureCells(3, 7, 7, 3),
        None,
    ]
    assert holds_only_cells("".join(runs) + "  ")
    assert not holds_only_cells(runs[0] + "x")
    assert not holds_only_cells(runs[0] + "\U0010eeee")
