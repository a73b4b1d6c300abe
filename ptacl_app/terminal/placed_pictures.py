"""Pictures that are placed over the text, exactly where their cells are seen.

In an older kitty, and in the page of a browser.
"""

from collections.abc import Sequence

from ptacl_app.terminal import kitty, page
from ptacl_app.terminal.cell_owners import CellBlock
from ptacl_app.terminal.picture_slots import Patch, PictureSlot, ShownPicture
from ptacl_app.terminal.placeholders import MAX_SLOT
from ptacl_app.terminal.update_runs import move_to

PANE_STEP = MAX_SLOT + 1
"""A page numbers its panes: a slot's own has the slot's number, those of its patches follow."""


def place_pictures(slot: PictureSlot, cells: Sequence[CellBlock]) -> str:
    """Placements follow what is visible; the new ones come before the old ones go."""
    shown = slot.current
    blocks = [] if shown is None else shown.clip(cells)
    number = 0 if shown is None else shown.number
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
    return text + "".join(_place_patch(patch, blocks) for patch in slot.patches)


def show_in_page(number: int, slot: PictureSlot, cells: Sequence[CellBlock]) -> str:
    """Tell the page what has changed; a patch is a pane of its own, since panes share no cell."""
    panes: dict[int, tuple[int, list[CellBlock], str]] = {}
    if slot.current is not None:
        panes[number] = slot.current.number, [], slot.label
        for index, patch in enumerate(slot.patches, start=1):
            panes[number + index * PANE_STEP] = patch.sent.number, [], ""
        blocks_by_picture = {picture: blocks for picture, blocks, _ in panes.values()}
        for block in slot.current.clip(cells):
            for sent, part in slot.find_patched(block):
                blocks_by_picture[sent.number].append(part)
    text = "".join(
        page.show(pane, picture, blocks, label=label)
        for pane, (picture, blocks, label) in panes.items()
        if slot.panes.get(pane) != (picture, blocks, label)
    )
    text += "".join(page.show(pane, 0, (), label="") for pane in slot.panes if pane not in panes)
    slot.panes = panes
    return text


def _place_patch(patch: Patch, blocks: Sequence[CellBlock]) -> str:
    """Place a patch over the blocks of its slot's picture."""
    covered = [part for block in blocks if (part := patch.find_part(block)) is not None]
    parts = patch.sent.clip(covered)
    if parts == patch.placed:
        return ""
    text = kitty.remove_placements(patch.sent.number) if patch.placed else ""
    patch.placed = parts
    return text + _place_blocks(patch.sent, parts, height=1)


def _place_blocks(sent: ShownPicture, blocks: Sequence[CellBlock], *, height: int = 0) -> str:
    return "".join(
        move_to(block.x, block.y)
        + kitty.place(
            sent.number,
            index,
            source_px=sent.find_source_px(block),
            columns=block.columns,
            rows=block.rows,
            height=height,
        )
        for index, block in enumerate(blocks, start=1)
    )
