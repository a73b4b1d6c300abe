"""Text from files and databases, made safe to print: no control or direction characters."""

import unicodedata

_VISIBLE_CONTROL_BASE = 0x2400
_HIDDEN_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def clean_text(text: str, *, max_length: int = 200) -> str:
    """`text` on one line, with escape, control and bidirectional characters made visible.

    C0 controls become their pictures (ESC → ␛), other invisible characters U+FFFD; longer
    text ends in an ellipsis.
    """
    if len(text) <= max_length and text.isprintable():
        return text
    shown = "".join(_clean_character(character) for character in text[: max_length + 1])
    return shown if len(shown) <= max_length else shown[: max_length - 1] + "…"


def _clean_character(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(_VISIBLE_CONTROL_BASE + code)
    if code == 0x7F:
        return "␡"
    return "\ufffd" if unicodedata.category(character) in _HIDDEN_CATEGORIES else character
