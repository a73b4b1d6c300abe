"""What can be done on every screen."""

from ptacl_app.shell.action import Action

APP: tuple[Action, ...] = (
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
        "show_charts", "app", ("6",), "app.show('charts')", "Charts", "Maps, scatter, Bland–Altman"
    ),
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
)
