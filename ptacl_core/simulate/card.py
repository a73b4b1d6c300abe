"""The dataset card of a simulated cohort: what is in it and what can be known from it."""

import time

import torch

from ptacl_core.arrays import Array, Float64
from ptacl_core.config.simulation import SimulationSettings
from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.simulate.moments import collect_truth, describe_truth
from ptacl_core.simulate.probes import collect_probe_features, fit_pca_r2, fit_ridge_r2

CARD_VERSION = 1
"""Version of the card's document."""

_PCA_COMPONENTS = (20, 100, 300)
_KNOBS = (
    "kappa_scale",
    "nuisance",
    "hidden_energy",
    "num_nuisance_bumps",
    "label_noise_scale",
    "slice_mismatch",
    "break_phase",
)


def compute_dataset_card(
    settings: SimulationSettings,
    *,
    with_probes: bool = False,
    num_probe_patients: int = 8000,
    generation_s: float | None = None,
    device: str | torch.device = "cpu",
) -> dict[str, object]:
    """Everything that a reader of results on this cohort has to know.

    Args:
        settings: of the cohort.
        with_probes: also read the phenotypes out of mean beats and pixels, which renders
            recordings (minutes); without, moments, ceilings and reliability in seconds.
        num_probe_patients: at most so many patients for the probes.
        generation_s: how long making the cohort took, if the caller knows.
        device: where the probes' recordings are rendered.

    Returns:
        A document of plain values, which `card_text.format_card` turns into Markdown.
    """
    counts = settings.split.resolve(settings.num_patients)
    num_train = max(counts[0], 1)
    truth = collect_truth(settings, settings.num_patients)
    card: dict[str, object] = {
        "version": CARD_VERSION,
        "cohort": settings.name,
        "settings_hash": settings.hash(),
        "num_patients": settings.num_patients,
        "split": {"train": counts[0], "validation": counts[1], "test": counts[2]},
        "seed": settings.seed,
        "knobs": {name: getattr(settings, name) for name in _KNOBS},
        **describe_truth(truth, num_train=num_train),
        "generation_s": generation_s,
        "pairs_per_s": settings.num_patients / generation_s if generation_s else None,
    }
    if with_probes:
        count = min(num_probe_patients, settings.num_patients)
        card["probes"] = _compute_probes(settings, count, device)
    return card


def _compute_probes(
    settings: SimulationSettings, count: int, device: str | torch.device
) -> dict[str, object]:
    started = time.perf_counter()
    features = collect_probe_features(settings, range(count), with_cine=True, device=device)
    seconds = time.perf_counter() - started
    num_train = (3 * len(features.phenotypes)) // 4
    rows: dict[str, dict[str, float]] = {}
    for components in _PCA_COMPONENTS:
        if components < num_train:
            rows[f"ecg_pca_{components}"] = _named(
                fit_pca_r2(
                    features.ecg,
                    features.phenotypes,
                    num_train=num_train,
                    num_components=components,
                )
            )
    rows["ecg_ridge"] = _named(fit_ridge_r2(features.ecg, features.phenotypes, num_train=num_train))
    if features.cine is not None:
        rows["cine_ridge"] = _named(
            fit_ridge_r2(features.cine, features.phenotypes, num_train=num_train)
        )
    return {"num_patients": count, "num_train": num_train, "render_s": seconds, "r2": rows}


def _named(values: Float64[Array, "target"]) -> dict[str, float]:
    return dict(zip(PHENOTYPE_NAMES, values.tolist(), strict=True))
