"""How a simulated cohort is made: every number of the simulator, with its unit and source.

The equations are those of `ptacl_core.simulate`; the marks say where a default comes from:
[S] seen in a publication, [M] measured with a prototype of these equations, [R] general
knowledge, [I] chosen here. The simulator is evidence about the code, never about hearts.
"""

import hashlib
import json
import tomllib
from collections.abc import Sequence
from importlib import resources
from typing import Any

from pydantic import Field, model_validator

from ptacl_core.config.assignments import parse_assignment
from ptacl_core.config.model import Settings
from ptacl_core.config.simulation_cine import SimulatedCineSettings
from ptacl_core.config.simulation_coupling import CouplingSettings
from ptacl_core.config.simulation_ecg import SimulatedEcgSettings
from ptacl_core.config.simulation_population import (
    LabelNoiseSettings,
    LatentSettings,
    PopulationSettings,
    StrataSettings,
)
from ptacl_core.config.simulation_timing import TimingSettings
from ptacl_core.errors import ConfigError
from ptacl_core.json_values import JsonObject

COHORT_PRESETS = ("tiny", "demo", "easy", "bench", "timing")
"""Named cohorts; fixed before any model was trained, never retuned."""


class SplitSettings(Settings):
    """How the patients of the cohort are shared out."""

    counts: tuple[int, int, int] | None = None
    """Patients in train, validation, test; None: from the shares."""
    train_share: float = Field(default=0.70, gt=0, lt=1)
    """Share of the patients that encoders and probes are fitted on."""
    validation_share: float = Field(default=0.15, ge=0, lt=1)
    """Share for choices; what is left is the test set."""

    def resolve(self, num_patients: int) -> tuple[int, int, int]:
        """Patients in train, validation and test, which sum to `num_patients`."""
        if self.counts is not None:
            return self.counts
        num_train = round(self.train_share * num_patients)
        num_validation = round(self.validation_share * num_patients)
        return num_train, num_validation, num_patients - num_train - num_validation


class SimulationSettings(Settings):
    """A paired ECG-CMR cohort with known truth (simulator.md)."""

    name: str = "easy"
    """Name of the cohort."""
    num_patients: int = Field(default=4000, ge=1)
    """Number of patients, one ECG and one cine each."""
    seed: int = Field(default=2025, ge=0, lt=2**63)
    """Patient i is a function of (seed, i) and of these settings alone."""
    kappa_scale: float = Field(default=1.2, ge=0)
    """Multiplies every κ (clipped at `latents.kappa_limit`); 0: the ECG knows nothing [M]."""
    nuisance: float = Field(default=1.0, ge=0)
    """Multiplies the patient-level spread of the ECG that has no cardiac cause [M]."""
    hidden_energy: float = Field(default=0.0, ge=0, le=1)
    """η: share of each coupling moved from large waves into narrow, small bumps [M]."""
    num_nuisance_bumps: int = Field(default=0, ge=0, le=24)
    """Random bumps per patient, which carry nothing and hide the small ones."""
    label_noise_scale: float = Field(default=1.0, ge=0)
    """Multiplies the observer error of the phenotypes."""
    slice_mismatch: float = Field(default=1.0, ge=0)
    """Multiplies the mismatch between the slice's areas and the volumes: ceiling of CMR R²."""
    af_share: float = Field(default=0.009, ge=0, le=1)
    """Share of patients in atrial fibrillation [S: Lifelines, 152,180 people]."""
    pac_share: float = Field(default=0.014, ge=0, le=1)
    """Share of patients with a premature atrial beat in the ten seconds [S]."""
    pvc_share: float = Field(default=0.021, ge=0, le=1)
    """Share of patients with a premature ventricular beat in the ten seconds [S]."""
    bbb_share: float = Field(default=0.008, ge=0, le=1)
    """Share of patients with bundle branch block [S]."""
    lead_fault_share: float = Field(default=0.02, ge=0, le=1)
    """Share of ECGs with a lead off or swapped, for the quality gate [I]."""
    break_phase: bool = False
    """Negative control: shift each patient's cine by a random share of the cycle."""
    split: SplitSettings = SplitSettings()
    population: PopulationSettings = PopulationSettings()
    label_noise: LabelNoiseSettings = LabelNoiseSettings()
    strata: StrataSettings = StrataSettings()
    timing: TimingSettings = TimingSettings()
    coupling: CouplingSettings = CouplingSettings()
    latents: LatentSettings = LatentSettings()
    cine: SimulatedCineSettings = SimulatedCineSettings()
    ecg: SimulatedEcgSettings = SimulatedEcgSettings()

    def hash(self) -> str:
        """As of all settings; without coupling that of a cohort made before there was any."""
        values = self.model_dump(mode="json")
        if self.coupling.strength == 0:
            del values["coupling"]
        text = json.dumps(values, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @model_validator(mode="after")
    def _check_shares(self) -> "SimulationSettings":
        rhythm_share = self.af_share + self.pac_share + self.pvc_share
        if rhythm_share > 1:
            raise ValueError(f"af, pac and pvc shares sum to {rhythm_share:g}, at most 1")
        if self.split.counts is not None and sum(self.split.counts) != self.num_patients:
            raise ValueError(
                f"split.counts sum to {sum(self.split.counts)}, num_patients is {self.num_patients}"
            )
        return self


def load_cohort_settings(
    preset: str, *, assignments: Sequence[str] = (), **overrides: Any
) -> SimulationSettings:
    """Settings of a named cohort, with keys replaced.

    Args:
        preset: "tiny" (512 pairs), "demo" (1,500), "easy" (4,000), "bench" (39,932),
            "timing" (4,000, electrical and mechanical timing coupled).
        assignments: `key=value` with dotted keys, such as "strata.athlete=0.2"; `overrides`
            win over them.
        **overrides: keys of `SimulationSettings`; a mapping replaces keys inside its group;
            None leaves the preset's value. `num_patients` also drops the preset's split
            counts, so that the shares apply.

    Raises:
        ConfigError: unknown preset or key, or a value that does not fit.
    """
    if preset not in COHORT_PRESETS:
        raise ConfigError(
            f"unknown cohort preset '{preset}': expected one of {', '.join(COHORT_PRESETS)}"
        )
    path = resources.files("ptacl_core") / "presets" / "cohorts" / f"{preset}.toml"
    values = tomllib.loads(path.read_text(encoding="utf-8"))
    given: JsonObject = {}
    for assignment in assignments:
        given = _merged(given, parse_assignment(assignment, example="strata.athlete=0.2"))
    given |= {key: value for key, value in overrides.items() if value is not None}
    changes_size = given.get("num_patients", values["num_patients"]) != values["num_patients"]
    if changes_size and "split" not in given:
        values.get("split", {}).pop("counts", None)
    return SimulationSettings.from_mapping(
        _merged(values, given),
        source=" ".join((f"cohort preset '{preset}'", *(f"--set {text}" for text in assignments))),
    )


def _merged(values: JsonObject, changes: JsonObject) -> JsonObject:
    merged = dict(values)
    for key, change in changes.items():
        present = merged.get(key)
        if isinstance(change, dict) and isinstance(present, dict):
            merged[key] = _merged(present, change)
        else:
            merged[key] = change
    return merged
