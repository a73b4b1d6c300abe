"""Every action of the app, once: keys, footer, palette and help are all made from this list."""

from collections.abc import Iterable

from textual.binding import Binding, BindingType

from ptacl_app.shell.action import Action
from ptacl_app.shell.action_lists.app import APP
from ptacl_app.shell.action_lists.charts import CHARTS
from ptacl_app.shell.action_lists.cohort import COHORT
from ptacl_app.shell.action_lists.compare import COMPARE
from ptacl_app.shell.action_lists.ecg import ECG
from ptacl_app.shell.action_lists.others import OTHERS
from ptacl_app.shell.action_lists.patient import PATIENT

SCOPES = {
    "app": "everywhere",
    "cohort": "cohort",
    "patient": "patient",
    "ecg": "ECG",
    "cine": "cine",
    "compare": "comparison of two ECGs",
    "neighbours": "neighbours",
    "sql": "SQL",
    "runs": "runs",
    "charts": "charts",
}

KEY_NAMES = {
    "space": "space",
    "comma": ",",
    "full_stop": ".",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "plus": "+",
    "minus": "-",
    "equals_sign": "=",
    "slash": "/",
    "question_mark": "?",
    "left": "←",
    "right": "→",
    "up": "↑",
    "down": "↓",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "home": "Home",
    "end": "End",
    "enter": "Enter",
    "escape": "Esc",
    "tab": "Tab",
    "shift+tab": "Shift+Tab",
}

ACTIONS: tuple[Action, ...] = (*APP, *COHORT, *PATIENT, *ECG, *COMPARE, *OTHERS, *CHARTS)


def build_bindings(scope: str) -> list[BindingType]:
    """The bindings of one scope; ids let a configuration give them other keys."""
    return [
        Binding(
            ",".join(action.keys),
            action.action,
            action.label,
            show=action.in_footer,
            id=action.id,
            priority=action.is_priority,
        )
        for action in ACTIONS
        if action.scope == scope
    ]


def list_actions(scopes: Iterable[str]) -> list[Action]:
    """The actions of `scopes`, in their order."""
    return [action for scope in scopes for action in ACTIONS if action.scope == scope]


def show_key(key: str) -> str:
    """A key as people write it: `ctrl+p` → `^P`, `full_stop` → `.`."""
    if key in KEY_NAMES:
        return KEY_NAMES[key]
    if key.startswith("ctrl+"):
        return "^" + key.removeprefix("ctrl+").upper()
    return key.upper() if key[0] == "f" and key[1:].isdigit() else key
