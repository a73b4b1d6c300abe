"""The equations of the paper and of its baselines, one file each, functions of tensors."""

from ptacl_core.losses.alignment_matrix import alignment_entropy, alignment_matrix
from ptacl_core.losses.cosine_alignment import cosine_alignment_loss, cosine_alignment_terms
from ptacl_core.losses.cross_modal import cross_modal_loss, reconstruction_loss
from ptacl_core.losses.masked_event import masked_event_terms
from ptacl_core.losses.masked_reconstruction import (
    masked_reconstruction_loss,
    mean_prediction_loss,
)
from ptacl_core.losses.masked_target import masked_target_mse, masked_target_terms
from ptacl_core.losses.nt_xent import nt_xent_loss, nt_xent_loss_gathered
from ptacl_core.losses.patient_alignment import (
    patient_alignment_loss,
    patient_alignment_loss_gathered,
)
from ptacl_core.losses.ptacl2_total import ptacl2_local_loss
from ptacl_core.losses.same_phase import same_phase_loss, same_phase_terms
from ptacl_core.losses.temporal_alignment import (
    step_similarity,
    temporal_alignment_loss,
    temporal_alignment_terms,
)
from ptacl_core.losses.total import ptacl_loss
from ptacl_core.losses.two_anchor import two_anchor_loss, two_anchor_terms
from ptacl_core.losses.unknown_shift import turn_steps_back, unknown_shift_loss

__all__ = [
    "alignment_entropy",
    "alignment_matrix",
    "cosine_alignment_loss",
    "cosine_alignment_terms",
    "cross_modal_loss",
    "masked_event_terms",
    "masked_reconstruction_loss",
    "masked_target_mse",
    "masked_target_terms",
    "mean_prediction_loss",
    "nt_xent_loss",
    "nt_xent_loss_gathered",
    "patient_alignment_loss",
    "patient_alignment_loss_gathered",
    "ptacl2_local_loss",
    "ptacl_loss",
    "reconstruction_loss",
    "same_phase_loss",
    "same_phase_terms",
    "step_similarity",
    "temporal_alignment_loss",
    "temporal_alignment_terms",
    "turn_steps_back",
    "two_anchor_loss",
    "two_anchor_terms",
    "unknown_shift_loss",
]
