"""A paired ECG-CMR cohort with known truth: evidence about the code, never about hearts.

population -> latents -> timing -> geometry -> cine
                     -> rhythm, intervals, waves -> ecg
"""

from ptacl_core.simulate.card import Generation, compute_dataset_card
from ptacl_core.simulate.card_text import format_card
from ptacl_core.simulate.files.ukb_layout import (
    finished_ukb_patients,
    ukb_identifier,
    write_ukb_layout,
)
from ptacl_core.simulate.latents import LATENT_NAMES
from ptacl_core.simulate.patients import (
    PatientTruth,
    SimulatedPatients,
    draw_truth,
    render_cines,
    render_ecgs,
    simulate_patients,
)

__all__ = [
    "LATENT_NAMES",
    "Generation",
    "PatientTruth",
    "SimulatedPatients",
    "compute_dataset_card",
    "draw_truth",
    "finished_ukb_patients",
    "format_card",
    "render_cines",
    "render_ecgs",
    "simulate_patients",
    "ukb_identifier",
    "write_ukb_layout",
]
