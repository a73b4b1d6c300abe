# ruff: noqa: S608 - names in statements come from records
"""The nearest patients of a patient or of a new recording."""

from collections import Counter
from collections.abc import Sequence, Set
from typing import TYPE_CHECKING

import numpy as np

from ptacl_core.arrays import Array, Bool, Float32, Float64, Int64
from ptacl_core.cohort.embedding_rows import EmbeddingKey
from ptacl_core.cohort.rows import Embeddings, Neighbour
from ptacl_core.cohort.search.embeddings import (
    find_latest_run,
    load_embeddings,
    load_unit_vectors,
)
from ptacl_core.cohort.search.exact import (
    cosine_similarity,
    search_exact,
    search_exact_many,
)
from ptacl_core.cohort.search.index import (
    INDEX_FROM_VECTORS,
    IndexSearcher,
    build_index,
    find_valid_entry,
    read_positions,
)
from ptacl_core.cohort.search.vectors import check_vector, check_vectors
from ptacl_core.errors import CohortError, QueryError
from ptacl_core.records.phenotypes import PHENOTYPE_NAMES

if TYPE_CHECKING:
    from ptacl_core.cohort.opened_store import OpenedStore

Key = tuple[str, int]

DIRECTIONS = ("ecg-cmr", "cmr-ecg", "ecg-ecg", "cmr-cmr")
METHODS = ("auto", "exact", "index")
MAX_NEIGHBOURS = 10_000
_MIN_ALLOWED_SHARE = 0.1


def find_neighbours(
    opened: "OpenedStore",
    query: str | np.ndarray,
    *,
    k: int,
    run: str | None = None,
    direction: str | None = None,
    allowed: Set[Key] | None = None,
    exclude_self: bool = True,
    visit: int | None = None,
    space: str = "projected",
    method: str = "auto",
    with_phenotypes: bool = True,
) -> list[Neighbour]:
    """See `Cohort.neighbours`; `with_phenotypes` False leaves their measured values out.

    Candidates are those of the (patient, visit) in `allowed`, or all.
    """
    run = run or find_latest_run(opened)
    direction = direction or find_direction(opened, run)
    _check_choices(k, direction, method)
    source, target = direction.split("-")
    key = EmbeddingKey(run, target, space)
    num_vectors, dim = _describe_set(opened, key)
    patient = query if isinstance(query, str) else None
    if isinstance(query, str):
        vector = _stored_vector(opened, EmbeddingKey(run, source, space), query, visit)
    else:
        vector = check_vector(query, dim=dim)
    excluded = patient if exclude_self else None
    nearest = None
    if method == "index" or (method == "auto" and num_vectors > INDEX_FROM_VECTORS):
        is_wide = allowed is None or len(allowed) > _MIN_ALLOWED_SHARE * num_vectors
        if is_wide:
            nearest = _search_index(
                opened, key, vector, k=k, allowed=allowed, excluded=excluded, method=method
            )
    if nearest is None:
        nearest = _search_all(
            load_embeddings(opened, run, target, space),
            opened,
            vector,
            k=k,
            allowed=allowed,
            excluded=excluded,
        )
    keys, similarities = nearest
    measured = _measured(opened, keys) if with_phenotypes else {}
    return [
        Neighbour(*neighbour_key, rank, float(similarity), measured.get(neighbour_key, {}))
        for rank, (neighbour_key, similarity) in enumerate(
            zip(keys, similarities, strict=True), start=1
        )
    ]


def find_neighbours_of_many(
    opened: "OpenedStore",
    queries: Sequence[str] | np.ndarray,
    *,
    k: int,
    run: str | None = None,
    direction: str | None = None,
    exclude_self: bool = True,
    space: str = "projected",
) -> list[list[Neighbour]]:
    """See `Cohort.neighbours_of_many`: exact, by one matrix product per block of queries."""
    run = run or find_latest_run(opened)
    direction = direction or find_direction(opened, run)
    _check_choices(k, direction, "exact")
    source, target = direction.split("-")
    _, dim = _describe_set(opened, EmbeddingKey(run, target, space))
    candidates = load_embeddings(opened, run, target, space)
    people: list[str | None] = [None] * len(queries)
    if isinstance(queries, np.ndarray):
        vectors = check_vectors(queries, dim=dim, where="queries")
    else:
        people = list(queries) if exclude_self else people
        vectors = _first_vectors(load_embeddings(opened, run, source, space), queries)
    counts = Counter(candidates.patients)
    num_own = max((counts[person] for person in people if person is not None), default=0)
    nearest = search_exact_many(
        vectors, candidates.vectors, load_unit_vectors(opened, candidates), k=k + num_own
    )
    answers = []
    for own, positions, similarities in zip(people, *nearest, strict=True):
        others = [
            (place, similarity)
            for place, similarity in zip(positions.tolist(), similarities.tolist(), strict=True)
            if candidates.patients[place] != own
        ]
        answers.append(
            [
                Neighbour(candidates.patients[at], int(candidates.visits[at]), rank, similarity)
                for rank, (at, similarity) in enumerate(others[:k], start=1)
            ]
        )
    return answers


def find_direction(opened: "OpenedStore", run: str) -> str:
    """What a search means where nothing else is said: ECG to CMR, to ECG where `run` has no CMR."""
    held = opened.fetch("SELECT DISTINCT modality FROM embedding_sets WHERE run = ?", [run])
    return "ecg-ecg" if {str(row[0]) for row in held} == {"ecg"} else "ecg-cmr"


def _first_vectors(embeddings: Embeddings, patients: Sequence[str]) -> Float32[Array, "query dim"]:
    """Each patient's embedding of the earliest visit. Raises CohortError where one has none."""
    places = [embeddings.positions_of(patient) for patient in patients]
    absent = sum(place.start == place.stop for place in places)
    if absent:
        raise CohortError(
            f"{absent} of {len(patients)} query patients have no {embeddings.modality} embedding "
            f"of run {embeddings.run!r} (or are not in this cohort); 'ptacl embed' writes them"
        )
    return embeddings.vectors[[place.start for place in places]]


def _check_choices(k: object, direction: str, method: str) -> None:
    if direction not in DIRECTIONS:
        raise QueryError(f"direction: expected one of {', '.join(DIRECTIONS)}, got {direction!r}")
    if method not in METHODS:
        raise QueryError(f"method: expected one of {', '.join(METHODS)}, got {method!r}")
    if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= MAX_NEIGHBOURS:
        raise QueryError(f"k: expected a whole number from 1 to {MAX_NEIGHBOURS}, got {k!r}")


def _describe_set(opened: "OpenedStore", key: EmbeddingKey) -> tuple[int, int]:
    rows = opened.fetch(
        "SELECT num_vectors, dim FROM embedding_sets WHERE run = ? AND modality = ? AND space = ?",
        list(key),
    )
    if not rows:
        raise CohortError(
            f"run {key.run!r} has no embeddings of {key.modality} ({key.space}); write them with "
            f"'ptacl embed COHORT --run {key.run}'"
        )
    return int(rows[0][0]), int(rows[0][1])


def _stored_vector(
    opened: "OpenedStore", key: EmbeddingKey, patient: str, visit: int | None
) -> Float32[Array, " dim"]:
    _, dim = _describe_set(opened, key)
    rows = opened.fetch(
        f"SELECT vector FROM embeddings_{dim} WHERE run = ? AND modality = ? AND space = ? "
        "AND patient = ? AND (?::INTEGER IS NULL OR visit = ?) ORDER BY visit LIMIT 1",
        [*key, patient, visit, visit],
    )
    if not rows:
        raise CohortError(
            f"the query patient has no {key.modality} embedding of run {key.run!r} "
            "(or is not in this cohort); 'ptacl embed' writes embeddings"
        )
    return np.asarray(rows[0][0], np.float32)


def _search_all(
    candidates: Embeddings,
    opened: "OpenedStore",
    vector: Float32[Array, " dim"],
    *,
    k: int,
    allowed: Set[Key] | None,
    excluded: str | None,
) -> tuple[list[Key], Float64[Array, " k"]]:
    is_allowed = _mask(candidates, allowed, excluded)
    positions, similarities = search_exact(
        vector,
        candidates.vectors,
        load_unit_vectors(opened, candidates),
        k=k,
        is_allowed=is_allowed,
    )
    keys = [
        (candidates.patients[position], int(candidates.visits[position]))
        for position in positions.tolist()
    ]
    return keys, similarities


def _mask(
    candidates: Embeddings, allowed: Set[Key] | None, excluded: str | None
) -> Bool[Array, " vector"] | None:
    if allowed is None and excluded is None:
        return None
    num_vectors = len(candidates.patients)
    is_allowed = np.ones(num_vectors, bool)
    if allowed is not None:
        keys = zip(candidates.patients, candidates.visits.tolist(), strict=True)
        is_allowed = np.fromiter((key in allowed for key in keys), bool, num_vectors)
    if excluded is not None:
        is_allowed[candidates.positions_of(excluded)] = False
    return is_allowed


def _search_index(
    opened: "OpenedStore",
    key: EmbeddingKey,
    vector: Float32[Array, " dim"],
    *,
    k: int,
    allowed: Set[Key] | None,
    excluded: str | None,
    method: str,
) -> tuple[list[Key], Float64[Array, " k"]] | None:
    """Neighbours by the index, ranked exactly; None when exact search must answer."""
    searcher = _find_searcher(opened, key, may_build=method == "index")
    if searcher is None:
        return None
    num_vectors, dim = searcher.entry.num_vectors, searcher.entry.dim
    num_wanted = min(num_vectors, max(4 * k, k + 50))
    while True:
        try:
            positions = searcher.search(vector, k=num_wanted)
        except CohortError:
            searcher.close()
            opened.cache.pop(("index", *key), None)
            return None
        keys, vectors = read_positions(opened, key, dim, positions)
        is_kept = [
            neighbour_key[0] != excluded and (allowed is None or neighbour_key in allowed)
            for neighbour_key in keys
        ]
        if sum(is_kept) >= k or num_wanted >= num_vectors:
            break
        num_wanted = min(num_vectors, 4 * num_wanted)
    if sum(is_kept) < k:
        return None
    return _rank(vector, [keys[row] for row in np.flatnonzero(is_kept)], vectors[is_kept], k=k)


def _rank(
    vector: Float32[Array, " dim"],
    keys: list[Key],
    vectors: Float32[Array, "row dim"],
    *,
    k: int,
) -> tuple[list[Key], Float64[Array, " k"]]:
    similarities = cosine_similarity(vector, vectors)
    order: Int64[Array, k] = np.argsort(-similarities, kind="stable")[:k]
    return [keys[row] for row in order.tolist()], similarities[order]


def _find_searcher(
    opened: "OpenedStore", key: EmbeddingKey, *, may_build: bool
) -> IndexSearcher | None:
    kept = opened.cache.get(("index", *key))
    if isinstance(kept, IndexSearcher):
        return kept
    entry = find_valid_entry(opened, key)
    if entry is None and may_build:
        entry = build_index(opened, key)
    if entry is None:
        return None
    try:
        searcher = IndexSearcher(opened, entry)
    except CohortError:
        if not may_build:
            return None
        searcher = IndexSearcher(opened, build_index(opened, key))
    opened.cache["index", *key] = searcher
    return searcher


def _measured(opened: "OpenedStore", keys: list[Key]) -> dict[Key, dict[str, float]]:
    rows = opened.fetch(
        f"SELECT patient, visit, {', '.join(PHENOTYPE_NAMES)} FROM overview "
        "WHERE list_contains(?::VARCHAR[], patient)",
        [[key[0] for key in keys]],
    )
    return {
        (row[0], row[1]): {
            name: value
            for name, value in zip(PHENOTYPE_NAMES, row[2:], strict=True)
            if value is not None
        }
        for row in rows
    }
