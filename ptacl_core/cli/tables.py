"""Results as tables on stdout."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ptacl_core.cli.output import RESEARCH_USE, print_line
from ptacl_core.records import PHENOTYPE_NAMES, PHENOTYPE_UNITS
from ptacl_core.safety.text import clean_text

if TYPE_CHECKING:
    from ptacl_core.cohort import QueryResult

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
RETRIEVAL_COLUMNS = ("p_at_1", "p_at_3", "p_at_5", "p_at_10", "p_at_15", "mean_rank", "median_rank")


def print_evaluation(document: Mapping[str, Any]) -> None:
    """Table 2 with its baselines, Table 1 included and excluded, and the alignment."""
    print_regression(document["rows"])
    for own, table in document["retrieval"].items():
        print_retrieval(table, title=f"Retrieval, ECG to CMR, own CMR {own}")
    print_alignment(document["alignment"])
    print_line(f"{document['note']} {RESEARCH_USE}")


def print_regression(rows: Sequence[Mapping[str, Any]]) -> None:
    """R² of each row with its interval, phenotypes as columns."""
    table = _table("R² on held-out patients [95 % interval]")
    table.add_column("Features")
    table.add_column("Input")
    for name in PHENOTYPE_NAMES:
        table.add_column(SHORT_NAMES[name], justify="right")
    table.add_column("Mean", justify="right")
    for row in rows:
        cells = [_figure(row["phenotypes"][name]) for name in PHENOTYPE_NAMES]
        table.add_row(_text(row["name"]), row["modality"], *cells, _figure(row["mean"]))
    _print(table)


def print_retrieval(scores: Mapping[str, Any], *, title: str) -> None:
    """Precision at k and ranks of the first match, beside random retrieval."""
    table = _table(title)
    table.add_column("Phenotype")
    for column in RETRIEVAL_COLUMNS:
        table.add_column(_header(column), justify="right")
    table.add_column("random P@1", justify="right")
    table.add_column("random P@10", justify="right")
    for name, score in scores.items():
        cells = []
        for column in RETRIEVAL_COLUMNS:
            interval = score.get("intervals", {}).get(column)
            cells.append(_figure({"r2": score[column], **(interval or {})}))
        table.add_row(
            SHORT_NAMES.get(name, name),
            *cells,
            f"{score['random_p_at_1']:.3f}",
            f"{score['random_p_at_10']:.3f}",
        )
    _print(table)


def print_alignment(alignment: Mapping[str, Any]) -> None:
    """Top-1 accuracy of the 13 steps and the mean 13 x 13 similarity as shades."""
    top1, within1 = alignment["top1"], alignment["within1"]
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


def print_prediction(answer: Mapping[str, Any]) -> None:
    """One ECG: findings first, then phenotypes with intervals, then the nearest patients."""
    print_line(clean_text(answer["file"]))
    for finding in answer["findings"]:
        leads = f" [{', '.join(finding['leads'])}]" if finding["leads"] else ""
        print_line(clean_text(f"  {finding['severity']}: {finding['message']}{leads}"))
    outside = answer["out_of_distribution"]
    verdict = "OUTSIDE what the model was trained on" if outside["flag"] else "within training data"
    print_line(f"  {verdict} (score {outside['score']:.2f}, flagged above 1)")
    measured = ", ".join(f"{name} {value:.0f}" for name, value in answer["measurements"].items())
    rate = answer["heart_rate_bpm"]
    print_line(f"  heart rate {'-' if rate is None else f'{rate:.0f}'} bpm  {measured}")
    table = _table(f"Predicted, {answer['coverage'] * 100:.0f} % interval")
    for column in ("Phenotype", "Value", "Interval", "Unit"):
        table.add_column(column, justify="left" if column in ("Phenotype", "Unit") else "right")
    for name, value in answer["phenotypes"].items():
        table.add_row(
            SHORT_NAMES[name],
            f"~{value['value']:.1f}",
            f"{value['low']:.1f} – {value['high']:.1f}",
            PHENOTYPE_UNITS[name],
        )
    _print(table)
    nearest = ", ".join(
        f"{neighbour['patient']} ({neighbour['similarity']:.3f})"
        for neighbour in answer["neighbours"]
    )
    print_line(clean_text(f"  nearest patients: {nearest or 'none'}", max_length=1000))
    print_line(f"  {RESEARCH_USE}")


def print_neighbours(rows: Sequence[Mapping[str, Any]]) -> None:
    """Ranked patients with their measured phenotypes."""
    table = _table("Nearest patients")
    for column in ("Rank", "Patient", "Similarity"):
        table.add_column(column, justify="left" if column == "Patient" else "right")
    for name in PHENOTYPE_NAMES:
        table.add_column(f"{SHORT_NAMES[name]} {PHENOTYPE_UNITS[name]}", justify="right")
    for row in rows:
        values = [row.get(name) for name in PHENOTYPE_NAMES]
        table.add_row(
            str(row["rank"]),
            _text(row["patient"]),
            f"{row['similarity']:.4f}",
            *("-" if value is None else f"{value:.1f}" for value in values),
        )
    _print(table)


def print_query(result: "QueryResult", form: str) -> None:
    """Rows of a query as a table, CSV or JSON."""
    from ptacl_core.cohort.exports import format_csv, format_json

    if form != "table":
        text = (format_csv if form == "csv" else format_json)(result.columns, result.rows)
        sys.stdout.write(text)
        return
    table = Table(pad_edge=False)
    for column, kind in zip(result.columns, result.types, strict=True):
        is_number = kind.startswith(("DOUBLE", "FLOAT", "INTEGER", "BIGINT", "DECIMAL"))
        table.add_column(_text(column), justify="right" if is_number else "left")
    for row in result.rows:
        table.add_row(*("" if value is None else _text(value) for value in row))
    _print(table)


def _figure(value: Mapping[str, Any]) -> str:
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


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", pad_edge=False)


def _text(value: object) -> Text:
    return Text(clean_text(str(value)))


def _print(table: Table) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)
    console.print(table)
