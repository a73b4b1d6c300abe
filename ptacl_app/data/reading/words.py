"""Texts of a store that may be missing → texts to show."""

from ptacl_app.text.formatting import safe


def safe_or_none(text: str | None) -> str | None:
    """The text made safe to print."""
    return None if text is None else safe(text, max_length=40)


def read_sex(text: str | None) -> str | None:
    """F or M for the ways a source may write them, else the text itself."""
    if text is None:
        return None
    return {"female": "F", "male": "M"}.get(text.lower(), safe(text, max_length=8))
