#!/usr/bin/env python3
"""Measures what a visit of UK Biobank's size costs a task of preprocessing, and what merging does.

A zip of 1,000 images (`cine_zip.py`) and a CardioSoft XML are planned, then become one visit: CPU
seconds, memory, bytes read and kept. Parts of simulated patients are merged, and encoders of the
paper's size with random weights are applied. One thread; compare CPU seconds, since other work may
run on the machine.

    python scripts/bench/visit.py [--rounds 3] [--write]

`--write` puts the report in assets/benchmarks/visit_<date>.md.
"""

import argparse
import gzip
import os
import platform
import resource
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from ptacl_core.arrays import Modality

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

import torch  # noqa: E402
from cine_zip import build_zip  # noqa: E402

from ptacl_core.config.preprocess import PreprocessSettings  # noqa: E402
from ptacl_core.config.run_presets import load_run_settings  # noqa: E402
from ptacl_core.embedding.encoding import apply_encoder  # noqa: E402
from ptacl_core.ingest.shard_files import VisitTask, prepare_visit  # noqa: E402
from ptacl_core.io import discover  # noqa: E402
from ptacl_core.runs.encoders import build_encoder  # noqa: E402
from ptacl_core.stages.merge import run as merge  # noqa: E402
from ptacl_core.stages.simulate import run as simulate  # noqa: E402

SAMPLE = ROOT / "tests" / "data" / "ecg" / "HR06000_cardiosoft.xml.gz"
MERGED = (32, 160)
BATCH = 4


def main() -> None:
    """Measure, print and maybe write the report."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["PTACL_KEYS"] = str(folder / "keys")
        rows = measure_visit(folder, options.rounds)
        rows += measure_merge(folder)
        rows += measure_encoders(options.rounds)
    lines = [
        "# One visit of UK Biobank's size, and merging",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} CPUs (load "
        f"{os.getloadavg()[0]:.1f}), Python {platform.python_version()}. "
        f"`scripts/bench/visit.py --rounds {options.rounds}`: medians of process CPU time, one "
        "thread.",
        "",
        "| what | measured |",
        "|---|---|",
        *(f"| {what} | {value} |" for what, value in rows),
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    if options.write:
        path = ROOT / "assets" / "benchmarks" / f"visit_{datetime.now(UTC):%Y-%m-%d}.md"
        path.write_text(text)


def measure_visit(folder: Path, rounds: int) -> list[tuple[str, str]]:
    """A cine zip and an ECG as one task has them."""
    archive, ecg = folder / "9000001_20209_2_0.zip", folder / "9000001_20205_2_0.xml"
    build_zip(archive)
    ecg.write_bytes(gzip.decompress(SAMPLE.read_bytes()))
    settings = PreprocessSettings()
    scratch = folder / "scratch"
    scratch.mkdir()
    rows = [
        ("cine zip, bytes", f"{archive.stat().st_size:,}"),
        ("ECG XML, bytes", f"{ecg.stat().st_size:,}"),
    ]
    started_s = time.process_time()
    for path in (archive, ecg):
        list(discover(path))
    rows.append(("planning both, CPU s", f"{time.process_time() - started_s:.3f}"))
    both = VisitTask("p1", "9000001", 2, ecg, archive)
    halves = {
        "the ECG, CPU s": VisitTask("p1", "9000001", 2, ecg, None),
        "the cine, CPU s": VisitTask("p1", "9000001", 2, None, archive),
        "both, CPU s": both,
    }
    for what, task in halves.items():
        prepare_visit(task, settings, scratch)
        times = [measure(task, settings, scratch) for _ in range(rounds)]
        rows.append((what, f"{statistics.median(times):.3f}"))
    result = prepare_visit(both, settings, scratch)
    assert result.ecg is not None
    assert result.cine is not None
    kept = result.ecg.signal_mv.size * 2 + result.cine.frames.size
    rows.append(("arrays kept of both (float16 and bytes)", f"{kept:,} bytes"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rows.append(("largest memory of the process", f"{peak / 1024:.0f} MiB"))
    return rows


def measure(task: VisitTask, settings: PreprocessSettings, scratch: Path) -> float:
    started_s = time.process_time()
    prepare_visit(task, settings, scratch)
    return time.process_time() - started_s


def measure_merge(folder: Path) -> list[tuple[str, str]]:
    """Parts of simulated patients into new cohorts: checked, copied, registered."""
    seconds, sizes = {}, {}
    for count in MERGED:
        part = folder / f"part-{count}"
        simulate.run(part, preset="tiny", num_patients=count, num_workers=1)
        files = [path for path in (part / "shards").rglob("*") if path.is_file()]
        sizes[count] = sum(path.stat().st_size for path in files)
        started_s = time.process_time()
        merge.run(folder / f"merged-{count}", [part])
        seconds[count] = time.process_time() - started_s
    few, many = MERGED
    each_s = (seconds[many] - seconds[few]) / (many - few)
    return [
        (f"shards of {many} pairs, bytes a pair", f"{sizes[many] // many:,}"),
        (f"merging {few} and {many} pairs, CPU s", f"{seconds[few]:.2f}, {seconds[many]:.2f}"),
        ("merging a pair more, CPU ms", f"{1e3 * each_s:.2f}"),
    ]


def measure_encoders(rounds: int) -> list[tuple[str, str]]:
    """Both encoders of the paper's size in fp32, as `embed` applies them on CPUs."""
    torch.set_num_threads(1)
    settings = load_run_settings("paper-regression")
    random = torch.Generator().manual_seed(0)
    ecg = torch.randn(BATCH, 12, settings.data.ecg_crop_samples, generator=random)
    cine = torch.rand(BATCH, settings.cmr_encoder.num_frames, 84, 84, generator=random)
    rows = []
    batches: dict[Modality, torch.Tensor] = {"ecg": ecg, "cmr": cine}
    for modality, batch in batches.items():
        encoder = build_encoder(settings, modality).eval()
        times = []
        for _ in range(rounds + 1):
            started_s = time.process_time()
            with torch.no_grad():
                apply_encoder(encoder, batch, "fp32")
            times.append((time.process_time() - started_s) / BATCH)
        rows.append(
            (f"encoding one {modality.upper()}, CPU s", f"{statistics.median(times[1:]):.3f}")
        )
    return rows


if __name__ == "__main__":
    main()
