"""Pictures that are placed over the text, exactly where their cells are seen.

In an older kitty, and in the page of a browser.
"""

from collections.abc import Sequence

from ptacl_app.terminal import kitty, page
from ptacl_app.terminal.cell_owners import CellBlock
from ptacl_app.terminal.picture_slots import PictureSlot, ShownPicture
from ptacl_app.terminal.placeholders import MAX_SLOT
from ptacl_app.terminal.update_runs import move_to

PANE_STEP = MAX_SLOT + 1
"""A page numbers its panes: a slot's own has the slot's number, those of its patches follow."""


def place_pictures(slot: PictureSlot, cells: Sequence[CellBlock]) -> str:
    """Placements follow what is visible; the new ones come before the old ones go.

    No two share a cell: kitty 0.26 draws only the highest z-index, and of equal ones the picture
    whose number is the newest.
    """
    shown = slot.current
    number = 0 if shown is None else shown.number
    parts = _part(slot, cells)
    blocks = parts.pop(number, [])
    text = ""
    if shown is not None and (blocks != slot.placed or number != slot.placed_number):
        if slot.placed and slot.placed_number == number:
            text += kitty.remove_placements(number)
        text += _place_blocks(shown, blocks)
    if number != slot.placed_number and slot.placed:
        before = slot.placed_number
        if any(picture.number == before for picture in slot.pictures.values()):
            text += kitty.remove_placements(before)
    slot.placed, slot.placed_number = blocks, number
    for patch in slot.patches:
        patch_blocks = parts.get(patch.sent.number, [])
        if patch_blocks != patch.placed:
            text += kitty.remove_placements(patch.sent.number) if patch.placed else ""
            text += _place_blocks(patch.sent, patch_blocks)
            patch.placed = patch_blocks
    return text


def _part(slot: PictureSlot, cells: Sequence[CellBlock]) -> dict[int, list[CellBlock]]:
    """The cells that each picture of a slot is seen in, by its number."""
    parts: dict[int, list[CellBlock]] = {}
    if slot.current is not None:
        for block in slot.current.clip(cells):
            for sent, part in slot.find_patched(block):
                parts.setdefault(sent.number, []).append(part)
    return parts


def show_in_page(number: int, slot: PictureSlot, cells: Sequence[CellBlock]) -> str:
    """Tell the page what has changed; a patch is a pane of its own, since panes share no cell."""
    panes: dict[int, tuple[int, list[CellBlock], str]] = {}
    if slot.current is not None:
        parts = _part(slot, cells)
        panes[number] = slot.current.number, parts.get(slot.current.number, []), slot.label
        for index, patch in enumerate(slot.patches, start=1):
            blocks = parts.get(patch.sent.number, [])
            panes[number + index * PANE_STEP] = patch.sent.number, blocks, ""
    text = "".join(
        page.show(pane, picture, blocks, label=label)
        for pane, (picture, blocks, label) in panes.items()
        if slot.panes.get(pane) != (picture, blocks, label)
    )
    text += "".join(page.show(pane, 0, (), label="") for pane in slot.panes if pane not in panes)
    slot.panes = panes
    return text


def _place_blocks(sent: ShownPicture, blocks: Sequence[CellBlock]) -> str:
    return "".join(
        move_to(block.x, block.y)
        + kitty.place(
            sent.number,
            index,
            source_px=sent.find_source_px(block),
            columns=block.columns,
            rows=block.rows,
        )
        for index, block in enumerate(blocks, start=1)
    )
