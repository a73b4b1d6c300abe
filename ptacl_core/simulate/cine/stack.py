"""A short-axis stack around the simulated mid slice, in a field of view larger than it (§4.4)."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import UInt16

from ptacl_core.arrays import Array
from ptacl_core.config.simulation import SimulationSettings
from ptacl_core.simulate.batching import as_float32, select_patients
from ptacl_core.simulate.cine.frames import (
    WINDOW_PX,
    add_noise_and_scale,
    pixel_grid,
    render_slices,
    shape_slice,
)
from ptacl_core.simulate.cine.tissue import draw_tissue
from ptacl_core.simulate.patients import PatientTruth
from ptacl_core.simulate.randomness import Stream, draw_grain, draw_uniforms
from ptacl_core.simulate.timing import NUM_FRAMES
from ptacl_core.tensors import Float, Tensor

STACK_HEIGHT_PX, STACK_WIDTH_PX = 148, 136
"""Size of a slice's image in pixels."""
FULL_SCALE = 4095
"""Twelve bits: the stored value of intensity 1."""

_NUM_SLICES = (5, 7, 9)


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedStack:
    """Slices from base to apex, 12-bit; the middle one holds the mid slice at `window_px`."""

    pixels: UInt16[Array, "slice frame height width"]
    window_px: tuple[int, int]

    @property
    def middle(self) -> int:
        """Number of the slice that `simulate_patients` gives."""
        return len(self.pixels) // 2


def render_stack(
    settings: SimulationSettings,
    truth: PatientTruth,
    row: int,
    mid_slice: Float[Tensor, "50 84 84"],
) -> SimulatedStack:
    """The stack of the patient at `row` of `truth`, with `mid_slice` in it as it is.

    Five, seven or nine slices 10 mm apart; the window lies off the image's centre, so that a
    reader has to find the heart.
    """
    host = torch.device("cpu")
    index = int(truth.indices[row])
    one = slice(row, row + 1)
    uniforms = draw_uniforms(settings.seed, [index], Stream.STACK, 4)[0].tolist()
    num_slices = _NUM_SLICES[int(uniforms[0] * len(_NUM_SLICES))]
    slack_row, slack_column = STACK_HEIGHT_PX - WINDOW_PX, STACK_WIDTH_PX - WINDOW_PX
    top = round(slack_row * (0.35 + 0.3 * uniforms[1]))
    left = round(slack_column * (0.35 + 0.3 * uniforms[2]))
    row_mm, column_mm = pixel_grid(
        STACK_HEIGHT_PX,
        STACK_WIDTH_PX,
        settings.cine.pixel_mm,
        window_row=top,
        window_column=left,
        device=host,
    )
    z_bmi = truth.population.z_bmi[one]
    traits = as_float32(draw_tissue(settings.seed, [index], z_bmi, settings.cine), host)
    geometry = select_patients(truth.geometry, one)
    shape = (num_slices, 2, NUM_FRAMES, len(row_mm))
    grain = draw_grain(settings.seed, [index], Stream.STACK, shape, device=host)[0]
    slices = []
    for number in range(num_slices):
        height_mm = (number - num_slices // 2) * settings.cine.slice_spacing_mm
        outline = shape_slice(
            geometry, truth.infarct[one], settings.cine, device=host, height_mm=height_mm
        )
        image = render_slices(outline, traits, row_mm, column_mm, settings.cine)
        image = add_noise_and_scale(image, grain[number : number + 1], settings.cine)[0]
        frames = image.view(NUM_FRAMES, STACK_HEIGHT_PX, STACK_WIDTH_PX)
        slices.append(torch.roll(frames, int(truth.phase_shift_frames[row]), dims=0))
    stack = torch.stack(slices)
    stack[num_slices // 2, :, top : top + WINDOW_PX, left : left + WINDOW_PX] = mid_slice.cpu()
    pixels = np.rint(stack.numpy() * FULL_SCALE).astype(np.uint16)
    return SimulatedStack(pixels, (top, left))
