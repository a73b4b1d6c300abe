"""Random-batch reading of shards beside plain `preadv` and a memory map, in one run.

    python scripts/bench/shards.py [--rows 1024] [--write]

Ratios are medians over interleaved rounds, page cache warm, one thread; `--write` keeps the
report in assets/benchmarks.
"""

import argparse
import os
import platform
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from ptacl_core.config.preprocess import PreprocessSettings
from ptacl_core.records import PreparedCine, PreparedEcg
from ptacl_core.shards import ShardEntry, ShardReader, ShardWriter

ROOT = Path(__file__).resolve().parents[2]
BATCH = 64
ROUNDS = 15


def make_shards(folder: Path, num_rows: int) -> None:
    generator = np.random.default_rng(0)
    writer = ShardWriter(folder / "shards", preprocessing=PreprocessSettings())
    signal = generator.normal(size=(12, 5000)).astype(np.float32)
    frames = generator.random((50, 84, 84)).astype(np.float32)
    for index in range(num_rows):
        ecg = PreparedEcg(signal, signal, np.arange(400, 5000, 450), 67.0)
        cine = PreparedCine(frames, 0, (41.5, 41.5), 20.0)
        writer.add(ShardEntry(f"p{index}", 2, "train", ecg, cine))
    writer.finish()


def measure(folder: Path) -> list[tuple[str, str, float]]:
    reader = ShardReader.open(folder)
    generator = np.random.default_rng(1)
    results = []
    for name, file_name, read in (
        ("ECG", "ecg.npy", reader.read_ecg),
        ("cine", "cine.npy", reader.read_cine_bytes),
    ):
        paths = sorted((folder / "shards").glob(f"*/{file_name}"))
        mapped = [np.load(path, mmap_mode="r") for path in paths]
        rows_per_shard = len(mapped[0])
        files = [os.open(path, os.O_RDONLY) for path in paths]
        header = paths[0].stat().st_size - mapped[0].nbytes
        out = np.empty((BATCH, *mapped[0].shape[1:]), mapped[0].dtype)

        def raw(rows, out=out, files=files, header=header, per_shard=rows_per_shard):
            for position, row in enumerate(np.sort(rows)):
                start = header + (row % per_shard) * out[position].nbytes
                os.preadv(files[row // per_shard], [out[position].data], start)

        def from_map(rows, mapped=mapped, per_shard=rows_per_shard):
            np.stack([mapped[row // per_shard][row % per_shard] for row in rows])

        seconds: dict[str, list[float]] = {"ShardReader": [], "preadv": [], "np.memmap": []}
        for _ in range(ROUNDS):
            rows = generator.choice(reader.num_rows, BATCH, replace=False)
            for label, work in (("ShardReader", read), ("preadv", raw), ("np.memmap", from_map)):
                start = time.process_time()
                work(rows)
                seconds[label].append(time.process_time() - start)
        for label, values in seconds.items():
            results.append((name, label, out.nbytes / statistics.median(values) / 1e9))
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1024)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        make_shards(Path(folder), arguments.rows)
        results = measure(Path(folder))
    floor = {name: rate for name, label, rate in results if label == "preadv"}
    lines = [
        f"# Random batches of {BATCH} rows from {arguments.rows}, warm cache, one core",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}, NumPy {np.__version__}; "
        f"`python scripts/bench/shards.py --rows {arguments.rows}`",
        "",
        "| array | reader | GB/s of CPU time | ratio to preadv |",
        "|---|---|---|---|",
        *(f"| {n} | {label} | {rate:.1f} | {rate / floor[n]:.2f} |" for n, label, rate in results),
    ]
    print("\n".join(lines))
    if arguments.write:
        target = ROOT / "assets" / "benchmarks" / f"shards_{datetime.now(UTC):%Y-%m-%d}.md"
        target.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
