# ruff: noqa: E402 - the repository's packages come before installed ones
"""Training speed of every stage: `python scripts/bench/train.py [--size paper|demo] [--save]`.

For each stage the time of one optimizer step, ours and a plain implementation with library
blocks (nn.TransformerEncoderLayer, loops over patients and beats), interleaved in one run, and
the share that it reaches of what this machine's matrix products reach. Those are measured
before and after every single step, since a core that is shared with other jobs is slower for
both. On the CPU one thread and process CPU time; on a GPU wall time between synchronisations.
`--save` writes a dated report to assets/benchmarks/.
"""

import argparse
import datetime
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from ptacl_core import __version__
from ptacl_core.config.encoders import CineEncoderSettings, EcgEncoderSettings
from ptacl_core.config.run_presets import load_run_settings
from ptacl_core.config.training import RunSettings
from ptacl_core.losses import masked_reconstruction_loss
from ptacl_core.models import (
    RegressionHead,
    Regressor,
    SimclrHead,
    SimclrModel,
    build_masked_autoencoder,
)
from ptacl_core.runs.encoders import build_encoder, build_pooling, build_towers
from ptacl_core.stages.train.views import build_cine_views, build_ecg_views
from ptacl_core.tensors import scale_bytes
from ptacl_core.train.batches import Batch
from ptacl_core.train.optimizer import build_optimizer, set_learning_rate
from ptacl_core.train.precision import autocast
from ptacl_core.train.randomness import seed_step
from ptacl_core.train.steps.alignment import AlignmentStep
from ptacl_core.train.steps.alignment_weights import AlignmentWeights
from ptacl_core.train.steps.pretraining import MaskedAutoencoderStep, SimclrStep
from ptacl_core.train.steps.regression import RegressionStep

STAGES = ("ecg mae", "cmr mae", "align", "ecg simclr", "ecg finetune", "cmr supervised")


@dataclass
class Candidate:
    """One way to do an optimizer step of a stage on the same recordings."""

    stage: str
    name: str
    step: Callable[[], None]
    num_samples: int
    flop: float = 0.0
    times_s: list[float] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)

    def measure(self, device: torch.device, before: float, dtype: torch.dtype) -> float:
        """Time one step beside the matrix products before and after; gives those after."""
        elapsed_s = time_it(self.step, device)
        after = measure_ceiling(device, dtype)
        self.times_s.append(elapsed_s)
        self.shares.append(self.flop / elapsed_s / ((before + after) / 2))
        return after


def measure_ceiling(device: torch.device, dtype: torch.dtype) -> float:
    """Best FLOP/s of a square matrix product."""
    size = 1536 if device.type == "cpu" else 8192
    left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    best = 0.0
    for _ in range(4):
        elapsed_s = time_it(lambda: left @ right, device)
        best = max(best, 2 * size**3 / elapsed_s)
    return best


def time_it(work: Callable[[], object], device: torch.device) -> float:
    """Seconds: process CPU time on the CPU, synchronised wall time on a GPU."""
    if device.type == "cpu":
        start = time.process_time()
        work()
        return max(time.process_time() - start, 1e-9)
    torch.cuda.synchronize(device)
    start = time.perf_counter()
    work()
    torch.cuda.synchronize(device)
    return time.perf_counter() - start


def draw_batch(size: int, device: torch.device) -> Batch:
    """Random recordings as they lie in the shards."""
    random = np.random.default_rng(0)
    ecg = torch.from_numpy(random.standard_normal((size, 12, 5000)).astype(np.float16))
    cine = torch.from_numpy(random.integers(0, 256, (size, 50, 84, 84), dtype=np.uint8))
    return Batch(
        epoch=0,
        index=0,
        rows=np.arange(size),
        start=0,
        global_size=size,
        ecg=ecg.to(device),
        cine=cine.to(device),
        r_peaks=tuple(np.arange(100 + i, 5000, 430) for i in range(size)),
        targets=torch.randn(size, 10, device=device),
    )


def build_ours(
    settings: RunSettings, stage: str, batch: Batch, device: torch.device
) -> Callable[[], None]:
    """A whole step of ours: views with augmentation, forward, backward, AdamW."""
    modality = "cmr" if stage.startswith("cmr") else "ecg"
    ecg_views = build_ecg_views(settings, settings.align.ecg_augmentation)
    cine_views = build_cine_views(settings, settings.align.cine_augmentation)
    views = ecg_views if modality == "ecg" else cine_views
    if stage == "align":
        towers = build_towers(settings)
        for encoder in (towers.ecg_encoder, towers.cine_encoder):
            encoder.freeze_first(
                settings.align.num_frozen_blocks, embeddings=settings.align.freeze_embeddings
            )
        weights = AlignmentWeights(0.1, 1.0, 0.1, 1.0)
        module: nn.Module = AlignmentStep(towers, ecg_views, cine_views, weights)
    else:
        encoder = build_encoder(settings, modality)
        section = settings.pretrain_ecg if modality == "ecg" else settings.pretrain_cmr
        encoder_settings = settings.ecg_encoder if modality == "ecg" else settings.cmr_encoder
        if stage.endswith("mae"):
            autoencoder = build_masked_autoencoder(
                encoder, masked_reconstruction_loss, section.autoencoder, encoder_settings
            )
            module = MaskedAutoencoderStep(autoencoder, views)
        elif stage.endswith("simclr"):
            model = SimclrModel(encoder, SimclrHead(encoder.dim))
            module = SimclrStep(model, views, temperature=0.1)
        else:
            pooling = build_pooling(
                settings, modality, "attention" if stage.endswith("finetune") else "mean"
            )
            module = RegressionStep(Regressor(encoder, pooling, RegressionHead(encoder.dim)), views)
    module.to(device).train()
    optimizer = build_optimizer(module, weight_decay=0.05, betas=(0.9, 0.95))
    set_learning_rate(optimizer, 1e-5)
    draws = seed_step(seed=0, stage=stage, step=0, device=device)

    def step() -> None:
        with autocast(device, settings.precision):
            loss = module(batch, draws).loss
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return step


class PlainEncoder(nn.Module):
    """What one writes with the library's blocks: the same width, depth and tokens."""

    def __init__(self, num_tokens: int, patch_size: int, dim: int, depth: int, num_heads: int):
        super().__init__()
        self.patch_embed = nn.Linear(patch_size, dim)
        self.positions = nn.Parameter(torch.zeros(1, num_tokens, dim))
        layer = nn.TransformerEncoderLayer(
            dim, num_heads, 4 * dim, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(dim)

    def forward(self, patches: torch.Tensor, keep: torch.Tensor | None = None) -> torch.Tensor:
        tokens = self.patch_embed(patches) + self.positions
        if keep is not None:
            tokens = tokens.gather(1, keep[:, :, None].expand(-1, -1, tokens.shape[2]))
        return self.norm(self.blocks(tokens))


def plain_steps(tokens: torch.Tensor, peaks: list[np.ndarray], patch: int) -> torch.Tensor:
    """Beats one by one: cut the tokens, resize to 13, average; for every patient and lead."""
    rows = []
    for patient, row in enumerate(tokens.unflatten(1, (12, -1))):
        leads = []
        for lead in row:
            beats = []
            for first, last in zip(peaks[patient], peaks[patient][1:], strict=False):
                if last <= 2500:
                    beat = lead[first // patch : max(last // patch, first // patch + 1)]
                    beats.append(functional.interpolate(beat.T[None], 13, mode="linear")[0].T)
            leads.append(torch.stack(beats).mean(0))
        rows.append(torch.stack(leads).mean(0))
    return torch.stack(rows)


def build_plain(
    settings: RunSettings, stage: str, batch: Batch, device: torch.device
) -> Callable[[], None] | None:
    """The plain step on recordings that are cropped already, without augmentation."""
    ecg_settings, cine_settings = settings.ecg_encoder, settings.cmr_encoder
    patch, side, frames = (
        ecg_settings.patch_samples, cine_settings.patch_px, cine_settings.patch_frames
    )  # fmt: skip
    assert batch.ecg is not None
    assert batch.cine is not None
    assert batch.r_peaks is not None
    ecg = batch.ecg[:, :, :2500].float().reshape(len(batch.ecg), -1, patch)
    grid = 84 // side
    clips = scale_bytes(batch.cine[:, :26])
    cine = clips.reshape(len(clips), 26 // frames, frames, grid, side, grid, side)
    cine = cine.permute(0, 1, 3, 5, 2, 4, 6).reshape(len(clips), -1, frames * side * side)

    def make(
        patches: torch.Tensor, sizes: EcgEncoderSettings | CineEncoderSettings
    ) -> PlainEncoder:
        return PlainEncoder(
            patches.shape[1], patches.shape[2], sizes.dim, sizes.depth, sizes.num_heads
        ).to(device)

    if stage in ("ecg mae", "cmr mae"):
        modality = stage[:3]
        patches, sizes = (ecg, ecg_settings) if modality == "ecg" else (cine, cine_settings)
        options = (
            settings.pretrain_ecg if modality == "ecg" else settings.pretrain_cmr
        ).autoencoder
        encoder = make(patches, sizes)
        decoder_in = nn.Linear(sizes.dim, options.decoder_dim).to(device)
        mask_token = nn.Parameter(torch.zeros(1, 1, options.decoder_dim, device=device))
        decoder = PlainEncoder(
            patches.shape[1], options.decoder_dim, options.decoder_dim, 1, options.decoder_heads
        ).to(device)
        to_pixels = nn.Linear(options.decoder_dim, patches.shape[2]).to(device)
        parts: list[nn.Module] = [encoder, decoder_in, decoder, to_pixels]
        num_kept = round(patches.shape[1] * (1 - options.mask_ratio))

        def compute() -> torch.Tensor:
            order = torch.rand(patches.shape[:2], device=device).argsort(1)
            keep = order[:, :num_kept]
            seen = decoder_in(encoder(patches, keep))
            hidden = mask_token.expand(len(patches), patches.shape[1] - num_kept, -1).to(seen.dtype)
            back = order.argsort(1)[:, :, None].expand(-1, -1, seen.shape[2])
            predicted = to_pixels(decoder(torch.cat((seen, hidden), 1).gather(1, back)))
            is_hidden = order.argsort(1) >= num_kept
            return (predicted.float() - patches).square().mean(2)[is_hidden].mean()

    elif stage == "align":
        ecg_encoder, cine_encoder = make(ecg, ecg_settings), make(cine, cine_settings)
        frozen = settings.align.num_frozen_blocks
        for encoder in (ecg_encoder, cine_encoder):
            for part in [encoder.patch_embed, *encoder.blocks.layers[:frozen]][: frozen and None]:
                part.requires_grad_(False)
            encoder.positions.requires_grad_(frozen == 0)
        heads = [nn.Linear(s.dim, 128).to(device) for s in (ecg_settings, cine_settings)]
        parts = [ecg_encoder, cine_encoder, *heads]
        peaks = [np.asarray(row) for row in batch.r_peaks]

        def compute() -> torch.Tensor:
            left, right = ecg_encoder(ecg), cine_encoder(cine)
            first = functional.normalize(heads[0](left.mean(1)).float(), dim=1)
            second = functional.normalize(heads[1](right.mean(1)).float(), dim=1)
            logits = first @ second.T / 0.1
            labels = torch.arange(len(logits), device=device)
            loss = (
                functional.cross_entropy(logits, labels)
                + functional.cross_entropy(logits.T, labels)
            ) / 2
            steps = functional.normalize(plain_steps(left.float(), peaks, patch), dim=2)
            times = functional.normalize(right.float().unflatten(1, (13, -1)).mean(2), dim=2)
            local = steps @ times.transpose(1, 2)
            return loss - local.log_softmax(2).diagonal(dim1=1, dim2=2).mean()

    else:
        return None
    optimizer = torch.optim.AdamW(
        [p for part in parts for p in part.parameters() if p.requires_grad], lr=1e-5
    )

    def step() -> None:
        with autocast(device, settings.precision):
            loss = compute()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return step


def count_flop(step: Callable[[], None]) -> float:
    """Floating-point operations of one step's matrix products, those of attention among them.

    The counter does not know the CPU's fused attention, so that the products are counted on the
    backend that spells them out; what a fused kernel computes twice counts once.
    """
    counter = FlopCounterMode(display=False)
    with sdpa_kernel(SDPBackend.MATH), counter:
        step()
    return float(counter.get_total_flops())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=("paper", "demo"), default="paper")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--precision", nargs="+", default=["fp32", "bf16"])
    parser.add_argument("--stages", nargs="+", default=list(STAGES), choices=STAGES)
    parser.add_argument("--batch", type=int, default=None, help="recordings or pairs per step")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--save", action="store_true")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    if device.type == "cpu":
        torch.set_num_threads(1)
    preset = "paper-regression" if arguments.size == "paper" else "demo"
    batch_size = arguments.batch or (
        {"paper": 4, "demo": 32}[arguments.size] if device.type == "cpu" else 128
    )
    batch = draw_batch(batch_size, device)
    lines = [
        f"# Training speed, {datetime.date.today()}, {arguments.size} size",
        "",
        f"`python scripts/bench/train.py {' '.join(sys.argv[1:])}` · PTACL {__version__} · "
        f"torch {torch.__version__} · {describe(device)}",
        "",
        f"One optimizer step (forward, backward, AdamW), batch {batch_size}, median of "
        f"{arguments.repeats}, candidates interleaved. Ours draws crops, frames and augmentations "
        "in the step; the plain one gets cropped recordings. FLOP are those of each step's matrix "
        "products, attention's among them; the share is the median of each step's rate over "
        "that of square matrix products right before and after it.",
        "",
        "| precision | stage | candidate | s/step | samples/s | GFLOP/s | of matrix products |",
        "|---|---|---|---|---|---|---|",
    ]
    for precision in arguments.precision:
        dtype = torch.float32 if precision == "fp32" else torch.bfloat16
        settings = load_run_settings(preset, overrides=[f"precision={precision}"])
        candidates = []
        for stage in arguments.stages:
            ours = build_ours(settings, stage, batch, device)
            flop = count_flop(ours)
            candidates.append(Candidate(stage, "ours", ours, batch_size, flop))
            plain = build_plain(settings, stage, batch, device)
            if plain is not None:
                plain_flop = count_flop(plain)
                candidates.append(Candidate(stage, "plain", plain, batch_size, plain_flop))
        ceilings = [measure_ceiling(device, dtype)]
        for _ in range(arguments.repeats):
            for candidate in candidates:
                ceilings.append(candidate.measure(device, ceilings[-1], dtype))
        for candidate in candidates:
            median_s = statistics.median(candidate.times_s)
            rate = candidate.flop / median_s
            lines.append(
                f"| {precision} | {candidate.stage} | {candidate.name} | {median_s:.3f} | "
                f"{candidate.num_samples / median_s:.1f} | {rate / 1e9:.0f} | "
                f"{statistics.median(candidate.shares):.0%} |"
            )
        lines.append(
            f"| {precision} | matrix products | {min(ceilings) / 1e9:.0f} to "
            f"{max(ceilings) / 1e9:.0f} | | | {statistics.median(ceilings) / 1e9:.0f} | 100% |"
        )
    text = "\n".join(lines) + "\n"
    print(text)
    if arguments.save:
        name = f"train-{datetime.date.today()}-{device.type}-{arguments.size}.md"
        (ROOT / "assets" / "benchmarks" / name).write_text(text, encoding="utf-8")


def describe(device: torch.device) -> str:
    """The machine in words."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    model = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    except OSError:
        pass
    return f"{model}, one thread"


if __name__ == "__main__":
    main()
