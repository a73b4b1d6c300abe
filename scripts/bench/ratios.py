# ruff: noqa: E402 - the repository's packages come before installed ones
"""Our speed beside libraries', all in one run: neighbours, reading, the probe, training steps.

    pip install --no-deps --target FOLDER faiss-cpu
    PYTHONPATH=FOLDER python scripts/bench/ratios.py [--rounds 5] [--save]

Against faiss's flat index (one query, and 1,024 at once), `preadv` into a preallocated array,
scikit-learn's LinearRegression in float64, and masked autoencoders of equal size from torch's
own transformer blocks. Candidates are interleaved, one thread each, and the figures are medians
of process CPU time; only their ratios carry over to another machine. scikit-learn and faiss are
no dependencies of the package.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import faiss  # pyright: ignore[reportMissingImports] - not a dependency, see above
import numpy as np
import sklearn
import torch
from sklearn.linear_model import LinearRegression

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(Path(__file__).parent))

import train as steps
from neighbours import DIM, NUM_QUERIES, K, draw_vectors
from shards import BATCH, make_shards

from ptacl_core.cohort.search.exact import normalise, search_exact, search_exact_many
from ptacl_core.config.run_presets import load_run_settings
from ptacl_core.evaluate import fit_linear_probe
from ptacl_core.shards import ShardReader

Candidates = dict[str, Callable[[], object]]
NUM_VECTORS = 27_951


def measure(candidates: Candidates, rounds: int) -> dict[str, float]:
    """Median CPU milliseconds of each candidate, round after round, after one unmeasured."""
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(rounds + 1):
        for name, work in candidates.items():
            started = time.process_time()
            work()
            if number:
                times[name].append(1e3 * (time.process_time() - started))
    return {name: statistics.median(values) for name, values in times.items()}


def search_candidates(*, is_batch: bool) -> Candidates:
    """The 10 nearest of 27,951 vectors of width 256."""
    vectors = draw_vectors(NUM_VECTORS)
    unit = normalise(vectors)
    queries = vectors[:NUM_QUERIES] + 0.01
    index = faiss.IndexFlatIP(DIM)
    index.add(unit)
    unit_queries = normalise(queries)
    if is_batch:
        return {
            "ours": lambda: search_exact_many(queries, vectors, unit, k=K),
            "faiss": lambda: index.search(unit_queries, K),
        }
    return {
        "ours": lambda: search_exact(queries[0], vectors, unit, k=K),
        "faiss": lambda: index.search(unit_queries[:1], K),
    }


def reading_candidates(folder: Path) -> Candidates:
    """64 ECGs drawn at random."""
    make_shards(folder, 256)
    reader = ShardReader.open(folder)
    path = next((folder / "shards").glob("*/ecg.npy"))
    mapped = np.load(path, mmap_mode="r")
    file, header = os.open(path, os.O_RDONLY), path.stat().st_size - mapped.nbytes
    out = np.empty((BATCH, *mapped.shape[1:]), mapped.dtype)
    rows = np.random.default_rng(1).choice(len(mapped), BATCH, replace=False)

    def raw() -> None:
        for position, row in enumerate(np.sort(rows)):
            os.preadv(file, [out[position].data], header + int(row) * out[position].nbytes)

    return {"ours": lambda: reader.read_ecg(rows), "preadv": raw}


def probe_candidates() -> Candidates:
    """27,951 × 512 features to ten targets."""
    random = np.random.default_rng(0)
    features = random.standard_normal((NUM_VECTORS, 512))
    targets = features @ random.standard_normal((512, 10)) + random.standard_normal((1, 10))
    return {
        "ours": lambda: fit_linear_probe(features, targets),
        "scikit-learn": lambda: LinearRegression().fit(features, targets),
    }


def step_candidates(stage: str, *, batch_size: int) -> Candidates:
    """One optimizer step of a masked autoencoder of the paper's size in fp32."""
    settings = load_run_settings("paper-regression", overrides=["precision=fp32"])
    device = torch.device("cpu")
    batch = steps.draw_batch(batch_size, device)
    plain = steps.build_plain(settings, stage, batch, device)
    assert plain is not None
    return {"ours": steps.build_ours(settings, stage, batch, device), "library": plain}


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    faiss.omp_set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        cases: dict[str, Callable[[], Candidates]] = {
            "one query among 27,951 × 256": lambda: search_candidates(is_batch=False),
            "1,024 queries among 27,951 × 256": lambda: search_candidates(is_batch=True),
            "64 random ECGs of the shards": lambda: reading_candidates(Path(folder)),
            "linear probe 27,951 × 512 to 10": probe_candidates,
            "step of the ECG autoencoder, 2 records": lambda: step_candidates(
                "ecg mae", batch_size=2
            ),
            "step of the cine autoencoder, 2 records": lambda: step_candidates(
                "cmr mae", batch_size=2
            ),
        }
        report: dict[str, object] = {
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "load": os.getloadavg()[0],
            "versions": {
                "python": platform.python_version(), "numpy": np.__version__,
                "torch": torch.__version__, "faiss": faiss.__version__,
                "scikit-learn": sklearn.__version__,
            },
            "unit": "median CPU ms, one thread, interleaved",
            "rounds": options.rounds,
        }  # fmt: skip
        for name, make in cases.items():
            seconds = measure(make(), options.rounds)
            other = next(value for key, value in seconds.items() if key != "ours")
            report[name] = {**seconds, "ours / other": seconds["ours"] / other}
            print(name, report[name], flush=True)
    if options.save:
        day = datetime.now(UTC).date()
        path = ROOT / "assets" / "benchmarks" / f"ratios-{day}.json"
        path.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
