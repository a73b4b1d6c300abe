"""iTerm2's inline images: a picture where the text cursor is, scaled to cells.

Reference: https://iterm2.com/documentation-images.html
"""

import base64


def show_png(png: bytes, *, columns: int, rows: int) -> str:
    """A PNG over `columns`×`rows` cells from the text cursor on; the cursor stays."""
    payload = base64.standard_b64encode(png).decode("ascii")
    return (
        f"\x1b]1337;File=inline=1;size={len(png)};width={columns};height={rows};"
        f"preserveAspectRatio=0;doNotMoveCursor=1:{payload}\x07"
    )
