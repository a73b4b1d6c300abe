"""`ptacl demo`: the whole product, and a summary of what it found."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ptacl_core.cli.options import JsonOption
from ptacl_core.cli.output import RESEARCH_USE, print_json, print_line
from ptacl_core.errors import ConfigError
from ptacl_core.safety.text.printable import clean_text

if TYPE_CHECKING:
    from ptacl_core.documents.alignment import AlignmentSection
    from ptacl_core.documents.evaluation import EvaluationDocument
    from ptacl_core.recipes.demo import DemoSummary

NOTE = (
    "The cohort is simulated: its figures are evidence about the code, never about hearts. "
    "The sample ECGs are real, of other people than any cine here: their predictions show that "
    "the software runs, not how good it is."
)


def demo(
    directory: Annotated[Path, typer.Argument(help="Folder of the cohort.")] = Path("demo-cohort"),
    seed: Annotated[int, typer.Option(min=0, help="Seed of the training.")] = 0,
    kappa: Annotated[
        float | None,
        typer.Option(min=0, help="0: the ECG knows nothing (negative control)."),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="Under a minute: does the installation work? It learns nothing."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Run the whole product on simulated patients, in minutes.

    Run again, it goes on from the last finished step.
    """
    from ptacl_core.cli.progress_bars import ProgressBars
    from ptacl_core.recipes import demo as recipe

    if quick:
        if kappa is not None:
            raise ConfigError("--kappa belongs to the full demo: leave out --quick")
        _run_quick(directory, seed=seed, as_json=as_json)
        return
    with ProgressBars() as progress:
        summary = recipe.run(directory, seed=seed, kappa_scale=kappa, progress=progress)
    if as_json:
        print_json(summary.as_dict())
    else:
        print_summary(summary, directory)


def _run_quick(directory: Path, *, seed: int, as_json: bool) -> None:
    from ptacl_core.cli.progress_bars import ProgressBars
    from ptacl_core.recipes import quick_demo

    with ProgressBars() as progress:
        summary = quick_demo.run(directory, seed=seed, progress=progress)
    if as_json:
        print_json(summary.as_dict())
        return
    print_line(
        f"{summary.patients} simulated patients, {summary.steps} training steps, "
        f"{summary.embeddings['ecg']} ECG and {summary.embeddings['cmr']} CMR embeddings, "
        f"{len(summary.predictions)} real sample ECGs predicted"
    )
    for answer in summary.predictions:
        print_line(_prediction_line(answer))
    print_line(
        "The installation works. The training is far too short to learn anything: the figures "
        f"above mean nothing. {RESEARCH_USE}"
    )
    print_line("next: ptacl demo (minutes) trains for real")


def print_summary(summary: "DemoSummary", directory: Path) -> None:
    """One screen: what has not learned, the two headlines, rows, and the next two commands."""
    from ptacl_core.cli.tables.evaluation import print_headlines
    from ptacl_core.recipes.demo import GLOBAL_RUN, PTACL_RUN

    ptacl, global_ = (summary.evaluations[name] for name in (PTACL_RUN, GLOBAL_RUN))
    for run, stages in {**ptacl.health, **global_.health}.items():
        for name, stage in stages.items():
            if not stage.learned:
                print_line(f"NOT LEARNED: run {run}, stage {name}: {stage.reasons[0]}")
    print_headlines(ptacl.headlines)
    _print_rows(ptacl, global_)
    mean = ptacl.retrieval_mean["excluded"].p_at_1
    print_line(
        f"Retrieval ECG to CMR, own CMR excluded: P@1 {_show(mean.value, mean.low, mean.high)}"
    )
    print_line(_alignment_line(ptacl.alignment, global_.alignment))
    print_line("Real sample ECGs")
    for answer in summary.predictions:
        print_line(_prediction_line(answer))
    if ptacl.departures:
        print_line(clean_text(f"Settings: {ptacl.departures}", max_length=2000))
    print_line(f"{NOTE} {RESEARCH_USE}")
    print_line(f"next: ptacl-app {directory}")
    question = "SELECT * FROM knn('S000000', 5) ORDER BY rank"
    print_line(f'      ptacl query {directory} "{question}"')


def _print_rows(ptacl: "EvaluationDocument", global_: "EvaluationDocument") -> None:
    """Mean R² of each row with its interval, and what it does not reach."""
    from ptacl_core.cli.tables.grid import print_table, start_table

    chosen = [
        (row.name, row) for row in ptacl.rows if row.key not in ("aligned-ecg", "aligned-cmr")
    ]
    for name, document in (("Global", global_), ("PTACL", ptacl)):
        chosen += [(name, row) for row in document.rows if row.key.startswith("aligned-")]
    chosen.sort(key=lambda pair: ("covariates", "ecg", "cmr").index(pair[1].modality))
    table = start_table("Mean R² over ten phenotypes on held-out patients [95 % interval]")
    for column in ("Row", "Input", "Mean R²", ""):
        table.add_column(column, justify="right" if column == "Mean R²" else "left")
    for name, row in chosen:
        remarks = ["has not learned"] if row.failures else list(row.remarks)
        shown = _show(row.mean.r2, row.mean.low, row.mean.high)
        table.add_row(name, row.modality, shown, ", ".join(remarks))
    print_table(table)


def _show(value: float | None, low: float | None, high: float | None) -> str:
    if value is None or low is None or high is None:
        return "-"
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _alignment_line(ptacl: "AlignmentSection", global_: "AlignmentSection") -> str:
    """Top-1, and whose heart it is; the diagonal alone is generic appearance of the phases."""
    text = f"Alignment of steps: top-1 {ptacl.top1:.3f}, Global {global_.top1:.3f}, "
    text += f"chance {ptacl.top1_chance:.3f}"
    if ptacl.own_rank is not None and ptacl.own_rank.value is not None:
        text += (
            f"; own pair by centred steps at median rank {ptacl.own_rank.value:.0f}, "
            f"chance {ptacl.own_rank.chance:.0f}"
        )
    return text


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
