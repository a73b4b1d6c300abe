"""Named cohorts are fixed and their settings refuse what does not fit."""

import pytest
from pydantic import ValidationError

from ptacl_core.config.simulation import (
    COHORT_PRESETS,
    SimulationSettings,
    SplitSettings,
    load_cohort_settings,
)
from ptacl_core.errors import ConfigError


@pytest.mark.parametrize(
    ("preset", "num_patients", "kappa_scale", "hidden_energy", "num_bumps"),
    [
        ("tiny", 512, 1.2, 0.0, 0),
        ("demo", 1500, 1.2, 0.0, 0),
        ("easy", 4000, 1.2, 0.0, 0),
        ("bench", 39932, 1.35, 0.18, 6),
    ],
)
def test_named_cohorts_are_as_published(
    preset: str, num_patients: int, kappa_scale: float, hidden_energy: float, num_bumps: int
) -> None:
    settings = load_cohort_settings(preset)
    assert settings.name == preset
    assert settings.num_patients == num_patients
    assert settings.kappa_scale == kappa_scale
    assert settings.hidden_energy == hidden_energy
    assert settings.num_nuisance_bumps == num_bumps
    assert settings.nuisance == 1.0
    assert not settings.break_phase


def test_demo_and_tiny_have_the_physiology_of_easy() -> None:
    own = {"name", "num_patients", "seed"}
    easy = load_cohort_settings("easy").model_dump(exclude=own)
    assert load_cohort_settings("demo").model_dump(exclude=own) == easy
    assert load_cohort_settings("tiny").model_dump(exclude=own) == easy


def test_bench_is_split_as_in_the_paper() -> None:
    settings = load_cohort_settings("bench")
    assert settings.split.resolve(settings.num_patients) == (27951, 5990, 5991)


@pytest.mark.parametrize("num_patients", [1, 7, 512, 999])
def test_split_shares_give_every_patient_a_place(num_patients: int) -> None:
    parts = SplitSettings().resolve(num_patients)
    assert sum(parts) == num_patients
    assert min(parts) >= 0


def test_overrides_reach_into_groups_and_none_keeps_the_preset() -> None:
    settings = load_cohort_settings(
        "bench", num_patients=100, seed=None, kappa_scale=0.0, cine={"noise_sd": 0.0}
    )
    assert settings.num_patients == 100
    assert settings.split.counts is None
    assert settings.seed == load_cohort_settings("bench").seed
    assert settings.kappa_scale == 0.0
    assert settings.cine.noise_sd == 0.0
    assert settings.cine.pixel_mm == 1.83


def test_unknown_preset_is_named_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="'esay'") as caught:
        load_cohort_settings("esay")
    assert all(preset in str(caught.value) for preset in COHORT_PRESETS)


def test_unknown_key_is_named_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="'kapa_scale'; nearest: kappa_scale"):
        load_cohort_settings("tiny", kapa_scale=1.0)


def test_unknown_latent_in_a_coupling_is_refused() -> None:
    with pytest.raises(ConfigError, match="lvedw"):
        load_cohort_settings("tiny", ecg={"qrs_couplings_ms": {"lvedw": 1.0}})


def test_rhythm_shares_beyond_everyone_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"sum to 1\.2, at most 1"):
        SimulationSettings(af_share=0.6, pvc_share=0.6, pac_share=0.0)


def test_split_counts_must_sum_to_the_cohort() -> None:
    with pytest.raises(ValidationError, match="sum to 30, num_patients is 29"):
        SimulationSettings(num_patients=29, split=SplitSettings(counts=(10, 10, 10)))


KNOBS = {
    "kappa_scale": 0.5,
    "latents.kappa.lvm": 0.2,
    "nuisance": 0.0,
    "label_noise_scale": 0.0,
    "label_noise.lvm": 0.2,
    "slice_mismatch": 0.0,
    "af_share": 0.5,
    "pac_share": 0.5,
    "pvc_share": 0.5,
    "bbb_share": 0.5,
    "lead_fault_share": 0.5,
    "hidden_energy": 0.4,
    "num_nuisance_bumps": 6,
    "break_phase": True,
    "strata.hypertension": 0.2,
    "strata.athlete": 0.2,
    "strata.dilated": 0.2,
    "strata.hypertrophic": 0.2,
    "strata.infarction": 0.2,
    "strata.rv_overload": 0.2,
}


@pytest.mark.parametrize(("key", "value"), KNOBS.items())
def test_every_knob_can_be_assigned(key: str, value: float | bool) -> None:
    settings = load_cohort_settings("tiny", assignments=[f"{key}={str(value).lower()}"])
    value_of_key: object = settings
    for part in key.split("."):
        value_of_key = getattr(value_of_key, part)
    assert value_of_key == value
    assert settings.seed == load_cohort_settings("tiny").seed


def test_assignments_add_up_and_overrides_win() -> None:
    settings = load_cohort_settings(
        "tiny",
        assignments=["strata.athlete=0.1", "strata.dilated=0.2", "kappa_scale=0.4"],
        kappa_scale=0.0,
    )
    assert (settings.strata.athlete, settings.strata.dilated) == (0.1, 0.2)
    assert settings.kappa_scale == 0.0


@pytest.mark.parametrize(
    ("assignment", "hint"),
    [
        ("strata.athletes=0.2", "nearest: strata.athlete"),
        ("strata", "expected key=value"),
        ("=3", "expected key=value"),
        ("af_share=1.5", "less than or equal to 1"),
        ("af_share=many", "'many'"),
    ],
)
def test_a_wrong_assignment_is_shown_with_what_was_expected(assignment: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=hint) as caught:
        load_cohort_settings("tiny", assignments=[assignment])
    assert f"--set {assignment}" in str(caught.value)


def test_strata_beyond_everyone_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"sum to 1\.2, at most 1"):
        load_cohort_settings("tiny", strata={"athlete": 0.6, "dilated": 0.6})
