"""What can be done where two ECGs are compared."""

from ptacl_app.shell.action import Action

COMPARE: tuple[Action, ...] = (
    Action(
        "overlay_ecg", "compare", ("o",), "screen.toggle_overlay", "Overlay",
        "One ECG over the other, or side by side", True,
    ),
    Action(
        "next_prior", "compare", ("n",), "screen.next_visit", "Other visit",
        "Compare with the next of this person's other visits", True,
    ),
    Action(
        "prior_file", "compare", ("ctrl+o",), "screen.ask_file", "A file",
        "Compare with an ECG in a file", True,
    ),
    Action(
        "compare_layout", "compare", ("l",), "screen.both('cycle_layout')", "Layout",
        "3×4 + II, 6×2, 12×1, one lead, median beat", True,
    ),
    Action(
        "compare_filter", "compare", ("x",), "screen.both('cycle_filter')", "Processing",
        "Both traces raw, filtered, or as the model sees them",
    ),
    Action(
        "compare_paper", "compare", ("u",), "screen.both('cycle_paper')", "Paper",
        "Pink, dark or contrast, where the terminal has pixels",
    ),
    Action("compare_gain", "compare", ("g",), "screen.both('cycle_gain')", "Gain",
           "5, 10, 20 mm/mV"),
    Action("compare_speed", "compare", ("v",), "screen.both('cycle_speed')", "Speed",
           "25, 50 mm/s"),
    Action("compare_in", "compare", ("plus",), "screen.zoom(1)", "Zoom in", "Larger boxes"),
    Action("compare_out", "compare", ("minus",), "screen.zoom(-1)", "Zoom out", "Smaller boxes"),
    Action("compare_fit", "compare", ("equals_sign",), "screen.zoom(0)", "Fit",
           "Ten seconds on the page"),
    Action("compare_left", "compare", ("left",), "screen.pan(-0.1)", "Left", "Both pages back"),
    Action("compare_right", "compare", ("right",), "screen.pan(0.1)", "Right", "Both pages on"),
    Action("compare_back", "compare", ("pageup",), "screen.pan(-1.0)", "Page back",
           "A page of both back"),
    Action("compare_on", "compare", ("pagedown",), "screen.pan(1.0)", "Page on",
           "A page of both on"),
    Action("compare_up", "compare", ("up",), "screen.lead(-1)", "Lead before", "Select a lead"),
    Action("compare_down", "compare", ("down",), "screen.lead(1)", "Lead after", "Select a lead"),
    Action("compare_close", "compare", ("escape", "b"), "screen.close", "Close",
           "Back to the patient", True),
)  # fmt: skip
