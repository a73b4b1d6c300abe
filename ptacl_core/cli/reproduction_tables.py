"""The reproduction's tables and verdicts on stdout."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ptacl_core.cli.output import RESEARCH_USE, print_line
from ptacl_core.cli.tables import print_regression
from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.safety.text import clean_text


def print_reproduction(document: Mapping[str, Any], folder: Path) -> None:
    """Table 2 with intervals, the verdicts, and where the report lies."""
    print_regression([_as_regression_row(row) for row in document["rows"]])
    print_comparisons(document["comparisons"])
    print_trend(document["trend"])
    print_line(clean_text(f"{document['note']} {RESEARCH_USE}", max_length=400))
    print_line(f"report: {folder / 'report.html'}, {folder / 'report.md'}")


def print_comparisons(comparisons: Sequence[Mapping[str, Any]]) -> None:
    """Each question's difference of mean R² with its verdict, and of how many phenotypes."""
    for pair in comparisons:
        mean = pair["figures"]["mean"]
        verdicts = [pair["figures"][name]["verdict"] for name in PHENOTYPE_NAMES]
        shown = "-" if mean["difference"] is None else _interval(mean)
        print_line(
            f"{pair['first']} - {pair['second']}: {shown}, {mean['verdict']}; of ten phenotypes "
            f"{verdicts.count('separated')} separated, {verdicts.count('reversed')} reversed"
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


def _as_regression_row(row: Mapping[str, Any]) -> dict[str, Any]:
    figures = row["figures"]
    return {
        "name": f"{row['title']} ({row['evaluation']})",
        "modality": row["modality"],
        "phenotypes": {name: figures[name] for name in PHENOTYPE_NAMES},
        "mean": figures["mean"],
    }


def _interval(figure: Mapping[str, Any]) -> str:
    return f"{figure['difference']:+.3f} [{figure['low']:+.3f}, {figure['high']:+.3f}]"
