"""The exported program gives the figures of the model on the real samples, by itself."""

from pathlib import Path

import numpy as np
import pytest
import torch

import ptacl_core
from ptacl_core.errors import ConfigError
from ptacl_core.io import read_ecg
from ptacl_core.preprocess import prepare_ecg
from ptacl_core.preprocess.beat_spans import beat_spans, rhythm_values
from ptacl_core.stages.export import run as stage

SAMPLES = Path(__file__).resolve().parents[3] / "assets" / "samples"
NAMES = ("HR06000.hea", "JS20000.hea", "E07500.hea")


def test_an_exported_program_agrees_to_a_ten_thousandth(tmp_path):
    summary = stage.run(Path("example"), tmp_path / "example.pt2")
    assert summary.inputs == ("signal_mv", "beats", "rhythm")
    program = torch.export.load(tmp_path / "example.pt2").module()
    model = ptacl_core.load_model("example")
    for name in NAMES:
        prepared = prepare_ecg(read_ecg(SAMPLES / name))
        beats = beat_spans([prepared.r_peak_samples], num_samples=5000)[0]
        rhythm = rhythm_values([prepared.r_peak_samples], num_samples=5000)[0]
        signal = np.asarray(prepared.unfiltered_mv, np.float32)
        inputs = (signal, beats[beats[:, 0] >= 0], rhythm)
        made = [part.detach().numpy() for part in program(*map(torch.from_numpy, inputs))]
        predicted = model.predict(SAMPLES / name)[0].phenotypes.values()
        expected = np.array([[each.value, each.low, each.high] for each in predicted]).T
        np.testing.assert_allclose(made[0], model.embed(SAMPLES / name), atol=1e-4)
        np.testing.assert_allclose(np.stack(made[1:]), expected, rtol=1e-4)


def test_a_program_of_the_crop_family_takes_the_signal_alone(bundle, tmp_path):
    summary = stage.run(bundle, tmp_path / "random.pt2")
    program = torch.export.load(tmp_path / "random.pt2").module()
    sample = SAMPLES / NAMES[0]
    signal = np.asarray(prepare_ecg(read_ecg(sample)).unfiltered_mv, np.float32)
    assert summary.inputs == ("signal_mv",)
    made = program(torch.from_numpy(signal))[0].detach().numpy()
    np.testing.assert_allclose(made, ptacl_core.load_model(bundle).embed(sample), atol=1e-4)


def test_another_ending_is_refused(bundle, tmp_path):
    with pytest.raises(ConfigError, match=r"ends in \.pt2"):
        stage.run(bundle, tmp_path / "model.onnx")
