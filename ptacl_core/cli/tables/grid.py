"""Results as tables on stdout."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ptacl_core.cli.output import print_line
from ptacl_core.records import PHENOTYPE_NAMES, PHENOTYPE_UNITS
from ptacl_core.safety.text.printable import clean_text

if TYPE_CHECKING:
    from ptacl_core.cohort.sql.streams import ResultStream

SHORT_NAMES = {
    "lvedv_ml": "LVEDV",
    "lvesv_ml": "LVESV",
    "lvsv_ml": "LVSV",
    "lvef_pct": "LVEF",
    "lvco_l_min": "LVCO",
    "lvm_g": "LVM",
    "rvedv_ml": "RVEDV",
    "rvesv_ml": "RVESV",
    "rvsv_ml": "RVSV",
    "rvef_pct": "RVEF",
}
_WIDTH_OF_FILES = 200
_PHENOTYPE_COLUMNS, _FIGURE_COLUMNS = 12, 20
"""Characters of a table's first column and of one with intervals, rules and headings included."""
RETRIEVAL_COLUMNS = ("p_at_1", "p_at_3", "p_at_5", "p_at_10", "p_at_15", "mean_rank", "median_rank")


def print_regression(rows: Sequence[Mapping[str, Any]]) -> None:
    """R² of each set of features with its interval, phenotypes below each other, then the mean.

    As many sets side by side as the terminal is wide for, the others in tables below.
    """
    per_table = max(1, (find_width() - _PHENOTYPE_COLUMNS) // _FIGURE_COLUMNS)
    for start in range(0, len(rows), per_table):
        _print_regression_columns(rows[start : start + per_table])


def _print_regression_columns(rows: Sequence[Mapping[str, Any]]) -> None:
    table = start_table("R² on held-out patients [95 % interval]")
    table.add_column("Phenotype")
    for row in rows:
        heading = Text("\n").join([safe_text(row["name"]), safe_text(row["modality"])])
        table.add_column(heading, justify="right", no_wrap=True)
    for name in PHENOTYPE_NAMES:
        figures = [show_figure(row["phenotypes"][name]) for row in rows]
        table.add_row(SHORT_NAMES[name], *figures, end_section=name == PHENOTYPE_NAMES[-1])
    table.add_row("Mean", *(show_figure(row["mean"]) for row in rows))
    print_table(table)


def print_retrieval(scores: Mapping[str, Any], *, title: str) -> None:
    """Precision at k and ranks of the first match, beside random retrieval."""
    table = start_table(title)
    table.add_column("Phenotype")
    for column in RETRIEVAL_COLUMNS:
        table.add_column(_header(column), justify="right")
    table.add_column("random P@1", justify="right")
    table.add_column("random P@10", justify="right")
    for name, score in scores.items():
        cells = []
        for column in RETRIEVAL_COLUMNS:
            interval = score.get("intervals", {}).get(column)
            cells.append(show_figure({"r2": score[column], **(interval or {})}))
        table.add_row(
            SHORT_NAMES.get(name, name),
            *cells,
            f"{score['random_p_at_1']:.3f}",
            f"{score['random_p_at_10']:.3f}",
        )
    print_table(table)


def print_alignment(alignment: Mapping[str, Any]) -> None:
    """Top-1 accuracy of the 13 steps and the mean 13 x 13 similarity as shades."""
    top1, within1 = alignment["top1"], alignment["within1"]
    if top1 is None:
        print_line(f"Alignment of ECG and cine steps: none, {alignment['why']}")
        return
    low, high = alignment["top1_interval"]
    num_steps = len(alignment["map"])
    print_line(
        f"Alignment of ECG and cine steps on {alignment['patients']} held-out patients: "
        f"top-1 {top1:.3f} [{low:.3f}, {high:.3f}], chance {1 / num_steps:.3f}; "
        f"within one step {within1:.3f}, chance {alignment['within1_chance']:.3f}"
    )
    for row in shade_map(alignment["map"]):
        print_line(f"  {row}")


def shade_map(values: Sequence[Sequence[float]]) -> list[str]:
    """Rows of ten shades between the least and the greatest value, two columns a cell."""
    shades = " .:-=+*#%@"
    flat = [value for row in values for value in row]
    low, span = min(flat), (max(flat) - min(flat)) or 1.0
    return [
        "".join(shades[min(int((value - low) / span * 10), 9)] * 2 for value in row)
        for row in values
    ]


def print_neighbours(rows: Sequence[Mapping[str, Any]]) -> None:
    """Ranked patients with their measured phenotypes."""
    table = start_table("Nearest patients")
    for column in ("Rank", "Patient", "Similarity"):
        table.add_column(column, justify="left" if column == "Patient" else "right")
    for name in PHENOTYPE_NAMES:
        table.add_column(f"{SHORT_NAMES[name]} {PHENOTYPE_UNITS[name]}", justify="right")
    for row in rows:
        values = [row.get(name) for name in PHENOTYPE_NAMES]
        table.add_row(
            str(row["rank"]),
            safe_text(row["patient"]),
            f"{row['similarity']:.4f}",
            *("-" if value is None else f"{value:.1f}" for value in values),
        )
    print_table(table)


def print_query(stream: "ResultStream", form: str) -> None:
    """Rows of a query as a table, CSV, JSON or JSON lines, as they come."""
    from ptacl_core.cohort.sql.streams import write_csv, write_json_lines, write_json_list

    writers = {"csv": write_csv, "json": write_json_list, "jsonl": write_json_lines}
    if form in writers:
        writers[form](stream, sys.stdout)
        return
    is_first = True
    for rows in stream.rows():
        _print_rows(stream, rows, with_head=is_first)
        is_first = False
    if is_first:
        _print_rows(stream, [], with_head=True)


def _print_rows(stream: "ResultStream", rows: list[Any], *, with_head: bool) -> None:
    """A piece of a table; the head stands above the first one."""
    table = Table(pad_edge=False, show_header=with_head)
    for column, kind in zip(stream.columns, stream.types, strict=True):
        is_number = kind.startswith(("DOUBLE", "FLOAT", "INTEGER", "BIGINT", "DECIMAL"))
        table.add_column(safe_text(column), justify="right" if is_number else "left")
    for row in rows:
        table.add_row(*("" if value is None else safe_text(value) for value in row))
    print_table(table)


def show_figure(value: Mapping[str, Any]) -> str:
    """A figure with its interval below, a dash where it is not defined."""
    if value["r2"] is None:
        return "-"
    shown = f"{value['r2']:.3f}"
    if value.get("low") is None:
        return shown
    return f"{shown}\n[{value['low']:.3f}, {value['high']:.3f}]"


def _header(column: str) -> str:
    return {"mean_rank": "mean rank", "median_rank": "median rank"}.get(
        column, column.replace("p_at_", "P@")
    )


def start_table(title: str) -> Table:
    """An empty table with a title."""
    return Table(title=title, title_justify="left", pad_edge=False)


def safe_text(value: object) -> Text:
    """A cell from untrusted text."""
    return Text(clean_text(str(value)))


def find_width() -> int:
    """Columns of the terminal; 200 where stdout is none."""
    console = Console()
    return console.width if console.is_terminal else _WIDTH_OF_FILES


def print_table(table: Table) -> None:
    """On stdout, 200 columns wide where that is not a terminal."""
    Console(width=find_width()).print(table)
