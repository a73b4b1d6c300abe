"""Moments of a cohort against the published ones, reliability and ceilings: no pixel needed."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from ptacl_core.arrays import Array, Float64, Int64
from ptacl_core.config.simulation import SimulationSettings
from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.simulate.card_document import PhenotypeFacts, TruthFacts
from ptacl_core.simulate.ecg.rhythm import CONDUCTION_NAMES, RHYTHM_NAMES
from ptacl_core.simulate.patients import draw_truth
from ptacl_core.simulate.population import STRATUM_NAMES
from ptacl_core.simulate.probes import fit_ridge_r2

PUBLISHED_INDEXED_MOMENTS: dict[str, tuple[float, float]] = {
    "lvedv_ml": (75.7, 13.5),
    "lvesv_ml": (30.4, 8.2),
    "lvsv_ml": (45.3, 8.1),
    "lvef_pct": (60.2, 6.1),
    "lvco_l_min": (2.8, 0.6),
    "lvm_g": (47.3, 9.7),
    "rvedv_ml": (70.1, 13.7),
    "rvesv_ml": (28.7, 8.0),
    "rvsv_ml": (41.4, 8.4),
    "rvef_pct": (59.4, 6.4),
}
"""Mean and SD per m² of body surface (fractions: not indexed) in 36-38 thousand UK Biobank
participants (nature s44161-023-00346-3, extended table 3). Mass follows the manual-contour
convention (Petersen 2017: men 53 ± 9, women 42 ± 7, mixed at 48 % men) and output about 5 L/min
over 1.9 m²."""

_BATCH = 1024


@dataclass(frozen=True, slots=True, eq=False)
class CohortTruth:
    """The truth of a whole cohort as NumPy arrays, without pixels and samples."""

    phenotypes: Float64[Array, "patient 10"]
    true_phenotypes: Float64[Array, "patient 10"]
    indexed_phenotypes: Float64[Array, "patient 10"]
    visible: Float64[Array, "patient 9"]
    demographics: Float64[Array, "patient 4"]
    is_male: Float64[Array, " patient"]
    rhythm: Int64[Array, " patient"]
    conduction: Int64[Array, " patient"]
    stratum: Int64[Array, " patient"]
    has_lead_fault: Int64[Array, " patient"]
    end_systole_frame: Int64[Array, " patient"]
    heart_rate_bpm: Float64[Array, "patient 2"]


def collect_truth(settings: SimulationSettings, num_patients: int) -> CohortTruth:
    """The truth of the cohort's first patients; well under a millisecond a patient."""
    parts = list(_truth_batches(settings, num_patients))
    names = CohortTruth.__slots__
    return CohortTruth(**{name: np.concatenate([part[name] for part in parts]) for name in names})


def _truth_batches(
    settings: SimulationSettings, num_patients: int
) -> Iterator[dict[str, np.ndarray]]:
    is_fraction = np.array([name.endswith("_pct") for name in PHENOTYPE_NAMES])
    for start in range(0, num_patients, _BATCH):
        truth = draw_truth(settings, range(start, min(start + _BATCH, num_patients)))
        people = truth.population
        phenotypes = truth.phenotypes.numpy()
        surface = people.body_surface_m2[:, None].numpy()
        log_rate = torch.log(people.heart_rate_ecg_bpm)[:, None]
        demographics = (people.is_male, people.age_years, people.height_cm, people.bmi_kg_m2)
        rates = (people.heart_rate_ecg_bpm, people.heart_rate_mri_bpm)
        yield {
            "phenotypes": phenotypes,
            "true_phenotypes": people.phenotypes().numpy(),
            "indexed_phenotypes": np.where(is_fraction, phenotypes, phenotypes / surface),
            "visible": torch.cat((truth.visible_latents, log_rate), dim=1).numpy(),
            "demographics": torch.stack([part.double() for part in demographics], dim=1).numpy(),
            "is_male": people.is_male.double().numpy(),
            "rhythm": truth.rhythm.rhythm.numpy(),
            "conduction": truth.rhythm.conduction.numpy(),
            "stratum": people.stratum.numpy(),
            "has_lead_fault": np.array([bool(fault) for fault in truth.lead_faults], np.int64),
            "end_systole_frame": truth.geometry.lv_volume_ml.argmin(dim=1).numpy(),
            "heart_rate_bpm": torch.stack(rates, dim=1).numpy(),
        }


def describe_truth(truth: CohortTruth, *, num_train: int) -> TruthFacts:
    """Moments, reliability and the two ceilings of each phenotype.

    The oracle is the best linear read-out of the latents that the ECG shows and of its heart
    rate; demographics are sex, age, height and BMI. Both are fitted on the first `num_train`
    patients and scored on the others.
    """
    oracle = fit_ridge_r2(truth.visible, truth.phenotypes, num_train=num_train, penalties=(0.0,))
    demographics = fit_ridge_r2(
        truth.demographics, truth.phenotypes, num_train=num_train, penalties=(0.0,)
    )
    is_male = truth.is_male.astype(bool)
    phenotypes: dict[str, PhenotypeFacts] = {}
    for column, name in enumerate(PHENOTYPE_NAMES):
        values, indexed = truth.phenotypes[:, column], truth.indexed_phenotypes[:, column]
        published_mean, published_sd = PUBLISHED_INDEXED_MOMENTS[name]
        phenotypes[name] = {
            "indexed_mean": float(indexed.mean()),
            "indexed_sd": float(indexed.std()),
            "published_mean": published_mean,
            "published_sd": published_sd,
            "men_mean": _mean(values[is_male]),
            "men_sd": _sd(values[is_male]),
            "women_mean": _mean(values[~is_male]),
            "women_sd": _sd(values[~is_male]),
            "label_reliability": _squared_correlation(values, truth.true_phenotypes[:, column]),
            "oracle_r2": float(oracle[column]),
            "demographics_r2": float(demographics[column]),
        }
    return {
        "phenotypes": phenotypes,
        "rhythms": _count(truth.rhythm, RHYTHM_NAMES),
        "conduction": _count(truth.conduction, CONDUCTION_NAMES),
        "strata": _count(truth.stratum, STRATUM_NAMES),
        "lead_faults": int(truth.has_lead_fault.sum()),
        "end_systole_frame": [
            float(truth.end_systole_frame.mean()),
            float(truth.end_systole_frame.std()),
        ],
        "heart_rate_correlation": float(np.corrcoef(truth.heart_rate_bpm.T)[0, 1]),
    }


def _count(numbers: Int64[Array, " patient"], names: tuple[str, ...]) -> dict[str, int]:
    counts = np.bincount(numbers, minlength=len(names))
    return dict(zip(names, counts.tolist(), strict=True))


def _mean(values: Float64[Array, " patient"]) -> float | None:
    return float(values.mean()) if values.size else None


def _sd(values: Float64[Array, " patient"]) -> float | None:
    return float(values.std()) if values.size else None


def _squared_correlation(
    first: Float64[Array, " patient"], second: Float64[Array, " patient"]
) -> float:
    return float(np.corrcoef(first, second)[0, 1] ** 2)
