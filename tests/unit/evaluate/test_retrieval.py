import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptacl_core.evaluate import (
    EvaluationError,
    expected_precision,
    own_pair_ranks,
    pair_recall,
    ranking,
    retrieval_metrics,
    retrieve,
)
from ptacl_core.records import PHENOTYPE_NAMES


def slow_retrieval(queries, database, values, *, ks, tolerance_sd=0.5, exclude_self=False):
    """Table 1 for one phenotype as loops: rank, match, count."""
    present = [i for i in range(len(values)) if not np.isnan(values[i])]
    sd = np.std([values[i] for i in present])
    precision = {k: [] for k in ks}
    first_ranks, random = [], []
    for i in present:
        candidates = [j for j in present if not (exclude_self and j == i)]
        similarity = {}
        for j in candidates:
            product = float(np.dot(queries[i], database[j]))
            lengths = float(np.linalg.norm(queries[i]) * np.linalg.norm(database[j]))
            similarity[j] = round(product / lengths, 12)
        order = sorted(candidates, key=lambda j: (-similarity[j], j))
        is_match = [abs(values[j] - values[i]) <= tolerance_sd * sd for j in order]
        for k in ks:
            precision[k].append(sum(is_match[:k]) / min(k, len(order)))
        first_ranks.append(is_match.index(True) + 1 if any(is_match) else len(present))
        random.append(sum(is_match) / len(order))
    row = {f"p_at_{k}": np.mean(precision[k]) for k in ks}
    row["mean_rank"], row["median_rank"] = np.mean(first_ranks), np.median(first_ranks)
    row["random_p_at_1"] = row["random_p_at_10"] = np.mean(random)
    return row


def draw(seed, *, num=40, dim=5, num_targets=3, missing=0.0, coarse=False):
    generator = np.random.default_rng(seed)
    queries = generator.normal(size=(num, dim))
    database = generator.normal(size=(num, dim))
    values = generator.normal(size=(num, num_targets))
    if coarse:  # ties in similarity and in phenotype
        queries, database = np.round(queries) + 0.5, np.round(database) + 0.5
        values = np.round(values)
    values[generator.random(values.shape) < missing] = np.nan
    return queries, database, values


@pytest.mark.parametrize("exclude_self", [False, True])
@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("coarse", [False, True])
def test_equals_the_slow_version(exclude_self, missing, coarse):
    ks = (1, 3, 5, 10, 15)
    for seed in range(4):
        queries, database, values = draw(seed, missing=missing, coarse=coarse)
        got = retrieval_metrics(queries, database, values, ks=ks, exclude_self=exclude_self)
        assert list(got) == list(PHENOTYPE_NAMES[:3])
        for column, name in enumerate(got):
            expected = slow_retrieval(
                queries, database, values[:, column], ks=ks, exclude_self=exclude_self
            )
            assert got[name] == pytest.approx(expected, abs=1e-12), (seed, name)


def test_equals_the_slow_version_beyond_the_prepared_depth(monkeypatch):
    # Over 64 candidates, first matches deep in the list, several chunks of queries.
    monkeypatch.setattr(ranking, "_CHUNK_BYTES", 8 * 150 * 17)
    for seed in range(3):
        queries, database, values = draw(seed, num=150, num_targets=2, missing=0.1)
        values = values**3 * 10  # outliers without a neighbour
        for exclude_self in (False, True):
            arguments = {"ks": (1, 70), "tolerance_sd": 0.02, "exclude_self": exclude_self}
            got = retrieval_metrics(queries, database, values, **arguments)
            for column, name in enumerate(got):
                expected = slow_retrieval(queries, database, values[:, column], **arguments)
                assert got[name] == pytest.approx(expected, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), num=st.integers(2, 25), tolerance=st.floats(0.0, 2.0))
def test_laws(seed, num, tolerance):
    queries, database, values = draw(seed, num=num, num_targets=1)
    included = retrieve(queries, database, values, tolerance_sd=tolerance)
    for result in included.values():
        assert ((result.precision >= 0) & (result.precision <= 1)).all()
        assert ((result.first_match_rank >= 1) & (result.first_match_rank <= num)).all()
        assert result.has_match.all()  # the own recording always matches
        assert (result.precision[:, 0] == (result.first_match_rank == 1)).all()
    excluded = retrieve(queries, database, values, tolerance_sd=tolerance, exclude_self=True)
    for name, result in excluded.items():
        assert (result.first_match_rank[~result.has_match] == num).all()
        assert result.num_candidates == num - 1
        gained = included[name].first_match_rank <= result.first_match_rank + 1
        assert gained.all()


def test_scale_rotation_and_patient_order_change_nothing():
    queries, database, values = draw(1, num=60)
    expected = retrieval_metrics(queries, database, values)
    generator = np.random.default_rng(0)
    rotation = np.linalg.qr(generator.normal(size=(5, 5)))[0]
    rotated = retrieval_metrics(7 * queries @ rotation, 0.01 * database @ rotation, values)
    order = generator.permutation(60)
    shuffled = retrieval_metrics(queries[order], database[order], values[order])
    moved = retrieval_metrics(queries, database, 3 * values + 100)
    for name in expected:
        assert rotated[name] == pytest.approx(expected[name])
        assert shuffled[name] == pytest.approx(expected[name])
        assert moved[name] == pytest.approx(expected[name])


def test_ties_are_resolved_by_index():
    database = np.array([[1.0, 0.0], [2.0, 0.0], [0.5, 0.0], [0.0, 1.0]])
    queries = np.tile([3.0, 0.0], (4, 1))
    ranks = own_pair_ranks(queries, database)
    np.testing.assert_array_equal(ranks, [1, 2, 3, 4])


def test_random_embeddings_have_the_gaussian_precision_and_the_closed_form():
    # 2 Phi(0.5 / sqrt 2) - 1 = 0.2763 for a Gaussian phenotype.
    generator = np.random.default_rng(3)
    num = 4000
    values = generator.normal(size=(num, 2))
    retrieved = retrieve(
        generator.normal(size=(num, 8)),
        generator.normal(size=(num, 8)),
        values,
        exclude_self=True,
    )
    for result in retrieved.values():
        # Precision at 10 averages 40,000 dependent draws.
        assert result.precision[:, 3].mean() == pytest.approx(0.2763, abs=0.012)
        assert result.random_precision.mean() == pytest.approx(0.2763, abs=0.012)
        assert result.precision[:, 3].mean() == pytest.approx(
            result.random_precision.mean(), abs=0.01
        )
        assert np.median(result.first_match_rank) == pytest.approx(3, abs=1)


def test_the_closed_form_itself():
    assert expected_precision(0.0, 0.0) == pytest.approx(0.2763, abs=5e-5)
    assert expected_precision(-0.2, 0.0) == expected_precision(0.0, 0.0)
    assert expected_precision(1.0, 1.0) == 1.0
    np.testing.assert_allclose(
        expected_precision(np.array([0.616]), np.array([0.824])), [0.496], atol=0.002
    )


def test_monte_carlo_random_precision_is_centred_on_the_exact_one():
    queries, database, values = draw(4, num=200, num_targets=1)
    result = retrieve(queries, database, values)[PHENOTYPE_NAMES[0]]
    generator = np.random.default_rng(0)
    exact = result.random_precision.mean()
    for k in (1, 10):
        draws = [result.draw_random_precision(k, generator) for _ in range(300)]
        assert np.mean(draws) == pytest.approx(exact, abs=5 * np.std(draws) / np.sqrt(300))
        assert np.std(draws) > 0
    again = retrieval_metrics(queries, database, values, generator=np.random.default_rng(5))
    twin = retrieval_metrics(queries, database, values, generator=np.random.default_rng(5))
    assert again == twin


def test_a_perfect_space_finds_the_patient_itself():
    generator = np.random.default_rng(5)
    space = generator.normal(size=(100, 16))
    row = pair_recall(space, space)
    assert row == {
        "recall_at_1": 1.0,
        "recall_at_5": 1.0,
        "recall_at_10": 1.0,
        "median_rank": 1.0,
        "mean_rank": 1.0,
    }
    metrics = retrieval_metrics(space, space, generator.normal(size=(100, 1)))
    assert metrics["lvedv_ml"]["p_at_1"] == 1.0
    assert metrics["lvedv_ml"]["mean_rank"] == 1.0


def test_pair_ranks_equal_the_slow_version():
    queries, database, _ = draw(6, num=70, coarse=True)
    ranks = own_pair_ranks(queries, database)
    cosine = queries @ database.T
    cosine /= np.linalg.norm(queries, axis=1)[:, None] * np.linalg.norm(database, axis=1)
    cosine = np.round(cosine, 12)
    for i in range(70):
        order = sorted(range(70), key=lambda j: (-cosine[i, j], j))
        assert ranks[i] == order.index(i) + 1


def test_queries_may_be_a_part_of_the_patients():
    queries, database, values = draw(7, num=50, num_targets=2, missing=0.1)
    whole = retrieve(queries, database, values)
    chosen = np.array([3, 41, 17, 8])
    part = retrieve(queries[chosen], database, values, query_indices=chosen)
    for name, result in part.items():
        for row, patient in enumerate(result.query_indices):
            position = int(np.flatnonzero(whole[name].query_indices == patient)[0])
            np.testing.assert_array_equal(result.precision[row], whole[name].precision[position])
            assert result.first_match_rank[row] == whole[name].first_match_rank[position]


def test_tail_patients_drive_the_mean_rank():
    queries, database, values = draw(11, num=400, num_targets=1)
    result = retrieve(queries, database, values)[PHENOTYPE_NAMES[0]]
    np.testing.assert_array_equal(result.query_values, values[result.query_indices, 0])
    deciles = result.mean_rank_by_decile()
    assert deciles.mean() == pytest.approx(result.first_match_rank.mean())
    assert min(deciles[0], deciles[9]) > deciles[3:7].mean()
    ranks = np.sort(result.first_match_rank)
    assert result.trimmed_mean_rank(0.05) == pytest.approx(ranks[:380].mean())
    assert result.trimmed_mean_rank(0.0) == pytest.approx(ranks.mean())


def test_phenotypes_by_name():
    queries, database, values = draw(8, num_targets=2)
    by_column = retrieval_metrics(queries, database, values)
    by_name = retrieval_metrics(
        queries, database, {"lvesv_ml": values[:, 1], "lvedv_ml": values[:, 0]}
    )
    assert list(by_name) == ["lvesv_ml", "lvedv_ml"]
    assert by_name == by_column


def test_what_cannot_be_judged_is_absent():
    queries, database, values = draw(9, num_targets=4)
    values[:, 1] = np.nan
    values[:, 2] = 7.0
    values[1:, 3] = np.nan
    metrics = retrieval_metrics(queries, database, values)
    assert list(metrics) == ["lvedv_ml"]
    assert all(np.isfinite(list(metrics["lvedv_ml"].values())))


def test_two_patients_and_large_k():
    space = np.eye(2)
    row = retrieval_metrics(space, space, np.array([[0.0], [10.0]]))["lvedv_ml"]
    assert row["p_at_1"] == 1.0
    assert row["p_at_15"] == 0.5
    row = retrieval_metrics(space, space, np.array([[0.0], [10.0]]), exclude_self=True)["lvedv_ml"]
    assert row["p_at_15"] == 0.0
    assert row["mean_rank"] == 2.0


@pytest.mark.usefixtures("unchecked_shapes")
def test_bad_inputs_are_named():
    queries, database, values = draw(10)
    with pytest.raises(EvaluationError, match="39 queries and 40 patients"):
        retrieval_metrics(queries[:-1], database, values)
    with pytest.raises(EvaluationError, match="5 dimensions, the database 4"):
        retrieval_metrics(queries, database[:, :4], values)
    with pytest.raises(EvaluationError, match="row 2 is all zeros"):
        zeroed = database.copy()
        zeroed[2] = 0
        retrieval_metrics(queries, zeroed, values)
    with pytest.raises(EvaluationError, match="query_features: 1 of 40 rows hold NaN"):
        broken = queries.copy()
        broken[4, 0] = np.nan
        retrieval_metrics(broken, database, values)
    with pytest.raises(EvaluationError, match="ks must be positive"):
        retrieval_metrics(queries, database, values, ks=(0, 1))
    with pytest.raises(EvaluationError, match=r"rows of 0\.\.39"):
        retrieval_metrics(queries[:1], database, values, query_indices=np.array([40]))
    with pytest.raises(EvaluationError, match="11 columns, but 10 names"):
        retrieval_metrics(queries, database, np.zeros((40, 11)))


def test_all_visits_of_a_person_leave_the_candidates_together():
    rng = np.random.default_rng(9)
    space = rng.normal(size=(30, 6))
    values = rng.normal(size=(30, 1))
    twice, labels = np.concatenate([space, space]), np.concatenate([values, values])
    person = np.tile(np.arange(30), 2)
    name = PHENOTYPE_NAMES[0]
    seen = retrieve(twice, twice, labels, exclude_self=True)[name]
    assert seen.precision[:, 0].min() == 1.0  # the other visit is found, and matches itself
    apart = retrieve(twice, twice, labels, exclude_self=True, person=person)[name]
    once = retrieve(space, space, values, exclude_self=True)[name]
    np.testing.assert_array_equal(apart.precision[:30, 0], once.precision[:, 0])
    np.testing.assert_allclose(apart.random_precision[:30], once.random_precision)
    assert apart.num_candidates == 58
    ranks = own_pair_ranks(twice, twice[::-1][::-1], person=person)
    assert ranks.tolist() == [1] * 60
