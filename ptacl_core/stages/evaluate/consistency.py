"""Does Table 1 follow from Table 2, as it must when both are right."""

from collections.abc import Mapping

import numpy as np

from ptacl_core.documents.evaluation import Consistency, ConsistencyCell, R2Cell
from ptacl_core.documents.retrieval import RetrievalCell
from ptacl_core.evaluate import expected_precision

CONSISTENCY_K = 10


def check_consistency(
    regression: Mapping[str, Mapping[str, R2Cell]],
    retrieval: Mapping[str, Mapping[str, RetrievalCell]],
) -> Consistency:
    """Section `consistency`: P@10 that the two R² of a phenotype lead to, beside the measured.

    `regression` are the cells of the aligned ECG and CMR, `retrieval` the tables from ECG to
    CMR with the own CMR included and excluded. Differences are measured minus expected.
    """
    phenotypes: dict[str, ConsistencyCell] = {}
    included, excluded = retrieval["included"], retrieval["excluded"]
    for name, ecg in regression["ecg"].items():
        cmr = regression["cmr"][name]
        if ecg.r2 is None or cmr.r2 is None or name not in included or name not in excluded:
            continue
        expected = float(expected_precision(ecg.r2, cmr.r2))
        phenotypes[name] = ConsistencyCell(
            k=CONSISTENCY_K,
            expected=expected,
            included=included[name].p_at_10,
            difference_included=included[name].p_at_10 - expected,
            excluded=excluded[name].p_at_10,
            difference_excluded=excluded[name].p_at_10 - expected,
        )
    differences = [cell.difference_excluded for cell in phenotypes.values()]
    return Consistency(
        phenotypes=phenotypes,
        mean_difference=float(np.mean(differences)) if differences else None,
        max_abs_difference=float(np.max(np.abs(differences))) if differences else None,
    )
