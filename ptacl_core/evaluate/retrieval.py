"""Retrieval of patients with similar hearts: Table 1 of the paper (method.md §7).

Query i is an ECG embedding, the database all CMR embeddings of the test set, the order cosine
similarity, ties by database index. Candidate j matches on a phenotype when
|y_j - y_i| <= tolerance_sd * SD of the phenotype over the database.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ptacl_core.arrays import Array, Bool, Float64, Int64
from ptacl_core.evaluate.labels import EvaluationError, as_features, as_targets, why_undefined
from ptacl_core.evaluate.ranking import TopRanks, rank_database, unit_length
from ptacl_core.records import PHENOTYPE_NAMES

DEFAULT_KS = (1, 3, 5, 10, 15)


@dataclass(frozen=True, slots=True, eq=False)
class PhenotypeRetrieval:
    """Retrieval on one phenotype, query by query, for intervals and subgroups.

    `query_indices` are the database rows of the queries that have the phenotype; `precision`
    their precision at each of `ks`, `first_match_rank` 1-based (the number of patients N where
    nothing matches), `random_precision` the share of all candidates that match, which is the
    expectation for a random order at every k, `query_values` the queries' own phenotype.
    """

    name: str
    ks: tuple[int, ...]
    num_patients: int
    phenotype_sd: float
    query_indices: Int64[Array, " query"]
    precision: Float64[Array, "query k"]
    first_match_rank: Int64[Array, " query"]
    has_match: Bool[Array, " query"]
    random_precision: Float64[Array, " query"]
    query_values: Float64[Array, " query"]
    num_excluded: int = 0

    def summary(self, generator: np.random.Generator | None = None) -> dict[str, float]:
        """The row of Table 1. Random precision is exact, or drawn when a generator is given."""
        row = {f"p_at_{k}": float(self.precision[:, i].mean()) for i, k in enumerate(self.ks)}
        row["mean_rank"] = float(self.first_match_rank.mean())
        row["median_rank"] = float(np.median(self.first_match_rank))
        for k in (1, 10):
            row[f"random_p_at_{k}"] = self.draw_random_precision(k, generator)
        return row

    def trimmed_mean_rank(self, share: float = 0.05) -> float:
        """Mean rank of the first match without the `share` of queries with the highest ranks.

        Patients in the tails of a phenotype have few matches and drive the plain mean.
        """
        kept = len(self.first_match_rank) - int(share * len(self.first_match_rank))
        return float(np.sort(self.first_match_rank)[:kept].mean())

    def mean_rank_by_decile(self) -> Float64[Array, "10"]:
        """Mean rank of the first match in each tenth of the queries, by phenotype; NaN if empty."""
        order = np.argsort(self.query_values, kind="stable")
        parts = np.array_split(self.first_match_rank[order], 10)
        return np.array([part.mean() if part.size else np.nan for part in parts])

    def draw_random_precision(self, k: int, generator: np.random.Generator | None) -> float:
        """Precision at k of a random order: its expectation, or one Monte-Carlo draw of it."""
        if generator is None:
            return float(self.random_precision.mean())
        # Matches among k drawn without replacement are hypergeometric.
        num_candidates = self.num_candidates
        num_drawn = min(k, num_candidates)
        matching = np.rint(self.random_precision * num_candidates).astype(np.int64)
        drawn = generator.hypergeometric(matching, num_candidates - matching, num_drawn)
        return float(drawn.mean() / num_drawn)

    @property
    def num_candidates(self) -> int:
        """Candidates of each query: the patients, without the query's own when excluded."""
        return self.num_patients - self.num_excluded


def retrieval_metrics(
    query_features: Float[Array, "query dim"],
    database_features: Float[Array, "patient dim"],
    phenotypes: Float[Array, "patient target"] | Mapping[str, Float[Array, " patient"]],
    *,
    ks: Sequence[int] = DEFAULT_KS,
    tolerance_sd: float = 0.5,
    exclude_self: bool = False,
    query_indices: Int64[Array, " query"] | None = None,
    generator: np.random.Generator | None = None,
) -> dict[str, dict[str, float]]:
    """Precision at k and the mean and median rank of the first match, per phenotype.

    Keys per phenotype: `p_at_<k>` for every k, `mean_rank`, `median_rank`, `random_p_at_1`,
    `random_p_at_10` (expectation of a random order, or a draw of it from `generator`).
    A phenotype that cannot be judged (no label, one patient, constant) is absent from the
    result; `why_undefined` says why. See `retrieve` for the arguments.
    """
    retrieval = retrieve(
        query_features,
        database_features,
        phenotypes,
        ks=ks,
        tolerance_sd=tolerance_sd,
        exclude_self=exclude_self,
        query_indices=query_indices,
    )
    return {name: result.summary(generator) for name, result in retrieval.items()}


def retrieve(
    query_features: Float[Array, "query dim"],
    database_features: Float[Array, "patient dim"],
    phenotypes: Float[Array, "patient target"] | Mapping[str, Float[Array, " patient"]],
    *,
    ks: Sequence[int] = DEFAULT_KS,
    tolerance_sd: float = 0.5,
    exclude_self: bool = False,
    query_indices: Int64[Array, " query"] | None = None,
    person: Int64[Array, " patient"] | None = None,
) -> dict[str, PhenotypeRetrieval]:
    """The same, query by query.

    A patient without the phenotype is neither query nor candidate for it. With fewer than k
    candidates, precision at k is over all of them.

    Args:
        query_features: embeddings of the queries, any length but zero.
        database_features: embeddings of the database's patients.
        phenotypes: of the database's patients, NaN where absent; columns in the order of
            PHENOTYPE_NAMES, or one array per name.
        ks: depths.
        tolerance_sd: half-width of a match in population standard deviations.
        exclude_self: leave out the query's own person, with all visits (the paper keeps it).
        query_indices: database row of each query's patient; None: query i is patient i.
        person: a number per row of the database, equal for visits of one person; None: each
            row is a person.

    Raises:
        EvaluationError: shapes that do not fit, features that are not finite or all zero.
    """
    queries = unit_length(as_features(query_features, name="query_features"), "query_features")
    database = unit_length(
        as_features(database_features, name="database_features"), "database_features"
    )
    if queries.shape[1] != database.shape[1]:
        raise EvaluationError(
            f"queries have {queries.shape[1]} dimensions, the database {database.shape[1]}"
        )
    depths = tuple(int(k) for k in ks)
    if not depths or min(depths) < 1:
        raise EvaluationError(f"ks must be positive, got {tuple(ks)}")
    names, values = _as_table(phenotypes, len(database))
    own = _own_rows(query_indices, len(queries), len(database))
    people = np.arange(len(database)) if person is None else np.asarray(person)
    judged = [column for column in range(len(names)) if why_undefined(values[:, column]) is None]
    by_phenotype: dict[int, PhenotypeRetrieval] = {}
    patterns: dict[bytes, list[int]] = {}
    for column in judged:
        patterns.setdefault(np.isnan(values[:, column]).tobytes(), []).append(column)
    for columns in patterns.values():
        is_present = ~np.isnan(values[:, columns[0]])
        kept_queries = np.flatnonzero(is_present[own])
        if kept_queries.size == 0:
            continue
        new_row = np.cumsum(is_present) - 1
        block = _retrieve_block(
            queries[kept_queries],
            database[is_present],
            values[is_present][:, columns],
            new_row[own[kept_queries]],
            people[is_present],
            depths=depths,
            tolerance_sd=tolerance_sd,
            exclude_self=exclude_self,
        )
        for column, part in zip(columns, block, strict=True):
            by_phenotype[column] = PhenotypeRetrieval(
                name=names[column],
                ks=depths,
                num_patients=int(is_present.sum()),
                phenotype_sd=part.sd,
                query_indices=own[kept_queries],
                precision=part.precision,
                first_match_rank=part.first_match_rank,
                has_match=part.has_match,
                random_precision=part.random_precision,
                query_values=values[own[kept_queries], column],
                num_excluded=_count_most_visits(people[is_present]) if exclude_self else 0,
            )
    return {names[column]: by_phenotype[column] for column in judged if column in by_phenotype}


def pair_recall(
    query_features: Float[Array, "query dim"],
    database_features: Float[Array, "patient dim"],
    *,
    ks: Sequence[int] = (1, 5, 10),
    query_indices: Int64[Array, " query"] | None = None,
) -> dict[str, float]:
    """Is the query's own recording found: `recall_at_<k>`, `median_rank`, `mean_rank`."""
    ranks = own_pair_ranks(query_features, database_features, query_indices=query_indices)
    row = {f"recall_at_{k}": float((ranks <= k).mean()) for k in ks}
    return row | {"median_rank": float(np.median(ranks)), "mean_rank": float(ranks.mean())}


def own_pair_ranks(
    query_features: Float[Array, "query dim"],
    database_features: Float[Array, "patient dim"],
    *,
    query_indices: Int64[Array, " query"] | None = None,
    person: Int64[Array, " patient"] | None = None,
) -> Int64[Array, " query"]:
    """1-based rank of each query's own recording, ties by database index.

    Other visits of the query's person (`person`, a number per row) are not candidates.
    """
    queries = unit_length(as_features(query_features, name="query_features"), "query_features")
    database = unit_length(
        as_features(database_features, name="database_features"), "database_features"
    )
    if queries.shape[1] != database.shape[1]:
        raise EvaluationError(
            f"queries have {queries.shape[1]} dimensions, the database {database.shape[1]}"
        )
    own = _own_rows(query_indices, len(queries), len(database))
    ranks = np.empty(len(queries), np.int64)
    for chunk in rank_database(
        queries, database, own, depth=1, exclude="other visits", person=person
    ):
        target = own[chunk.rows]
        ranks[chunk.rows] = chunk.rank_of(target)
    return ranks


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    sd: float
    precision: Float64[Array, "query k"]
    first_match_rank: Int64[Array, " query"]
    has_match: Bool[Array, " query"]
    random_precision: Float64[Array, " query"]


def _retrieve_block(
    queries: Float64[Array, "query dim"],
    database: Float64[Array, "patient dim"],
    values: Float64[Array, "patient target"],
    own: Int64[Array, " query"],
    people: Int64[Array, " patient"],
    *,
    depths: tuple[int, ...],
    tolerance_sd: float,
    exclude_self: bool,
) -> list[_Part]:
    """Phenotypes that are present in the same patients, all of them complete."""
    num_patients, num_queries = len(database), len(queries)
    visits = np.unique(people, return_inverse=True, return_counts=True)
    num_visits = visits[2][visits[1]] if exclude_self else np.zeros(num_patients, np.int64)
    num_candidates = num_patients - int(num_visits.max(initial=0))
    parts = [
        _Part(
            sd=float(column.std()),
            precision=np.zeros((num_queries, len(depths))),
            first_match_rank=np.full(num_queries, num_patients, np.int64),
            has_match=np.zeros(num_queries, bool),
            random_precision=np.zeros(num_queries),
        )
        for column in values.T
    ]
    depth = min(num_candidates, max(*depths, 64))
    exclude = "person" if exclude_self else "none"
    for chunk in rank_database(queries, database, own, depth=depth, exclude=exclude, person=people):
        for part, column in zip(parts, values.T, strict=True):
            is_match = np.abs(column[None, :] - column[own[chunk.rows], None])
            is_match = is_match <= tolerance_sd * part.sd
            candidates = num_patients - num_visits[own[chunk.rows]]
            if exclude_self:
                is_match &= people[own[chunk.rows]][:, None] != people
            _judge(part, chunk, is_match, depths=depths, num_candidates=candidates)
    return parts


def _judge(
    part: _Part,
    chunk: TopRanks,
    is_match: Bool[Array, "query patient"],
    *,
    depths: tuple[int, ...],
    num_candidates: Int64[Array, " query"],
) -> None:
    """Write the figures of a chunk of queries into `part`."""
    rows = chunk.rows
    num_matches = is_match.sum(axis=1)
    part.has_match[rows] = num_matches > 0
    part.random_precision[rows] = num_matches / np.maximum(num_candidates, 1)
    top_matches = np.take_along_axis(is_match, chunk.top, axis=1)
    hits = np.cumsum(top_matches, axis=1)
    for position, k in enumerate(depths):
        reach = min(k, chunk.top.shape[1])
        part.precision[rows, position] = hits[:, reach - 1] / reach
    in_top = top_matches.any(axis=1)
    first = np.where(in_top, top_matches.argmax(axis=1) + 1, is_match.shape[1])
    for row in np.flatnonzero(~in_top & (num_matches > 0)):
        first[row] = chunk.first_rank_among(int(row), np.flatnonzero(is_match[row]))
    part.first_match_rank[rows] = first


def _count_most_visits(people: Int64[Array, " patient"]) -> int:
    return int(np.unique(people, return_counts=True)[1].max(initial=1))


def _as_table(
    phenotypes: Float[Array, "patient target"] | Mapping[str, Float[Array, " patient"]],
    num_patients: int,
) -> tuple[tuple[str, ...], Float64[Array, "patient target"]]:
    if isinstance(phenotypes, Mapping):
        names = tuple(phenotypes)
        columns = [
            as_targets(phenotypes[name], name=name, num_patients=num_patients) for name in names
        ]
        if not columns or any(column.shape[1] != 1 for column in columns):
            raise EvaluationError("phenotypes: expected one array [patient] per name")
        return names, np.concatenate(columns, axis=1)
    values = as_targets(phenotypes, name="phenotypes", num_patients=num_patients)
    if values.shape[1] > len(PHENOTYPE_NAMES):
        raise EvaluationError(
            f"phenotypes: {values.shape[1]} columns, but {len(PHENOTYPE_NAMES)} names; "
            "give a mapping of names to arrays"
        )
    return PHENOTYPE_NAMES[: values.shape[1]], values


def _own_rows(
    query_indices: Int64[Array, " query"] | None, num_queries: int, num_patients: int
) -> Int64[Array, " query"]:
    if query_indices is None:
        if num_queries != num_patients:
            raise EvaluationError(
                f"{num_queries} queries and {num_patients} patients: say which patient each "
                "query is (query_indices)"
            )
        return np.arange(num_queries)
    own = np.asarray(query_indices, dtype=np.int64)
    if own.shape != (num_queries,) or (own < 0).any() or (own >= num_patients).any():
        raise EvaluationError(
            f"query_indices: expected {num_queries} rows of 0..{num_patients - 1}"
        )
    return own
