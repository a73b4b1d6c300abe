"""Table 1 from Table 2: what precision two probes' R² allow (evaluation.md)."""

import numpy as np

from ptacl_core.arrays import Array, Float64


def expected_precision(
    r2_ecg: Float64[Array, "*figure"] | float,
    r2_cmr: Float64[Array, "*figure"] | float,
    *,
    tolerance_sd: float = 0.5,
) -> Float64[Array, "*figure"] | np.float64:
    """Precision of retrieval if both embeddings knew a Gaussian phenotype up to their R².

    The phenotype of the retrieved patient then differs by a normal variable of variance
    (1 - R²_ecg) + (1 - R²_cmr) in units of its SD², so

        P = erf(tolerance_sd / sqrt(2 [(1 - R²_ecg) + (1 - R²_cmr)])).

    R² = 0 on both sides gives the random reference 2 Phi(0.5 / sqrt 2) - 1 = 0.2763; negative
    R² count as 0.
    """
    from scipy.special import erf

    ecg = np.clip(np.asarray(r2_ecg, dtype=np.float64), 0.0, 1.0)
    cmr = np.clip(np.asarray(r2_cmr, dtype=np.float64), 0.0, 1.0)
    variance = (1.0 - ecg) + (1.0 - cmr)
    with np.errstate(divide="ignore"):
        return erf(tolerance_sd / np.sqrt(2.0 * variance))
