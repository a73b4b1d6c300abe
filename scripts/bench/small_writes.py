#!/usr/bin/env python3
"""Measures one small write to a store of many people, and the first search of a new reader.

    python scripts/bench/small_writes.py [--people 100000] [--code DIR] [--write]

The store has two sets of 512 numbers a person and ten phenotypes. Told are process CPU seconds of
building it, of recording one run more (median of five), how many bytes of the file that changed,
and of the first search before and after the vectors were kept as a file. `--code` measures another
checkout; `--write` puts the report in assets/benchmarks/.
"""

import argparse
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[2]
BLOCK_BYTES = 262_144


def timed(work: Callable[[], object]) -> float:
    """Process CPU seconds."""
    started_s = time.process_time()
    work()
    return time.process_time() - started_s


def count_changed(before: Path, after: Path) -> int:
    """Bytes of the blocks in which two files differ."""
    changed = abs(before.stat().st_size - after.stat().st_size)
    with before.open("rb") as one, after.open("rb") as other:
        while (first := one.read(BLOCK_BYTES)) and (second := other.read(BLOCK_BYTES)):
            changed += BLOCK_BYTES * (first != second)
    return changed


def measure(folder: Path, num_people: int) -> dict[str, float]:
    """CPU seconds by name, and MB of the store and of what a small write changed."""
    from store import draw

    from ptacl_core.cohort import Cohort

    data, path = draw(num_people), folder / "cohort"
    Cohort.create(path, name="bench", source="simulated", preprocessing_hash="x").close()

    def build() -> None:
        with Cohort.write(path, purpose="build") as writer:
            writer.put_patients(data["patients"])
            writer.put_recordings(data["recordings"])
            writer.put_phenotypes(data["phenotypes"])
            writer.put_run("r", kind="align", config={})
            for modality in ("ecg", "cmr"):
                vectors, visits = data[modality], [0] * num_people
                writer.put_embeddings("r", modality, "projected", data["names"], visits, vectors)

    def write_little(number: int) -> None:
        with Cohort.write(path, purpose="run") as writer:
            writer.put_run(f"run-{number}", kind="align", config={})

    def search() -> None:
        with Cohort.open(path) as cohort:
            cohort.neighbours("sim-000001", k=10)

    figures = {"build_s": timed(build)}
    figures["small_write_s"] = statistics.median(
        timed(lambda n=n: write_little(n)) for n in range(5)
    )
    before = folder / "before"
    before.write_bytes((path / "cohort.duckdb").read_bytes())
    write_little(5)
    figures["store_mb"] = before.stat().st_size / 1e6
    figures["changed_mb"] = count_changed(before, path / "cohort.duckdb") / 1e6
    figures["first_search_s"] = timed(search)
    figures["first_search_again_s"] = statistics.median(timed(search) for _ in range(3))
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--code", type=Path, default=ROOT)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    sys.path[:0] = [str(options.code), str(Path(__file__).parent)]
    with tempfile.TemporaryDirectory(prefix="ptacl-small-writes-") as name:
        os.environ["PTACL_KEYS"] = str(Path(name) / "keys")
        figures = measure(Path(name), options.people)
    lines = [
        f"# Small writes to a store of {options.people:,} people",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.processor() or platform.machine()}, Python "
        f"{platform.python_version()}, `scripts/bench/small_writes.py --people {options.people}`, "
        "CPU seconds of the process.",
        "",
        *(f"- {key}: {value:.3f}" for key, value in figures.items()),
        f"- a small write costs {figures['small_write_s'] / figures['build_s']:.3f} of building",
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    if options.write:
        today = datetime.now(UTC).date().isoformat()
        (ROOT / "assets" / "benchmarks" / f"small_writes_{today}.md").write_text(text)


if __name__ == "__main__":
    main()
