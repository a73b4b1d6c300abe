"""The model card of a run: what it is for, what it was made from, how well it does, its limits."""

from collections.abc import Mapping
from typing import Any

from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.report.blocks import Block, Bullets, Heading, Paragraph, Report, Table
from ptacl_core.report.numbers import (
    ABSENT,
    short_name,
    show,
    show_cell,
    show_interval,
    show_percent,
    unit_of,
)
from ptacl_core.report.reproduction import RESEARCH_USE
from ptacl_core.report.subgroups import MIN_SHOWN, describe_gap

INTENDED = (
    "Research on what a 12-lead ECG says about the heart that cardiac MRI measures: comparing "
    "training methods, retrieving patients with similar hearts, estimating phenotypes of groups.",
    "Users: researchers who can judge the figures below for their own data.",
)
OUT_OF_SCOPE = (
    "Diagnosis, screening, treatment or any decision about a person.",
    "A replacement of cardiac MRI: a prediction is not a measurement and carries its interval.",
    "Recordings prepared in another way than the training data (the preprocessing hash differs).",
    "People unlike the training cohort in age, sex, body size, disease, rhythm, device or site: "
    "intervals and error figures do not carry over to them.",
)
LIMITS = (
    "Body size, sex and age explain much of the phenotypes; what the ECG adds is the difference "
    "to the row of demographics.",
    "Intervals hold for people drawn like those of validation, and fail under shift; the "
    "out-of-distribution score warns of some shifts, not of all.",
    "Patients with several visits, missing leads or irregular rhythm may be predicted worse.",
)


def build_model_card(facts: Mapping[str, Any]) -> Report:
    """The card from a run's facts; sections without figures say that they were not measured."""
    evaluation = facts.get("evaluation")
    blocks: list[Block] = [Heading("The model"), Bullets(_describe_model(facts))]
    blocks += [Heading("Intended use"), Bullets(INTENDED)]
    blocks += [Heading("Out of scope"), Bullets(OUT_OF_SCOPE)]
    blocks += [Heading("Data"), Bullets(_describe_data(facts)), _splits(facts)]
    blocks += [Heading("Training"), *_describe_health(facts), _stages(facts)]
    blocks += _describe_performance(facts)
    blocks += _describe_subgroups(evaluation)
    blocks += _describe_uncertainty(evaluation)
    blocks += [Heading("Limits"), Bullets([*LIMITS, *_find_warnings(evaluation)])]
    blocks += [Heading("Provenance"), Bullets(_describe_provenance(facts))]
    return Report(f"Model card: {facts['run']}", (RESEARCH_USE, facts["note"]), blocks)


def _describe_model(facts: Mapping[str, Any]) -> list[str]:
    settings = facts["settings"]
    lines = [
        f"{name}: {_describe_encoder(settings[key])}"
        for name, key in (("ECG encoder", "ecg_encoder"), ("Cine encoder", "cmr_encoder"))
    ]
    if settings["notes"]:
        lines.append(f"Notes of its settings: {settings['notes']}")
    vectors = settings["align"].get("vectors")
    second = (
        f"{settings['data']['num_cine_frames']} frames over the cycle of a mid-ventricular "
        "short-axis cine"
        if vectors is None
        else f"no cine, in its place vectors of another model ({vectors}, "
        f"{settings['cmr_encoder']['num_values']} values)"
    )
    lines.append(
        f"Inputs: the first {settings['data']['ecg_crop_samples']} samples at 500 Hz of a "
        f"12-lead ECG; {second}."
    )
    lines.append(
        "Outputs: embeddings of both, and ten phenotypes "
        f"({', '.join(f'{short_name(name)} {unit_of(name)}' for name in PHENOTYPE_NAMES)})."
    )
    return lines


def _describe_encoder(encoder: Mapping[str, Any]) -> str:
    if encoder["family"] == "vectors":
        return f"none: one layer of width {encoder['dim']} over precomputed vectors"
    if encoder["family"] != "vit":
        return f"{encoder['family']}, width {encoder['dim']}"
    return (
        f"transformer, depth {encoder['depth']}, width {encoder['dim']}, "
        f"{encoder['num_heads']} heads"
    )


def _describe_data(facts: Mapping[str, Any]) -> list[str]:
    cohort = facts["cohort"]
    return [
        f"Cohort {cohort['name']} ({cohort['source']}). {facts['note']}",
        f"Preprocessing {cohort['preprocessing_hash']}; patients and splits "
        f"{cohort['patients_hash']}. Splits are by patient.",
    ]


def _splits(facts: Mapping[str, Any]) -> Table:
    lines = [
        [
            split["name"],
            str(split["pairs"]),
            str(split["patients"]),
            show_percent(split["share_female"]),
            _spread(split["age_years"], 0),
            _spread(split["bmi_kg_m2"], 1),
        ]
        for split in facts["splits"]
    ]
    header = ["Split", "Pairs", "Patients", "Women", "Age (years)", "BMI (kg/m²)"]
    return Table("People (mean ± SD)", header, lines)


def _spread(moments: Mapping[str, float | None], digits: int) -> str:
    return f"{show(moments['mean'], digits=digits)} ± {show(moments['sd'], digits=digits)}"


def _stages(facts: Mapping[str, Any]) -> Table:
    lines = [
        [stage["stage"], str(stage["step"]), show(stage["last_loss"], digits=4), stage["sha256"]]
        for stage in facts["stages"]
    ]
    for stage, run in facts["taken_from"].items():
        lines.append([f"{stage} (taken)", "", "", f"from run {run}"])
    if not lines:
        lines = [["none", "0", "–", "random weights"]]
    return Table(
        f"Stages trained, seed {facts['settings']['seed']}, {facts['settings']['precision']}",
        ["Stage", "Steps", "Last loss", "Weights (SHA-256)"],
        lines,
    )


def _describe_health(facts: Mapping[str, Any]) -> list[Block]:
    """Which stages have not learned, before anything else is said of the training."""
    health = facts.get("health")
    if not health:
        return [Paragraph("Whether the stages have learned was not measured.")]
    failed = [stage_health for stage_health in health if not stage_health["learned"]]
    if not failed:
        return [Paragraph(f"All stages have learned: {', '.join(x['stage'] for x in health)}.")]
    return [
        Paragraph(
            f"Stage {stage_health['stage']} has NOT LEARNED: {'; '.join(stage_health['reasons'])}. "
            f"To try: {'; '.join(stage_health['hints'])}.",
            is_warning=True,
        )
        for stage_health in failed
    ]


def _describe_performance(facts: Mapping[str, Any]) -> list[Block]:
    blocks: list[Block] = [Heading("Performance on held-out patients")]
    evaluation = facts.get("evaluation")
    rows = evaluation["rows"] if evaluation else facts["measured_rows"]
    targets = _describe_targets((evaluation or {}).get("targets") or {})
    if not rows:
        unmeasured = Paragraph("Not measured yet: `ptacl evaluate` does it.", is_warning=True)
        return [*blocks, *(targets or [unmeasured])]
    lines = []
    blocks += [
        Paragraph(f"{headline['question']} {headline['text']}.")
        for headline in (evaluation or {}).get("headlines") or ()
    ]
    for row in rows:
        cells = [show_cell(row["phenotypes"][name], "r2") for name in PHENOTYPE_NAMES]
        remarks = [*(["NOT LEARNED"] if row.get("failures") else []), *row.get("remarks", ())]
        name = ", ".join([row["name"], row["modality"], *remarks])
        lines.append([name, *cells, show_cell(row["mean"], "r2")])
    header = ["Row", *map(short_name, PHENOTYPE_NAMES), "Mean"]
    blocks.append(Table("R² [95 % interval over patients]", header, lines))
    if evaluation is None:
        return blocks
    retrieved = []
    for own, mean in evaluation["retrieval_mean"].items():
        cells = [
            f"P@{k} {show(mean[f'p_at_{k}']['value'])} "
            f"{show_interval(mean[f'p_at_{k}']['low'], mean[f'p_at_{k}']['high'])}"
            for k in (1, 10)
        ]
        random = show(mean.get("random_p_at_10"))
        retrieved.append(
            f"Retrieval ECG to CMR, mean of the phenotypes, own cine {own}: {', '.join(cells)} "
            f"(random {random})"
        )
    alignment = evaluation["alignment"]
    if alignment.get("top1") is not None:
        interval = show_interval(*(alignment.get("top1_interval") or (None, None)))
        retrieved.append(
            f"Alignment of steps: top-1 {show(alignment['top1'])} {interval}, chance "
            f"{show(alignment.get('top1_chance'))}"
        )
    return [*blocks, Bullets(retrieved), *targets]


def _describe_targets(targets: Mapping[str, Any]) -> list[Block]:
    """The cohort's own targets on test people, beside sex and age alone."""
    lines = []
    for name, entry in targets.items():
        is_binary = entry["kind"] == "binary"
        if entry.get("why"):
            lines.append([name, str(entry["n"]), str(entry["why"]), ABSENT, ABSENT])
            continue
        main = entry["auc" if is_binary else "r2"]
        reliable = entry["slope"] if is_binary else {**entry["coverage"]}
        share = reliable.get("share", reliable.get("value"))
        lines.append(
            [
                f"{name} ({entry['unit'] or entry['rule'] or 'yes or no'})",
                str(entry["n"]) if not is_binary else f"{entry['events']} of {entry['n']}",
                f"{'AUC' if is_binary else 'R²'} {_show_bounds(main['value'], main)}",
                _show_bounds(entry["baseline"]["value"], entry["baseline"]),
                f"{'slope' if is_binary else 'inside'} {_show_bounds(share, reliable)}",
            ]
        )
    if not lines:
        return []
    header = ["Target", "n", "From the ECG", "Sex and age", "Calibration or coverage"]
    return [Table("Targets of the cohort [95 % interval over people]", header, lines)]


def _show_bounds(value: float | None, figure: Mapping[str, Any]) -> str:
    return f"{show(value)} {show_interval(figure['low'], figure['high'])}"


def _describe_subgroups(evaluation: Mapping[str, Any] | None) -> list[Block]:
    blocks: list[Block] = [Heading("Subgroups")]
    subgroups = (evaluation or {}).get("subgroups")
    if not subgroups:
        return [*blocks, Paragraph("Not measured for this run.")]
    gaps = subgroups.get("worst_gap") or {}
    blocks.append(Bullets([describe_gap(key, gap) for key, gap in gaps.items()]))
    lines = []
    for grouping, groups in subgroups.items():
        if grouping == "worst_gap":
            continue
        for group, entry in groups.items():
            if entry["n"] < MIN_SHOWN:
                lines.append([f"{grouping}: {group}", f"under {MIN_SHOWN}", *[ABSENT] * 3])
                continue
            cells = [entry["phenotypes"][name] for name in ("lvef_pct", "lvm_g", "lvedv_ml")]
            lines.append(
                [f"{grouping}: {group}", str(entry["n"])] + [_show_error(cell) for cell in cells]
            )
    header = ["Group", "n", "LVEF (%)", "LVM (g)", "LVEDV (mL)"]
    return [*blocks, Table("Mean absolute error and bias [95 % interval]", header, lines)]


def _show_error(cell: Mapping[str, Any]) -> str:
    error = show_interval(
        cell.get("mean_absolute_error_low"), cell.get("mean_absolute_error_high"), digits=1
    )
    bias = show_interval(cell.get("bias_low"), cell.get("bias_high"), digits=1, is_signed=True)
    return (
        f"{show(cell.get('mean_absolute_error'), digits=1)} {error}\n"
        f"bias {show(cell.get('bias'), digits=1, is_signed=True)} {bias}"
    )


def _describe_uncertainty(evaluation: Mapping[str, Any] | None) -> list[Block]:
    blocks: list[Block] = [Heading("Uncertainty")]
    coverage = (evaluation or {}).get("coverage")
    summary = (evaluation or {}).get("coverage_summary", {})
    if not coverage:
        return [*blocks, Paragraph(str(summary.get("text", "Not measured for this run.")))]
    lines = [
        [
            short_name(name),
            show_cell(entry["overall"], digits=2),
            str(entry["overall"]["n"]),
            f"{show(entry['overall']['width'], digits=1)} {unit_of(name)}",
        ]
        for name, entry in coverage.items()
    ]
    header = ["Phenotype", "Coverage", "Patients", "Mean width"]
    title = f"Coverage of the {show_percent(summary.get('nominal'))} intervals [95 % bounds]"
    text = Paragraph(str(summary.get("text", "")), is_warning=summary.get("verdict") == "failed")
    return [*blocks, text, Table(title, header, lines)]


def _find_warnings(evaluation: Mapping[str, Any] | None) -> list[str]:
    """What the figures themselves warn of."""
    if evaluation is None:
        return ["This run was not evaluated as a whole."]
    warnings = []
    if evaluation.get("coverage_summary", {}).get("verdict") == "failed":
        warnings.append("On the test patients the prediction intervals covered too few.")
    aligned = [row for row in evaluation["rows"] if row["key"] == "aligned-ecg"]
    gain = aligned[0]["mean"].get("delta_over_demographics") if aligned else None
    if gain and gain["low"] is not None and gain["low"] <= 0:
        interval = show_interval(gain["low"], gain["high"], is_signed=True)
        warnings.append(
            "The ECG embedding is not shown to say more than sex, age, height and BMI: Δ mean R² "
            f"{show(gain['difference'], is_signed=True)} {interval}."
        )
    for name, why in evaluation.get("unjudged", {}).items():
        warnings.append(f"{name} could not be judged: {why}.")
    return warnings


def _describe_provenance(facts: Mapping[str, Any]) -> list[str]:
    machine = facts["machine"]
    software = ", ".join(f"{name} {number}" for name, number in facts["software"].items())
    return [
        f"Run {facts['run']}, settings {facts['settings_hash']}, in config.toml beside this card",
        f"Software when the card was written: {software}",
        f"Machine when the card was written: {machine['processor']}, {machine['cores']} cores, "
        f"GPU {machine['gpu'] or 'none'}",
    ]
