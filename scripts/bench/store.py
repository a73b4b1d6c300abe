#!/usr/bin/env python3
"""Measures the cohort store at 100,000 simulated patients with 512-d embeddings.

Writes assets/benchmarks/store_<date>.md. Everything is timed in one run on one machine; CPU
time of this process unless a line says otherwise.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import duckdb
import numpy as np
import pyarrow as pa

from ptacl_core.cohort import Cohort
from ptacl_core.cohort.erasure.erase import erase_patients
from ptacl_core.cohort.health.verification import verify_cohort
from ptacl_core.cohort.layout import CohortLayout
from ptacl_core.cohort.search.exact import normalise, search_exact
from ptacl_core.records import PHENOTYPE_NAMES, PHENOTYPE_UNITS

ROOT = Path(__file__).resolve().parents[2]
DIM = 512
QUERIES = {
    "one patient": "SELECT * FROM overview WHERE patient = 'sim-000777'",
    "filter and count": "SELECT count(*) FROM overview WHERE lvef_pct < 50 AND sex = 'F'",
    "group by": "SELECT sex, avg(lvef_pct), stddev(lvm_g) FROM overview GROUP BY sex",
    "top 50": "SELECT patient, lvef_pct FROM overview ORDER BY lvef_pct LIMIT 50",
    "quantiles and correlation": "SELECT quantile_cont(lvef_pct, [0.05, 0.5, 0.95]), "
    "corr(lvedv_ml, lvm_g) FROM overview",
    "page 200 of a sorted table": "SELECT * FROM overview ORDER BY lvm_g LIMIT 200 OFFSET 40000",
    "predictions joined with measurements": "SELECT name, avg(abs(error)) FROM prediction_errors "
    "GROUP BY name",
    "provenance of one prediction": "SELECT * FROM prediction_provenance "
    "WHERE patient = 'sim-000777' AND name = 'lvef_pct'",
}


def timed(work: Callable[[], object], *, repeats: int = 1) -> tuple[float, float]:
    """Median CPU and wall seconds of `work`."""
    cpu, wall = [], []
    for _ in range(repeats):
        started, started_cpu = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - started)
        cpu.append(time.process_time() - started_cpu)
    return statistics.median(cpu), statistics.median(wall)


def draw(num_patients: int) -> Mapping[str, Any]:
    """Tables, names and vectors by what they are called."""
    generator = np.random.default_rng(0)
    names = [f"sim-{row:06d}" for row in range(num_patients)]
    visits = np.zeros(num_patients, np.int32)
    values = generator.normal(100, 20, (num_patients, len(PHENOTYPE_NAMES)))
    repeated = [name for name in names for _ in PHENOTYPE_NAMES]
    phenotypes = pa.table(
        {
            "patient": repeated,
            "visit": np.zeros(len(repeated), np.int32),
            "name": list(PHENOTYPE_NAMES) * num_patients,
            "value": values.ravel(),
            "unit": [PHENOTYPE_UNITS[name] for name in PHENOTYPE_NAMES] * num_patients,
        }
    )
    centres = generator.standard_normal((200, DIM)).astype(np.float32)
    chosen = centres[generator.integers(0, 200, num_patients)]
    return {
        "names": names,
        "patients": pa.table(
            {
                "patient": names,
                "sex": ["F", "M"] * (num_patients // 2),
                "age_years": generator.uniform(45, 80, num_patients),
            }
        ),
        "recordings": pa.table(
            {
                "patient": names,
                "visit": visits,
                "modality": ["ecg"] * num_patients,
                "file_sha256": [f"{row:064x}" for row in range(num_patients)],
                "is_accepted": [True] * num_patients,
                "heart_rate_bpm": generator.normal(65, 10, num_patients),
            }
        ),
        "phenotypes": phenotypes,
        "predictions": phenotypes.append_column("run", pa.array(["r"] * len(repeated)))
        .append_column("low", pa.array(values.ravel() - 15))
        .append_column("high", pa.array(values.ravel() + 15)),
        "ecg": chosen + generator.standard_normal((num_patients, DIM), np.float32),
        "cmr": chosen + generator.standard_normal((num_patients, DIM), np.float32),
    }


def load_with_arrow_alone(folder: Path, names: list[str], vectors: np.ndarray) -> None:
    """The floor: DuckDB takes one Arrow table, without our checks, in our storage format."""
    file = folder / "plain.duckdb"
    file.unlink(missing_ok=True)
    values = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), DIM)
    table = pa.table({"patient": names, "vector": values})
    connection = duckdb.connect(
        str(file), config={"storage_compatibility_version": "v1.5.0", "threads": 2}
    )
    connection.register("incoming", table)
    connection.execute(f"CREATE TABLE e (patient VARCHAR, vector FLOAT[{DIM}])").fetchall()
    connection.execute("INSERT INTO e SELECT * FROM incoming").fetchall()
    connection.unregister("incoming")
    connection.execute("CHECKPOINT").fetchall()
    connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=100_000)
    parser.add_argument("--out", type=Path, default=ROOT / "assets" / "benchmarks")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["PTACL_KEYS"] = str(Path(temporary) / "keys")
        lines = measure(Path(temporary), options.patients)
    options.out.mkdir(parents=True, exist_ok=True)
    target = options.out / f"store_{datetime.now(UTC):%Y-%m-%d}.md"
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))
    print(f"written to {target}", file=sys.stderr)


def measure(folder: Path, num_patients: int) -> list[str]:
    data = draw(num_patients)
    path = folder / "cohort"
    names = data["names"]
    lines = [
        f"# Cohort store, {num_patients:,} simulated patients, two sets of {DIM}-d embeddings",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.processor() or platform.machine()}, "
        f"{os.cpu_count()} CPUs (load {os.getloadavg()[0]:.1f}), Python "
        f"{platform.python_version()}, duckdb {duckdb.__version__}, pyarrow {pa.__version__}, "
        f"numpy {np.__version__}. `scripts/bench/store.py`",
        "",
        "| what | CPU | wall | against |",
        "|---|---|---|---|",
    ]

    def row(what: str, seconds: tuple[float, float], against: str = "") -> None:
        unit = [f"{s * 1000:.1f} ms" if s < 1 else f"{s:.2f} s" for s in seconds]
        lines.append(f"| {what} | {unit[0]} | {unit[1]} | {against} |")
        print(lines[-1], file=sys.stderr, flush=True)

    Cohort.create(path, name="bench", source="simulated", preprocessing_hash="x").close()

    def load_tables() -> None:
        with Cohort.write(path, purpose="bench") as writer:
            writer.put_patients(data["patients"])
            writer.put_recordings(data["recordings"])
            writer.put_phenotypes(data["phenotypes"])
            writer.put_run("r", kind="align", config={})
            writer.put_predictions(data["predictions"])

    row(
        "load patients, recordings, 10 phenotypes and predictions each, publish", timed(load_tables)
    )
    floor = timed(lambda: load_with_arrow_alone(folder, names, data["ecg"]))
    row("floor: one set of embeddings, Arrow to DuckDB, nothing else", floor)

    def load_embeddings(modality: str) -> None:
        with Cohort.write(path, purpose="bench") as writer:
            writer.put_embeddings(
                "r", modality, "projected", names, [0] * num_patients, data[modality]
            )

    first = timed(lambda: load_embeddings("ecg"))
    row(
        "one set of embeddings, checked, hashed, published",
        first,
        f"{first[0] / floor[0]:.2f}x the floor's CPU, {first[1] / floor[1]:.2f}x its wall",
    )
    row("the second set", timed(lambda: load_embeddings("cmr")))
    size = (path / "cohort.duckdb").stat().st_size / 1e6
    lines.append(
        f"| size of the store | | {size:.0f} MB | vectors alone "
        f"{2 * num_patients * DIM * 4 / 1e6:.0f} MB |"
    )

    def open_and_ask() -> None:
        with Cohort.open(path) as opened:
            opened.count()

    row("open, one query, close", timed(open_and_ask, repeats=9), "target 200 ms")
    code = (
        "import sys; from ptacl_core.cohort import Cohort; c = Cohort.open(sys.argv[1]); "
        "c.patients(limit=200)"
    )
    wall = timed(
        lambda: subprocess.run([sys.executable, "-P", "-c", code, str(path)], check=True),
        repeats=5,
    )[1]
    lines.append(f"| a new process: imports, open, first page | | {wall * 1000:.0f} ms | |")
    with Cohort.open(path) as cohort:
        for what, statement in QUERIES.items():
            row(f"SQL, {what}", timed(lambda s=statement: cohort.fetch(s), repeats=15))
        row(
            "console: its first statement (starts a process)",
            timed(lambda: cohort.run_statement("SELECT 1", max_rows=1)),
        )
        row(
            "console: a statement",
            timed(lambda: cohort.run_statement(QUERIES["group by"], max_rows=10), repeats=15),
        )
        row(
            "console: a statement with its entry in the audit log",
            timed(lambda: cohort.sql(QUERIES["group by"]), repeats=5),
        )
        row(
            "neighbours: the first query (loads the vectors)",
            timed(lambda: cohort.neighbours("sim-000001", k=10)),
        )
        row(
            "neighbours of a patient, 10 nearest with phenotypes",
            timed(lambda: cohort.neighbours("sim-000777", k=10), repeats=15),
        )
        vectors = cohort.embeddings("r", "cmr").vectors
        query = np.ascontiguousarray(vectors[5])
        floor = timed(lambda: vectors @ query, repeats=15)
        row("of it: the bare float32 product", floor)
        unit = normalise(vectors)
        exact = timed(lambda: search_exact(query, vectors, unit, k=10), repeats=15)
        row(
            "of it: the exact search, float64 order",
            exact,
            f"{exact[0] / floor[0]:.2f}x the product's CPU",
        )
        row(
            "neighbours among women under 60",
            timed(
                lambda: cohort.neighbours("sim-000777", k=10, where="sex = 'F' AND age_years < 60"),
                repeats=5,
            ),
        )
        joined = (
            "SELECT o.sex, count(*), avg(o.lvef_pct), max(n.similarity) "
            "FROM knn('sim-000777', 100) n JOIN overview o USING (patient, visit) GROUP BY o.sex"
        )
        row(
            "knn('…', 100) joined and aggregated in one SELECT",
            timed(lambda: cohort.run_statement(joined, max_rows=10), repeats=9),
        )
    row("verify (hash of the store, keys, fingerprints)", timed(lambda: verify_cohort(path)))
    (path / "shards").rmdir()
    layout = CohortLayout(path)
    row(
        "erase one person: rebuild, clean, search every byte",
        timed(lambda: erase_patients(layout, ["sim-000777"])),
        "target 10 min",
    )
    return lines


if __name__ == "__main__":
    main()
