"""Alignment of ECG and cine steps in the report: maps in the manner of Fig. 2, and controls."""

from collections.abc import Mapping, Sequence
from typing import Any

from ptacl_core.report.blocks import Block, Figure, Heading, Paragraph, Table
from ptacl_core.report.numbers import ABSENT, show, show_interval, show_percent
from ptacl_core.report.svg.heat_map import HeatMap, draw_heat_maps

_PANELS = (("global only", "Global"), ("hard", "Hard alignment"), ("soft", "Soft alignment"))
_CONTROLS = (
    ("shifted_frames", "frames shifted by 1 … 12 steps, matched to the moved content"),
    ("other_patient", "cine of another patient (the clock's share)"),
    ("no_positions", "without position embeddings"),
    ("permuted_tokens", "ECG tokens permuted within the beat"),
    ("irregular_rhythm", "irregular rhythm only"),
)


def describe_alignment(document: Mapping[str, Any]) -> list[Block]:
    """Maps side by side, accuracies with chance, the controls of each method."""
    entries = document["alignment"]
    blocks: list[Block] = [Heading("Temporal alignment")]
    if not entries:
        return [*blocks, Paragraph("No aligned method that is evaluated was reproduced.")]
    blocks.append(
        Paragraph(
            "Mean over test patients of the cosine between each ECG step of the beat and each "
            "step of the cine. A ridge on the diagonal says that equal phases match. It can be "
            "learnt from the clock alone: the controls below say how much of it is the heart."
        )
    )
    blocks += [
        Paragraph(f"{entry['title']}: not measured, {entry['why_not']}.")
        for entry in entries
        if "why_not" in entry
    ]
    entries = [entry for entry in entries if "why_not" not in entry]
    if not entries:
        return blocks
    blocks.append(_maps(entries, len(document["seeds"])))
    blocks.append(_accuracies(entries))
    blocks.append(_whose_heart(entries))
    if document["alignment_comparisons"]:
        blocks.append(_differences(document, entries))
    blocks.extend(_controls(entry) for entry in entries if entry.get("controls"))
    return blocks


def _maps(entries: Sequence[Mapping[str, Any]], num_seeds: int) -> Figure:
    chosen, named = [], []
    for kind, title in _PANELS:
        entry = next((panel for panel in entries if panel["kind"] == kind), None)
        if entry is not None:
            subtitle = f"top-1 {show(entry['top1'])}, chance {show(entry['top1_chance'])}"
            chosen.append(HeatMap(title, subtitle, entry["map"]))
            named.append(f"{title}: {entry['title']}")
    description = "; ".join(
        f"{heat_map.title}: cosines from {min(map(min, heat_map.values)):.2f} to "
        f"{max(map(max, heat_map.values)):.2f}"
        for heat_map in chosen
    )
    svg = draw_heat_maps(
        chosen,
        title="Similarity of ECG steps and cine steps",
        description=description,
        row_label="ECG step",
        column_label="cine step",
    )
    seeds = "one seed" if num_seeds == 1 else f"the mean of {num_seeds} seeds"
    caption = (
        "Mean cosine of the 13 ECG steps (rows) with the 13 cine steps (columns), "
        f"{seeds}; darker is more alike, each map on its own scale. {'; '.join(named)}."
    )
    return Figure("alignment-maps", svg, caption)


def _accuracies(entries: Sequence[Mapping[str, Any]]) -> Table:
    lines = [
        [
            f"{entry['title']} ({entry['kind']}, β {entry['beta']:g}, σ {entry['sigma']:g})",
            f"{show(entry['top1'])}\n{show_interval(*entry['top1_interval'])}",
            show(entry["top1_chance"]),
            f"{show(entry['within1'])}\n{show_interval(*entry['within1_interval'])}",
            show(entry["within1_chance"]),
            show(entry["mean_circular_offset"], digits=2),
            show(entry["diagonal_mass"]),
            show(entry["entropy_nats"], digits=2),
            str(entry["patients"]),
        ]
        for entry in entries
    ]
    return Table(
        "Does each ECG step find its cine step? (intervals over patients and trainings)",
        [
            "Method",
            "Top-1",
            "Chance",
            "Within one",
            "Chance",
            "Mean offset (steps)",
            "Mass at ±1",
            "Entropy (nats)",
            "Patients",
        ],
        lines,
    )


def _whose_heart(entries: Sequence[Mapping[str, Any]]) -> Table:
    return Table(
        "Whose heart is it? Without the template that all patients share: top-1 of the steps, and "
        "the share of other people's cines that lie behind the own one",
        ["Method", "Centred top-1", "Chance", "Others behind", "Chance"],
        [
            [
                entry["title"],
                f"{show(entry['centred_top1'])}\n{show_interval(*entry['centred_top1_interval'])}",
                show(entry["top1_chance"]),
                f"{show(entry['others_behind'])}\n"
                f"{show_interval(*entry['others_behind_interval'])}",
                show(entry["others_behind_chance"]),
            ]
            for entry in entries
        ],
    )


def _differences(document: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> Table:
    titles = {entry["key"]: entry["title"] for entry in entries}
    lines = []
    for pair in document["alignment_comparisons"]:
        cells = [pair["figures"][name] for name in ("top1", "centred_top1", "others_behind")]
        lines.append(
            [f"{titles[pair['first']]} − {titles[pair['second']]}"]
            + [
                f"{show(cell['difference'], is_signed=True)} "
                f"{show_interval(cell['low'], cell['high'], is_signed=True)}\n{cell['verdict']}"
                for cell in cells
            ]
        )
    return Table(
        "Differences of the local alignment (patients and trainings resampled together)",
        ["First − second", "Top-1", "Centred top-1", "Others behind"],
        lines,
    )


def _controls(entry: Mapping[str, Any]) -> Table:
    controls = entry["controls"]
    lines = [["as trained", *_cells(entry, entry["patients"]), ""]]
    for key, title in _CONTROLS:
        control = controls.get(key)
        if control is not None:
            lines.append([title, *_cells(control, control.get("n")), _remark(key, control)])
    return Table(
        f"Controls of {entry['title']} (first seed)",
        ["Control", "Top-1", "Within one", "Patients", "Remark"],
        lines,
    )


def _cells(control: Mapping[str, Any], count: int | None) -> list[str]:
    cells = []
    for name in ("top1", "within1"):
        interval = control.get(f"{name}_interval") or (None, None)
        bounds = show_interval(*interval)
        cells.append(show(control.get(name)) + (f"\n{bounds}" if bounds else ""))
    return [*cells, ABSENT if count is None else str(count)]


def _remark(key: str, control: Mapping[str, Any]) -> str:
    if control.get("why"):
        return str(control["why"])
    if key == "shifted_frames" and control.get("share_moved") is not None:
        return (
            f"ridge moved with the content for {show_percent(control['share_moved'])} of shifts; "
            f"top-1 at the old index {show(control.get('index_top1'))}"
        )
    excess = control.get("same_patient_excess")
    if key == "other_patient" and excess:
        interval = show_interval(excess["low"], excess["high"], is_signed=True)
        return f"own cine adds {show(excess['value'], is_signed=True)} {interval}"
    if key == "irregular_rhythm" and control.get("regular"):
        return f"regular rhythm: top-1 {show(control['regular'].get('top1'))}"
    return ""
