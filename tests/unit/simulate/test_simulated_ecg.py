"""The simulated ECG: lead laws, intervals, rhythm, R peaks (simulator.md §4.5)."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from ptacl_core.config.simulation import SimulationSettings, load_cohort_settings
from ptacl_core.preprocess import detect_r_peaks
from ptacl_core.records import LEAD_NAMES
from ptacl_core.simulate import PatientTruth, SimulatedPatients, draw_truth, render_ecgs
from ptacl_core.simulate.ecg.faults import apply_lead_faults, draw_lead_faults
from ptacl_core.simulate.ecg.intervals import correct_qt
from ptacl_core.simulate.ecg.signal import DOWER_ROWS

SILENT = {"wander_mv": 0.0, "emg_mv": 0.0, "mains_mv": 0.0, "respiration_amplitude": 0.0}
FLAT = {
    "none": {
        "direction": (1.0, 0.0, 0.0),
        "amplitude_mv": 0.0,
        "anchor": "qrs_duration",
        "offset": 0.0,
        "width": 1.0,
    }
}
SOUND: dict[str, Any] = {"af_share": 0.0, "pac_share": 0.0, "pvc_share": 0.0, "bbb_share": 0.0}


def make(count: int, **overrides: Any) -> tuple[SimulationSettings, PatientTruth, torch.Tensor]:
    settings = load_cohort_settings("easy", lead_fault_share=0.0, **overrides)
    truth = draw_truth(settings, range(count))
    return settings, truth, render_ecgs(settings, truth)


def test_limb_leads_obey_einthoven_and_goldberger(easy_patients: SimulatedPatients) -> None:
    lead = dict(zip(LEAD_NAMES, easy_patients.ecg_mv.unbind(dim=1), strict=True))
    tolerance = {"atol": 1e-6, "rtol": 0}
    torch.testing.assert_close(lead["III"], lead["II"] - lead["I"], **tolerance)
    torch.testing.assert_close(lead["aVR"], -(lead["I"] + lead["II"]) / 2, **tolerance)
    torch.testing.assert_close(lead["aVL"], lead["I"] - lead["II"] / 2, **tolerance)
    torch.testing.assert_close(lead["aVF"], lead["II"] - lead["I"] / 2, **tolerance)


def test_one_wave_is_its_gaussian_in_every_lead() -> None:
    wave = {
        "direction": (0.3, 0.4, -0.5),
        "amplitude_mv": 1.0,
        "anchor": "qrs_duration",
        "offset": 0.5,
        "width": 20.0,
    }
    ecg = SILENT | {
        "waves": {"only": wave},
        "qrs_spread_ms": 0.0,
        "qrs_couplings_ms": {},
        "frontal_couplings_deg": {},
        "horizontal_couplings_deg": {},
        "precordial_bmi_coupling": 0.0,
    }
    _, truth, ecg_mv = make(3, ecg=ecg, nuisance=0.0, **SOUND)
    time_ms = np.arange(5000) * 2.0
    for number in range(3):
        beats_ms = truth.rhythm.beat_s[number].numpy() * 1000
        distance = time_ms[:, None] - beats_ms[None] - 0.5 * 91
        bell = np.exp(-(distance**2) / (2 * 20.0**2)).sum(axis=1)
        for row, dower in zip((0, 1, 6, 7, 8, 9, 10, 11), DOWER_ROWS, strict=True):
            expected = bell * float(np.dot(dower, wave["direction"]))
            np.testing.assert_allclose(ecg_mv[number, row].numpy(), expected, atol=2e-5)


def test_dower_rows_are_the_published_ones() -> None:
    assert DOWER_ROWS[0] == (0.632, -0.235, 0.059)
    assert DOWER_ROWS[3] == (0.044, 0.164, -1.387)
    assert len(DOWER_ROWS) == 8


def test_noise_has_the_stated_size() -> None:
    flat = {"waves": FLAT, "respiration_amplitude": 0.0, "wander_mv": 0.0, "mains_mv": 0.0}
    _, _, emg = make(4, ecg=flat, **SOUND)
    assert float(emg[:, [0, 1, 6, 11]].std()) == pytest.approx(0.015, rel=0.02)
    flat = {"waves": FLAT, "respiration_amplitude": 0.0, "emg_mv": 0.0, "mains_mv": 0.0}
    _, _, wander = make(40, ecg=flat, **SOUND)
    rendered = wander[:, [0, 1, 6, 7, 8, 9, 10, 11]]
    assert 0.01 < float(rendered.abs().max()) <= 0.06 + 1e-6


def test_r_peaks_are_the_peaks_of_the_r_wave() -> None:
    _, truth, ecg_mv = make(20, ecg=SILENT, **SOUND)
    for number, peaks in enumerate(truth.rhythm.r_peak_samples()):
        lead = ecg_mv[number, LEAD_NAMES.index("V5")]
        for peak in peaks.tolist():
            if 30 <= peak < 4970:
                window = lead[peak - 20 : peak + 21]
                assert abs(int(window.argmax()) - 20) <= 3


def matched(detected: np.ndarray, true: np.ndarray) -> tuple[int, int, int]:
    """Peaks found, true peaks, and detections: those within 50 ms, away from the ends."""
    inner = true[(true >= 150) & (true < 4850)]
    claims = detected[(detected >= 150) & (detected < 4850)]
    hits = sum(bool(np.abs(detected - peak).min(initial=5000) <= 25) for peak in inner)
    right = sum(bool(np.abs(true - claim).min(initial=5000) <= 25) for claim in claims)
    return hits, len(inner), len(claims) - right


def test_two_independent_detectors_find_99_percent_of_the_r_peaks() -> None:
    from sleepecg.heartbeats import detect_heartbeats

    _, truth, ecg_mv = make(80)
    totals = {"package": np.zeros(3), "sleepecg": np.zeros(3)}
    for number, peaks in enumerate(truth.rhythm.r_peak_samples()):
        signal = ecg_mv[number].numpy()
        true = peaks.numpy()
        ours = detect_r_peaks(signal, sampling_rate_hz=500.0)
        theirs = detect_heartbeats(signal[LEAD_NAMES.index("V5")].astype(float), 500)
        totals["package"] += matched(ours, true)
        totals["sleepecg"] += matched(np.asarray(theirs), true)
    for name, (hits, true_count, false_count) in totals.items():
        assert hits / true_count >= 0.99, name
        assert false_count / true_count <= 0.01, name


def tallest_p_wave_mv(truth: PatientTruth, ecg_mv: torch.Tensor) -> torch.Tensor:
    """Largest deflection of lead II where P lies, before beats that follow a long pause."""
    lead = LEAD_NAMES.index("II")
    start_ms = truth.intervals.pr_ms + 0.38 * truth.intervals.qrs_ms
    tallest = []
    for number, start in enumerate((start_ms / 2).round().int().tolist()):
        peaks = truth.rhythm.beat_samples[number].tolist()
        windows = [
            ecg_mv[number, lead, peak - start : peak - start + 50]
            for before, peak in pairwise(peaks)
            if peak - before > 400 and 250 < peak < 5000
        ]
        tallest.append(torch.stack(windows).abs().max())
    return torch.stack(tallest)


def test_fibrillation_has_no_p_wave_and_irregular_beats() -> None:
    slow = {
        "heart_rate_median_bpm": (52.0, 52.0),
        "heart_rate_log_sd": 0.0,
        "ecg_heart_rate_log_sd": 0.0,
    }
    others = {"bbb_share": 0.0, "pac_share": 0.0, "pvc_share": 0.0, "population": slow}
    quiet = SILENT | {"af_wave_mv": 0.0}
    _, healthy, with_p = make(30, ecg=quiet, af_share=0.0, **others)
    _, ill, without_p = make(30, ecg=quiet, af_share=1.0, **others)
    assert ill.rhythm.is_fibrillating.all()
    assert not healthy.rhythm.is_fibrillating.any()
    assert float(tallest_p_wave_mv(healthy, with_p).min()) > 0.03
    assert float(tallest_p_wave_mv(ill, without_p).max()) < 0.015
    for truth, expected in ((ill, 0.22), (healthy, 0.025)):
        rr_s = torch.diff(truth.rhythm.beat_s[:, :14], dim=1)
        spread = (rr_s.std(dim=1) / rr_s.mean(dim=1)).mean()
        assert float(spread) == pytest.approx(expected, rel=0.2)


def test_fibrillatory_waves_fill_the_baseline() -> None:
    flat = SILENT | {"waves": FLAT, "respiration_amplitude": 0.0}
    _, _, ill = make(5, ecg=flat, af_share=1.0, pac_share=0.0, pvc_share=0.0)
    _, _, healthy = make(5, ecg=flat, **SOUND)
    v1 = LEAD_NAMES.index("V1")
    assert (healthy[:, v1] == 0).all()
    spectrum = torch.fft.rfft(ill[:, v1]).abs().square()
    frequency_hz = torch.arange(spectrum.shape[1]) / 10
    inside = (frequency_hz > 3.5) & (frequency_hz < 8.5)
    assert float(spectrum[:, inside].sum() / spectrum[:, 1:].sum()) > 0.95


def test_premature_beats_come_early_and_the_next_late() -> None:
    for share, name in (("pvc_share", "is_ventricular"), ("pac_share", "is_atrial_premature")):
        shares = SOUND | {share: 1.0}
        _, truth, _ = make(20, **shares)
        early = getattr(truth.rhythm, name)
        assert (early.sum(dim=1) >= 1).all()
        rr_s = truth.rhythm.preceding_rr_s / truth.rhythm.mean_rr_s[:, None]
        assert float(rr_s[early].max()) < 0.85
        after = torch.nn.functional.pad(early[:, :-1], (1, 0)) & ~early
        assert float(rr_s[after].min()) > 0.98
        inside = early & truth.rhythm.is_inside
        assert (inside.sum(dim=1) >= 1).double().mean() > 0.9


def test_ventricular_beats_are_wide_and_blocked_ones_wider_than_normal() -> None:
    _, normal, _ = make(50, **SOUND)
    _, blocked, _ = make(50, **(SOUND | {"bbb_share": 1.0}))
    widened = blocked.intervals.qrs_ms - normal.intervals.qrs_ms
    torch.testing.assert_close(widened, torch.full_like(widened, 45.0))
    assert set(blocked.rhythm.conduction.tolist()) == {1, 2}


def test_intervals_have_the_published_size() -> None:
    settings = load_cohort_settings("easy", kappa_scale=1.0, **SOUND)
    truth = draw_truth(settings, range(6000))
    is_male = truth.population.is_male
    qrs_ms, pr_ms = truth.intervals.qrs_ms, truth.intervals.pr_ms
    assert float(qrs_ms[is_male].mean() - qrs_ms[~is_male].mean()) == pytest.approx(6.0, abs=1.0)
    assert float(pr_ms.mean()) == pytest.approx(164, abs=4)
    assert float((pr_ms > 200).double().mean()) == pytest.approx(0.08, abs=0.02)
    correlation = np.corrcoef(qrs_ms, truth.population.lvm_g)[0, 1]
    assert correlation == pytest.approx(0.41, abs=0.05)
    correlation = np.corrcoef(qrs_ms, truth.population.lvedv_ml)[0, 1]
    assert correlation == pytest.approx(0.39, abs=0.05)


def test_t_end_meets_end_systole(easy_truth: PatientTruth) -> None:
    intervals = easy_truth.intervals
    t_end_ms = intervals.qt_ms - 0.38 * intervals.qrs_ms
    assert float(t_end_ms.mean()) == pytest.approx(366, abs=8)
    assert float(easy_truth.timing.end_systole_ms.mean()) == pytest.approx(379, abs=5)


def test_qt_follows_fridericia() -> None:
    qt_ms = torch.tensor([400.0], dtype=torch.float64)
    rr_s = torch.tensor([0.512], dtype=torch.float64)
    assert float(correct_qt(qt_ms, rr_s)) == pytest.approx(400 * 0.8)


def test_nuisance_0_leaves_only_the_latents() -> None:
    settings = load_cohort_settings("easy", nuisance=0.0, **SOUND)
    truth = draw_truth(settings, range(400))
    expected = torch.full((400,), 91.0, dtype=torch.float64)
    for name, coupling in settings.ecg.qrs_couplings_ms.items():
        column = ("lvedv", "lvm", "lvef", "rvedv", "rvef", "sex", "age", "bmi").index(name)
        expected += coupling * truth.visible_latents[:, column]
    torch.testing.assert_close(truth.intervals.qrs_ms, expected)


def test_hidden_energy_moves_couplings_from_large_waves_into_bumps() -> None:
    shown = load_cohort_settings("easy", nuisance=0.0, **SOUND)
    hidden = load_cohort_settings("easy", nuisance=0.0, hidden_energy=1.0, **SOUND)
    large = draw_truth(shown, range(200)).intervals.qrs_ms.std()
    none = draw_truth(hidden, range(200)).intervals.qrs_ms.std()
    assert float(large) > 2
    assert float(none) < 1e-9
    quiet = {"ecg": SILENT, "nuisance": 0.0, **SOUND}
    _, truth, without = make(6, hidden_energy=0.0, kappa_scale=0.0, **quiet)
    _, _, bumps = make(6, hidden_energy=0.5, kappa_scale=0.0, **quiet)
    difference = (bumps - without).abs().amax(dim=(1, 2))
    assert (difference > 0.01).all()
    assert math.isfinite(float(truth.visible_latents.sum()))


def test_nuisance_bumps_change_the_ecg_and_nothing_else() -> None:
    plain = load_cohort_settings("easy")
    noisy = load_cohort_settings("easy", num_nuisance_bumps=6)
    truth, same = draw_truth(plain, range(4)), draw_truth(noisy, range(4))
    assert torch.equal(truth.visible_latents, same.visible_latents)
    assert torch.equal(truth.phenotypes, same.phenotypes)
    assert not torch.equal(render_ecgs(plain, truth), render_ecgs(noisy, same))


def test_lead_faults_come_at_their_share_and_in_every_kind() -> None:
    faults = draw_lead_faults(3, range(20_000), share=0.02)
    present = [fault for fault in faults if fault]
    assert len(present) / 20_000 == pytest.approx(0.02, abs=0.004)
    assert {fault.split(":")[0] for fault in present} == {"off", "swap"}
    assert "swap:arms" in present
    assert draw_lead_faults(3, range(100), share=0.0) == ("",) * 100


def test_lead_faults_do_what_they_say(easy_patients: SimulatedPatients) -> None:
    sound = easy_patients.ecg_mv[:3].clone()
    ill = apply_lead_faults(sound.clone(), ("off:V2,V3", "swap:arms", "swap:V1,V6"))
    assert (ill[0, 7:9] == 0).all()
    assert torch.equal(ill[0, [0, 6, 9]], sound[0, [0, 6, 9]])
    assert torch.equal(ill[1, 0], -sound[1, 0])
    assert torch.equal(ill[1, 1], sound[1, 2])
    assert torch.equal(ill[1, 3], sound[1, 4])
    torch.testing.assert_close(ill[1, 2], ill[1, 1] - ill[1, 0], atol=1e-6, rtol=0)
    torch.testing.assert_close(ill[1, 4], ill[1, 0] - ill[1, 1] / 2, atol=1e-6, rtol=0)
    assert torch.equal(ill[1, 5:], sound[1, 5:])
    assert torch.equal(ill[2, 6], sound[2, 11])
    assert torch.equal(ill[2, 11], sound[2, 6])
