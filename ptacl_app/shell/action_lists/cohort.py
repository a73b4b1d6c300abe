"""What can be done with the patient table."""

from ptacl_app.shell.action import Action

COHORT: tuple[Action, ...] = (
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
        "cohort_notes",
        "cohort",
        ("ctrl+n",),
        "screen.notes",
        "Notes",
        "Notes and tags of the patient under the cursor",
    ),
    Action("columns", "cohort", ("o",), "screen.columns", "Columns", "Which columns the table has"),
)
