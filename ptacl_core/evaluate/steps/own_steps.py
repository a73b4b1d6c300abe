"""Whose beat is it: what the steps say of this patient beyond the phase that all share.

The map of ECG phases against cine phases is diagonal as soon as each phase looks like itself,
whoever's heart it is. With the mean over patients subtracted, step by step (the template),
only what is the patient's own remains (evaluation.md, "The clock").
"""

import numpy as np
from jaxtyping import Float

from ptacl_core.arrays import Array, Float64, Int64
from ptacl_core.evaluate.labels import EvaluationError

_ROWS_PER_CHUNK = 256


def centre_steps(
    steps: Float[Array, "patient step dim"], template: Float[Array, "step dim"] | None = None
) -> Float64[Array, "patient step dim"]:
    """Steps minus the template (None: their mean over these patients), as unit vectors.

    A step that equals the template stays zero, with cosine 0 to everything.
    """
    values = np.asarray(steps, np.float64)
    if values.ndim != 3 or len(values) < 2:
        raise EvaluationError(
            f"steps: expected [patient, step, dim] of two patients or more, got {values.shape}"
        )
    mean = values.mean(axis=0) if template is None else np.asarray(template, np.float64)
    centred = values - mean
    length = np.linalg.norm(centred, axis=2, keepdims=True)
    tiny = 1e-9 * np.linalg.norm(values, axis=2, keepdims=True)
    return np.where(length > tiny, centred / np.where(length > 0, length, 1.0), 0.0)


def template_centred_top1(
    ecg_steps: Float[Array, "patient step dim"],
    cmr_steps: Float[Array, "patient step dim"],
) -> Float64[Array, " patient"]:
    """Per patient, the share of phases whose best centred cine phase is the same one.

    Chance is 1 / num_steps; ties go to the first phase and count for it.
    """
    ecg, cmr = centre_steps(ecg_steps), centre_steps(cmr_steps)
    if ecg.shape != cmr.shape:
        raise EvaluationError(
            f"ecg_steps and cmr_steps: expected one shape, got {ecg.shape} and {cmr.shape}"
        )
    best = (ecg @ cmr.transpose(0, 2, 1)).argmax(axis=2)
    return (best == np.arange(ecg.shape[1])).mean(axis=1)


def own_step_ranks(
    ecg_steps: Float[Array, "patient step dim"],
    cmr_steps: Float[Array, "patient step dim"],
    *,
    owner: Int64[Array, " patient"] | None = None,
) -> Int64[Array, " patient"]:
    """1-based rank of each ECG's own cine among all, by the mean cosine of centred steps.

    Chance is half of the patients; half of those that tie are ahead. Other visits of the same
    person (`owner`, a number per row) are not candidates.
    """
    ecg, cmr = centre_steps(ecg_steps), centre_steps(cmr_steps)
    if ecg.shape != cmr.shape:
        raise EvaluationError(
            f"ecg_steps and cmr_steps: expected one shape, got {ecg.shape} and {cmr.shape}"
        )
    num_patients = len(ecg)
    person = np.arange(num_patients) if owner is None else np.asarray(owner)
    flat = cmr.reshape(num_patients, -1)
    ranks = np.empty(num_patients, np.int64)
    for first in range(0, num_patients, _ROWS_PER_CHUNK):
        rows = np.arange(first, min(first + _ROWS_PER_CHUNK, num_patients))
        similarity = np.round(ecg[rows].reshape(len(rows), -1) @ flat.T / ecg.shape[1], 12)
        own = similarity[np.arange(len(rows)), rows]
        is_candidate = person[rows][:, None] != person
        ahead = ((similarity > own[:, None]) & is_candidate).sum(axis=1)
        ties = ((similarity == own[:, None]) & is_candidate).sum(axis=1)
        ranks[rows] = 1 + ahead + ties // 2
    return ranks
