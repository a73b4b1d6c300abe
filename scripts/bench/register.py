"""What one more job of an array costs when it ends: merging manifests and registering its rows.

    python scripts/bench/register.py [--sizes 1500 15000 50000] [--tree OTHER_CHECKOUT]

A cohort of so many visits is registered (tables of the manifest only, no arrays), then one job
adds 20 visits. Told are process CPU seconds of its merge, of registering it, and of registering
the whole for comparison. `--tree` measures another checkout of this repository.
"""

import argparse
import hashlib
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

NUM_MORE = 20
ROWS_PER_SHARD = 256


def write_shard(folder: Path, first: int, count: int, schema: pa.Schema, described: dict) -> None:
    """A shard's tables as a job of `count` ECGs with cines leaves them."""
    random = np.random.default_rng(first)
    people = [f"p{number:07d}" for number in range(first, first + count)]
    marks = [{"beat": beat, "r_peak": 400 * beat + 100, "beat_class": 0} for beat in range(10)]
    known = {
        "patient": people, "visit": [2] * count, "split": ["train"] * count,
        "shard": [folder.name] * count, "ecg_row": list(range(count)),
        "cine_row": list(range(count)), "r_peak_samples": [list(range(100, 5000, 400))] * count,
        "heart_rate_bpm": random.normal(65, 9, count).tolist(), "ecg_marks": [marks] * count,
        "ecg_findings": [[]] * count, "cmr_findings": [[]] * count,
        "ecg_sha256": [hashlib.sha256(person.encode()).hexdigest() for person in people],
        "cmr_sha256": [hashlib.sha256(person.encode()).hexdigest() for person in people],
        "sex": random.choice(["F", "M"], count).tolist(),
        **{name: random.normal(100, 20, count).tolist() for name in schema.names
           if schema.field(name).type == pa.float64() and name != "heart_rate_bpm"},
    }  # fmt: skip
    columns = [pa.array(known.get(field.name, [None] * count), field.type) for field in schema]
    folder.mkdir(parents=True)
    pq.write_table(pa.table(columns, schema=schema), folder / "manifest.parquet")
    (folder / "shard.json").write_text(json.dumps({**described, "rows": count}))


def measure(size: int, folder: Path) -> dict[str, float]:
    """CPU seconds of one more job, at a cohort of `size` visits."""
    from ptacl_core.config.preprocess import PreprocessSettings
    from ptacl_core.ingest.register import register_shards
    from ptacl_core.shards import spec
    from ptacl_core.shards.manifest import merge_manifests

    settings, schema = PreprocessSettings(), spec.build_manifest_schema()
    described = {
        "kind": spec.KIND, "version": spec.VERSION, "preprocessing_hash": settings.hash(),
        "preprocessing": settings.model_dump(mode="json"), "sha256": {},
    }  # fmt: skip
    shards, empty = folder / "shards", spec.build_rejected_schema().empty_table()

    def add(name: str, first: int, count: int) -> None:
        write_shard(shards / name, first, count, schema, described)
        pq.write_table(empty, shards / name / "rejected.parquet")

    def timed(work, *arguments, **named) -> float:
        started = time.process_time()
        work(*arguments, **named)
        return time.process_time() - started

    call = {"name": "bench", "source": "files", "convention": "as given"}
    for first in range(0, size, ROWS_PER_SHARD):
        add(f"files-{first:07d}", first, min(ROWS_PER_SHARD, size - first))
    merge_manifests(shards)
    whole = timed(register_shards, folder, **call)
    add("more-0", size, NUM_MORE)
    merged = timed(merge_manifests, shards)
    return {"all": whole, "merge": merged, "register": timed(register_shards, folder, **call)}


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1500, 15_000, 50_000])
    parser.add_argument("--tree", type=Path, default=Path(__file__).resolve().parents[2])
    options = parser.parse_args()
    sys.path.insert(0, str(options.tree))
    for size in options.sizes:
        with tempfile.TemporaryDirectory() as folder:
            measured = measure(size, Path(folder))
        figures = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in measured.items())
        print(f"{size} visits, {NUM_MORE} more: {figures}", flush=True)


if __name__ == "__main__":
    main()
