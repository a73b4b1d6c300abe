"""The model as one graph: its beats are those of the preprocessing, its figures the model's."""

from pathlib import Path

import numpy as np
import pytest
import torch

import ptacl_core
from ptacl_core.io import read_ecg
from ptacl_core.preprocess import denoise_ecg, prepare_ecg
from ptacl_core.preprocess.beat_spans import beat_spans, rhythm_values
from ptacl_core.preprocess.r_peaks import compute_slope_energy, peaks_from_energy
from ptacl_core.preprocess.rhythm import judge_beats
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


def test_a_graph_of_the_crop_family_gives_the_figures_of_its_model(bundle):
    graph = EcgGraph(EcgModel.of_file(bundle, device="cpu")).eval()
    sample = SAMPLES / "JS20000.hea"
    signal = np.asarray(prepare_ecg(read_ecg(sample)).unfiltered_mv, np.float32)
    with torch.no_grad():
        made = graph(torch.from_numpy(signal))[0].numpy()
    np.testing.assert_allclose(made, ptacl_core.load_model(bundle).embed(sample), atol=1e-5)
