"""What the files of a cohort answer: people, recordings, what is missing, how it was prepared."""

from collections.abc import Mapping

from ptacl_core.documents.figures import SOURCE_NOTES
from ptacl_core.documents.reviews import DataSheetDocument, VariableSheet
from ptacl_core.records import PHENOTYPE_NAMES, PHENOTYPE_UNITS
from ptacl_core.stages.report.facts import RunFacts

_DESCRIBED = ("age_years", "bmi_kg_m2", "heart_rate_bpm", *PHENOTYPE_NAMES)


def tell_source(facts: RunFacts) -> str:
    """Where the recordings come from, as far as the cohort knows."""
    assert facts.cohort is not None
    is_simulated = facts.cohort.source == "simulated"
    note = f" {SOURCE_NOTES['simulated']}" if is_simulated else ""
    return (
        f"Cohort {facts.cohort.name}, {'simulated' if is_simulated else 'read from files'}.{note}"
    )


def tell_formats(facts: RunFacts) -> str:
    """Formats of the recordings in use."""
    sheet = _sheet(facts)
    parts = [
        f"{name}: {_list_counts(counts)} people"
        for name, counts in (("ECG", sheet.formats["ecg"]), ("cine CMR", sheet.formats["cmr"]))
        if counts
    ]
    return f"Formats of the recordings: {'; '.join(parts)}."


def tell_flow(facts: RunFacts) -> str:
    """People and recordings in use, by split."""
    sheet = _sheet(facts)
    splits = "; ".join(
        f"{name} {split.people} people ({split.ecg} with an ECG, {split.cmr} with a cine, "
        f"{split.pairs} with both)"
        for name, split in sheet.splits.items()
    )
    recordings = sheet.recordings
    return (
        f"In use: {sheet.people} people, {recordings['ecg']} ECGs, {recordings['cmr']} cines, "
        f"{recordings['pairs']} visits with both. By split: {splits}."
    )


def tell_rejected(facts: RunFacts) -> str:
    """Recordings that were left out, and why."""
    assert facts.rejected is not None
    if not facts.rejected:
        return "No recording that was given was left out."
    parts = [f"{modality}: {_list_counts(reasons)}" for modality, reasons in facts.rejected.items()]
    return f"Recordings left out by reason: {'; '.join(parts)}."


def tell_criteria(facts: RunFacts) -> str:
    """What a recording must have to be used."""
    assert facts.preprocessing is not None
    return (
        f"An ECG is used when it has twelve leads (derived ones count), at least "
        f"{facts.preprocessing.ecg.min_duration_s:g} s, and no finding of quality that refuses it."
    )


def tell_people(facts: RunFacts) -> str:
    """Sex, age, size and phenotypes over the cohort."""
    sheet = _sheet(facts)
    variables = {variable.name: variable for variable in sheet.variables}
    spreads = [
        f"{name} {_spread(variables[name])}"
        for name in _DESCRIBED
        if variables[name].mean is not None
    ]
    return (
        f"Sex: {_list_counts(sheet.sex)} people. Mean ± SD over recordings: {', '.join(spreads)}. "
        "`ptacl report COHORT --data-sheet` has every variable."
    )


def tell_missing(facts: RunFacts) -> str:
    """How many lack what."""
    sheet = _sheet(facts)
    lacking = [
        f"{variable.name} {variable.missing}" for variable in sheet.variables if variable.missing
    ]
    counts = f"People without a value: {', '.join(lacking)}." if lacking else (
        f"Nobody lacks a value of the {len(sheet.variables)} variables."
    )  # fmt: skip
    return (
        f"{counts} Labels are not imputed: a recording without one is left out of the fit and of "
        "the figures of that phenotype alone."
    )


def tell_outcome(facts: RunFacts) -> str:
    """The phenotypes of the evaluation, and how many people have each."""
    assert facts.evaluation is not None
    cells = next((row.phenotypes for row in facts.evaluation.rows if row.modality == "ecg"), {})
    named = [
        f"{name} ({PHENOTYPE_UNITS[name]}, {cell.n} held-out labels)"
        for name, cell in cells.items()
        if name in PHENOTYPE_UNITS
    ]
    own = [
        f"{target.title or target.name} ({target.kind}, {target.n} held-out labels"
        f"{f', rule {target.rule}' if target.rule else ''})"
        for target in facts.evaluation.targets.values()
    ]
    if not named and not own:
        return ""
    return f"Labels of the cohort: {', '.join([*named, *own])}."


def tell_predictors(facts: RunFacts) -> str:
    """What the model is given of a person."""
    assert facts.preprocessing is not None
    assert facts.settings is not None
    ecg = facts.preprocessing.ecg
    seconds = facts.settings.data.ecg_crop_samples / ecg.sampling_rate_hz
    return (
        f"One 12-lead ECG: its first {seconds:g} s at {ecg.sampling_rate_hz:g} Hz, all leads. No "
        "other variable enters the predicted value; sex and age, where given, may choose whose "
        "interval it has."
    )


def tell_preparation(facts: RunFacts) -> str:
    """Every step between file and encoder."""
    assert facts.preprocessing is not None
    ecg, cine = facts.preprocessing.ecg, facts.preprocessing.cine
    baseline = {
        "wavelet": f"{ecg.wavelet} wavelet of {ecg.level} levels without the approximation and the "
        f"{ecg.num_finest_removed} finest details",
        "als": "asymmetric least squares",
        "none": "none",
    }[ecg.baseline]
    pixel = "the source's" if cine.pixel_mm is None else f"{cine.pixel_mm:g} mm"
    return (
        f"ECG: resampled to {ecg.sampling_rate_hz:g} Hz, {ecg.duration_s:g} s kept, baseline and "
        f"noise removed ({baseline}), z-score by {ecg.normalisation}. Cine: {cine.slice_choice} "
        f"slice, {cine.size_px} × {cine.size_px} pixels of {pixel} about the heart, "
        f"{cine.num_frames} frames over the cycle. The same for every person; hash "
        f"{facts.preprocessing.hash()}."
    )


def tell_quality(facts: RunFacts) -> str:
    """Findings of the recordings in use."""
    sheet = _sheet(facts)
    findings = {modality: counts for modality, counts in sheet.findings.items() if counts}
    parts = [f"{modality}: {_list_counts(counts)}" for modality, counts in findings.items()]
    if not parts:
        return "No recording in use has a finding of quality."
    return f"People in use with a finding of quality: {'; '.join(parts)}."


def tell_partition(facts: RunFacts) -> str:
    """Sizes of the splits, and whether a person is in two of them: counted, not assumed."""
    sheet = _sheet(facts)
    sizes = ", ".join(f"{name} {split.people}" for name, split in sheet.splits.items())
    shared = sheet.people_in_two_splits
    disjoint = (
        "No person is in two of them (counted in the manifest)."
        if not shared
        else f"{shared} people are in two of them."
    )
    return f"People by split: {sizes}. {disjoint}"


def tell_size(facts: RunFacts) -> str:
    """How many there were."""
    sheet = _sheet(facts)
    parts = [f"{split.people} {name}" for name, split in sheet.splits.items()]
    return f"People: {', '.join(parts)}; all that the cohort has."


def _sheet(facts: RunFacts) -> DataSheetDocument:
    assert facts.sheet is not None
    return facts.sheet


def _list_counts(counts: Mapping[str, int | None]) -> str:
    ordered = sorted(counts.items(), key=lambda item: -(item[1] or 0))
    return ", ".join(f"{name} {'–' if count is None else count}" for name, count in ordered)


def _spread(variable: VariableSheet) -> str:
    return f"{variable.mean:g} ± {variable.sd:g} {variable.unit}"
