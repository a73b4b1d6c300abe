"""How recordings are prepared, from the command line; a cohort keeps one way."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from ptacl_core.config.preprocess import PreprocessSettings, load_preprocess_settings
from ptacl_core.errors import ConfigError
from ptacl_core.shards import ShardReader

ECGS = Path(__file__).resolve().parents[1] / "data" / "ecg"


@pytest.fixture
def keys(tmp_path, monkeypatch):
    monkeypatch.setenv("PTACL_KEYS", str(tmp_path / "keys"))


def make_source(folder: Path, number: int) -> Path:
    source = folder / f"900000{number}.xml"
    source.parent.mkdir(parents=True, exist_ok=True)
    text = gzip.decompress((ECGS / "HR06000_cardiosoft.xml.gz").read_bytes())
    source.write_bytes(text + b"\n" * number)
    return source


def test_settings_of_the_command_line_reach_the_signal_and_stay_with_the_cohort(
    tmp_path, keys, ptacl
):
    one, two = make_source(tmp_path / "a", 1), make_source(tmp_path / "b", 2)
    cohort = tmp_path / "cohort"
    answer = ptacl("preprocess", cohort, one, "--set", "ecg.normalisation=per_lead")
    assert answer.exit_code == 0, answer.err
    with ShardReader.open(cohort) as reader:
        assert reader.preprocessing.ecg.normalisation == "per_lead"
        signal = np.asarray(reader.read_ecg(reader.rows(needs=("ecg",))), np.float64)[0]
    np.testing.assert_allclose(signal.std(axis=1), 1.0, atol=0.01)

    refused = ptacl("preprocess", cohort, two, "--set", "ecg.normalisation=group")
    assert refused.exit_code != 0
    text = " ".join(refused.err.split())
    assert "ecg.normalisation is 'group', not 'per_lead'" in text

    silent = ptacl("preprocess", cohort, two)
    assert silent.exit_code == 0, silent.err
    with ShardReader.open(cohort) as reader:
        assert reader.preprocessing.ecg.normalisation == "per_lead"
        assert len(reader.rows(needs=("ecg",))) == 2


def test_every_key_is_reachable_and_a_wrong_one_names_the_nearest():
    chosen = load_preprocess_settings(
        ["ecg.baseline=als", "ecg.wavelet=sym4", "cine.slice_choice=segmentation"]
    )
    assert (chosen.ecg.baseline, chosen.ecg.wavelet) == ("als", "sym4")
    assert chosen.list_differences(PreprocessSettings()) == [
        "ecg.baseline is 'als', not 'wavelet'",
        "ecg.wavelet is 'sym4', not 'db6'",
        "cine.slice_choice is 'segmentation', not 'middle'",
    ]
    for text, words in (
        ("ecg.normalization=record", "normalisation"),
        ("wavelet=db4", "ecg.wavelet"),
        ("ecg.baseline=median", "als"),
        ("ecg", "expected key=value"),
    ):
        with pytest.raises(ConfigError, match=words):
            load_preprocess_settings([text])
