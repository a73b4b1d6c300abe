"""Sequences through tmux to the terminal outside (tmux: `set -g allow-passthrough on`)."""

import re

_GRAPHICS = re.compile("\x1b_G.*?\x1b\\\\", re.DOTALL)


def pass_through(sequence: str) -> str:
    """One sequence in tmux's envelope: every escape in it doubled."""
    return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"


def pass_graphics_through(text: str) -> str:
    """`text` with every command of kitty's protocol in an envelope of its own."""
    return _GRAPHICS.sub(lambda match: pass_through(match[0]), text)
