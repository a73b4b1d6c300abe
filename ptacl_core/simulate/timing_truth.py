"""What the ECG's intervals and the cine's timing share in a cohort, and what timing can tell."""

from collections.abc import Sequence

import numpy as np

from ptacl_core.arrays import Array, Float64
from ptacl_core.config.simulation import SimulationSettings
from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.simulate.card_document import TimingFacts
from ptacl_core.simulate.patients import draw_truth
from ptacl_core.simulate.probes import fit_ridge_r2

PAIRS = {
    "qt_end_systole": ("qt_ms", "end_systole_ms"),
    "pr_kick": ("pr_ms", "kick_ms"),
    "qrs_ejection_start": ("qrs_ms", "ejection_start_ms"),
}
"""An interval of the ECG and the moment of the cine that is coupled to it."""

ELECTRICAL = ("pr_ms", "qrs_ms", "qt_ms")
MECHANICAL = ("ejection_start_ms", "end_systole_ms", "kick_ms")
_BATCH = 1024

TimingTable = dict[str, Float64[Array, "patient ..."]]
"""Columns by name; `known` holds what is partialled out, `visible` what the waves' sizes show."""


def collect_timing(settings: SimulationSettings, num_patients: int) -> TimingTable:
    """Intervals, moments of the cycle and covariates of the patients in sinus rhythm.

    Moments are in the frames as they are written: under `break_phase` each patient's are turned
    with its cine, modulo the cycle.
    """
    parts: list[TimingTable] = []
    for start in range(0, num_patients, _BATCH):
        truth = draw_truth(settings, range(start, min(start + _BATCH, num_patients)))
        people, timing, ecg = truth.population, truth.timing, truth.intervals
        turn_ms = truth.phase_shift_frames.numpy() / 50 * timing.rr_ms.numpy()
        kick_ms = (timing.rr_ms - timing.atrial_kick_ms).numpy()
        moments = {
            "ejection_start_ms": timing.ejection_start_ms.numpy(),
            "end_systole_ms": timing.end_systole_ms.numpy(),
            "kick_ms": kick_ms,
        }
        cycle_ms = timing.rr_ms.numpy()
        written = {name: np.mod(value + turn_ms, cycle_ms) for name, value in moments.items()}
        rates = [people.heart_rate_ecg_bpm.numpy(), people.heart_rate_mri_bpm.numpy()]
        rates += [1000 / rate for rate in rates]
        known = [*rates, people.is_male.double().numpy(), people.lvef.numpy()]
        known += [np.clip(0.55 - people.lvef.numpy(), 0, None), people.age_years.numpy()]
        visible = [*truth.visible_latents.numpy().T, np.log(people.heart_rate_ecg_bpm.numpy())]
        is_sinus = ~truth.rhythm.is_fibrillating.numpy()
        table = {
            **{name: getattr(ecg, name).numpy() for name in ELECTRICAL},
            **written,
            "known": np.stack(known, axis=1),
            "visible": np.stack(visible, axis=1),
            "phenotypes": truth.phenotypes.numpy(),
        }
        parts.append({name: values[is_sinus] for name, values in table.items()})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def describe_timing(table: TimingTable, *, num_train: int) -> TimingFacts:
    """Partial correlations of `PAIRS`, and the oracle's gain in R² from either timing.

    Partialled out: both heart rates, their cycle lengths, sex, LVEF (and how far it lies below
    0.55) and age. The gain is R² of the ECG's visible latents and heart rate with the intervals
    or the moments beside them, minus without, on patients not fitted on: a ceiling for what any
    local loss can add to a phenotype.
    """
    base = _oracle_r2(table, (), num_train)
    gains: dict[str, dict[str, float]] = {
        kind: {
            name: float(gain)
            for name, gain in zip(
                PHENOTYPE_NAMES, _oracle_r2(table, names, num_train) - base, strict=True
            )
        }
        for kind, names in (("electrical", ELECTRICAL), ("mechanical", MECHANICAL))
    }
    count = len(table["known"])
    return {
        "num_patients": count,
        "partial_correlations": {
            name: partial_correlation(table[first], table[second], table["known"])
            for name, (first, second) in PAIRS.items()
        },
        "standard_error": 1 / float(np.sqrt(max(count - table["known"].shape[1] - 2, 1))),
        "oracle_gain_r2": gains,
    }


def partial_correlation(
    first: Float64[Array, " patient"],
    second: Float64[Array, " patient"],
    known: Float64[Array, "patient covariate"],
) -> float:
    """Correlation of what linear regression on `known` leaves of both; 0 where nothing is left."""
    design = np.column_stack([np.ones(len(known)), known])
    left = [
        values - design @ np.linalg.lstsq(design, values, rcond=None)[0]
        for values in (first, second)
    ]
    scale = float(np.linalg.norm(left[0]) * np.linalg.norm(left[1]))
    return float(left[0] @ left[1]) / scale if scale > 0 else 0.0


def _oracle_r2(
    table: TimingTable, names: Sequence[str], num_train: int
) -> Float64[Array, " target"]:
    columns = [table["visible"], *(table[name][:, None] for name in names)]
    return fit_ridge_r2(
        np.concatenate(columns, axis=1), table["phenotypes"], num_train=num_train, penalties=(0.0,)
    )
