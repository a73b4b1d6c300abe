"""One process and two give the same loss and gradients for the same global batch."""

import json
import math
import os
import socket
import subprocess
import sys

import pytest
import torch

from ptacl_core.train.distributed import (
    average_figures,
    first_row,
    gather_with_gradient,
    join_world,
    share_of_mean,
    sum_over_processes,
    world_size,
)
from ptacl_core.train.metrics_log import read_metrics

SCRIPT = """
import json, sys
import numpy as np, torch
from torch.nn.parallel import DistributedDataParallel
from ptacl_core.config.encoders import CineEncoderSettings, EcgEncoderSettings, ProjectionSettings
from ptacl_core.losses import masked_reconstruction_loss
from ptacl_core.models import *
from ptacl_core.train.steps.alignment import AlignmentStep
from ptacl_core.train.steps.alignment_weights import AlignmentWeights
from ptacl_core.train.batches import Batch
from ptacl_core.train.steps.cross_modal import CrossModalStep
from ptacl_core.train.distributed import average_figures, join_world
from ptacl_core.train.steps.pretraining import MaskedAutoencoderStep, SimclrStep
from ptacl_core.train.randomness import seed_step
from ptacl_core.train.steps.regression import RegressionStep
from ptacl_core.train.views import CineViews, EcgViews

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
ECG = EcgEncoderSettings(dim=16, num_heads=2, depth=1, patch_samples=250, layer_scale_init=0.1)
CINE = CineEncoderSettings(dim=16, num_heads=2, depth=1, patch_px=42, layer_scale_init=0.1)
OFF = dict(surrogate_probability=0.0, jitter_std=0.0, rescale_std=0.0)
STILL = dict(crop_scale=(1.0, 1.0), crop_ratio=(1.0, 1.0), rotation_deg=0.0, flip_probability=0.0,
             brightness=0.0, contrast=0.0, blur_probability=0.0, noise_probability=0.0)
ecg_views = EcgViews(2500, 250, 13, strengths=OFF)
cine_views = CineViews(26, strengths=STILL)
SIZE = 8
random = np.random.default_rng(0)
ecg = torch.from_numpy(random.standard_normal((SIZE, 12, 5000)).astype(np.float16))
cine = torch.from_numpy(random.integers(0, 256, (SIZE, 50, 84, 84), dtype=np.uint8))
# Uneven on purpose: patients without beats and missing phenotypes lie with the second process.
peaks = [np.arange(50, 5000, 400) if i < 5 else np.empty(0, np.int64) for i in range(SIZE)]
targets = random.standard_normal((SIZE, 10)).astype(np.float32)
targets[5:, 2:] = np.nan


def seeded():
    return torch.Generator().manual_seed(0)


def build(kind):
    if kind == "cmae":
        towers = build_two_tower(ECG, CINE, ProjectionSettings(dim=8), generator=seeded())
        decoders = [LatentDecoder(encoder, 8, dim=16, depth=1, num_heads=2, generator=seeded())
                    for encoder in (towers.ecg_encoder, towers.cine_encoder)]
        return CrossModalStep(towers, *decoders, ecg_views, cine_views, temperature=0.1,
                              contrast_weight=0.1)
    if kind in ("eccl", "mmcl"):
        cine_settings = CINE if kind == "eccl" else CINE.model_copy(
            update={"family": "resnet", "conv_width": 8})
        towers = build_two_tower(ECG, cine_settings, ProjectionSettings(
            kind="linear" if kind == "eccl" else "mlp", dim=8), generator=seeded())
        weights = AlignmentWeights(temperature_global=0.1, temperature_local=1.0, sigma=0.1,
                                   beta=0.0, local_loss="none")
        return AlignmentStep(towers, ecg_views, cine_views, weights,
                             is_cine_frozen=kind == "eccl")
    controls = {"stranger": "stranger", "shuffled": "shuffled_pairs"}
    if kind in ("align", "cosine", "ed_es", "mlp", "global", "standardised", *controls):
        projection = ProjectionSettings(kind="mlp" if kind == "mlp" else "linear", dim=8,
                                        standardises=kind == "standardised")
        towers = build_two_tower(ECG, CINE, projection, generator=seeded())
        weights = AlignmentWeights(
            temperature_global=0.1, temperature_local=0.5, sigma=0.1,
            beta=0.0 if kind == "global" else 1.0,
            local_loss=kind if kind in ("cosine", "ed_es") else "contrast",
            control=controls.get(kind, "none"),
        )
        return AlignmentStep(towers, ecg_views, cine_views, weights)
    if kind in ("mae-ecg", "simclr-ecg", "finetune-ecg"):
        encoder, views = build_ecg_encoder(ECG, generator=seeded()), ecg_views
    else:
        encoder, views = build_cine_encoder(CINE, generator=seeded()), cine_views
    if kind.startswith("mae"):
        return MaskedAutoencoderStep(
            MaskedAutoencoder(encoder, masked_reconstruction_loss, mask_ratio=0.75, decoder_dim=16,
                              decoder_heads=2, generator=seeded()), views)
    if kind.startswith("simclr"):
        head = SimclrHead(16, 8, generator=seeded())
        return SimclrStep(SimclrModel(encoder, head), views, temperature=0.1)
    pooling = MeanPooling() if kind == "supervised-cmr" else AttentionPooling(
        16, 2, generator=seeded())
    head = RegressionHead(16, generator=seeded())
    return RegressionStep(Regressor(encoder, pooling, head), views)


with join_world("cpu") as world:
    share = SIZE // world.size
    mine = slice(world.rank * share, (world.rank + 1) * share)
    batch = Batch(epoch=0, index=0, rows=np.arange(SIZE)[mine], start=mine.start,
                  global_size=SIZE, ecg=ecg[mine], cine=cine[mine],
                  r_peaks=tuple(peaks[mine]), targets=torch.from_numpy(targets[mine]))
    results = {}
    for kind in sys.argv[2:]:
        step = build(kind).train()
        wrapped = DistributedDataParallel(step) if world.size > 1 else step
        draws = seed_step(seed=0, stage=kind, step=0, device=torch.device("cpu"))
        output = wrapped(batch, draws)
        output.loss.backward()
        results[kind] = {
            "figures": average_figures({"loss": output.loss, **output.figures}),
            "gradients": {n: p.grad.double().flatten().tolist()
                          for n, p in step.named_parameters() if p.grad is not None},
            "buffers": {n: b.double().flatten().tolist() for n, b in step.named_buffers()},
        }
    if world.is_first:
        with open(sys.argv[1], "w") as stream:
            json.dump(results, stream)
"""
KINDS = [
    "mae-ecg", "mae-cmr", "simclr-ecg", "simclr-cmr",
    "align", "cosine", "ed_es", "mlp", "global", "eccl", "mmcl", "cmae",
    "standardised", "stranger", "shuffled",
    "finetune-ecg", "supervised-cmr",
]  # fmt: skip


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run_processes(script, arguments, *, size, timeout_s=240):
    """The script in `size` processes with torchrun's environment; waits for all."""
    port = free_port()
    processes = []
    for rank in range(size):
        variables = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": str(size),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
        }
        command = [sys.executable, "-P", "-c", script, *arguments]
        processes.append(
            subprocess.Popen(command, env=variables, stderr=subprocess.PIPE, text=True)
        )
    errors = [process.communicate(timeout=timeout_s)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * size, "\n".join(errors)


@pytest.fixture(scope="module")
def one_and_two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    documents = []
    for size in (1, 2):
        path = folder / f"{size}.json"
        run_processes(SCRIPT, [str(path), *KINDS], size=size)
        documents.append(json.loads(path.read_text()))
    return documents


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_have_the_loss_and_gradients_of_one(one_and_two, kind):
    one, two = (document[kind] for document in one_and_two)
    assert two["figures"] == pytest.approx(one["figures"], abs=1e-5, rel=1e-5)
    # Rounding scales with the whole gradient, also in entries whose true value is zero.
    length = math.hypot(*(value for values in one["gradients"].values() for value in values))
    for part in ("gradients", "buffers"):
        assert set(one[part]) == set(two[part])
        for name, values in one[part].items():
            assert two[part][name] == pytest.approx(values, abs=1e-5 * max(1.0, length)), name
    assert any(any(abs(v) > 1e-4 for v in values) for values in one["gradients"].values())


def test_alone_everything_is_the_identity():
    values = torch.rand(3, 4, requires_grad=True)
    assert world_size() == 1
    assert first_row(3) == 0
    assert gather_with_gradient(values) is values
    assert torch.equal(sum_over_processes(values), values)
    assert share_of_mean(torch.tensor(6.0), torch.tensor(4.0)).item() == 1.5
    assert average_figures({"a": torch.tensor(2.0)}) == {"a": 2.0}
    assert average_figures({}) == {}
    with join_world("cpu") as world:
        assert (world.rank, world.size, world.is_first) == (0, 1, True)


def test_a_mean_over_nothing_is_zero_with_its_graph():
    values = torch.ones(3, requires_grad=True)
    share = share_of_mean((values * 0).sum(), torch.tensor(0))
    share.backward()
    assert share.item() == 0.0
    assert values.grad is not None
    assert torch.equal(values.grad, torch.zeros(3))


def train_with_torchrun(cohort, name, changes, *, size, timeout_s=240):
    """`ptacl train --json` as a user starts it on `size` processes; what it printed."""
    command = [
        sys.executable, "-P", "-m", "torch.distributed.run", f"--nproc-per-node={size}",
        f"--master-port={free_port()}", "-m", "ptacl_core", "train", str(cohort),
        "--preset", "tiny", "--run-name", name, "--json",
    ]  # fmt: skip
    for change in ("stages=['ecg', 'cmr', 'align']", *changes):
        command += ["--set", change]
    variables = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, env=variables, capture_output=True, text=True, timeout=timeout_s, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_whole_run_on_two_processes_writes_once_and_agrees(cohort_dir):
    for size in (1, 2):
        printed = train_with_torchrun(cohort_dir, f"world-{size}", [], size=size)
        assert json.loads(printed)["steps"] == 10  # one document, from the first process alone
    one, two = (
        read_metrics(cohort_dir / "runs" / f"world-{size}" / "metrics.jsonl") for size in (1, 2)
    )
    assert [(line["stage"], line["step"]) for line in one] == [
        (line["stage"], line["step"]) for line in two
    ]
    for first, second in zip(one, two, strict=True):
        losses = {key for key in first if key in ("loss", "val_loss") or key.endswith("_loss")}
        assert losses <= set(second)
        for key in losses:
            assert second[key] == pytest.approx(first[key], rel=1e-5), (key, first, second)
