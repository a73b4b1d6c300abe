"""What can be done with the patient screen's ECG."""

from ptacl_app.shell.action import Action

ECG: tuple[Action, ...] = (
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
        "compare",
        "patient",
        ("b",),
        "screen.compare",
        "Compare",
        "With another visit or a file: side by side, overlaid, figures and their change",
        True,
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
)
