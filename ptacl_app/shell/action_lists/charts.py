"""What can be done with the charts."""

from ptacl_app.shell.action import Action

CHARTS: tuple[Action, ...] = (
    Action(
        "chart_kind", "charts", ("k",), "screen.kind", "Kind",
        "Map of ECG, map of CMR, scatter, Bland–Altman, histogram", True,
    ),
    Action("chart_x", "charts", ("x",), "screen.pick('x')", "Column", "The first column", True),
    Action("chart_y", "charts", ("y",), "screen.pick('y')", "Second", "The second column", True),
    Action(
        "chart_colour", "charts", ("c",), "screen.pick('colour')", "Colour",
        "Colour the points by a column", True,
    ),
    Action("chart_left", "charts", ("left",), "screen.arrow(-1, 0)", "Left", "The cursor"),
    Action("chart_right", "charts", ("right",), "screen.arrow(1, 0)", "Right", "The cursor"),
    Action("chart_up", "charts", ("up",), "screen.arrow(0, -1)", "Up", "The cursor"),
    Action("chart_down", "charts", ("down",), "screen.arrow(0, 1)", "Down", "The cursor"),
    Action(
        "chart_corner", "charts", ("space",), "screen.corner", "Corner",
        "A corner of the lasso at the cursor; the mouse draws it by dragging",
    ),
    Action(
        "chart_finish", "charts", ("enter",), "screen.finish", "Close, open",
        "Close the lasso; without one open the visit nearest to the cursor",
    ),
    Action(
        "chart_save", "charts", ("ctrl+s",), "screen.save_cohort", "Save cohort",
        "Keep what the lasso holds under a name",
    ),
    Action("chart_clear", "charts", ("escape",), "screen.clear", "No lasso", "Take it away"),
    Action(
        "chart_copy", "charts", ("ctrl+y",), "screen.copy", "Copy", "What the chart says, as text"
    ),
)  # fmt: skip
