"""The dataset card of a simulated cohort: what is in it and what can be known from it."""

from dataclasses import dataclass

from ptacl_core.arrays import Array, Float64
from ptacl_core.config.simulation import SimulationSettings
from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.simulate.card_document import DatasetCard, GenerationFacts, ProbeFacts
from ptacl_core.simulate.moments import collect_truth, describe_truth
from ptacl_core.simulate.probes import ProbeFeatures, fit_pca_r2, fit_ridge_r2
from ptacl_core.simulate.timing_truth import collect_timing, describe_timing

CARD_VERSION = 2
"""Version of the card's document."""

_PCA_COMPONENTS = (20, 100, 300)
_KNOBS = (
    "kappa_scale",
    "nuisance",
    "hidden_energy",
    "num_nuisance_bumps",
    "label_noise_scale",
    "slice_mismatch",
    "af_share",
    "pac_share",
    "pvc_share",
    "bbb_share",
    "lead_fault_share",
    "break_phase",
)


@dataclass(frozen=True, slots=True)
class Generation:
    """How long it took to make `num_patients`, with so many processes, on which device."""

    num_patients: int
    seconds: float
    num_workers: int
    device: str


def compute_dataset_card(
    settings: SimulationSettings,
    *,
    features: ProbeFeatures | None = None,
    num_probe_train: int = 0,
    generation: Generation | None = None,
) -> DatasetCard:
    """Everything that a reader of results on this cohort has to know.

    Args:
        settings: of the cohort.
        features: mean beats and pooled pixels of some patients, to read the phenotypes out of;
            None: the card has moments, ceilings and reliability only.
        num_probe_train: the first so many of `features` are fitted on, the others scored.
        generation: how long making the patients took, if the caller knows.

    Returns:
        A document of plain values, which `card_text.format_card` turns into Markdown.
    """
    counts = settings.split.resolve(settings.num_patients)
    num_train = max(counts[0], 1)
    truth = collect_truth(settings, settings.num_patients)
    card: DatasetCard = {
        "version": CARD_VERSION,
        "cohort": settings.name,
        "settings_hash": settings.hash(),
        "num_patients": settings.num_patients,
        "split": {"train": counts[0], "validation": counts[1], "test": counts[2]},
        "seed": settings.seed,
        "knobs": {name: getattr(settings, name) for name in _KNOBS}
        | {f"strata.{name}": share for name, share in settings.strata if share},
        **describe_truth(truth, num_train=num_train),
        "generation": None if generation is None else describe_generation(generation),
    }
    if settings.coupling.strength > 0:
        table = collect_timing(settings, settings.num_patients)
        card["timing"] = {
            **describe_timing(table, num_train=num_train),
            "coupling": settings.coupling.strength,
        }
    if features is not None:
        card["probes"] = _compute_probes(features, num_probe_train)
    return card


def describe_generation(generation: Generation) -> GenerationFacts:
    """The same as plain values."""
    return {
        "num_patients": generation.num_patients,
        "seconds": generation.seconds,
        "num_workers": generation.num_workers,
        "device": generation.device,
    }


def _compute_probes(features: ProbeFeatures, num_train: int) -> ProbeFacts:
    labels = features.phenotypes
    rows: dict[str, dict[str, float]] = {}
    for components in _PCA_COMPONENTS:
        if components < num_train:
            rows[f"ecg_pca_{components}"] = _named(
                fit_pca_r2(features.ecg, labels, num_train=num_train, num_components=components)
            )
    rows["ecg_ridge"] = _named(fit_ridge_r2(features.ecg, labels, num_train=num_train))
    if features.cine is not None:
        rows["cine_ridge"] = _named(fit_ridge_r2(features.cine, labels, num_train=num_train))
    return {"num_patients": len(labels), "num_train": num_train, "r2": rows}


def _named(values: Float64[Array, " target"]) -> dict[str, float]:
    return dict(zip(PHENOTYPE_NAMES, values.tolist(), strict=True))
