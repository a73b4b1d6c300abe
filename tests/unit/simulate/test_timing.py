"""The cardiac cycle: laws of the volume-time curve (simulator.md §4.3)."""

import numpy as np
import pytest
import torch

from ptacl_core.config.simulation import load_cohort_settings
from ptacl_core.simulate import PatientTruth, draw_truth
from ptacl_core.simulate.timing import CycleTiming, compute_filled_share


def make_timing(**changes: float) -> CycleTiming:
    values = {
        "rr_ms": 1000.0,
        "ejection_start_ms": 60.0,
        "end_systole_ms": 360.0,
        "mitral_opening_ms": 460.0,
        "early_filling_ms": 190.0,
        "atrial_kick_ms": 130.0,
        "atrial_share": 0.3,
    } | changes
    tensors = {name: torch.tensor([value], dtype=torch.float64) for name, value in values.items()}
    return CycleTiming(**tensors, ejection_exponent=0.9)


def test_curve_stands_still_where_the_valves_are_shut() -> None:
    filled = compute_filled_share(make_timing(), num_frames=1000)[0]
    torch.testing.assert_close(filled[:61], torch.ones(61, dtype=torch.float64))
    torch.testing.assert_close(
        filled[360:460], torch.zeros(100, dtype=torch.float64), atol=1e-9, rtol=0
    )
    diastasis = filled[651:870]
    torch.testing.assert_close(diastasis, torch.full_like(diastasis, 0.7))


def test_curve_has_its_closed_form_halfway_through_ejection_and_filling() -> None:
    filled = compute_filled_share(make_timing(), num_frames=1000)[0]
    assert float(filled[210]) == pytest.approx(0.5**0.9)
    assert float(filled[555]) == pytest.approx(0.35)
    assert float(filled[935]) == pytest.approx(0.7 + 0.15)


def test_no_kick_means_flat_end_of_diastole() -> None:
    filled = compute_filled_share(make_timing(atrial_share=0.0), num_frames=1000)[0]
    torch.testing.assert_close(filled[651:], torch.ones(349, dtype=torch.float64))


def test_curves_run_between_0_and_1_and_close_the_cycle(easy_truth: PatientTruth) -> None:
    fine = compute_filled_share(easy_truth.timing, num_frames=400)
    assert float(fine.min()) >= 0
    assert float(fine.max()) <= 1 + 1e-12
    assert float((1 - fine[:, 0]).abs().max()) < 1e-12
    assert float((1 - fine[:, -1]).abs().max()) < 0.02


def test_timing_is_that_of_the_prototype(easy_truth: PatientTruth) -> None:
    volume_ml = easy_truth.geometry.lv_volume_ml
    end_systole = volume_ml.argmin(dim=1).double()
    assert float(end_systole.mean()) == pytest.approx(20.2, abs=0.4)
    assert float(end_systole.std()) == pytest.approx(2.1, abs=0.3)
    assert float(easy_truth.timing.end_systole_ms.mean()) == pytest.approx(379, abs=4)
    step_s = easy_truth.timing.rr_ms[:, None] / 50 / 1000
    flow = torch.diff(torch.cat((volume_ml, volume_ml[:, :1]), dim=1), dim=1) / step_s
    assert float(-flow.amin(dim=1).mean()) == pytest.approx(399, rel=0.05)
    assert float(flow.amax(dim=1).mean()) == pytest.approx(477, rel=0.05)


def test_weak_ventricles_start_late_and_eject_briefly(easy_truth: PatientTruth) -> None:
    timing, people = easy_truth.timing, easy_truth.population
    ratio = timing.ejection_start_ms / (timing.end_systole_ms - timing.ejection_start_ms)
    weak = people.lvef < 0.50
    correlation = np.corrcoef(ratio[weak], people.lvef[weak])[0, 1]
    assert correlation < -0.5


@pytest.mark.parametrize("heart_rate_bpm", [38.0, 60.0, 120.0, 170.0])
def test_every_heart_rate_gives_a_whole_cycle(heart_rate_bpm: float) -> None:
    settings = load_cohort_settings(
        "tiny",
        population={
            "heart_rate_median_bpm": (heart_rate_bpm, heart_rate_bpm),
            "heart_rate_log_sd": 0.0,
        },
    )
    truth = draw_truth(settings, range(200))
    timing = truth.timing
    assert torch.allclose(timing.rr_ms, torch.tensor(60_000 / heart_rate_bpm, dtype=torch.float64))
    assert (timing.ejection_start_ms < timing.end_systole_ms).all()
    assert (timing.end_systole_ms < timing.mitral_opening_ms).all()
    assert (timing.mitral_opening_ms + timing.early_filling_ms <= timing.rr_ms).all()
    filled = truth.geometry.filled_share
    assert torch.isfinite(filled).all()
    assert (filled.amin(dim=1) < 0.1).all()


def test_fibrillation_has_no_atrial_kick() -> None:
    settings = load_cohort_settings("tiny", af_share=1.0, pac_share=0.0, pvc_share=0.0)
    truth = draw_truth(settings, range(100))
    assert (truth.timing.atrial_share == 0).all()
    late = truth.geometry.filled_share[:, -4:]
    slow = truth.timing.rr_ms > 900
    assert (late[slow] == 1).all()
