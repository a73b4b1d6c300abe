"""A batch taken in pieces, or with blocks computed twice, has the gradient of the whole."""

import numpy as np
import pytest
import torch
from torch import nn

from ptacl_core.config.encoders import CineEncoderSettings, EcgEncoderSettings, ProjectionSettings
from ptacl_core.losses import masked_reconstruction_loss
from ptacl_core.models import (
    AttentionPooling,
    LatentDecoder,
    MaskedAutoencoder,
    PatchTransformer,
    RegressionHead,
    Regressor,
    SimclrHead,
    SimclrModel,
    TokenEncoder,
    build_cine_encoder,
    build_ecg_encoder,
    build_two_tower,
)
from ptacl_core.models.parts.transformer import recompute_blocks
from ptacl_core.train.batches import Batch
from ptacl_core.train.gradients import differentiate
from ptacl_core.train.optimizer import build_optimizer, set_learning_rate, step_if
from ptacl_core.train.randomness import seed_step
from ptacl_core.train.step import TrainingStep
from ptacl_core.train.steps.alignment import AlignmentStep
from ptacl_core.train.steps.alignment_weights import AlignmentWeights
from ptacl_core.train.steps.cross_modal import CrossModalStep
from ptacl_core.train.steps.pretraining import MaskedAutoencoderStep, SimclrStep
from ptacl_core.train.steps.regression import RegressionStep
from ptacl_core.train.views import CineViews, EcgViews

CPU = torch.device("cpu")
SIZE = 7
ECG = EcgEncoderSettings(
    dim=16, num_heads=2, depth=2, patch_samples=250, layer_scale_init=0.1, drop_path=0.5
)
CINE = CineEncoderSettings(
    dim=16, num_heads=2, depth=2, patch_px=42, layer_scale_init=0.1, drop_path=0.5
)
ECG_VIEWS, CINE_VIEWS = EcgViews(2500, 250, 13), CineViews(26)
KINDS = ("align", "cross-modal", "mae", "simclr", "regression")


@pytest.fixture(scope="module")
def batch() -> Batch:
    """Seven recordings; one has no beat, and some phenotypes are missing."""
    random = np.random.default_rng(0)
    targets = random.standard_normal((SIZE, 10)).astype(np.float32)
    targets[4:, 2:] = np.nan
    return Batch(
        epoch=0, index=0, rows=np.arange(SIZE), start=0, global_size=SIZE,
        ecg=torch.from_numpy(random.standard_normal((SIZE, 12, 5000)).astype(np.float16)),
        cine=torch.from_numpy(random.integers(0, 256, (SIZE, 50, 84, 84), dtype=np.uint8)),
        r_peaks=tuple(np.arange(50, 5000, 400)[: 0 if i == 3 else 12] for i in range(SIZE)),
        targets=torch.from_numpy(targets),
    )  # fmt: skip


def seeded():
    return torch.Generator().manual_seed(0)


def decoder_of(encoder: TokenEncoder) -> LatentDecoder:
    assert isinstance(encoder, PatchTransformer)
    return LatentDecoder(encoder, 8, dim=16, depth=1, num_heads=2, generator=seeded())


def build(kind: str) -> TrainingStep:
    if kind in ("align", "cross-modal"):
        towers = build_two_tower(ECG, CINE, ProjectionSettings(dim=8), generator=seeded())
        if kind == "align":
            weights = AlignmentWeights(0.1, 0.5, 0.1, 1.0)
            return AlignmentStep(towers, ECG_VIEWS, CINE_VIEWS, weights)
        decoders = (decoder_of(towers.ecg_encoder), decoder_of(towers.cine_encoder))
        return CrossModalStep(
            towers, *decoders, ECG_VIEWS, CINE_VIEWS, temperature=0.1, contrast_weight=0.1
        )
    if kind == "mae":
        encoder = build_cine_encoder(CINE, generator=seeded())
        assert isinstance(encoder, PatchTransformer)
        return MaskedAutoencoderStep(
            MaskedAutoencoder(
                encoder, masked_reconstruction_loss, mask_ratio=0.75, decoder_dim=16,
                decoder_heads=2, generator=seeded(),
            ),
            CINE_VIEWS,
        )  # fmt: skip
    encoder = build_ecg_encoder(ECG, generator=seeded())
    if kind == "simclr":
        model = SimclrModel(encoder, SimclrHead(16, 8, generator=seeded()))
        return SimclrStep(model, ECG_VIEWS, temperature=0.1)
    pooling = AttentionPooling(16, 2, generator=seeded())
    return RegressionStep(
        Regressor(encoder, pooling, RegressionHead(16, generator=seeded())), ECG_VIEWS
    )


def measure(kind, batch, *, rows_per_piece=0, is_recomputed=False, backend=None):
    step = build(kind).train()
    if backend is not None:
        step.compile_rows(backend=backend)
    if is_recomputed:
        recompute_blocks(step)
    draws = seed_step(seed=3, stage=kind, step=2, device=CPU)
    output = differentiate(
        step, batch, draws, device=CPU, precision="fp32", rows_per_piece=rows_per_piece
    )
    gradients = {n: p.grad for n, p in step.named_parameters() if p.grad is not None}
    figures = {name: value.item() for name, value in output.figures.items()}
    return output.loss.item(), figures, gradients, dict(step.named_buffers())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows_per_piece", [1, 3, 7])
def test_pieces_have_the_gradient_of_the_whole_batch(batch, kind, rows_per_piece):
    loss, figures, gradients, buffers = measure(kind, batch)
    in_pieces = measure(kind, batch, rows_per_piece=rows_per_piece)
    assert in_pieces[0] == pytest.approx(loss, rel=1e-6)
    assert in_pieces[1] == pytest.approx(figures, rel=1e-5, abs=1e-6)
    length = torch.stack([value.norm() for value in gradients.values()]).norm()
    assert length > 1e-3
    assert set(in_pieces[2]) == set(gradients)
    for name, value in gradients.items():
        assert (in_pieces[2][name] - value).abs().max() <= 1e-5 * max(1.0, length), name
    for name, value in buffers.items():
        assert torch.allclose(in_pieces[3][name].double(), value.double(), rtol=1e-5), name


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_computed_twice_change_no_bit(batch, kind):
    loss, _, gradients, _ = measure(kind, batch)
    twice = measure(kind, batch, is_recomputed=True)
    assert twice[0] == loss
    assert all(torch.equal(twice[2][name], value) for name, value in gradients.items())


@pytest.mark.parametrize(
    ("kind", "rows_per_piece", "num_graphs"), [("mae", 0, 1), ("align", 0, 1), ("regression", 5, 4)]
)
def test_the_model_of_a_step_is_one_graph_to_compile(batch, kind, rows_per_piece, num_graphs):
    """Traced without compiling: no bit changes, nor where pieces draw for the whole batch."""
    graphs = []

    def keep(graph, _inputs):
        graphs.append(graph)
        return graph.forward

    torch.compiler.reset()
    loss, _, gradients, _ = measure(kind, batch, rows_per_piece=rows_per_piece)
    traced = measure(kind, batch, rows_per_piece=rows_per_piece, backend=keep)
    assert len(graphs) == num_graphs  # of pieces: two sizes, with and without a gradient
    assert traced[0] == loss
    assert all(torch.equal(traced[2][name], value) for name, value in gradients.items())


def test_dropped_paths_differ_between_rows_and_are_the_same_in_every_piece(batch):
    step = build("regression").train()
    torch.manual_seed(5)
    views = step.draw(batch, seed_step(seed=1, stage="x", step=0, device=CPU))
    torch.manual_seed(5)
    whole = step.encode(views)["prediction"]
    parts = []
    for row in range(SIZE):
        torch.manual_seed(5)
        parts.append(step.encode(views.take(row, row + 1))["prediction"])
    assert torch.allclose(torch.cat(parts), whole, atol=1e-6)


@pytest.mark.parametrize("is_fused", [True, False])
def test_an_unsound_step_moves_neither_weights_nor_moments(is_fused):
    module = nn.Linear(3, 2)
    optimizer = (
        build_optimizer(module, weight_decay=0.1, betas=(0.9, 0.95))
        if is_fused
        else torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)
    )
    if is_fused:
        set_learning_rate(optimizer, 0.1)
    for value in (1.0, float("nan"), 1.0):
        before = [parameter.detach().clone() for parameter in module.parameters()]
        optimizer.zero_grad()
        (module(torch.ones(1, 3)).sum() * value).backward()
        step_if(optimizer, torch.tensor(value == 1.0))
        is_moved = [
            not torch.equal(old, new) for old, new in zip(before, module.parameters(), strict=True)
        ]
        assert is_moved == [value == 1.0] * 2
    if is_fused:
        assert all(state["step"].item() == 2.0 for state in optimizer.state.values())
