"""A small cohort with everything in it, copied for every test that changes it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from ptacl_core.cohort import Cohort
from ptacl_core.records import PHENOTYPE_NAMES, PHENOTYPE_UNITS

NUM_PATIENTS = 60
DIM = 24
RUN = "align-1"


def patient_names() -> list[str]:
    return [f"sim-{index:06d}" for index in range(NUM_PATIENTS)]


def draw_vectors(seed: int, *, num: int = NUM_PATIENTS, dim: int = DIM) -> np.ndarray:
    return np.random.default_rng([seed, dim]).standard_normal((num, dim)).astype(np.float32)


def fill(path: Path) -> None:
    """Everything a cohort holds: people, recordings, phenotypes, a run with all its results."""
    names = patient_names()
    generator = np.random.default_rng(7)
    lvef = generator.normal(58, 7, NUM_PATIENTS)
    with Cohort.write(path, purpose="fill") as writer:
        writer.put_patients(
            pa.table(
                {
                    "patient": names,
                    "sex": ["F", "M"] * (NUM_PATIENTS // 2),
                    "age_years": generator.uniform(45, 80, NUM_PATIENTS),
                    "height_cm": generator.normal(170, 9, NUM_PATIENTS),
                }
            )
        )
        visits = [(name, 0) for name in names] + [(name, 1) for name in names[:5]]
        writer.put_visits(
            pa.table({"patient": [v[0] for v in visits], "visit": [v[1] for v in visits]})
        )
        finding = {"code": "mains", "severity": "info", "message": "50 Hz", "leads": ["V1"]}
        writer.put_recordings(
            pa.Table.from_pylist(
                [
                    {
                        "patient": name,
                        "visit": visit,
                        "modality": modality,
                        "file_sha256": f"{modality}{index:061d}",
                        "format": "simulated",
                        "is_accepted": True,
                        "quality": "good",
                        "findings": [finding] if index % 3 == 0 else [],
                        "heart_rate_bpm": 60.0 + index if modality == "ecg" else None,
                        "preprocessing_hash": "abc123",
                    }
                    for index, (name, visit) in enumerate(visits)
                    for modality in ("ecg", "cmr")
                ]
            )
        )
        writer.put_phenotypes(
            pa.Table.from_pylist(
                [
                    {
                        "patient": name,
                        "visit": 0,
                        "name": phenotype,
                        "value": float(lvef[index] + order),
                        "unit": PHENOTYPE_UNITS[phenotype],
                        "source": "simulated",
                    }
                    for index, name in enumerate(names)
                    for order, phenotype in enumerate(PHENOTYPE_NAMES)
                ]
            )
        )
        writer.put_shards(
            pa.table(
                {
                    "patient": names,
                    "visit": [0] * NUM_PATIENTS,
                    "modality": ["ecg"] * NUM_PATIENTS,
                    "shard": ["part-00000"] * NUM_PATIENTS,
                    "row": list(range(NUM_PATIENTS)),
                }
            )
        )
        writer.put_preprocessing("abc123", {"wavelet": "db6", "level": 8})
        writer.put_splits(
            pa.table(
                {
                    "split_name": ["default"] * NUM_PATIENTS,
                    "patient": names,
                    "split": ["train"] * 40 + ["val"] * 10 + ["test"] * 10,
                }
            )
        )
        writer.put_run(
            RUN,
            kind="align",
            config={"sigma": 0.1},
            checkpoint_sha256="c" * 64,
            preprocessing_hash="abc123",
            split_name="default",
            seed=1,
        )
        for seed, modality in enumerate(("ecg", "cmr")):
            for space, dim in (("projected", DIM), ("pooled", 2 * DIM)):
                vectors = draw_vectors(seed, dim=dim)
                writer.put_embeddings(RUN, modality, space, names, [0] * NUM_PATIENTS, vectors)
        writer.put_predictions(
            pa.Table.from_pylist(
                [
                    {
                        "run": RUN,
                        "patient": name,
                        "visit": 0,
                        "name": "lvef_pct",
                        "value": float(lvef[index] + 1),
                        "low": float(lvef[index] - 9),
                        "high": float(lvef[index] + 11),
                        "unit": "%",
                        "coverage": 0.9,
                    }
                    for index, name in enumerate(names)
                ]
            )
        )
        writer.put_out_of_distribution(
            pa.table(
                {
                    "run": [RUN],
                    "patient": names[:1],
                    "visit": [0],
                    "modality": ["ecg"],
                    "score": [3.5],
                    "threshold": [3.0],
                    "is_flagged": [True],
                }
            )
        )
        writer.put_evaluation(
            RUN,
            pa.Table.from_pylist(
                [
                    {
                        "run": RUN,
                        "section": "regression",
                        "variant": "",
                        "modality": "ecg",
                        "phenotype": "lvef_pct",
                        "metric": "r2",
                        "value": 0.35,
                        "low": 0.3,
                        "high": 0.4,
                    }
                ]
            ),
            document={"version": "1", "run": RUN},
        )


@pytest.fixture(autouse=True)
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keys and heads of audit logs of this test alone."""
    folder = tmp_path / "keys"
    monkeypatch.setenv("PTACL_KEYS", str(folder))
    return folder


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A filled cohort that no test changes."""
    path = tmp_path_factory.mktemp("template") / "cohort"
    Cohort.create(path, name="test", source="simulated", preprocessing_hash="abc123").close()
    fill(path)
    return path


@pytest.fixture
def cohort_path(template: Path, tmp_path: Path) -> Path:
    """A filled cohort of this test alone."""
    return Path(shutil.copytree(template, tmp_path / "cohort"))


@pytest.fixture
def cohort(cohort_path: Path) -> Iterator[Cohort]:
    """The same, open."""
    with Cohort.open(cohort_path) as opened:
        yield opened
