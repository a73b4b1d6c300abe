"""`ptacl demo`: the whole product, and a summary of what it found."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ptacl_core.cli.options import JsonOption
from ptacl_core.cli.output import RESEARCH_USE, print_json, print_line
from ptacl_core.safety.text.printable import clean_text

if TYPE_CHECKING:
    from ptacl_core.recipes.demo import DemoSummary

NOTE = (
    "The cohort is simulated: its figures are evidence about the code, never about hearts. "
    "The sample ECGs are real, of other people than any cine here: their predictions show that "
    "the software runs, not how good it is."
)


def demo(
    directory: Annotated[Path, typer.Argument(help="Where the cohort goes.")] = Path("demo-cohort"),
    seed: Annotated[int, typer.Option(min=0, help="Seed of the training.")] = 0,
    kappa: Annotated[
        float | None,
        typer.Option(min=0, help="0: the ECG knows nothing (negative control)."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run the whole product on simulated patients, in minutes.

    Run again, it goes on from the last finished step.
    """
    from ptacl_core.cli.progress_bars import ProgressBars
    from ptacl_core.recipes import demo as recipe

    with ProgressBars() as progress:
        summary = recipe.run(directory, seed=seed, kappa_scale=kappa, progress=progress)
    if as_json:
        print_json(summary.as_dict())
    else:
        print_summary(summary, directory)


def print_summary(summary: "DemoSummary", directory: Path) -> None:
    """Tables of the demo, each figure with its interval, and the next two commands."""
    from ptacl_core.cli.tables import print_alignment, print_regression
    from ptacl_core.recipes.demo import GLOBAL_RUN, PTACL_RUN

    ptacl, global_ = summary.evaluations[PTACL_RUN], summary.evaluations[GLOBAL_RUN]
    rows = {row["key"]: row for row in ptacl["rows"]}
    aligned_globally = next(row for row in global_["rows"] if row["key"] == "aligned-ecg")
    print_regression(
        [
            rows["demographics"],
            rows["random-ecg"],
            rows["pretrained-ecg"],
            {**aligned_globally, "name": "Global"},
            {**rows["aligned-ecg"], "name": "PTACL"},
            rows["aligned-cmr"],
        ]
    )
    for own in ("included", "excluded"):
        print_line(_retrieval_line(ptacl, own))
    print_alignment(ptacl["alignment"])
    print_line(_global_alignment_line(global_["alignment"]))
    print_line("")
    print_line("Real sample ECGs")
    for answer in summary.predictions:
        print_line(_prediction_line(answer))
    print_line("")
    print_line(f"{NOTE} {RESEARCH_USE}")
    print_line("")
    print_line(f"next: ptacl-app {directory}")
    question = "SELECT * FROM knn('S000000', 5) ORDER BY rank"
    print_line(f'      ptacl query {directory} "{question}"')


def _retrieval_line(document: Mapping[str, Any], own: str) -> str:
    mean = document["retrieval_mean"][own]
    cells = [
        f"{label} {mean[key]['value']:.3f} [{mean[key]['low']:.3f}, {mean[key]['high']:.3f}]"
        f" (random {mean[f'random_{key}']:.3f})"
        for key, label in (("p_at_1", "P@1"), ("p_at_10", "P@10"))
    ]
    return f"Retrieval ECG to CMR, mean of ten phenotypes, own CMR {own}: {', '.join(cells)}"


def _global_alignment_line(alignment: Mapping[str, Any]) -> str:
    low, high = alignment["top1_interval"]
    return f"Without the local loss (Global): top-1 {alignment['top1']:.3f} [{low:.3f}, {high:.3f}]"


def _prediction_line(answer: Mapping[str, Any]) -> str:
    name = clean_text(Path(answer["file"]).name)
    if not answer["accepted"]:
        return f"  {name}: {clean_text(answer['error'])}"
    ejection = answer["phenotypes"]["lvef_pct"]
    mass = answer["phenotypes"]["lvm_g"]
    flag = "  OUT OF DISTRIBUTION" if answer["out_of_distribution"]["flag"] else ""
    nearest = answer["neighbours"][0]["patient"] if answer["neighbours"] else "none"
    return (
        f"  {name}: LVEF ~{ejection['value']:.0f} % [{ejection['low']:.0f}, "
        f"{ejection['high']:.0f}], LVM ~{mass['value']:.0f} g [{mass['low']:.0f}, "
        f"{mass['high']:.0f}], nearest {nearest}{flag}"
    )


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(demo)
