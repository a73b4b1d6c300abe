"""The pipeline on the pretended device in bf16, and the faults that it must find."""

import math

import pytest
import torch

from ptacl_core.stages.embed import run as embed
from ptacl_core.stages.evaluate import run as evaluate
from ptacl_core.stages.predict.run import EcgPredictor
from ptacl_core.stages.simulate import run as simulate
from ptacl_core.train import loop, views
from tests.cuda.pretended.runtime import pretended_cuda
from tests.cuda.reproduction import reproduce_on_device
from tests.cuda.stages import find_other_waits, train_on_device

NUM_PATIENTS = 140
BARE = ("pretrain_ecg.method=none", "pretrain_cmr.method=none", "stages=['align']")
VARIANTS = {
    "simclr": (
        "pretrain_ecg.method=simclr", "pretrain_cmr.method=simclr", "stages=['ecg', 'cmr']",
    ),
    "families": (
        "pretrain_ecg.method=none", "pretrain_cmr.method=none", "align.local_loss=none",
        "ecg_encoder.family=conv", "ecg_encoder.conv_width=8", "cmr_encoder.family=resnet",
        "cmr_encoder.conv_width=8", "align.projection.kind=mlp", "stages=['align']",
    ),
    "cosine": (*BARE, "align.local_loss=cosine", "align.freeze_cine_encoder=true"),
    "cross-modal": (*BARE, "align.method=autoencoder"),
    "augmented": (
        *BARE, "align.cine_augmentation.blur_probability=0.5", "align.local_loss=ed_es",
        "align.cine_augmentation.noise_probability=0.5",
        "align.cine_augmentation.rotation_deg=30.0",
        "align.cine_augmentation.crop_scale=[0.6, 1.0]",
    ),
    "beats": (
        *BARE, "ecg_encoder.family=beat", "ecg_encoder.num_samples=5000",
        "data.ecg_crop_samples=5000", "cmr_encoder.family=pooled",
    ),
    "pieces": (*BARE, "compute.rows_per_piece=3", "compute.recompute_blocks=true"),
}  # fmt: skip


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """A cohort that was simulated on the pretended device."""
    folder = tmp_path_factory.mktemp("device") / "cohort"
    with pretended_cuda():
        simulate.run(folder, preset="tiny", num_patients=NUM_PATIENTS, device="cuda")
    return folder


@pytest.fixture(scope="module")
def whole_run(cohort):
    """All stages of the preset, in bf16: the run's name and what its loop waited for."""
    with pretended_cuda() as ledger:
        return "whole", train_on_device(cohort, ledger, "whole", "bf16")


def test_every_stage_trains_in_bf16_and_the_host_waits_at_lines_only(whole_run):
    _, waits = whole_run
    assert waits.lines == 6 * 3  # stages, and lines at steps 1, 2 and 4
    assert waits.looks == waits.lines
    assert find_other_waits(waits) == {}


@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_variants_train_in_bf16_and_the_host_waits_at_lines_only(cuda, cohort, variant):
    waits = train_on_device(cohort, cuda, variant, "bf16", VARIANTS[variant])
    assert find_other_waits(waits) == {}


def test_recordings_that_do_not_fit_travel_without_the_host_waiting(cuda, cohort):
    changes = (*BARE, "data.memory_budget_gib=0.0")
    waits = train_on_device(cohort, cuda, "streamed", "bf16", changes)
    assert find_other_waits(waits) == {}


def test_a_device_without_room_streams(cohort):
    with pretended_cuda(free_bytes=2**20) as ledger:
        waits = train_on_device(cohort, ledger, "no-room", "bf16", BARE)
        assert find_other_waits(waits) == {}


def test_embedding_evaluation_and_prediction_run_in_bf16(cuda, cohort, whole_run, sample):
    name, _ = whole_run
    summary = embed.run(cohort, run=name, device="cuda")
    assert (summary.ecg, summary.cmr) == (NUM_PATIENTS, NUM_PATIENTS)
    per_batch = cuda.count() / math.ceil(2 * NUM_PATIENTS / 64)
    assert per_batch < 12
    document = evaluate.run(cohort, run=name, num_resamples=20, device="cuda")
    assert document.patients.test > 0
    predictor = EcgPredictor.of_run(cohort, name, device="cuda")
    _, prepared = predictor.prepare(sample, {})
    assert torch.isfinite(torch.from_numpy(predictor.encode(prepared).pooled)).all()
    assert set(predictor.explain(prepared).model_dump()) == {"leads", "steps"}


def test_rows_are_reproduced_in_bf16(cuda, cohort):
    """All rows in both precisions: `tests/integration/test_cuda_reproduce.py`."""
    figures = reproduce_on_device(cohort, "bf16", ["ptacl-no-pretraining"])
    assert set(figures) == {"ptacl-no-pretraining-ecg"}
    for row in figures.values():
        assert row.document["device"] == "cuda"
        assert math.isfinite(row.predicted.sum())


def test_a_read_in_the_loop_is_found(cuda, cohort, monkeypatch):
    original = loop._descend

    def read(loss, *others):
        math.isfinite(loss.item())
        return original(loss, *others)

    monkeypatch.setattr(loop, "_descend", read)
    waits = train_on_device(cohort, cuda, "planted-read", "bf16", BARE)
    assert find_other_waits(waits) == {"read item at train/loop.py:fit": 4}


def test_a_copy_in_the_views_is_found(cuda, cohort, monkeypatch):
    monkeypatch.setattr(views, "move_to_device", lambda values, device: values.to(device))
    waits = train_on_device(cohort, cuda, "planted-copy", "bf16", BARE)
    (place,) = find_other_waits(waits)
    assert place.endswith("at train/views.py:beat_matrices")


def test_a_generator_of_the_host_is_found(cuda, cohort, monkeypatch):
    def draw(crops, draws, **_strengths):
        return crops + torch.rand(crops.shape, generator=torch.Generator(), device=crops.device)

    monkeypatch.setattr(views, "augment_ecg", draw)
    with pytest.raises(RuntimeError, match="'cuda' device type for generator but found 'cpu'"):
        train_on_device(cohort, cuda, "planted-generator", "bf16", BARE)
