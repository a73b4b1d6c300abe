# ruff: noqa: E402 - the repository's packages come before installed ones
"""What the local alignment costs: `python scripts/bench/local_loss.py [--save]`.

Ratios at the paper's size, candidates interleaved, one thread, process CPU time: ECG tokens to
13 steps with gradient, ours (lead mean and one product) against a loop over patients, leads and
beats (as first written, and with the leads unbound), and against reading the tokens once; the
beat matrices of a batch against building them one by one; and all that Eq. (3) adds against a
whole alignment step.
`--save` writes a dated report to assets/benchmarks/.
"""

import argparse
import datetime
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from train import build_ours, describe, draw_batch, plain_steps

from ptacl_core import __version__
from ptacl_core.config.run_presets import load_run_settings
from ptacl_core.losses import temporal_alignment_loss
from ptacl_core.models import cine_step_features, ecg_step_features
from ptacl_core.preprocess import beat_step_matrices, beat_step_matrix

CPU = torch.device("cpu")
PATIENTS, LEADS, SLOTS, DIM, PATCH = 8, 12, 50, 512, 50


def time_all(candidates: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median CPU seconds of each candidate, taken in turn."""
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for work in candidates.values():
        work()
    for _ in range(repeats):
        for name, work in candidates.items():
            start_s = time.process_time()
            work()
            times[name].append(time.process_time() - start_s)
    return {name: statistics.median(values) for name, values in times.items()}


def compare_alignment(repeats: int) -> dict[str, float]:
    """Tokens to steps and back, forward and backward."""
    tokens = torch.randn(PATIENTS, LEADS * SLOTS, DIM, requires_grad=True)
    peaks = [np.arange(100 + index, 5000, 430) for index in range(PATIENTS)]
    matrices, _ = build_matrices(peaks)
    matrix = torch.from_numpy(matrices)
    seed = torch.randn(PATIENTS, 13, DIM)

    def descend(steps: Callable[[], torch.Tensor]) -> None:
        tokens.grad = None
        steps().backward(seed)

    return time_all(
        {
            "ours": lambda: descend(lambda: ecg_step_features(tokens, matrix, num_leads=LEADS)),
            "loop over patients, leads and beats": lambda: descend(
                lambda: loop_steps(tokens, peaks)
            ),
            "the same, each lead unbound first": lambda: descend(
                lambda: plain_steps(tokens, peaks, PATCH)
            ),
        },
        repeats,
    ) | time_all(
        {
            "ours, forward": lambda: ecg_step_features(tokens.detach(), matrix, num_leads=LEADS),
            "reading the tokens (their sum)": lambda: tokens.detach().sum(),
        },
        4 * repeats,
    )


def loop_steps(tokens: torch.Tensor, peaks: list[np.ndarray]) -> torch.Tensor:
    """Beats one by one, each cut out of the batch's tokens: a full-size gradient a slice."""
    by_lead = tokens.unflatten(1, (LEADS, SLOTS))
    rows = []
    for patient in range(PATIENTS):
        steps = [
            functional.interpolate(
                by_lead[patient, lead, first // PATCH : max(last // PATCH, first // PATCH + 1)].T[
                    None
                ],
                13,
                mode="linear",
            )[0].T
            for lead in range(LEADS)
            for first, last in pairwise(peaks[patient])
            if last <= SLOTS * PATCH
        ]
        rows.append(torch.stack(steps).mean(0))
    return torch.stack(rows)


def build_matrices(peaks: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Matrices of crops from the first sample."""
    return beat_step_matrices(
        peaks,
        crop_starts=np.zeros(len(peaks), np.int64),
        num_samples=2500,
        patch_samples=PATCH,
        num_steps=13,
        mode="phase",
    )


def compare_matrices(repeats: int) -> dict[str, float]:
    """The matrices of 256 patients at once, and one by one."""
    random = np.random.default_rng(0)
    peaks = [
        np.arange(int(random.integers(300)), 5000, int(random.integers(300, 600)))
        for _ in range(256)
    ]
    return time_all(
        {
            "matrices of a batch": lambda: build_matrices(peaks),
            "matrices one by one": lambda: [
                beat_step_matrix(row, num_samples=2500, patch_samples=PATCH, num_steps=13)
                for row in peaks
            ],
        },
        repeats,
    )


def compare_steps(repeats: int) -> dict[str, float]:
    """A whole optimizer step of the alignment, and all that Eq. (3) adds to one."""
    batch = draw_batch(2, CPU)
    assert batch.r_peaks is not None
    settings = load_run_settings("paper-regression", overrides=["precision=fp32"])
    ecg = torch.randn(2, LEADS * SLOTS, DIM, requires_grad=True)
    cine = torch.randn(2, 13 * 49, DIM, requires_grad=True)

    def descend() -> None:
        matrices, is_valid = build_matrices(list(batch.r_peaks or ()))
        loss = temporal_alignment_loss(
            ecg_step_features(ecg, torch.from_numpy(matrices), num_leads=LEADS),
            cine_step_features(cine, 13),
            temperature=1.0,
            sigma=0.1,
            is_valid=torch.from_numpy(is_valid),
        )
        ecg.grad = cine.grad = None
        loss.backward()

    step = build_ours(settings, "align", batch, CPU)
    return time_all({"alignment step": step, "Eq. (3) from tokens and back": descend}, repeats)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--save", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    times = (
        compare_alignment(arguments.repeats)
        | compare_matrices(arguments.repeats)
        | compare_steps(arguments.repeats)
    )
    ratios = {
        "tokens to steps, forward and backward: loop / ours (target ≥ 100)": times[
            "loop over patients, leads and beats"
        ]
        / times["ours"],
        "the same against a loop that unbinds the leads first": times[
            "the same, each lead unbound first"
        ]
        / times["ours"],
        "tokens to steps, forward: ours / reading the tokens (target ≤ 3)": times["ours, forward"]
        / times["reading the tokens (their sum)"],
        "beat matrices: one by one / a batch": times["matrices one by one"]
        / times["matrices of a batch"],
        "share of an alignment step that Eq. (3) takes (target ≤ 4 %), in %": 100
        * times["Eq. (3) from tokens and back"]
        / times["alignment step"],
    }
    lines = [
        f"# The local alignment's cost, {datetime.date.today()}",
        "",
        f"`python scripts/bench/local_loss.py {' '.join(sys.argv[1:])}` · PTACL {__version__} · "
        f"torch {torch.__version__} · {describe(CPU)}",
        "",
        f"{PATIENTS} patients, {LEADS} × {SLOTS} tokens of width {DIM}; matrices of 256 patients; "
        f"steps of the paper's size with 2 pairs, fp32; medians of {arguments.repeats}, "
        "candidates in turn.",
        "",
        "| what | CPU ms |",
        "|---|---|",
        *(f"| {name} | {1e3 * seconds:.2f} |" for name, seconds in times.items()),
        "",
        "| ratio | |",
        "|---|---|",
        *(f"| {name} | {ratio:.1f} |" for name, ratio in ratios.items()),
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    if arguments.save:
        name = f"local_loss_{datetime.date.today()}.md"
        (ROOT / "assets" / "benchmarks" / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
