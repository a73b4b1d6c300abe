"""What can be done on the patient screen, but for its ECG."""

from ptacl_app.shell.action import Action

PATIENT: tuple[Action, ...] = (
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
        "outline",
        "patient",
        ("h",),
        "screen.outline",
        "Outline",
        "The blood pool's outline, estimated from the picture, over the cine",
    ),
    Action(
        "notes", "patient", ("ctrl+n",), "screen.notes", "Notes", "Notes and tags of this patient"
    ),
)
