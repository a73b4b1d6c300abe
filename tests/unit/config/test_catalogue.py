"""`ptacl settings`: every setting has a meaning, and a wrong key names the nearest ones."""

import json
import tomllib

import pytest
from typer.testing import CliRunner

from ptacl_core.cli.main import app
from ptacl_core.config import catalogue
from ptacl_core.config.preprocess import PreprocessSettings
from ptacl_core.config.run_presets import load_run_settings
from ptacl_core.errors import ConfigError


@pytest.mark.parametrize("kind", catalogue.KINDS)
def test_every_setting_says_what_it_means(kind):
    entries = catalogue.list_settings(kind)

    assert len({entry.key for entry in entries}) == len(entries) > 10
    assert [entry.key for entry in entries if not entry.meaning] == []


def test_keys_are_those_of_the_settings_themselves():
    keys = {entry.key for entry in catalogue.list_settings("preprocess")}

    assert keys == set(catalogue.flatten(PreprocessSettings()))


def test_the_default_is_what_the_section_sets():
    entry = catalogue.find_settings("pretrain_cmr.autoencoder.mask_ratio")[0]

    assert entry.default == 0.9  # the cine's, not the class's 0.75


def test_a_last_part_finds_all_its_places():
    keys = [entry.key for entry in catalogue.find_settings("learning_rate")]

    assert "align.optimisation.learning_rate" in keys
    assert all(key.endswith(".learning_rate") for key in keys)


def test_differences_are_both_ways():
    first, second = load_run_settings("paper-regression"), load_run_settings("paper-retrieval")
    forth = catalogue.find_differences(first, second)
    back = catalogue.find_differences(second, first)

    assert forth["align.temperature_local"] == (1.0, 0.07)
    assert {key: (b, a) for key, (a, b) in back.items()} == forth
    assert catalogue.find_differences(first, first) == {}


def test_a_wrong_key_names_the_nearest():
    with pytest.raises(ConfigError, match=r"align\.temprature_global.*align\.temperature_global"):
        load_run_settings("tiny", overrides=["align.temprature_global=0.2"])
    with pytest.raises(ConfigError, match=r"align\.optimisation\.learning_rate"):
        load_run_settings("tiny", overrides=["align.learning_rate=0.2"])
    with pytest.raises(ConfigError, match=r"nearest: align\.temperature"):
        catalogue.find_settings("align.temprature")


def test_the_commands(tmp_path):
    runner = CliRunner()
    explained = runner.invoke(app, ["settings", "explain", "align.temperature_global"])
    assert explained.exit_code == 0
    assert "Temperature of the patient loss, Eq. (1)." in explained.stdout
    listed = json.loads(runner.invoke(app, ["settings", "list", "--json"]).stdout)
    assert {"kind": "run", "name": "tiny"}.items() <= next(
        preset.items() for preset in listed if preset["name"] == "tiny" and preset["kind"] == "run"
    )
    shown = runner.invoke(app, ["settings", "show", "tiny"]).stdout
    file = tmp_path / "mine.toml"
    file.write_text(shown)
    assert tomllib.loads(shown)["name"] == "tiny"
    said = runner.invoke(app, ["settings", "validate", str(file)])
    assert load_run_settings("tiny").hash() in said.stdout
    schema = json.loads(runner.invoke(app, ["settings", "schema", "preprocess"]).stdout)
    assert schema["additionalProperties"] is False
    file.write_text("colour = 3\n")
    with pytest.raises(ConfigError, match="--kind"):
        catalogue.validate_settings_file(file)
