"""The rasterised slice shows the areas and movements it was made from (simulator.md §4.4)."""

import pytest
import torch

from ptacl_core.config.simulation import SimulationSettings, load_cohort_settings
from ptacl_core.simulate import SimulatedPatients, draw_truth, render_cines, simulate_patients
from ptacl_core.simulate.cine.frames import (
    heart_coordinates,
    pixel_grid,
    render_cavity,
    shape_slice,
)

HOST = torch.device("cpu")


def test_rasterised_cavity_has_the_requested_area_within_2_percent(
    easy_settings: SimulationSettings,
) -> None:
    truth = draw_truth(easy_settings, range(60))
    shape = shape_slice(truth.geometry, truth.infarct, easy_settings.cine, device=HOST)
    pixel_mm = easy_settings.cine.pixel_mm
    row_mm, column_mm = pixel_grid(84, 84, pixel_mm, device=HOST)
    radius_mm = heart_coordinates(shape, row_mm, column_mm)[0]
    cover = render_cavity(shape, radius_mm, easy_settings.cine.edge_px * pixel_mm)
    area_mm2 = cover.double().sum(dim=2) * pixel_mm**2
    assert float((area_mm2 / truth.geometry.lv_area_mm2 - 1).abs().max()) < 0.02


def test_slice_mismatch_off_gives_the_bullets_area() -> None:
    settings = load_cohort_settings("tiny", slice_mismatch=0.0)
    geometry = draw_truth(settings, range(20)).geometry
    expected = 1000 * geometry.lv_volume_ml / (5 / 6 * geometry.length_mm)
    torch.testing.assert_close(geometry.lv_area_mm2, expected)


def test_cine_is_an_image_of_a_heart(easy_patients: SimulatedPatients) -> None:
    cine = easy_patients.cine
    assert cine.shape == (6, 50, 84, 84)
    assert cine.dtype == torch.float32
    assert float(cine.min()) >= 0
    assert float(cine.max()) <= 1
    for number in range(6):
        row, column = (round(float(place)) for place in easy_patients.heart_centre_px[number])
        septal_pool = cine[number, 0, row - 4 : row + 5, column - 5 : column + 1].mean()
        lung = cine[number, 0].flatten().sort().values[:500].mean()
        assert float(septal_pool) > 3 * float(lung)


def test_blood_is_two_to_three_times_as_bright_as_the_wall() -> None:
    settings = load_cohort_settings("tiny", cine={"noise_sd": 0.0, "coil_bias": 0.0})
    truth = draw_truth(settings, range(4))
    cine = render_cines(settings, truth)
    pixel_mm = settings.cine.pixel_mm
    shape = shape_slice(truth.geometry, truth.infarct, settings.cine, device=HOST)
    row_mm, column_mm = pixel_grid(84, 84, pixel_mm, device=HOST)
    radius_mm = heart_coordinates(shape, row_mm, column_mm)[0].view(4, 84, 84)
    for number in range(4):
        inner = shape.endocardial_mm[number, 0]
        outer = shape.epicardial_mm[number, 0]
        blood = cine[number, 0][radius_mm[number] < 0.3 * inner].median()
        middle = (radius_mm[number] - (inner + outer) / 2).abs() < 0.5
        wall = cine[number, 0][middle].median()
        assert 1.8 < float(blood / wall) < 3.2  # thin walls share their pixels with blood


def test_the_cavity_darkens_as_it_empties_and_returns(easy_patients: SimulatedPatients) -> None:
    frames = torch.arange(6)
    end_systole = easy_patients.end_systole_frame
    full = easy_patients.cine[:, 0].sum(dim=(1, 2))
    empty = easy_patients.cine[frames, end_systole].sum(dim=(1, 2))
    again = easy_patients.cine[:, 49].sum(dim=(1, 2))
    assert (empty < full).all()
    assert ((again - full).abs() < (full - empty)).all()


def test_broken_phase_is_a_roll_of_the_same_cine(easy_settings: SimulationSettings) -> None:
    indices = range(5)
    broken_settings = easy_settings.model_copy(update={"break_phase": True})
    whole = simulate_patients(easy_settings, indices)
    broken = simulate_patients(broken_settings, indices)
    assert (whole.phase_shift_frames == 0).all()
    assert len(set(broken.phase_shift_frames.tolist())) > 1
    for number, shift in enumerate(broken.phase_shift_frames.tolist()):
        assert torch.equal(torch.roll(whole.cine[number], shift, dims=0), broken.cine[number])
        assert torch.equal(
            torch.roll(whole.lv_volume_ml[number], shift, dims=0), broken.lv_volume_ml[number]
        )
    assert torch.equal(broken.end_systole_frame, broken.lv_volume_ml.argmin(dim=1))
    assert torch.equal(whole.ecg_mv, broken.ecg_mv)
    assert torch.equal(whole.phenotypes, broken.phenotypes)


def test_old_infarction_thins_a_sector_of_the_wall() -> None:
    sick_settings = load_cohort_settings("tiny", strata={"infarction": 1.0})
    thick_settings = load_cohort_settings(
        "tiny", strata={"infarction": 1.0}, cine={"infarct_thinning": 0.0}
    )
    sick = render_cines(sick_settings, draw_truth(sick_settings, range(2)))
    thick = render_cines(thick_settings, draw_truth(thick_settings, range(2)))
    changed = (sick - thick).abs().amax(dim=1) > 0.1
    share = changed.double().mean(dim=(1, 2))
    assert (share > 0.002).all()
    assert (share < 0.08).all()


@pytest.mark.parametrize("height_mm", [-30.0, 10.0, 30.0, 60.0])
def test_slices_off_the_middle_shrink_towards_the_apex_only(
    height_mm: float, easy_settings: SimulationSettings
) -> None:
    truth = draw_truth(easy_settings, range(20))
    geometry = truth.geometry
    middle = shape_slice(geometry, truth.infarct, easy_settings.cine, device=HOST)
    other = shape_slice(
        geometry, truth.infarct, easy_settings.cine, device=HOST, height_mm=height_mm
    )
    assert torch.isfinite(other.epicardial_mm).all()
    assert torch.isfinite(other.rv_width_mm).all()
    if height_mm < 0:
        torch.testing.assert_close(other.endocardial_mm, middle.endocardial_mm)
    else:
        assert (other.endocardial_mm < middle.endocardial_mm).all()
        assert (other.epicardial_mm < middle.epicardial_mm).all()
