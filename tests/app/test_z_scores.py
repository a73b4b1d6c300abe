"""Whose interval and which z-score a prediction is shown with."""

import numpy as np

from ptacl_app.data.inference import build_view
from ptacl_app.data.patient_view import PhenotypeValue, Prediction, Reference
from ptacl_core.records import PHENOTYPE_NAMES

REFERENCE = Reference(low=60.0, high=120.0, mean=90.0, sd=15.0, num_patients=80)


def test_a_z_score_of_the_run_goes_before_that_of_the_same_sex() -> None:
    by_sex = PhenotypeValue("lvm_g", Prediction(120.0, 100.0, 140.0), None, REFERENCE)
    assert by_sex.z_score == 2.0
    by_body = PhenotypeValue("lvm_g", Prediction(120.0, 100.0, 140.0, z_score=0.4), None, REFERENCE)
    assert by_body.z_score == 0.4
    assert PhenotypeValue("lvm_g", None, 100.0, REFERENCE).z_score is None


def test_a_loaded_file_keeps_its_z_scores_and_the_group_of_its_intervals() -> None:
    cell = {"value": 100.0, "low": 80.0, "high": 130.0, "unit": "g", "z_score": -1.5}
    document = {
        "num_samples": 10,
        "heart_rate_bpm": 60.0,
        "r_peak_samples": [],
        "findings": [],
        "answer": {
            "accepted": True,
            "run": "tiny",
            "findings": [],
            "phenotypes": dict.fromkeys(PHENOTYPE_NAMES, cell),
            "interval_group": "F 55-65\x1b[31m",
        },
    }
    view = build_view("a.dcm", document, np.zeros((12, 10), np.float32).tobytes())
    first = view.phenotypes[0]
    assert first.z_score == -1.5
    assert first.predicted is not None
    assert first.predicted.interval_group is not None
    assert first.predicted.interval_group.startswith("F 55-65")
    assert "\x1b" not in first.predicted.interval_group
