"""Every action of the app, once: keys, footer, palette and help are all made from this list."""

from collections.abc import Iterable
from dataclasses import dataclass

from textual.binding import Binding, BindingType


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


SCOPES = {
    "app": "everywhere",
    "cohort": "cohort",
    "patient": "patient",
    "ecg": "ECG",
    "cine": "cine",
    "neighbours": "neighbours",
    "sql": "SQL",
    "runs": "runs",
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

ACTIONS: tuple[Action, ...] = (
    Action("help", "app", ("question_mark", "f1"), "app.help", "Help", "Keys of this pane", True),
    Action(
        "palette",
        "app",
        ("ctrl+p",),
        "app.command_palette",
        "Palette",
        "Every action by name",
        True,
    ),
    Action("quit", "app", ("q", "ctrl+q"), "app.quit", "Quit", "Leave the app", True),
    Action("show_cohort", "app", ("1",), "app.show('cohort')", "Cohort", "The patient table"),
    Action("show_patient", "app", ("2",), "app.show('patient')", "Patient", "ECG, cine, numbers"),
    Action(
        "show_neighbours", "app", ("3",), "app.show('neighbours')", "Neighbours", "Similar hearts"
    ),
    Action("show_sql", "app", ("4",), "app.show('sql')", "SQL", "Ask the cohort in SQL"),
    Action("show_runs", "app", ("5",), "app.show('runs')", "Runs", "Training runs, evaluated"),
    Action(
        "load_ecg", "app", ("ctrl+o",), "app.load_ecg", "Load an ECG", "Read a file and predict"
    ),
    Action(
        "previous",
        "app",
        ("left_square_bracket",),
        "app.walk(-1)",
        "Previous patient",
        "Back in the current list",
    ),
    Action(
        "next",
        "app",
        ("right_square_bracket",),
        "app.walk(1)",
        "Next patient",
        "On in the current list",
    ),
    Action(
        "maximise",
        "app",
        ("z", "f10"),
        "screen.maximise_pane",
        "One pane",
        "The focused pane alone, and back",
    ),
    Action(
        "export",
        "app",
        ("e", "ctrl+e"),
        "screen.export",
        "Export",
        "Write what is shown to exports/",
    ),
    Action("copy", "app", ("y",), "screen.copy", "Copy", "Copy what is selected"),
    Action("theme", "app", ("ctrl+t",), "app.next_theme", "Theme", "The next of our themes"),
    Action("about", "app", ("f12",), "app.about", "About", "Versions, terminal, paths"),
    Action(
        "findings",
        "patient",
        ("f2", "f"),
        "screen.findings",
        "Findings",
        "All quality findings in full",
    ),
    Action(
        "keep_file",
        "patient",
        ("ctrl+k",),
        "screen.keep",
        "Keep in cohort",
        "Add the loaded file to the cohort",
    ),
    Action(
        "filter",
        "cohort",
        ("slash",),
        "screen.filter",
        "Filter",
        "Rows by an SQL predicate: lvef_pct < 50 and sex = 'F'",
        True,
    ),
    Action(
        "clear_filter",
        "cohort",
        ("escape",),
        "screen.clear_filter",
        "All rows",
        "Leave the filter, then remove it",
    ),
    Action(
        "open", "cohort", ("enter",), "screen.open", "Open", "The patient under the cursor", True
    ),
    Action("sort", "cohort", ("s",), "screen.sort(1)", "Sort", "By the next column", True),
    Action("reverse", "cohort", ("r",), "screen.reverse", "Reverse", "The other way round", True),
    Action(
        "side", "cohort", ("b", "f9"), "screen.side", "Side panels", "Facets and summary on, off"
    ),
    Action(
        "neighbours_side",
        "neighbours",
        ("b", "f9"),
        "screen.side",
        "Distributions",
        "The neighbours' phenotypes as bars, on, off",
    ),
    Action(
        "sql_side",
        "sql",
        ("f9", "ctrl+b"),
        "screen.side",
        "Tables",
        "Tables and columns of the store, on, off",
    ),
    Action(
        "runs_side",
        "runs",
        ("b", "f9"),
        "screen.side",
        "Side panel",
        "Runs, alignment map and provenance, on, off",
    ),
    Action(
        "save_cohort",
        "cohort",
        ("ctrl+s",),
        "screen.save_cohort",
        "Save cohort",
        "Name the filtered rows",
    ),
    Action(
        "saved_cohorts",
        "cohort",
        ("c",),
        "screen.saved_cohorts",
        "Saved cohorts",
        "Their rows and attrition; two of them compared",
    ),
    Action(
        "play", "patient", ("space",), "screen.toggle_play", "Play", "Run and stop the heart", True
    ),
    Action(
        "frame_back",
        "patient",
        ("comma",),
        "screen.step_frames(-1)",
        "Frame back",
        "One frame back",
    ),
    Action(
        "frame_on", "patient", ("full_stop",), "screen.step_frames(1)", "Frame on", "One frame on"
    ),
    Action(
        "first_frame",
        "patient",
        ("home",),
        "screen.go_to_frame(0)",
        "First frame",
        "The R peak, end-diastole",
    ),
    Action(
        "last_frame",
        "patient",
        ("end",),
        "screen.go_to_frame(-1)",
        "Last frame",
        "Just before the next R peak",
    ),
    Action(
        "end_diastole",
        "patient",
        ("d",),
        "screen.go_to_frame(0)",
        "End-diastole",
        "The heart at its fullest",
        True,
    ),
    Action(
        "end_systole",
        "patient",
        ("s",),
        "screen.end_systole",
        "End-systole",
        "The smallest blood pool (estimated from the picture)",
    ),
    Action(
        "slower",
        "patient",
        ("less_than_sign",),
        "screen.change_speed(-1)",
        "Slower",
        "Half the speed",
    ),
    Action(
        "faster",
        "patient",
        ("greater_than_sign",),
        "screen.change_speed(1)",
        "Faster",
        "Twice the speed",
    ),
    Action(
        "real_time", "patient", ("0",), "screen.real_time", "Real time", "Speed of the recording"
    ),
    Action(
        "window",
        "patient",
        ("w",),
        "screen.window_mode",
        "Window",
        "Arrows change brightness (↑↓) and contrast (←→)",
    ),
    Action("invert", "patient", ("i",), "screen.invert", "Invert", "Black and white exchanged"),
    Action(
        "auto_window",
        "patient",
        ("a",),
        "screen.auto_window",
        "Auto contrast",
        "Window to the picture's own intensities",
    ),
    Action(
        "neighbours",
        "patient",
        ("n",),
        "app.show('neighbours')",
        "Neighbours",
        "The nearest patients",
        True,
    ),
    Action(
        "overlay",
        "patient",
        ("o",),
        "screen.overlay",
        "Overlay",
        "What a prediction rests on: its change when a lead or a step is hidden",
    ),
    Action(
        "explain_next",
        "patient",
        ("p",),
        "screen.explain_next",
        "Explain next",
        "The phenotype that the overlay explains",
    ),
    Action("next_pane", "patient", ("tab",), "screen.next_pane(1)", "Next pane", "The pane after"),
    Action(
        "previous_pane",
        "patient",
        ("shift+tab",),
        "screen.next_pane(-1)",
        "Previous pane",
        "The pane before",
    ),
    Action(
        "leave_mode",
        "patient",
        ("escape",),
        "screen.leave_mode",
        "Leave",
        "Put calipers, window and overlay away",
    ),
    Action(
        "layout",
        "patient",
        ("l",),
        "screen.ecg('cycle_layout')",
        "Layout",
        "3×4 + II, 6×2, 12×1, one lead",
        True,
    ),
    Action(
        "filter_ecg",
        "patient",
        ("x",),
        "screen.ecg('cycle_filter')",
        "Processing",
        "The trace raw, filtered, or as the model sees it",
    ),
    Action(
        "marks",
        "patient",
        ("t",),
        "screen.marks",
        "Marks",
        "Where P, QRS and T begin and end; drag one to move it",
    ),
    Action(
        "march",
        "patient",
        ("k",),
        "screen.march",
        "March out",
        "Repeat the calipers' interval over the page",
    ),
    Action(
        "paper",
        "patient",
        ("u",),
        "screen.ecg('cycle_paper')",
        "Paper",
        "Pink, dark or contrast, where the terminal has pixels",
    ),
    Action(
        "outline",
        "patient",
        ("h",),
        "screen.outline",
        "Outline",
        "The blood pool's outline, estimated from the picture, over the cine",
    ),
    Action("gain", "patient", ("g",), "screen.ecg('cycle_gain')", "Gain", "5, 10, 20 mm/mV"),
    Action("speed", "patient", ("v",), "screen.ecg('cycle_speed')", "Speed", "25, 50 mm/s"),
    Action("zoom_in", "patient", ("plus",), "screen.zoom(1)", "Zoom in", "Larger boxes"),
    Action("zoom_out", "patient", ("minus",), "screen.zoom(-1)", "Zoom out", "Smaller boxes"),
    Action("fit", "patient", ("equals_sign",), "screen.zoom(0)", "Fit", "Ten seconds on the page"),
    Action(
        "calipers",
        "patient",
        ("m",),
        "screen.calipers",
        "Calipers",
        "Two cursors: arrows move, Tab switches, Esc ends",
        True,
    ),
    Action(
        "pan_left",
        "patient",
        ("left",),
        "screen.arrow(-1, 0)",
        "Left",
        "Pan a tenth of the page; in the cine one frame back",
    ),
    Action(
        "pan_right",
        "patient",
        ("right",),
        "screen.arrow(1, 0)",
        "Right",
        "Pan a tenth of the page; in the cine one frame on",
    ),
    Action("lead_up", "patient", ("up",), "screen.arrow(0, -1)", "Lead before", "Select a lead"),
    Action("lead_down", "patient", ("down",), "screen.arrow(0, 1)", "Lead after", "Select a lead"),
    Action(
        "page_left", "patient", ("pageup",), "screen.pan(-1.0)", "Page back", "A page of ECG back"
    ),
    Action(
        "page_right", "patient", ("pagedown",), "screen.pan(1.0)", "Page on", "A page of ECG on"
    ),
    Action(
        "direction",
        "neighbours",
        ("d",),
        "screen.direction",
        "Direction",
        "From this ECG to CMRs, to ECGs, or from this CMR to ECGs",
        True,
    ),
    Action(
        "side_by_side",
        "neighbours",
        ("enter",),
        "screen.side_by_side",
        "Side by side",
        "Both hearts on one clock",
        True,
    ),
    Action("open_neighbour", "neighbours", ("o",), "screen.open", "Open", "That patient", True),
    Action(
        "play_pair",
        "neighbours",
        ("space",),
        "screen.toggle_play",
        "Play",
        "Run and stop both hearts",
        True,
    ),
    Action("more", "neighbours", ("k",), "screen.more", "More", "10, 25, 50, 100 neighbours"),
    Action(
        "neighbour_filter",
        "neighbours",
        ("slash",),
        "screen.filter",
        "Filter",
        "Only patients for whom a predicate holds",
        True,
    ),
    Action("leave_pair", "neighbours", ("escape",), "screen.leave", "Back", "Back to the list"),
    Action(
        "run",
        "sql",
        ("ctrl+j", "f5"),
        "screen.run",
        "Run",
        "The statement under the cursor",
        True,
        True,
    ),
    Action(
        "cancel",
        "sql",
        ("ctrl+x", "f6"),
        "screen.cancel",
        "Cancel",
        "Stop the statement",
        True,
        True,
    ),
    Action(
        "history",
        "sql",
        ("f8", "ctrl+r"),
        "screen.history",
        "History",
        "Earlier statements",
        True,
        True,
    ),
    Action(
        "leave_editor",
        "sql",
        ("escape",),
        "screen.leave_editor",
        "Leave editor",
        "1 … 5 change the screen again; Tab goes back",
    ),
    Action(
        "run_next",
        "runs",
        ("enter",),
        "screen.use_run",
        "Use",
        "Predictions and neighbours of the run under the cursor",
        True,
    ),
    Action(
        "modality",
        "runs",
        ("d",),
        "screen.next_table",
        "Table",
        "Regression, retrieval, coverage",
        True,
    ),
)


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
