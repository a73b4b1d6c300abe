"""What `ptacl evaluate` prints: the readable part of its document; `--json` has it all."""

from collections.abc import Mapping, Sequence
from typing import Any

from ptacl_core.cli.output import RESEARCH_USE, print_line
from ptacl_core.cli.tables.grid import (
    SHORT_NAMES,
    print_alignment,
    print_regression,
    print_retrieval,
    print_table,
    show_figure,
    start_table,
)
from ptacl_core.documents.evaluation import EvaluationDocument, ForeignEvaluationDocument
from ptacl_core.documents.figures import Bounded
from ptacl_core.documents.table_two import Headline, TableTwoRow
from ptacl_core.documents.targets import TargetEvaluation
from ptacl_core.safety.text.printable import clean_text

CONTROLS = {
    "shifted_frames": "frames shifted, matches with the moved content",
    "other_patient": "cine of another patient",
    "no_positions": "position embeddings zero",
    "permuted_tokens": "ECG patches permuted within each beat",
    "irregular_rhythm": "irregular rhythm only",
}


def print_evaluation(evaluation: EvaluationDocument) -> None:
    """What has not learned, the headlines, then every table."""
    print_failures(evaluation)
    print_headlines(evaluation.headlines)
    document = evaluation.as_dict()
    if evaluation.rows:
        print_regression(document["rows"])
    print_remarks(evaluation.rows)
    print_targets(evaluation)
    for name, why in document["unjudged"].items():
        print_line(f"{name} cannot be judged: {why}")
    for own, table in document["retrieval"].items():
        print_retrieval(table, title=f"Retrieval, ECG to CMR, own CMR {own}")
    print_pairs(document["pair_recall"])
    print_alignment(document["alignment"])
    print_own(document["alignment"])
    if document["alignment"]["controls"] is not None:
        print_controls(document["alignment"]["controls"])
    print_coverage(document)
    print_worst_gaps(document["subgroups"]["worst_gap"])
    print_events(document["calibration"])
    consistency = document["consistency"]
    if consistency["mean_difference"] is not None:
        print_line(
            "Table 1 as Table 2 predicts it: P@10 without the own CMR differs by "
            f"{consistency['mean_difference']:+.3f} in the mean, at most by "
            f"{consistency['max_abs_difference']:.3f}"
        )
    print_line(f"{document['note']} {RESEARCH_USE}")


def print_foreign(evaluation: ForeignEvaluationDocument) -> None:
    """The rows beside those without learning, and what the encoder adds to demographics."""
    print_regression(evaluation.as_dict()["rows"])
    print_remarks(evaluation.rows)
    for question in evaluation.nested:
        mean = question.figures["mean"]
        if mean.difference is not None and mean.low is not None and mean.high is not None:
            print_line(
                f"added to demographics by {question.name}: {mean.difference:+.3f} "
                f"[{mean.low:+.3f}, {mean.high:+.3f}], {mean.verdict}"
            )
    row = next(row for row in evaluation.rows if row.key == "foreign-ecg")
    for point in row.label_curve:
        print_line(
            f"  {point.labels} labels: mean R² {point.mean_r2:.3f} "
            f"[{point.low:.3f}, {point.high:.3f}]"
        )
    print_line(f"{evaluation.note} {RESEARCH_USE}")


def print_failures(evaluation: EvaluationDocument) -> None:
    """Each stage that has not learned, before any number."""
    for run, stages in evaluation.health.items():
        for name, stage in stages.items():
            if not stage.learned:
                words = clean_text("; ".join(stage.reasons), max_length=1000)
                print_line(f"NOT LEARNED: run {run}, stage {name}: {words}")


def print_headlines(headlines: Sequence[Headline]) -> None:
    """The two questions that a reader comes with."""
    for headline in headlines:
        print_line(headline.question)
        for part in headline.text.split("; "):
            print_line(f"  {part}")


def print_remarks(rows: Sequence[TableTwoRow]) -> None:
    """Rows that do not reach an untrained encoder or a line, or have not learned."""
    for row in rows:
        if row.failures:
            words = f"has NOT LEARNED: {'; '.join(row.failures)}"
            print_line(clean_text(f"{row.name}, {row.modality}: {words}", max_length=1000))
        elif row.remarks:
            print_line(f"{row.name}, {row.modality}: {'; '.join(row.remarks)}")


def print_own(alignment: Mapping[str, Any]) -> None:
    """Whose heart it is: without the template that all patients share."""
    rank, top1 = alignment["own_rank"], alignment["centred_top1"]
    if rank is not None and top1 is not None:
        print_line(
            f"  without the template of all patients: top-1 {_bounded(top1)}, chance "
            f"{top1['chance']:.3f}; own pair at median rank {rank['value']:.0f} "
            f"[{rank['low']:.0f}, {rank['high']:.0f}], chance {rank['chance']:.0f}"
        )
    for kept in alignment["timing_kept"]:
        cells = ", ".join(f"{name} {_bounded(cell)}" for name, cell in kept["sources"].items())
        print_line(f"  timing kept, {kept['target']}: {cells}")
    if alignment["timing_kept"]:
        print_line(f"    {alignment['timing_note']}")


def print_targets(evaluation: EvaluationDocument) -> None:
    """The cohort's own targets: R² or AUC beside sex and age, intervals and calibration."""
    if not evaluation.targets:
        return
    table = start_table(f"Targets of the cohort on test people ({evaluation.targets_read_out})")
    for column in ("Target", "n", "Figure", "Sex and age", "Gain", "Interval, calibration"):
        table.add_column(column, justify="left" if column == "Target" else "right")
    for name, target in evaluation.targets.items():
        if target.why is not None:
            table.add_row(name, str(target.n), clean_text(target.why, max_length=120))
            continue
        table.add_row(
            name,
            str(target.n) if target.events is None else f"{target.events} of {target.n}",
            _show_main(target),
            _show_bounded(target.baseline),
            _show_bounded(target.gain),
            _show_reliability(target),
        )
    print_table(table)


def _show_main(target: TargetEvaluation) -> str:
    if target.kind == "binary":
        return f"AUC {_show_bounded(target.auc)}"
    return f"R² {_show_bounded(target.r2)}"


def _show_reliability(target: TargetEvaluation) -> str:
    if target.coverage is not None:
        covered = target.coverage
        error = _show_bounded(target.mean_absolute_error, digits=1)
        return (
            f"{covered.share * 100:.0f} % [{covered.low * 100:.0f}, {covered.high * 100:.0f}] "
            f"inside {covered.nominal * 100:.0f} %; MAE {error} {target.unit}"
        )
    prevalence = target.brier_of_prevalence or 0.0
    return (
        f"slope {_show_bounded(target.slope, digits=2)}; Brier {_show_bounded(target.brier)} "
        f"(prevalence {prevalence:.3f})"
    )


def _show_bounded(figure: Bounded | None, *, digits: int = 3) -> str:
    if figure is None or figure.value is None:
        return "-"
    if figure.low is None or figure.high is None:
        return f"{figure.value:.{digits}f}"
    return f"{figure.value:.{digits}f} [{figure.low:.{digits}f}, {figure.high:.{digits}f}]"


def print_pairs(recall: Mapping[str, Any]) -> None:
    """Recall of the query's own recording in each direction."""
    for direction, figures in recall.items():
        cells = ", ".join(
            f"R@{k} {_bounded(figures[f'recall_at_{k}'])} "
            f"(chance {figures[f'recall_at_{k}']['chance']:.3f})"
            for k in (1, 5, 10)
        )
        rank = figures["median_rank"]
        print_line(
            f"The very pair, {direction}, of {figures['n']}: {cells}, median rank "
            f"{rank['value']:.1f} [{rank['low']:.1f}, {rank['high']:.1f}]"
        )


def print_controls(controls: Mapping[str, Any]) -> None:
    """Each control's accuracy; a diagonal alone does not prove physiology."""
    for name, label in CONTROLS.items():
        control = controls[name]
        if control["top1"] is None:
            print_line(f"  control, {label}: none, {control['why']}")
            continue
        low, high = control["top1_interval"]
        text = f"  control, {label} (n {control['n']}): top-1 {control['top1']:.3f} "
        text += f"[{low:.3f}, {high:.3f}], within one step {control['within1']:.3f}"
        if name == "shifted_frames":
            text += (
                f"; with the old index {control['index_top1']:.3f}; the ridge moved for "
                f"{control['share_moved'] * 100:.0f} % of the shifts: {control['verdict']}"
            )
        if name == "other_patient":
            text += f"; the own cine adds {_bounded(control['same_patient_excess'])}"
        print_line(text)


def print_coverage(document: Mapping[str, Any]) -> None:
    """Measured coverage of the intervals per phenotype, and the verdict in words."""
    if document["coverage"]:
        nominal = document["coverage_summary"]["nominal"]
        table = start_table(f"Coverage of the {nominal * 100:.0f} % intervals on test")
        for column in ("Phenotype", "All", "Mean width", "Lowest group"):
            table.add_column(column, justify="left" if column == "Phenotype" else "right")
        for name, cells in document["coverage"].items():
            overall, groups = cells["overall"], cells["groups"]
            lowest = min(groups, key=lambda group: groups[group]["value"], default=None)
            table.add_row(
                SHORT_NAMES[name],
                show_figure({"r2": overall["value"], **overall}),
                f"{overall['width']:.1f}",
                "-" if lowest is None else f"{lowest}: {_bounded(groups[lowest])}",
            )
        print_table(table)
    print_line(document["coverage_summary"]["text"])


def print_worst_gaps(worst: Mapping[str, Any]) -> None:
    """The largest difference between two groups of patients, per figure."""
    names = {
        "r2": "R²",
        "mean_absolute_error_sd": "mean absolute error in SD",
        "bias_sd": "bias in SD",
    }
    for key, gap in worst.items():
        if gap is not None:
            print_line(
                f"Widest gap in {names[key]}: {SHORT_NAMES[gap['phenotype']]} by "
                f"{gap['grouping']}, {gap['lowest_group']} {gap['lowest']:.2f}, "
                f"{gap['highest_group']} {gap['highest']:.2f}"
            )


def print_events(calibration: Mapping[str, Any]) -> None:
    """Phenotypes below a limit as probabilities."""
    for name, event in calibration.items():
        start = f"P({name}): {event['events']} of {event['n']} patients"
        if event["brier"] is None:
            print_line(f"{start}; {event['why']}")
            continue
        auc = event["auc"]
        ranked = f"no AUC, {event['why']}" if auc is None else f"AUC {_bounded(auc)}"
        print_line(
            f"{start}, {ranked}, Brier {_bounded(event['brier'])} "
            f"(prevalence alone {event['brier_of_prevalence']:.3f}), calibration error "
            f"{event['ece']:.3f}"
        )


def _bounded(figure: Mapping[str, Any]) -> str:
    if figure["low"] is None:
        return f"{figure['value']:.3f}"
    return f"{figure['value']:.3f} [{figure['low']:.3f}, {figure['high']:.3f}]"
