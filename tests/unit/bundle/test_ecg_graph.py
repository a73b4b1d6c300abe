"""The model as one graph: its beats are those of the preprocessing, its figures the model's."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import ptacl_core
from ptacl_core.embedding.target_readout import FittedTarget, TargetReadOut
from ptacl_core.evaluate.conformal import POOLED
from ptacl_core.evaluate.probes.calibration import Calibration
from ptacl_core.evaluate.probes.penalised import SingleProbe
from ptacl_core.io import read_ecg
from ptacl_core.preprocess import denoise_ecg, prepare_ecg
from ptacl_core.preprocess.beat_spans import beat_spans, rhythm_values
from ptacl_core.preprocess.r_peaks import compute_slope_energy, peaks_from_energy
from ptacl_core.preprocess.rhythm import judge_beats
from ptacl_core.records.targets import Target
from ptacl_core.trained.ecg_graph import EcgGraph
from ptacl_core.trained.ecg_model import EcgModel
from ptacl_core.trained.graph_beats import FAR, BeatFinder, describe_rhythm, find_spans

SAMPLES = Path(__file__).resolve().parents[3] / "assets" / "samples"
RATE_HZ = 500.0


def distort(signal_mv: np.ndarray, kind: str, generator: np.random.Generator) -> np.ndarray:
    changed = signal_mv.copy()
    start = int(generator.integers(4000))
    if kind == "noise":
        changed += generator.normal(0, 0.3, changed.shape).astype(np.float32)
    elif kind == "pause":
        changed[:, start : start + 900] = changed[:, start : start + 1]
    elif kind == "artefact":
        changed[:, start : start + 120] += generator.normal(0, 2, (12, 120)).astype(np.float32)
    elif kind == "fast":
        changed = np.ascontiguousarray(np.concatenate((changed[:, ::2],) * 2, axis=1))
    return changed


@pytest.mark.parametrize("kind", ["as it is", "noise", "pause", "artefact", "fast"])
@pytest.mark.parametrize("off", [(), (1, 7)])
def test_its_beats_are_those_of_the_preprocessing(kind, off):
    generator = np.random.default_rng(3)
    finder = BeatFinder(5000, RATE_HZ)
    counts = []
    for name in ("HR06000", "HR06004", "JS20000", "JS20004", "E07500"):
        raw = np.asarray(prepare_ecg(read_ecg(SAMPLES / f"{name}.hea")).unfiltered_mv, np.float32)
        denoised = denoise_ecg(distort(raw, kind, generator))
        denoised[list(off)] = 0.0
        live = np.delete(denoised, off, axis=0)
        energy = compute_slope_energy(live, sampling_rate_hz=RATE_HZ)
        peaks = peaks_from_energy(live, energy, sampling_rate_hz=RATE_HZ)
        peaks, _ = judge_beats(live, peaks, energy, sampling_rate_hz=RATE_HZ)
        with torch.no_grad():
            slots = finder(torch.from_numpy(denoised))
            spans, is_beat = find_spans(slots, num_samples=5000, rate_hz=RATE_HZ)
            rhythm = describe_rhythm(slots, num_samples=5000, rate_hz=RATE_HZ)
        np.testing.assert_array_equal(slots[slots < FAR], peaks)
        expected = beat_spans([peaks], num_samples=5000)[0]
        np.testing.assert_array_equal(spans[is_beat], expected[expected[:, 0] >= 0])
        np.testing.assert_allclose(rhythm, rhythm_values([peaks], num_samples=5000)[0], atol=1e-6)
        counts.append(len(peaks))
    assert min(counts) >= 5


def test_without_a_beat_there_is_none():
    slots = BeatFinder(5000, RATE_HZ)(torch.zeros(12, 5000))
    assert (slots == FAR).all()
    assert not find_spans(slots, num_samples=5000, rate_hz=RATE_HZ)[1].any()
    assert (describe_rhythm(slots, num_samples=5000, rate_hz=RATE_HZ) == 0).all()


def test_own_targets_stand_behind_the_phenotypes(bundle):
    """Values inside their range and calibrated probabilities, as `predict` gives them."""
    model = EcgModel.of_file(bundle, device="cpu")
    generator = np.random.default_rng(5)
    dim = model.encoder.dim
    low, binary = (SingleProbe(generator.normal(size=dim), shift) for shift in (50.0, 0.3))
    covariance = np.array([[0.2, 0.05], [0.05, 0.1]])
    fitted = (
        FittedTarget(
            Target("echo_lvef", unit="%", low=5.0, high=90.0), low, (POOLED, "F <55"),
            np.array([[2.0, 3.0], [9.0, 9.0]]), (40, 12),
        ),
        FittedTarget(
            Target("lvef_low", kind="binary"), binary, (POOLED,), np.zeros((1, 2)), (12, 60),
            Calibration(np.array([-0.4, 1.2]), covariance, 0.1, 2.0, 12, 60),
        ),
    )  # fmt: skip
    targets = TargetReadOut(fitted, {}, 0.9, model.checkpoint_sha256)
    graph = EcgGraph(replace(model, targets=targets)).eval()
    assert graph.targets[-2:] == (("echo_lvef", "%"), ("lvef_low", "probability"))
    sample = SAMPLES / "HR06004.hea"
    signal = np.asarray(prepare_ecg(read_ecg(sample)).unfiltered_mv, np.float32)
    with torch.no_grad():
        made = [part.numpy() for part in graph(torch.from_numpy(signal))]
    pooled = ptacl_core.load_model(bundle).embed(sample, space="pooled").astype(np.float64)
    for column, expected in enumerate(targets.predict(pooled, groups=["all"]), start=10):
        ends = (expected.value, expected.low, expected.high)
        for values, ours in zip(ends, made[1:4], strict=True):
            assert ours[column] == pytest.approx(values[0], abs=1e-5)
    assert 5 < made[2][10] < made[1][10] < made[3][10] < 90
    assert 0 < made[2][11] < made[1][11] < made[3][11] < 1


def test_a_graph_of_the_crop_family_gives_the_figures_of_its_model(bundle):
    graph = EcgGraph(EcgModel.of_file(bundle, device="cpu")).eval()
    sample = SAMPLES / "JS20000.hea"
    signal = np.asarray(prepare_ecg(read_ecg(sample)).unfiltered_mv, np.float32)
    with torch.no_grad():
        made = graph(torch.from_numpy(signal))[0].numpy()
    np.testing.assert_allclose(made, ptacl_core.load_model(bundle).embed(sample), atol=1e-5)
