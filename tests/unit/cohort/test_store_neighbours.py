"""R11-R13: exact neighbours are the brute-force order; an index is never trusted alone."""

import json
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptacl_core.cohort import Cohort, store
from ptacl_core.cohort.health.verification import verify_cohort
from ptacl_core.cohort.search.exact import (
    cosine_similarity,
    normalise,
    search_exact,
    search_exact_many,
)
from ptacl_core.cohort.search.vectors import check_vectors, compute_fingerprint
from ptacl_core.errors import CohortError, QueryError
from ptacl_core.safety.processes.parent_watch import WATCH_INTERVAL_S

NAME = "sim-000003"


def _brute_force(query: np.ndarray, vectors: np.ndarray, k: int) -> list[int]:
    similarity = cosine_similarity(query, vectors)
    return sorted(range(len(vectors)), key=lambda row: (-similarity[row], row))[:k]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    num=st.integers(1, 200),
    dim=st.integers(1, 40),
    k=st.integers(1, 50),
    spread=st.sampled_from([1.0, 1e-3, 1e-7, 0.0]),
)
def test_exact_search_is_the_float64_order_also_among_near_ties(
    seed: int, num: int, dim: int, k: int, spread: float
) -> None:
    generator = np.random.default_rng(seed)
    centre = generator.standard_normal(dim) + 3
    vectors = (centre + spread * generator.standard_normal((num, dim))).astype(np.float32)
    vectors[num // 2] = vectors[0]  # a twin
    query = (centre + spread * generator.standard_normal(dim)).astype(np.float32)
    positions, similarity = search_exact(query, vectors, normalise(vectors), k=k)
    assert positions.tolist() == _brute_force(query, vectors, k)
    assert np.array_equal(similarity, cosine_similarity(query, vectors)[positions])
    again, _ = search_exact(query, vectors, normalise(vectors), k=k)
    assert np.array_equal(again, positions)


@pytest.mark.parametrize("share_allowed", [1.0, 0.3, 0.002])
def test_exact_search_among_many_vectors_with_few_allowed(share_allowed: float) -> None:
    generator = np.random.default_rng(1)
    vectors = generator.standard_normal((3000, 24)).astype(np.float32)
    vectors[1700], vectors[2100] = vectors[4], 3 * vectors[4]
    unit = normalise(vectors)
    is_allowed = generator.random(3000) < share_allowed
    is_allowed[[4, 1700, 2100]] = True
    for query in (vectors[4], generator.standard_normal(24).astype(np.float32)):
        similarity = np.where(is_allowed, cosine_similarity(query, vectors), -np.inf)
        count = min(20, int(is_allowed.sum()))
        expected = np.argsort(-similarity, kind="stable")[:count]
        positions, _ = search_exact(query, vectors, unit, k=20, is_allowed=is_allowed)
        assert positions.tolist() == expected.tolist()


@pytest.mark.parametrize(("num", "k"), [(3000, 10), (70, 10), (5, 10), (300, 1)])
def test_many_queries_get_what_each_gets_alone(num: int, k: int) -> None:
    generator = np.random.default_rng(2)
    vectors = generator.standard_normal((num, 24)).astype(np.float32)
    vectors[num // 2] = vectors[1]
    queries = np.concatenate([vectors[:3], generator.standard_normal((150, 24))]).astype(np.float32)
    unit = normalise(vectors)
    positions, similarities = search_exact_many(queries, vectors, unit, k=k)
    for row, query in enumerate(queries):
        alone = search_exact(query, vectors, unit, k=k)
        assert np.array_equal(positions[row], alone[0])
        assert np.array_equal(similarities[row], alone[1])
    assert search_exact_many(queries[:0], vectors, unit, k=k)[0].shape == (0, min(k, num))


def test_similarity_is_the_cosine_whatever_the_lengths() -> None:
    query = np.array([3.0, 4.0], np.float32)
    vectors = np.array([[6, 8], [-3, -4], [4, -3], [1e-18, 0], [1e18, 1e18]], np.float32)
    expected = [1.0, -1.0, 0.0, 0.6, 7 / (5 * np.sqrt(2))]
    assert np.allclose(cosine_similarity(query, vectors), expected, atol=1e-7)


def test_what_is_not_allowed_never_comes_back(cohort: Cohort) -> None:
    vectors = cohort.embeddings("align-1", "cmr").vectors
    is_allowed = np.zeros(60, bool)
    is_allowed[[5, 9, 50]] = True
    query = vectors[9]
    positions, similarity = search_exact(
        query, vectors, normalise(vectors), k=10, is_allowed=is_allowed
    )
    assert set(positions.tolist()) == {5, 9, 50}
    assert positions[0] == 9
    assert similarity[0] == pytest.approx(1.0, abs=1e-12)
    none = search_exact(query, vectors, normalise(vectors), k=3, is_allowed=np.zeros(60, bool))
    assert none[0].size == 0


@pytest.mark.parametrize("direction", ["ecg-cmr", "cmr-ecg", "ecg-ecg", "cmr-cmr"])
@pytest.mark.parametrize("space", ["projected", "pooled"])
def test_neighbours_of_a_patient_in_every_direction(
    cohort: Cohort, direction: str, space: str
) -> None:
    source, target = direction.split("-")
    queries = cohort.embeddings("align-1", source, space)
    candidates = cohort.embeddings("align-1", target, space)
    row = queries.patients.index(NAME)
    expected = [
        candidates.patients[index]
        for index in _brute_force(queries.vectors[row], candidates.vectors, 60)
        if candidates.patients[index] != NAME
    ][:10]
    nearest = cohort.neighbours(NAME, direction=direction, space=space)  # type: ignore[arg-type]
    assert [neighbour.patient for neighbour in nearest] == expected
    assert [neighbour.rank for neighbour in nearest] == list(range(1, 11))
    assert all(-1 <= neighbour.similarity <= 1 for neighbour in nearest)
    assert nearest[0].phenotypes["lvef_pct"] == cohort.patient(nearest[0].patient)["lvef_pct"]
    for _ in range(10):
        again = cohort.neighbours(NAME, direction=direction, space=space)  # type: ignore[arg-type]
        assert again == nearest


@pytest.mark.parametrize("exclude_self", [True, False])
def test_many_at_once_get_the_neighbours_of_one_after_another(
    cohort: Cohort, exclude_self: bool
) -> None:
    embeddings = cohort.embeddings(cohort.latest_run(), "ecg")
    people = list(dict.fromkeys(embeddings.patients))[:7]
    many = cohort.neighbours_of_many(people, k=5, exclude_self=exclude_self)
    for person, nearest in zip(people, many, strict=True):
        alone = cohort.neighbours(person, k=5, exclude_self=exclude_self)
        assert [(n.patient, n.visit, n.rank) for n in nearest] == [
            (n.patient, n.visit, n.rank) for n in alone
        ]
        assert [n.similarity for n in nearest] == pytest.approx([n.similarity for n in alone])
    by_vector = cohort.neighbours_of_many(embeddings.vectors[:3], k=5)
    alone = cohort.neighbours(embeddings.vectors[2], k=5)
    assert [(n.patient, n.visit) for n in by_vector[2]] == [(n.patient, n.visit) for n in alone]
    assert cohort.neighbours_of_many([], k=5) == []
    with pytest.raises(CohortError, match="1 of 2 query patients have no ecg embedding"):
        cohort.neighbours_of_many([people[0], "nobody"])


def test_neighbours_of_a_vector_with_itself_included(cohort: Cohort) -> None:
    vector = cohort.embeddings("align-1", "ecg").vectors[3]
    by_vector = cohort.neighbours(vector, k=60)
    by_patient = cohort.neighbours(NAME, k=60, exclude_self=False)
    assert by_vector == by_patient
    assert NAME in {neighbour.patient for neighbour in by_vector}
    same = cohort.neighbours(NAME, k=1, direction="ecg-ecg", exclude_self=False)
    assert same[0].patient == NAME
    assert same[0].similarity == pytest.approx(1.0, abs=1e-12)


def test_neighbours_may_have_to_meet_any_predicate(cohort: Cohort) -> None:
    everybody = cohort.neighbours(NAME, k=59)
    women = cohort.neighbours(NAME, k=5, where="sex = 'F' AND age_years < 70")
    expected = [
        neighbour.patient
        for neighbour in everybody
        if cohort.patient(neighbour.patient)["sex"] == "F"
        and cohort.patient(neighbour.patient)["age_years"] < 70
    ][:5]
    assert [neighbour.patient for neighbour in women] == expected
    assert [neighbour.rank for neighbour in women] == [1, 2, 3, 4, 5]
    assert cohort.neighbours(NAME, where="false") == []
    with pytest.raises(QueryError):
        cohort.neighbours(NAME, where="patient IN (SELECT * FROM read_text('/etc/passwd'))")


def test_knn_joins_in_the_same_statement_and_agrees(cohort: Cohort) -> None:
    nearest = cohort.neighbours(NAME, k=7)
    result = cohort.sql(
        f"SELECT n.patient, n.rank, n.similarity, o.lvef_pct FROM knn('{NAME}', 7) n "
        "JOIN overview o USING (patient, visit) ORDER BY n.rank"
    )
    assert result.rows == tuple(
        (neighbour.patient, neighbour.rank, neighbour.similarity, neighbour.phenotypes["lvef_pct"])
        for neighbour in nearest
    )
    both = cohort.sql(
        f"SELECT count(*) FROM knn('{NAME}', 7) a JOIN knn('{NAME}', 7, 'cmr-ecg') b "
        "USING (patient)"
    )
    backward = {
        neighbour.patient for neighbour in cohort.neighbours(NAME, k=7, direction="cmr-ecg")
    }
    assert both.rows == ((len(backward & {neighbour.patient for neighbour in nearest}),),)


@pytest.mark.parametrize("k", [0, -1, 10_001, 2.5, "3", None, True])
def test_bad_numbers_of_neighbours_are_refused(cohort: Cohort, k: object) -> None:
    with pytest.raises(QueryError, match="k: expected"):
        cohort.neighbours(NAME, k=k)  # type: ignore[arg-type]


def test_unknown_patients_runs_and_directions_are_refused_without_a_name(cohort: Cohort) -> None:
    with pytest.raises(CohortError, match="no ecg embedding") as caught:
        cohort.neighbours("sim-987654")
    assert "987654" not in str(caught.value)
    with pytest.raises(CohortError, match="no embeddings of cmr"):
        cohort.neighbours(NAME, run="other")
    with pytest.raises(QueryError, match="direction"):
        cohort.neighbours(NAME, direction="up")  # type: ignore[arg-type]


_GOOD = np.ones((4, 24), np.float32)


def _with(value: float) -> np.ndarray:
    vectors = _GOOD.copy()
    vectors[2, 5] = value
    return vectors


BAD_VECTORS = [
    _with(np.nan),
    _with(np.inf),
    _with(-np.inf),
    np.zeros((4, 24), np.float32),
    np.full((4, 24), 1e39),
    np.full((4, 24), 1e-50),
    np.ones((4, 24), np.int64),
    np.ones((4, 24), bool),
    np.ones((4, 24), np.complex64),
    np.array([["a"] * 24] * 4),
    np.array([[None] * 24] * 4),
    np.ones(24, np.float32),
    np.ones((4, 2, 12), np.float32),
    np.ones((4, 0), np.float32),
    [[1.0] * 24] * 4,
    "vectors",
    None,
]


@pytest.mark.parametrize("vectors", BAD_VECTORS, ids=range(len(BAD_VECTORS)))
def test_bad_vectors_are_refused_on_writing(cohort_path: Path, vectors: object) -> None:
    with (
        pytest.raises(CohortError, match="embeddings of ecg"),
        Cohort.write(cohort_path, purpose="bad") as writer,
    ):
        names = ["a", "b", "c", "d"]
        writer.put_embeddings("align-1", "ecg", "projected", names, [0] * 4, vectors)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "vector",
    [case[0] for case in BAD_VECTORS[:4]]
    + [np.ones(23, np.float32), np.ones((1, 24), np.float32), np.ones(24, int), [1.0] * 24, b"x"],
    ids=range(9),
)
def test_bad_query_vectors_are_refused(cohort: Cohort, vector: object) -> None:
    if isinstance(vector, np.ndarray) and vector.dtype == np.float32 and vector.shape == (24,):
        vector = vector.copy()
        vector[0] = 0.0 if not vector.any() else np.nan
    with pytest.raises(CohortError, match=r"query vector|query patient"):
        cohort.neighbours(vector)  # type: ignore[arg-type]


def test_writing_embeddings_checks_what_goes_with_them(cohort_path: Path) -> None:
    cases = [
        (("none", "ecg", "projected", ["a"], [0], np.ones((1, 24), np.float32)), "put_run first"),
        (("align-1", "mri", "projected", ["a"], [0], np.ones((1, 24), np.float32)), "modality"),
        (("align-1", "ecg", "raw", ["a"], [0], np.ones((1, 24), np.float32)), "space"),
        (("align-1", "ecg", "projected", ["a"], [0, 1], np.ones((1, 24), np.float32)), "as many"),
        (("align-1", "ecg", "projected", ["a", "a"], [0, 0], np.ones((2, 24), "f4")), "once"),
        (("align-1", "ecg", "projected", ["a"], [0], np.ones((1, 25), np.float32)), "width 24"),
    ]
    for arguments, expected in cases:
        with (
            pytest.raises(CohortError, match=expected),
            Cohort.write(cohort_path, purpose="bad") as writer,
        ):
            writer.put_embeddings(*arguments)


def test_fingerprints_tell_sets_apart() -> None:
    vectors = check_vectors(np.ones((2, 3)))
    first = compute_fingerprint(["a", "b"], [0, 0], vectors)
    assert first == compute_fingerprint(["a", "b"], [0, 0], vectors.copy())
    assert first != compute_fingerprint(["a", "b"], [0, 1], vectors)
    assert first != compute_fingerprint(["a", "c"], [0, 0], vectors)
    assert first != compute_fingerprint(["a", "b"], [0, 0], vectors * np.float32(1.0000001))


@pytest.fixture(scope="session")
def clustered_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hnswlib")
    return make_clustered(tmp_path_factory.mktemp("clusters") / "clustered")


@pytest.fixture
def clustered(clustered_template: Path, tmp_path: Path) -> Path:
    """A clustered cohort of this test alone."""
    return Path(shutil.copytree(clustered_template, tmp_path / "clustered"))


def make_clustered(path: Path) -> Path:
    """2,000 people whose embeddings lie in clusters, as those of hearts do."""
    Cohort.create(path, name="c", source="simulated", preprocessing_hash="x").close()
    generator = np.random.default_rng(5)
    names = [f"sim-{row:06d}" for row in range(2_000)]
    centres = generator.standard_normal((40, 32))
    with Cohort.write(path, purpose="fill") as writer:
        sexes = ["F", "M"] * 1_000
        writer.put_patients(pa.table({"patient": names, "sex": sexes}))
        writer.put_run("r", kind="align", config={})
        for modality in ("ecg", "cmr"):
            noise = generator.standard_normal((2_000, 32))
            vectors = (centres[generator.integers(0, 40, 2_000)] + noise).astype(np.float32)
            writer.put_embeddings("r", modality, "projected", names, [0] * 2_000, vectors)
    return path


def test_the_index_reaches_its_recall_and_filters_hold(clustered: Path) -> None:
    with Cohort.open(clustered) as cohort:
        entry = cohort.build_index("r", "cmr")
        assert entry.recall_at_10 >= 0.99
        shared = 0
        for row in range(0, 2_000, 100):
            name = f"sim-{row:06d}"
            exact = cohort.neighbours(name, k=10, method="exact")
            by_index = cohort.neighbours(name, k=10, method="index")
            shared += len(
                {neighbour.patient for neighbour in exact}
                & {neighbour.patient for neighbour in by_index}
            )
            assert name not in {neighbour.patient for neighbour in by_index}
        assert shared / 200 >= 0.99
        women = cohort.neighbours("sim-000000", k=10, method="index", where="sex = 'F'")
        exact = cohort.neighbours("sim-000000", k=10, method="exact", where="sex = 'F'")
        assert women == exact


def test_a_stale_index_is_not_used_and_is_built_anew(clustered: Path) -> None:
    with Cohort.open(clustered) as cohort:
        first = cohort.build_index("r", "cmr")
    with Cohort.write(clustered, purpose="embed") as writer:
        writer.put_embeddings("r", "cmr", "projected", ["zz-new"], [0], np.ones((1, 32), "f4"))
    with Cohort.open(clustered) as cohort:
        near = cohort.neighbours(np.ones(32, np.float32), k=1, method="index")
        assert near[0].patient == "zz-new"
        files = [file.name for file in (clustered / "index").glob("*.hnsw")]
        assert len(files) == 1
        assert files != [first.file]


def _damage_index(folder: Path, generator: random.Random, *, agree: bool) -> None:
    """Damage the index file; with `agree`, make the manifest name the damaged bytes."""
    from ptacl_core.safety.files.checksum import compute_sha256

    file = next(folder.glob("*.hnsw"))
    data = bytearray(file.read_bytes())
    kind = generator.randrange(5)
    if kind == 0:
        del data[generator.randrange(len(data)) :]
    elif kind == 1:
        for _ in range(generator.randint(1, 20)):
            data[generator.randrange(len(data))] ^= 0xFF
    elif kind == 2:
        data[: generator.randrange(1, 96)] = generator.randbytes(generator.randrange(1, 96))
    elif kind == 3:
        data = bytearray(generator.randbytes(len(data)))
    else:
        start = generator.randrange(len(data))
        data[start : start + 4096] = bytes(len(data[start : start + 4096]))
    file.write_bytes(data)
    if agree:
        manifest = folder / "manifest.json"
        document = json.loads(manifest.read_text())
        document["indexes"][0]["sha256"] = compute_sha256(file)
        manifest.write_text(json.dumps(document))


def _search_damaged(path: Path, *, num_files: int, seed: int) -> None:
    generator = random.Random(seed)
    with Cohort.open(path) as cohort:
        exact = {
            row: {neighbour.patient for neighbour in cohort.neighbours(f"sim-{row:06d}", k=10)}
            for row in range(0, 2_000, 400)
        }
        cohort.build_index("r", "cmr")
    whole = {file: file.read_bytes() for file in (path / "index").iterdir() if file.is_file()}
    for number in range(num_files):
        for file in (path / "index").glob("*.hnsw"):
            file.unlink()
        for file, data in whole.items():
            file.write_bytes(data)
        _damage_index(path / "index", generator, agree=number % 4 == 0)
        with Cohort.open(path) as cohort:
            for row, expected in exact.items():
                nearest = cohort.neighbours(f"sim-{row:06d}", k=10, method="index")
                shared = len({neighbour.patient for neighbour in nearest} & expected)
                assert shared >= 9, f"file {number}: {shared} of 10"


def test_a_damaged_index_neither_kills_nor_answers_wrongly(clustered: Path) -> None:
    _search_damaged(clustered, num_files=4, seed=1)


@pytest.mark.slow
def test_many_damaged_indexes_neither_kill_nor_answer_wrongly(clustered: Path) -> None:
    _search_damaged(clustered, num_files=60, seed=2)  # 500: scripts/checks/store_goals.py


_BUILD_FOREVER = """
import sys
from ptacl_core.cohort import Cohort, store
with Cohort.open(sys.argv[1]) as cohort:
    print("ready", flush=True)
    while True:
        cohort.build_index("r", "cmr")
        print("built", flush=True)
"""


def kill_index_builders(path: Path, *, num_kills: int, seed: int) -> None:
    """kill -9 while indexes are built: search stays right, and `verify` finds nothing wrong."""
    generator = random.Random(seed)
    with Cohort.open(path) as cohort:
        exact = [neighbour.patient for neighbour in cohort.neighbours("sim-000400", k=10)]
    for number in range(num_kills):
        with subprocess.Popen(
            [sys.executable, "-P", "-c", _BUILD_FOREVER, str(path)], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(generator.uniform(0, 1.5))
            process.kill()
        time.sleep(3 * WATCH_INTERVAL_S)  # what it had started ends as well
        verification = verify_cohort(path, repair=True)
        assert verification.is_whole, (number, verification.defects)
        with Cohort.open(path) as cohort:
            nearest = [
                neighbour.patient
                for neighbour in cohort.neighbours("sim-000400", k=10, method="index")
            ]
        assert len(set(nearest) & set(exact)) >= 9, number
    assert not list((path / "index").glob(".*.tmp"))


def test_a_killed_build_of_an_index_leaves_search_right(clustered: Path) -> None:
    (clustered / "shards").mkdir(exist_ok=True, mode=0o700)
    kill_index_builders(clustered, num_kills=2, seed=3)


def test_a_damaged_manifest_of_the_index_counts_as_none(clustered: Path) -> None:
    with Cohort.open(clustered) as cohort:
        cohort.build_index("r", "cmr")
        expected = cohort.neighbours("sim-000000", k=5)
    for text in ("{", '{"kind": "ptacl-neighbour-index"}'):
        (clustered / "index" / "manifest.json").write_text(text)
        with Cohort.open(clustered) as cohort:
            assert cohort.neighbours("sim-000000", k=5, method="index") == expected


def test_a_predicate_may_ask_for_neighbours_itself_and_nothing_waits_for_itself(
    cohort: Cohort,
) -> None:
    near = {neighbour.patient for neighbour in cohort.neighbours("sim-000003", k=8)}
    predicate = "patient IN (SELECT patient FROM knn('sim-000003', 8))"
    nearest = cohort.neighbours("sim-000001", k=5, where=predicate)
    assert len(nearest) == 5
    assert {neighbour.patient for neighbour in nearest} <= near
    rows = cohort.sql(
        "SELECT count(*) FROM knn('sim-000001', 5) a JOIN knn('sim-000002', 5) b USING (visit)"
    ).rows
    assert rows == ((25,),)


def test_queries_and_search_know_the_open_store_and_not_the_cohort() -> None:
    package = Path(store.__file__).parent
    for folder in ("queries", "search", "sql"):
        for file in sorted((package / folder).glob("*.py")):
            assert "cohort.store" not in file.read_text(), f"{folder}/{file.name}"
