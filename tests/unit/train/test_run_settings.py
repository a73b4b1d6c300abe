import pytest

from ptacl_core.config.run_presets import list_run_presets, load_run_settings
from ptacl_core.config.training import RunSettings
from ptacl_core.errors import ConfigError

PAPER = "paper-regression"


def test_every_preset_loads_and_is_named_as_its_file():
    names = list_run_presets()
    assert {"tiny", "demo", "demo-global", PAPER, "paper-retrieval"} <= set(names)
    for name in names:
        settings = load_run_settings(name)
        assert settings.name == name
        assert settings.notes


def test_paper_presets_state_the_published_constants():
    regression, retrieval = (
        load_run_settings(PAPER).align,
        load_run_settings("paper-retrieval").align,
    )
    assert (regression.sigma, regression.temperature_global, regression.temperature_local) == (
        0.1, 0.1, 1.0
    )  # fmt: skip
    assert (retrieval.sigma, retrieval.temperature_global, retrieval.temperature_local) == (
        0.0, 0.07, 0.07
    )  # fmt: skip
    assert regression.beta == retrieval.beta == 1.0
    settings = load_run_settings(PAPER)
    assert settings.pretrain_ecg.autoencoder.mask_ratio == 0.75
    assert settings.pretrain_cmr.autoencoder.mask_ratio == 0.9
    assert regression.num_frozen_blocks == 2
    assert regression.freeze_embeddings


def differences(first: str, second: str) -> set[str]:
    def flatten(values, prefix=""):
        for key, value in values.items():
            if isinstance(value, dict):
                yield from flatten(value, f"{prefix}{key}.")
            else:
                yield f"{prefix}{key}", repr(value)

    one, two = (
        dict(flatten(load_run_settings(name).model_dump(mode="json"))) for name in (first, second)
    )
    return {key for key in one if one[key] != two[key]} - {"name", "notes"}


@pytest.mark.parametrize(
    ("preset", "parent", "expected"),
    [
        ("paper-global", PAPER, {"align.beta"}),
        ("paper-cossim", PAPER, {"align.local_loss"}),
        ("demo-global", "demo", {"align.beta"}),
        ("control-stranger", PAPER, {"align.control"}),
        ("control-break-phase", PAPER, {"align.control"}),
        ("control-shuffled-steps", PAPER, {"align.control"}),
        ("control-shuffled-pairs", PAPER, {"align.control"}),
        ("ptacl2-shift", PAPER, {"align.local_loss"}),
        ("ptacl2-phase", PAPER, {"align.local_loss", "align.temperature_local"}),
        ("ptacl2-both", PAPER, {"align.local_loss", "align.temperature_local"}),
    ],
)
def test_a_baseline_differs_only_in_what_it_is_about(preset, parent, expected):
    assert differences(preset, parent) == expected | {"pretrained_from.ecg", "pretrained_from.cmr"}


def test_overrides_reach_into_sections_and_keep_the_rest():
    settings = load_run_settings(
        "demo", overrides=["align.beta=0.25", "align.optimisation.epochs=3", "name=mine", "seed=9"]
    )
    plain = load_run_settings("demo")
    assert settings.align.beta == 0.25
    assert settings.align.optimisation.epochs == 3
    assert settings.align.optimisation.steps is None
    assert settings.align.optimisation.batch_size == plain.align.optimisation.batch_size
    assert (settings.name, settings.seed) == ("mine", 9)


def test_a_file_may_build_on_a_preset(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('based_on = "paper-regression"\nname = "mine"\n[align]\nsigma = 0.05\n')
    settings = load_run_settings(path)
    assert settings.align.sigma == 0.05
    assert settings.align.optimisation == load_run_settings(PAPER).align.optimisation


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["algin.beta=0"], "nearest: align"),
        (["align.bta=0"], "nearest: align.beta"),
        (["align.beta=-3.25"], "-3.25"),
        (["seed=x", "align.sigma=-7"], r"'seed'.*-7|-7.*'seed'"),
        (["align.beta"], "expected key=value"),
        (["align.optimisation.epochs=3", "align.optimisation.steps=0"], "steps"),
        (["data.ecg_crop_samples=2000"], "2000.*num_samples 2500"),
        (["cmr_encoder.patch_frames=1"], "num_steps 13.*26 tokens"),
        (["align.ecg_augmentation.allow_time_flip=true"], "order of the beat"),
        (["name=../escape"], "name"),
    ],
)
def test_wrong_values_are_named(overrides, words):
    with pytest.raises(ConfigError, match=words):
        load_run_settings("tiny", overrides=overrides)


def test_unknown_presets_and_files_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r"no preset 'dmo'.*demo"):
        load_run_settings("dmo")
    with pytest.raises(ConfigError, match=r"absent\.toml"):
        load_run_settings(tmp_path / "absent.toml")
    (tmp_path / "bad.toml").write_text("name = \n")
    with pytest.raises(ConfigError, match=r"bad\.toml: not TOML"):
        load_run_settings(tmp_path / "bad.toml")
    (tmp_path / "other.toml").write_text('based_on = "nothing-like-it"\n')
    with pytest.raises(ConfigError, match="nothing-like-it"):
        load_run_settings(tmp_path / "other.toml")


def test_the_local_loss_needs_a_time_axis():
    with pytest.raises(ConfigError, match="keeps no time axis"):
        load_run_settings("tiny", overrides=["cmr_encoder.family=resnet"])
    settings = load_run_settings(
        "tiny", overrides=["cmr_encoder.family=resnet", "align.local_loss=none"]
    )
    assert not settings.align.has_local_loss


def test_settings_survive_their_file():
    settings = load_run_settings("eccl-style")
    values = settings.model_dump(mode="json", exclude_none=True)
    assert RunSettings.from_mapping(values, source="round trip") == settings
