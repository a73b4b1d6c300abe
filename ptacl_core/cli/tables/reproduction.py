"""The reproduction's tables and verdicts on stdout."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ptacl_core.cli.output import RESEARCH_USE, print_line
from ptacl_core.cli.tables.evaluation import print_headlines
from ptacl_core.cli.tables.grid import (
    SHORT_NAMES,
    find_width,
    print_table,
    safe_text,
    show_figure,
    start_table,
)
from ptacl_core.documents.reproduction import ReproductionDocument
from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.safety.text.printable import clean_text

_WIDTH_WITH_PHENOTYPES = 150


def print_reproduction(reproduction: ReproductionDocument, folder: Path) -> None:
    """The headlines, Table 2, the verdicts, and where the report lies."""
    document = reproduction.as_dict()
    print_headlines(reproduction.headlines)
    print_rows(document["rows"])
    print_comparisons(document["comparisons"])
    print_trend(document["trend"])
    print_line(clean_text(f"{document['note']} {RESEARCH_USE}", max_length=400))
    print_line(f"report: {folder / 'report.html'}, {folder / 'report.md'}")


def print_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    """A line per row of the table: its mean R² with the interval, and R² of each phenotype.

    The phenotypes' intervals are in the report, and they themselves in a narrow terminal: with
    all rows of the paper they would not fit.
    """
    names = PHENOTYPE_NAMES if find_width() >= _WIDTH_WITH_PHENOTYPES else ()
    table = start_table("R² on held-out patients, the mean with its 95 % interval")
    table.add_column("Row")
    table.add_column("Input")
    table.add_column("Mean R²", justify="right", no_wrap=True)
    for name in names:
        table.add_column(SHORT_NAMES[name], justify="right", no_wrap=True)
    for row in rows:
        remarks = [*(["has not learned"] if row["failures"] else []), *row["remarks"]]
        table.add_row(
            safe_text(", ".join([f"{row['name']} ({row['evaluation']})", *remarks])),
            safe_text(row["modality"]),
            show_figure(row["mean"]),
            *(show_figure({"r2": row["phenotypes"][name]["r2"]}) for name in names),
        )
    print_table(table)


def print_comparisons(comparisons: Sequence[Mapping[str, Any]]) -> None:
    """Each question's difference of mean R² with its verdict, and of how many phenotypes."""
    for pair in comparisons:
        mean = pair["figures"]["mean"]
        verdicts = [pair["figures"][name]["verdict"] for name in PHENOTYPE_NAMES]
        start = f"{pair['first']} - {pair['second']}" + (
            "" if pair["modality"] == "ecg" else ", CMR"
        )
        if mean["verdict"] == "not comparable":
            print_line(clean_text(f"{start}: {mean['why']}"))
            continue
        shown = "-" if mean["difference"] is None else _interval(mean)
        counts = [
            sum(verdict.startswith(word) for verdict in verdicts)
            for word in ("separated", "reversed")
        ]
        print_line(
            f"{start}: {shown}, {mean['verdict']}; of ten phenotypes {counts[0]} separated, "
            f"{counts[1]} reversed"
        )


def print_trend(trend: Mapping[str, Any]) -> None:
    """Page's test of the expected order."""
    order = " < ".join(trend["order"])
    if "why_not" in trend:
        print_line(f"order {order}: not tested ({clean_text(trend['why_not'])})")
    else:
        print_line(
            f"order {order}: Page's L {trend['statistic']:.0f} over {trend['blocks']} blocks, "
            f"one-sided p {trend['p_value']:.2g}"
        )


def _interval(figure: Mapping[str, Any]) -> str:
    return f"{figure['difference']:+.3f} [{figure['low']:+.3f}, {figure['high']:+.3f}]"
