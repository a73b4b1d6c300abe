"""The dataset card as Markdown."""

from collections.abc import Mapping, Sequence

from ptacl_core.records import PHENOTYPE_NAMES, PHENOTYPE_UNITS
from ptacl_core.simulate.card_document import CoupledTiming, DatasetCard, PhenotypeFacts

_COLUMNS = ("LVEDV", "LVESV", "LVSV", "LVEF", "LVCO", "LVM", "RVEDV", "RVESV", "RVSV", "RVEF")
_PROBE_TITLES = {
    "ecg_pca_20": "ECG mean beat, 20 principal components",
    "ecg_pca_100": "ECG mean beat, 100 principal components",
    "ecg_pca_300": "ECG mean beat, 300 principal components",
    "ecg_ridge": "ECG mean beat, ridge",
    "cine_ridge": "cine pixels, ridge",
}
_PAIR_TITLES = {
    "qt_end_systole": "QT and end-systole",
    "pr_kick": "PR and the begin of the atrial kick",
    "qrs_ejection_start": "QRS and the begin of ejection",
}
_GAIN_TITLES = {
    "electrical": "PR, QRS and QT of the ECG",
    "mechanical": "ejection, end-systole and kick of the cine",
}


def format_card(card: DatasetCard) -> str:
    """Markdown of a document made by `compute_dataset_card`."""
    split = card["split"]
    knobs = ", ".join(f"{name} {_plain(value)}" for name, value in card["knobs"].items())
    lines = [
        f"# Simulated cohort `{card['cohort']}`",
        "",
        "Every heart here is made by equations. Results on this cohort are evidence about the "
        "code, never about hearts. Research use only.",
        "",
        f"- patients: {card['num_patients']} (train {split['train']}, validation "
        f"{split['validation']}, test {split['test']}), seed {card['seed']}, settings "
        f"`{card['settings_hash']}`",
        f"- knobs: {knobs}",
        f"- rhythms: {_counts(card['rhythms'])}; conduction: {_counts(card['conduction'])}; "
        f"lead faults: {card['lead_faults']}; strata: {_counts(card['strata'])}",
        f"- end-systole at frame {card['end_systole_frame'][0]:.1f} ± "
        f"{card['end_systole_frame'][1]:.1f} of 50; heart rate of ECG and scanner correlate "
        f"{card['heart_rate_correlation']:.2f}",
    ]
    generation = card["generation"]
    if generation is not None:
        lines.append(
            f"- {generation['num_patients']} patients made in {generation['seconds']:.1f} s "
            f"({generation['num_patients'] / generation['seconds']:.1f} pairs per second, "
            f"{generation['num_workers']} processes, {generation['device']}), preprocessing and "
            "writing included"
        )
    lines += ["", "## Moments", "", *_moments_table(card["phenotypes"])]
    lines += ["", "## What can be known (R² on patients not fitted on)", ""]
    lines += _ceilings_table(card)
    if "timing" in card:
        lines += ["", "## Electromechanical coupling", "", *_timing_lines(card["timing"])]
    return "\n".join(lines) + "\n"


def _timing_lines(timing: CoupledTiming) -> list[str]:
    pairs = timing["partial_correlations"]
    lines = [
        f"Coupling {timing['coupling']:g}. Partial correlations given both heart rates, sex, LVEF "
        f"and age, {timing['num_patients']} patients not in fibrillation, standard error "
        f"{timing['standard_error']:.3f}:",
        "",
        *(f"- {title}: {pairs[name]:.3f}" for name, title in _PAIR_TITLES.items()),
        "",
        "What an oracle gains in R² from timing, beyond all that the sizes of the ECG's waves "
        "show: a ceiling for what any local loss can add.",
        "",
        f"| timing | {' | '.join(_COLUMNS)} |",
        "|---" * (len(_COLUMNS) + 1) + "|",
    ]
    for kind, title in _GAIN_TITLES.items():
        gains = timing["oracle_gain_r2"][kind]
        cells = " | ".join(f"{gains[name]:+.3f}" for name in PHENOTYPE_NAMES)
        lines.append(f"| {title} | {cells} |")
    return lines


def _moments_table(phenotypes: Mapping[str, PhenotypeFacts]) -> list[str]:
    rows = [
        "As labelled, observer error included; per m² of body surface except the fractions. "
        "Published: 36-38 thousand UK Biobank participants (nature s44161-023-00346-3); mass "
        "from manual contours (Petersen 2017, men 53 ± 9, women 42 ± 7), output about 5 L/min.",
        "",
        "| phenotype | per m² | published | men | women | unit |",
        "|---|---|---|---|---|---|",
    ]
    for name, title in zip(PHENOTYPE_NAMES, _COLUMNS, strict=True):
        row = phenotypes[name]
        rows.append(
            f"| {title} | {_moment(row['indexed_mean'], row['indexed_sd'])} "
            f"| {_moment(row['published_mean'], row['published_sd'])} "
            f"| {_moment(row['men_mean'], row['men_sd'])} "
            f"| {_moment(row['women_mean'], row['women_sd'])} | {PHENOTYPE_UNITS[name]} |"
        )
    return rows


def _ceilings_table(card: DatasetCard) -> list[str]:
    phenotypes = card["phenotypes"]
    rows = [
        "| read-out | " + " | ".join(_COLUMNS) + " |",
        "|---|" + "---|" * len(_COLUMNS),
    ]
    known = [phenotypes[name] for name in PHENOTYPE_NAMES]
    rows += [
        _row(
            "label reliability (squared correlation with the truth)",
            [row["label_reliability"] for row in known],
        ),
        _row("oracle: all that the ECG shows, linear", [row["oracle_r2"] for row in known]),
        _row("demographics only: sex, age, height, BMI", [row["demographics_r2"] for row in known]),
    ]
    probes = card.get("probes")
    if probes is not None:
        for key, values in probes["r2"].items():
            rows.append(_row(_PROBE_TITLES[key], [values[name] for name in PHENOTYPE_NAMES]))
        rows += [
            "",
            f"Read-outs of the recordings in the shards: {probes['num_train']} patients of the "
            f"training split fitted, {probes['num_patients'] - probes['num_train']} others "
            "scored; recordings that preprocessing rejected and ECGs with a lead fault left out.",
        ]
    else:
        rows += ["", "No read-outs of the recordings: too few patients, or files, not shards."]
    return rows


def _row(title: str, values: Sequence[float]) -> str:
    return f"| {title} | " + " | ".join(f"{value:.2f}" for value in values) + " |"


def _moment(mean: float | None, deviation: float | None) -> str:
    if mean is None or deviation is None:
        return "-"
    return f"{mean:.1f} ± {deviation:.1f}"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value).lower()
