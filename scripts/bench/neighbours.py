"""Exact neighbours beside faiss's flat index, both in one run: one query, and 1,024 at once.

faiss is not a dependency: `pip install --no-deps --target FOLDER faiss-cpu`, then
PYTHONPATH=FOLDER python scripts/bench/neighbours.py. Figures are medians of process CPU time,
candidates interleaved, one thread each.
"""

import json
import platform
import statistics
import time
from collections.abc import Callable

import faiss  # pyright: ignore[reportMissingImports] - not a dependency, see above
import numpy as np

from ptacl_core.cohort.search.exact import normalise, search_exact, search_exact_many

DIM, NUM_QUERIES, K = 256, 1024, 10
SIZES = (27_951, 100_000)


def measure(candidates: dict[str, Callable[[], object]], *, rounds: int) -> dict[str, float]:
    """Median CPU seconds of each candidate, round after round."""
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, work in candidates.items():
            started = time.process_time()
            work()
            times[name].append(time.process_time() - started)
    return {name: statistics.median(values) for name, values in times.items()}


def draw_vectors(count: int) -> np.ndarray:
    """Vectors of 32 intrinsic dimensions with noise, as embeddings of a cohort are."""
    random = np.random.default_rng(0)
    factors = random.standard_normal((count, 32)).astype(np.float32)
    noise = 0.3 * random.standard_normal((count, DIM)).astype(np.float32)
    return factors @ random.standard_normal((32, DIM)).astype(np.float32) + noise


def main() -> None:
    faiss.omp_set_num_threads(1)
    report = {"machine": platform.processor(), "faiss": faiss.__version__, "k": K, "sizes": {}}
    for count in SIZES:
        vectors = draw_vectors(count + NUM_QUERIES)
        queries, vectors = vectors[count:], vectors[:count]
        unit = normalise(vectors)
        unit_queries = normalise(queries)
        index = faiss.IndexFlatIP(DIM)
        index.add(unit)
        ours, theirs = (
            search_exact_many(queries, vectors, unit, k=K)[0],
            index.search(unit_queries, K)[1],
        )
        one = measure(
            {
                "ours": lambda u=unit, v=vectors, q=queries: search_exact(q[3], v, u, k=K),
                "faiss": lambda i=index, q=unit_queries: i.search(q[3:4], K),
            },
            rounds=60,
        )
        many = measure(
            {
                "ours": lambda u=unit, v=vectors, q=queries: search_exact_many(q, v, u, k=K),
                "faiss": lambda i=index, q=unit_queries: i.search(q, K),
            },
            rounds=3,
        )
        report["sizes"][count] = {
            "one_query_ms": {name: 1e3 * value for name, value in one.items()},
            "one_query_ratio": one["ours"] / one["faiss"],
            "1024_queries_s": many,
            "1024_queries_ratio": many["ours"] / many["faiss"],
            "same_neighbours": float((ours == theirs).mean()),
        }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
