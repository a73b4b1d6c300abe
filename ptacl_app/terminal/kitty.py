"""Kitty's graphics protocol: upload a picture once, show it by cells or at a place.

Every command carries `q=2`: the terminal sends nothing back, since what comes back could
arrive as a key. Reference: https://sw.kovidgoyal.net/kitty/graphics-protocol/
"""

import base64

CHUNK_CHARACTERS = 4096
"""The protocol's limit for one piece of a payload."""
_START, _END = "\x1b_G", "\x1b\\"


def upload_png(image_id: int, png: bytes, *, columns: int, rows: int, is_virtual: bool) -> str:
    """Send a PNG under `image_id`; virtual: the placeholder cells show it in `columns`×`rows`."""
    if is_virtual:
        first = f"a=T,U=1,q=2,f=100,i={image_id},c={columns},r={rows}"
    else:
        first = f"a=t,q=2,f=100,i={image_id}"
    return _send(first, base64.standard_b64encode(png).decode("ascii"))


def place(
    image_id: int,
    placement_id: int,
    *,
    source_px: tuple[int, int, int, int],
    columns: int,
    rows: int,
) -> str:
    """Show a part (left, top, width, height) of a picture where the text cursor is."""
    left, top, width, height = source_px
    return _command(
        f"a=p,q=2,i={image_id},p={placement_id},x={left},y={top},w={width},h={height},"
        f"c={columns},r={rows},C=1"
    )


def remove_placements(image_id: int) -> str:
    """Take a picture off the screen; the terminal keeps its data."""
    return _command(f"a=d,d=i,q=2,i={image_id}")


def forget(image_id: int) -> str:
    """Take a picture off the screen and free its data."""
    return _command(f"a=d,d=I,q=2,i={image_id}")


def _command(keys: str) -> str:
    return f"{_START}{keys}{_END}"


def _send(keys: str, payload: str) -> str:
    """A command whose payload goes in pieces, all but the last with `m=1`."""
    pieces = [
        payload[start : start + CHUNK_CHARACTERS]
        for start in range(0, len(payload), CHUNK_CHARACTERS)
    ] or [""]
    written = []
    for number, piece in enumerate(pieces):
        more = int(number < len(pieces) - 1)
        head = f"{keys},m={more}" if number == 0 else f"q=2,m={more}"
        written.append(f"{_START}{head};{piece}{_END}")
    return "".join(written)
