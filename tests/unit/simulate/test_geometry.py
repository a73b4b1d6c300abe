"""Shapes keep the volumes they are made from (simulator.md §4.4)."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ptacl_core.simulate import PatientTruth
from ptacl_core.simulate.cine.geometry import (
    crescent_integrals,
    solve_crescent_width,
    solve_wall_thickness,
)


def test_wall_volume_is_constant_over_the_cycle(easy_truth: PatientTruth) -> None:
    heart = easy_truth.geometry
    outer_mm = heart.bullet_radius_mm + heart.wall_mm
    bullet_ml = 5 / 6 * math.pi * outer_mm**2 * (heart.length_mm + heart.wall_mm) / 1000
    wall_ml = bullet_ml - heart.lv_volume_ml
    expected = easy_truth.population.lvm_g[:, None] / 1.05
    assert float((wall_ml / expected - 1).abs().max()) < 0.01
    assert float((wall_ml / expected - 1).abs().max()) < 1e-9


def test_bullet_holds_the_volume(easy_truth: PatientTruth) -> None:
    geometry = easy_truth.geometry
    area_mm2 = math.pi * geometry.bullet_radius_mm**2
    torch.testing.assert_close(5 / 6 * area_mm2 * geometry.length_mm / 1000, geometry.lv_volume_ml)


def test_thickness_is_plausible_and_grows_in_systole(easy_truth: PatientTruth) -> None:
    wall_mm, is_male = easy_truth.geometry.wall_mm, easy_truth.population.is_male
    assert float(wall_mm[is_male, 0].mean()) == pytest.approx(6.1, abs=0.2)
    assert float(wall_mm[~is_male, 0].mean()) == pytest.approx(5.0, abs=0.2)
    assert float(wall_mm.amax(dim=1).mean()) == pytest.approx(8.4, abs=0.2)
    diameter_mm = 2 * easy_truth.geometry.bullet_radius_mm[:, 0]
    assert float(diameter_mm.mean()) == pytest.approx(49, abs=1)


@given(
    radius_mm=st.floats(3, 45),
    length_mm=st.floats(40, 130),
    wall_ml=st.floats(20, 400),
)
def test_newton_solves_the_wall_for_any_ventricle(
    radius_mm: float, length_mm: float, wall_ml: float
) -> None:
    radius = torch.tensor([[radius_mm]], dtype=torch.float64)
    length = torch.tensor([[length_mm]], dtype=torch.float64)
    wall = torch.tensor([[wall_ml]], dtype=torch.float64)
    thickness = solve_wall_thickness(radius, length, wall)
    outer = (radius + thickness) ** 2 * (length + thickness)
    volume_ml = 5 / 6 * math.pi * (outer - radius**2 * length) / 1000
    assert float(thickness) > 0
    assert float(volume_ml) == pytest.approx(wall_ml, rel=1e-9)


@pytest.mark.parametrize("exponent", [0.5, 0.7, 1.0, 2.0])
def test_crescent_integrals_are_their_quadrature(exponent: float) -> None:
    half_angle = math.radians(72)
    angle = np.linspace(-half_angle, half_angle, 400_001)
    cosine = np.clip(np.cos(np.pi * angle / (2 * half_angle)), 0, None)
    first, second = crescent_integrals(half_angle, exponent)
    assert first == pytest.approx(np.trapezoid(cosine**exponent, angle), rel=1e-4)
    assert second == pytest.approx(np.trapezoid(cosine ** (2 * exponent), angle), rel=1e-4)


@given(radius_mm=st.floats(10, 60), area_mm2=st.floats(0, 6000))
def test_crescent_width_gives_the_area(radius_mm: float, area_mm2: float) -> None:
    half_angle = math.radians(72)
    width = solve_crescent_width(
        torch.tensor([radius_mm], dtype=torch.float64),
        torch.tensor([area_mm2], dtype=torch.float64),
        half_angle_rad=half_angle,
        exponent=0.7,
    )
    first, second = crescent_integrals(half_angle, 0.7)
    crescent_mm2 = radius_mm * float(width) * first + float(width) ** 2 * second / 2
    assert crescent_mm2 == pytest.approx(area_mm2, rel=1e-9, abs=1e-6)
