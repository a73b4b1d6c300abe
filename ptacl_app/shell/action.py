"""One action: its keys, what it runs, what is said of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that the reader can do.

    `keys` are Textual key names, the first is the one shown; `action` is run where the key
    was pressed; `in_footer` puts it into the footer of its scope; `label` is two words.
    """

    id: str
    scope: str
    keys: tuple[str, ...]
    action: str
    label: str
    help: str
    in_footer: bool = False
    is_priority: bool = False
