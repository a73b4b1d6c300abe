"""hnswlib has no wheel: where it cannot be compiled, the store works, and search is exact."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa

from ptacl_core.cohort import Cohort

ROOT = Path(__file__).resolve().parents[2]
STORE_TESTS = ("neighbours", "verification", "erasure", "queries", "faults")
CODE = """
import sys
from pathlib import Path
from ptacl_core.cohort import Cohort
from ptacl_core.cohort.health.verification import verify_cohort
from ptacl_core.errors import CohortError
with Cohort.open(sys.argv[1]) as cohort:
    near = cohort.neighbours("sim-000003", k=5, run="r")
    print(*(each.patient for each in near))
    try:
        cohort.build_index("r", "cmr")
    except CohortError as error:
        print(error)
stale = verify_cohort(Path(sys.argv[2]))
repaired = verify_cohort(Path(sys.argv[2]), repair=True)
print([each.code for each in stale.defects], [each.code for each in repaired.repaired],
      repaired.is_whole)
"""


def without_hnswlib(folder: Path) -> dict[str, str]:
    """The environment of a machine on which hnswlib is not there."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text('import sys\nsys.modules["hnswlib"] = None\n')
    return {**os.environ, "PYTHONPATH": f"{folder}:{ROOT}"}


def test_the_store_part_of_the_suite_holds_without_it(tmp_path: Path) -> None:
    tests = [f"tests/unit/cohort/test_store_{name}.py" for name in STORE_TESTS]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", *tests],
        env=without_hnswlib(tmp_path / "site"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    last = done.stdout.strip().splitlines()[-1]
    assert done.returncode == 0, done.stdout[-3000:]
    assert "passed" in last
    assert "skipped" in last, "the hook hides nothing"


def test_search_is_exact_and_a_stale_index_goes(tmp_path: Path) -> None:
    path = tmp_path / "cohort"
    Cohort.create(path, name="c", source="simulated", preprocessing_hash="x").close()
    generator = np.random.default_rng(5)
    names = [f"sim-{row:06d}" for row in range(300)]
    with Cohort.write(path, purpose="fill") as writer:
        writer.put_patients(pa.table({"patient": names}))
        writer.put_run("r", kind="align", config={})
        for modality in ("ecg", "cmr"):
            vectors = generator.standard_normal((300, 16)).astype(np.float32)
            writer.put_embeddings("r", modality, "projected", names, [0] * 300, vectors)
    indexed = Path(shutil.copytree(path, tmp_path / "indexed"))
    with Cohort.open(indexed) as cohort:
        cohort.build_index("r", "cmr")
        near = [neighbour.patient for neighbour in cohort.neighbours("sim-000003", k=5, run="r")]
    with Cohort.write(indexed, purpose="more") as writer:
        writer.put_embeddings("r", "cmr", "projected", ["new"], [0], np.ones((1, 16), "f4"))
    done = subprocess.run(
        [sys.executable, "-P", "-c", CODE, str(path), str(indexed)],
        env=without_hnswlib(tmp_path / "site"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    patients, message, verified = done.stdout.splitlines()
    assert patients.split() == near
    assert "hnswlib is not installed" in message
    assert "search is exact without it" in message
    assert verified == "['index'] ['index'] True"
