"""Parts of an embedding: what is written comes back, and what does not fit is refused."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ptacl_core.cohort.erasure.derived_files import clean_derived_files
from ptacl_core.cohort.layout import CohortLayout
from ptacl_core.embedding.cohort_features import combine_features, join_features, no_features
from ptacl_core.embedding.encoding import Features
from ptacl_core.embedding.part_files import Part, PartOrigin, hash_cohort, load_part, save_part
from ptacl_core.errors import CohortError, ConfigError

ORIGIN = PartOrigin("run", "a" * 64, "b" * 64)
PATIENTS = [f"P{row}" for row in range(9)]


def features_of(count: int, *, seed: int = 0, steps: int = 13) -> Features:
    random = np.random.default_rng(seed)

    def draw(*shape: int) -> np.ndarray:
        return random.standard_normal(shape).astype(np.float32)

    is_valid = np.arange(count) % 2 == 0
    return Features(draw(count, 6), draw(count, 4), draw(count, steps, 6), is_valid)


@pytest.fixture
def part():
    """ECGs of rows 0, 2, 3, 5; cines of 2, 4, 5: rows 2 and 5 have both, 2 has no beat."""
    return combine_features(
        np.array([0, 2, 3, 5]), features_of(4), np.array([2, 4, 5]), features_of(3, seed=1)
    )


def assert_equal(left, right):
    for name in ("ecg_rows", "cmr_rows", "pair_rows", "similarity"):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name), err_msg=name)
    for modality in ("ecg", "cmr"):
        for name in ("pooled", "projected"):
            np.testing.assert_array_equal(
                getattr(getattr(left, modality), name), getattr(getattr(right, modality), name)
            )
    np.testing.assert_array_equal(left.ecg.is_step_valid, right.ecg.is_step_valid)


def test_similarity_is_the_cosine_of_steps_of_pairs_with_a_beat():
    ecg, cmr = features_of(3), features_of(3, seed=1)
    rows = np.array([4, 6, 7])
    combined = combine_features(rows, ecg, rows, cmr)
    np.testing.assert_array_equal(combined.pair_rows, [4, 7])
    assert ecg.steps is not None
    assert cmr.steps is not None
    first, second = ecg.steps[2, 5], cmr.steps[2, 9]
    cosine = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
    assert combined.similarity[1, 5, 9] == pytest.approx(cosine, abs=1e-6)
    assert combined.ecg.steps is None


def test_a_cine_encoder_without_steps_gives_no_similarity():
    rows = np.arange(3)
    combined = combine_features(rows, features_of(3), rows, features_of(3, steps=1))
    assert len(combined.pair_rows) == len(combined.similarity) == 0


def test_a_part_comes_back_as_it_was(tmp_path, part):
    np.testing.assert_array_equal(part.pair_rows, [])
    with_pairs = combine_features(
        np.array([0, 2, 3, 5]), features_of(4, seed=2), np.array([0, 3, 5]), features_of(3, seed=3)
    )
    np.testing.assert_array_equal(with_pairs.pair_rows, [0, 3])
    for features in (part, with_pairs):
        save_part(tmp_path / "p.parquet", features, ORIGIN, PATIENTS)
        assert_equal(load_part(tmp_path / "p.parquet", ORIGIN), features)
    assert (tmp_path / "p.parquet").stat().st_mode & 0o077 == 0


def test_an_empty_part_comes_back_empty(tmp_path):
    none = np.empty(0, np.int64)
    empty = combine_features(none, no_features(6, 4), none, no_features(6, 4))
    save_part(tmp_path / "p.parquet", empty, ORIGIN, PATIENTS)
    loaded = load_part(tmp_path / "p.parquet", ORIGIN)
    assert len(loaded.ecg_rows) == len(loaded.cmr_rows) == 0
    assert loaded.ecg.pooled.shape == (0, 6)
    assert loaded.cmr.projected is not None
    assert loaded.cmr.projected.shape == (0, 4)


def test_parts_join_in_the_order_of_the_manifest(part):
    later = combine_features(
        np.array([6, 8]), features_of(2, seed=2), np.array([6, 7]), features_of(2, seed=3)
    )
    joined = join_features([later, part])
    np.testing.assert_array_equal(joined.ecg_rows, [0, 2, 3, 5, 6, 8])
    np.testing.assert_array_equal(joined.ecg.pooled[:4], part.ecg.pooled)
    assert joined.cmr.projected is not None
    np.testing.assert_array_equal(joined.cmr.projected[3:], later.cmr.projected)
    np.testing.assert_array_equal(joined.pair_rows, [6])


@pytest.mark.parametrize("field", ["run", "checkpoint_sha256", "cohort_sha256"])
def test_a_part_of_something_else_is_refused(tmp_path, part, field):
    save_part(tmp_path / "p.parquet", part, ORIGIN, PATIENTS)
    other = PartOrigin(**{name: "c" if name == field else getattr(ORIGIN, name) for name in
                          ("run", "checkpoint_sha256", "cohort_sha256")})  # fmt: skip
    with pytest.raises(CohortError, match=f"another {field.removesuffix('_sha256')}"):
        load_part(tmp_path / "p.parquet", other)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9, 0.999])
def test_a_damaged_part_is_named(tmp_path, part, share):
    path = tmp_path / "p.parquet"
    save_part(path, part, ORIGIN, PATIENTS)
    whole = path.read_bytes()
    for data in (whole[: int(len(whole) * share)], b""):
        path.write_bytes(data)
        with pytest.raises(CohortError, match=r"p\.parquet"):
            load_part(path, ORIGIN)


def test_a_parquet_file_of_others_is_refused(tmp_path):
    pq.write_table(pa.table({"a": [1]}), tmp_path / "p.parquet")
    with pytest.raises(CohortError, match="not part of an embedding"):
        load_part(tmp_path / "p.parquet", ORIGIN)


def test_parts_go_when_a_person_is_erased(tmp_path, part):
    path = tmp_path / "runs" / "run" / "embedding-parts" / "p.parquet"
    save_part(path, part, ORIGIN, PATIENTS)
    clean_derived_files(CohortLayout(tmp_path), ["P2"])
    assert not path.exists()  # a part is a row per patient: the next call makes it again


def test_another_row_of_the_manifest_is_another_cohort():
    columns = ("patient", "visit", "shard", "ecg_row", "cine_row", "ecg_sha256", "cmr_sha256")
    one = pa.table({name: [f"{name}-0", f"{name}-1"] for name in columns})
    assert hash_cohort(one) == hash_cohort(one.take([0, 1]))
    assert len({hash_cohort(table) for table in (one, one.take([1, 0]), one.take([0]))}) == 3


@pytest.mark.parametrize("text", ["0/4", "5/4", "1", "a/b", "1/0", "-1/4", "1/100000", "1/4/2"])
def test_a_shard_that_is_none_is_shown(text):
    with pytest.raises(ConfigError, match="i/n"):
        Part.parse(text)


def test_parts_cover_everything_once():
    for num_items in (0, 1, 5, 64, 100):
        for count in (1, 3, 7):
            taken = [list(Part(index, count).take(num_items)) for index in range(1, count + 1)]
            assert sum(taken, []) == list(range(num_items))  # noqa: RUF017  short lists
            assert max(map(len, taken)) - min(map(len, taken)) <= 1
