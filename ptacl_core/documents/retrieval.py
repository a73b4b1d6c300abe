"""Table 1: retrieval of patients with similar hearts, and of the very pair."""

from pydantic import Field

from ptacl_core.documents.figures import Bounded
from ptacl_core.documents.model import Part

KS = (1, 3, 5, 10, 15)


class Bounds(Part):
    """Bounds of a figure that stands beside them."""

    low: float | None
    high: float | None


class RetrievalCell(Part):
    """Retrieval on one phenotype: precision at k, ranks of the first match, random reference."""

    p_at_1: float
    p_at_3: float
    p_at_5: float
    p_at_10: float
    p_at_15: float
    mean_rank: float
    median_rank: float
    random_p_at_1: float
    random_p_at_10: float
    intervals: dict[str, Bounds] = Field(default_factory=dict)
    trimmed_mean_rank: float | None = None
    mean_rank_by_decile: tuple[float | None, ...] = ()
    n: int = 0
    candidates: int = 0
    sd: float | None = None


class MeanRetrieval(Part):
    """Precision averaged over the phenotypes, over queries that have them all."""

    p_at_1: Bounded
    p_at_10: Bounded
    random_p_at_1: float | None
    random_p_at_10: float | None
    n: int
    why: str | None = None


class Chanced(Bounded):
    """A figure with its interval and what chance gives."""

    chance: float


class PairRecall(Part):
    """Recall of the query's own recording among all candidates."""

    recall_at_1: Chanced
    recall_at_5: Chanced
    recall_at_10: Chanced
    median_rank: Chanced
    n: int
