"""Does Table 1 follow from Table 2, as it must when both are right."""

from typing import Any

import numpy as np

from ptacl_core.evaluate import expected_precision

CONSISTENCY_K = 10


def check_consistency(
    regression: dict[str, dict[str, Any]], retrieval: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """Section `consistency`: P@10 that the two R² of a phenotype lead to, beside the measured.

    `regression` are the cells of the aligned ECG and CMR, `retrieval` the tables from ECG to
    CMR with the own CMR included and excluded. Differences are measured minus expected.
    """
    key = f"p_at_{CONSISTENCY_K}"
    phenotypes: dict[str, dict[str, Any]] = {}
    for name in regression["ecg"]:
        r2 = [regression[modality][name]["r2"] for modality in ("ecg", "cmr")]
        if None in r2 or any(name not in table for table in retrieval.values()):
            continue
        expected = float(expected_precision(*r2))
        cell: dict[str, Any] = {"k": CONSISTENCY_K, "expected": expected}
        for own, table in retrieval.items():
            cell[own] = table[name][key]
            cell[f"difference_{own}"] = table[name][key] - expected
        phenotypes[name] = cell
    differences = [cell["difference_excluded"] for cell in phenotypes.values()]
    return {
        "phenotypes": phenotypes,
        "mean_difference": float(np.mean(differences)) if differences else None,
        "max_abs_difference": float(np.max(np.abs(differences))) if differences else None,
    }
