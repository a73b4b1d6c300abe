"""Another model's vectors in the place of cines: added, aligned, retrieved, erased.

The vectors share the hidden severity of `echo_cohort.py` with the ECGs, and nothing else.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ptacl_core.cohort import Cohort
from ptacl_core.config.run_presets import load_run_settings
from ptacl_core.errors import ConfigError
from ptacl_core.evaluate import own_pair_ranks
from ptacl_core.ingest.targets import merge_vectors
from ptacl_core.stages.embed import run as embed
from ptacl_core.stages.evaluate import run as evaluate
from ptacl_core.stages.preprocess import run as preprocess
from ptacl_core.stages.targets import vectors as vector_stage
from ptacl_core.stages.train import run as train
from tests.pipeline.echo_cohort import EchoSource, make_source

NUM_PEOPLE = 160
DIM = 24
OVERRIDES = (
    'stages=["align"]', "align.beta=0", "pretrain_ecg.method=none", "health.min_effective_rank=1",
    "align.optimisation.steps=40", "align.optimisation.batch_size=32",
    "align.optimisation.validate_every_steps=40",
)  # fmt: skip


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> EchoSource:
    return make_source(tmp_path_factory.mktemp("echo"), num_people=NUM_PEOPLE, seed=4)


@pytest.fixture(scope="module")
def table(source, tmp_path_factory) -> Path:
    """Vectors of everybody but the last ten, and of two strangers; on a scale of their own."""
    generator = np.random.default_rng(1)
    people = [*list(source.lvef)[:-10], "99999998", "99999999"]
    severity = np.array([(52 - source.lvef.get(person, 52)) / 9 for person in people])
    places = np.stack([severity, severity**2, np.exp(severity / 2)], axis=1)
    vectors = places @ generator.normal(size=(3, DIM)) + generator.normal(
        0, 0.1, (len(people), DIM)
    )
    path = tmp_path_factory.mktemp("vectors") / "echo.parquet"
    rows = pa.table({"subject": people, "vector": (500 + 30 * vectors).astype(np.float32).tolist()})
    pq.write_table(rows, path)
    return path


@pytest.fixture(scope="module")
def cohort(source, table, tmp_path_factory) -> Path:
    """Preprocessed with its targets; vectors and their shuffled control, both aligned."""
    path = tmp_path_factory.mktemp("cohorts") / "echo"
    key = path.with_name("fixed.key")
    key.write_text("5b" * 32)
    preprocess.run(source.folder, path, targets=source.definitions, num_workers=1, key_from=key)
    rows = pq.read_table(table)
    order = np.random.default_rng(2).permutation(rows.num_rows)
    shuffled = table.with_name("shuffled.parquet")
    columns = [rows.column("vector").to_pylist()[at] for at in order]
    numbered = {f"v{at}": [vector[at] for vector in columns] for at in range(DIM)}
    pq.write_table(pa.table({"subject": rows.column("subject"), **numbered}), shuffled)
    for name, file in (("echo_model", table), ("shuffled", shuffled)):
        vector_stage.add(path, file, name=name, person="subject")
        overrides = (*OVERRIDES, f"align.vectors={name}")
        run_name = name.replace("_", "-")
        train.run(path, load_run_settings("tiny", overrides=overrides), run_name=run_name)
        embed.run(path, run=run_name)
    return path


def _mean_rank(cohort: Path, run: str) -> tuple[float, float]:
    """Mean rank of the own vector among people never trained on, 0 first, 1 last; SD of chance."""
    with Cohort.open(cohort) as store:
        splits = store.splits()
        ecg, cmr = (store.embeddings(run, modality) for modality in ("ecg", "cmr"))
    people = [person for person in cmr.patients if splits[person] != "train"]
    both = [made.vectors[[made.patients.index(p) for p in people]] for made in (ecg, cmr)]
    ranks = own_pair_ranks(both[0], both[1])
    return float((ranks - 1).mean()) / (len(people) - 1), (12 * len(people)) ** -0.5


def test_the_own_vector_is_found_among_people_never_seen(cohort, ptacl):
    mean, chance_sd = _mean_rank(cohort, "echo-model")
    assert mean < 0.5 - 3 * chance_sd
    document = evaluate.run(cohort, run="echo-model", num_resamples=200)
    for direction in ("ecg-cmr", "cmr-ecg"):
        rank = document.pair_recall[direction].median_rank
        assert rank.value is not None and rank.value < rank.chance, direction
    assert document.as_dict()["targets"]["echo_lvef"]["r2"]["value"] > 0.2
    assert "no steps" in str(document.alignment.why)
    printed = ptacl("evaluate", cohort, "--run", "echo-model", "--resamples", 100)
    assert printed.exit_code == 0, printed.err
    assert "The very pair, ecg-cmr" in printed.out and "Research use only" in printed.out
    card = (cohort / "runs" / "echo-model" / "model_card.md").read_text()
    assert "vectors of another model (echo_model, 24 values)" in card


def test_vectors_of_other_people_are_found_by_chance(cohort):
    mean, chance_sd = _mean_rank(cohort, "shuffled")
    assert abs(mean - 0.5) < 3 * chance_sd


def test_neighbours_prediction_and_verification_take_the_run(cohort, source, ptacl):
    with Cohort.open(cohort) as store:
        vectors = store.embeddings("echo-model", "cmr")
        assert len(vectors.patients) == NUM_PEOPLE - 10
        patient = vectors.patients[0]
        assert store.fetch("SELECT count(*) FROM alignment_maps") == [(0,)]
    rows = ptacl("neighbours", cohort, patient, "--run", "echo-model", "--direction", "ecg-cmr")
    assert rows.exit_code == 0, rows.err
    file = next(source.folder.rglob("*.hea"))
    answer = ptacl("predict", file, "--cohort", cohort, "--run", "echo-model", "--json")
    (predicted,) = json.loads(answer.out)
    assert predicted["accepted"] and predicted["targets"] and predicted["neighbours"]
    drifted = ptacl("drift", cohort, cohort, "--run", "echo-model")
    assert drifted.exit_code == 0, drifted.err
    assert ptacl("verify", cohort).exit_code == 0
    listed = json.loads(ptacl("vectors", "list", cohort, "--json").out)["vectors"]
    assert listed[0] == {
        "name": "echo_model", "num_vectors": NUM_PEOPLE - 10, "num_people": NUM_PEOPLE - 10,
        "dim": DIM,
    }  # fmt: skip


def test_a_packed_model_leaves_that_tower_out(cohort, source, tmp_path, ptacl):
    out = tmp_path / "echo.ptacl"
    refused = ptacl("pack", cohort, "echo-model", "--out", out, "--modality", "both")
    assert refused.exit_code == 2 and "echo_model" in refused.err
    packed = ptacl("pack", cohort, "echo-model", "--out", out, "--accept-membership")
    assert packed.exit_code == 0, packed.err
    file = next(source.folder.rglob("*.hea"))
    (there,) = json.loads(ptacl("predict", file, "--model", out, "--json").out)
    (here,) = json.loads(
        ptacl("predict", file, "--cohort", cohort, "--run", "echo-model", "--json").out
    )
    assert there["targets"] == here["targets"]


def test_who_is_erased_takes_the_vector_along(cohort, table, tmp_path, ptacl):
    copy = tmp_path / "left"
    shutil.copytree(cohort, copy)
    with Cohort.open(copy) as store:
        gone = store.vectors("echo_model").patients[0]
    assert ptacl("erase", copy, gone, "--yes").exit_code == 0
    with Cohort.open(copy) as store:
        for name in ("echo_model", "shuffled"):
            assert gone not in store.vectors(name).patients
        assert gone not in store.embeddings("echo-model", "cmr").patients
    assert ptacl("verify", copy).exit_code == 0
    assert ptacl("vectors", "remove", copy, "echo_model").exit_code == 0
    merge_vectors(copy, [cohort])
    with Cohort.open(copy) as store:
        assert len(store.vectors("echo_model").patients) == NUM_PEOPLE - 11
    assert ptacl("vectors", "remove", copy, "echo_model").exit_code == 0
    again = ptacl("vectors", "add", copy, table, "--name", "echo_model", "--person", "subject")
    assert "1 rows of people who withdrew or were erased" in " ".join(again.err.split())
    with Cohort.open(copy) as store:
        assert gone not in store.vectors("echo_model").patients


def test_what_cannot_be_used_is_one_line(cohort, table, tmp_path, ptacl):
    people = pq.read_table(table).column("subject").to_pylist()[:3]
    nan = float("nan")
    for columns, words in (
        ({"vector": [[1.0, nan], [1.0, 2.0], [3.0, 4.0]]}, "NaN, infinity or nothing in 1 of 3"),
        ({"vector": [[1.0], [1.0, 2.0], [3.0, 4.0]]}, "vectors of one length, found 1 to 2"),
        ({"vector": [[1.0], None, [3.0]]}, "vectors of one length, found 0 to 1"),
        ({"vector": ["a", "b", "c"]}, "lists of numbers"),
        ({"v0": [1.0, 2.0, 3.0], "v2": [1.0, 2.0, 3.0]}, "without a gap"),
        ({"v0": ["a", "b", "c"]}, "expected numbers in v0"),
        ({"other": [1, 2, 3]}, "expected a list column 'vector'"),
    ):
        file = tmp_path / "wrong.parquet"
        pq.write_table(pa.table({"subject": people, **columns}), file)
        answer = ptacl("vectors", "add", cohort, file, "--name", "wrong", "--person", "subject")
        said = " ".join(answer.err.split())
        assert answer.exit_code == 2 and words in said, said
        assert not any(person in said for person in people)
    for arguments, words in (
        ((table, "--name", "wrong"), "expected the column 'person'"),
        ((table, "--name", "Wrong", "--person", "subject"), "expected a to z"),
        ((table, "--name", "shuffled", "--person", "subject"), "already"),
        ((Path(__file__), "--name", "wrong"), "Parquet"),
    ):
        answer = ptacl("vectors", "add", cohort, *arguments)
        assert answer.exit_code == 2 and words in " ".join(answer.err.split()), answer.err
    answer = ptacl(
        "train", cohort, "--preset", "tiny", "--run", "none", "--set", 'stages=["align"]',
        "--set", "align.beta=0", "--set", "align.vectors=unknown",
    )  # fmt: skip
    assert answer.exit_code == 2 and "there are: echo_model, shuffled" in " ".join(
        answer.err.split()
    )
    with pytest.raises(ConfigError, match="no steps for the local loss"):
        load_run_settings("tiny", overrides=("align.vectors=echo_model",))
