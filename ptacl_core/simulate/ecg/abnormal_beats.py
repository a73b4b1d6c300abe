"""Bundle branch block and premature beats: what they do to a train of normal waves."""

from dataclasses import replace

import torch

from ptacl_core.simulate.ecg.rhythm import CONDUCTION_NAMES, Rhythm
from ptacl_core.simulate.ecg.wave_train import WaveTrain, add_wave
from ptacl_core.tensors import Float, Tensor

_T_AGAINST_LEFT_BLOCK = (-0.60, 0.15, -0.75)


def add_conduction_block(
    train: WaveTrain, rhythm: Rhythm, qrs_ms: Float[Tensor, " patient"]
) -> WaveTrain:
    """Late activation of one ventricle, and a T wave against it in left block."""
    is_right = (rhythm.conduction == CONDUCTION_NAMES.index("rbbb")).to(torch.float64)
    is_left = (rhythm.conduction == CONDUCTION_NAMES.index("lbbb")).to(torch.float64)
    factor = torch.ones_like(train.amplitude_mv)
    for number, name in enumerate(train.wave_names):
        if name == "q":
            factor[:, :, number] = (1 - is_left)[:, None]
        elif name in ("rv", "s"):
            factor[:, :, number] = (1 - 0.5 * is_left)[:, None]
    count = is_right.shape[0]
    right = torch.tensor((-0.75, 0.05, -0.62), dtype=torch.float64).expand(count, 3)
    left = torch.tensor((0.72, 0.05, 0.62), dtype=torch.float64).expand(count, 3)
    centre, width = 0.42 * qrs_ms, 0.13 * qrs_ms
    turned = train.direction.clone()
    against = torch.tensor(_T_AGAINST_LEFT_BLOCK, dtype=torch.float64)
    for number, name in enumerate(train.wave_names):
        if name in ("t", "t2"):
            turned[:, number] = torch.where(is_left[:, None] > 0, against, turned[:, number])
    train = replace(train, amplitude_mv=train.amplitude_mv * factor, direction=turned)
    train = add_wave(
        train,
        "late_right",
        amplitude_mv=0.55 * is_right,
        centre_ms=centre,
        width_ms=width,
        direction=right,
    )
    return add_wave(
        train,
        "late_left",
        amplitude_mv=0.80 * is_left,
        centre_ms=0.8 * centre,
        width_ms=1.2 * width,
        direction=left,
    )


def make_ventricular(
    train: WaveTrain, rhythm: Rhythm, noise: Float[Tensor, "patient 3"]
) -> WaveTrain:
    """Ventricular beats: no P, one wide complex in a direction of its own, T against it."""
    is_pvc = rhythm.is_ventricular.to(torch.float64)
    train = replace(train, amplitude_mv=train.amplitude_mv * (1 - is_pvc)[:, :, None])
    origin = torch.tensor((0.35, 0.75, -0.20), dtype=torch.float64) + 0.5 * noise
    length = torch.sqrt(origin[:, 0] ** 2 + origin[:, 1] ** 2 + origin[:, 2] ** 2)
    direction = origin / length.clamp(min=0.3)[:, None]
    size = train.amplitude_mv.new_ones(is_pvc.shape[0])
    aside = torch.stack((-direction[:, 2], direction[:, 1] * 0.3, direction[:, 0]), dim=1)
    for name, amplitude_mv, centre_ms, width_ms, towards in (
        ("pvc_main", 1.7, 0.0, 26.0, direction),
        ("pvc_side", 0.7, 52.0, 26.0, aside),
        ("pvc_t", -0.55, 270.0, 62.0, direction),
    ):
        train = add_wave(
            train,
            name,
            amplitude_mv=amplitude_mv * is_pvc,
            centre_ms=centre_ms * size,
            width_ms=width_ms * size,
            direction=towards,
        )
    return train


def make_atrial_premature(train: WaveTrain, rhythm: Rhythm) -> WaveTrain:
    """An ectopic P: half the first part, the second part upside down."""
    is_pac = rhythm.is_atrial_premature.to(torch.float64)
    factor = torch.ones_like(train.amplitude_mv)
    for number, name in enumerate(train.wave_names):
        if name == "p1":
            factor[:, :, number] = 1 - 0.5 * is_pac
        elif name == "p2":
            factor[:, :, number] = 1 - 1.6 * is_pac
    return replace(train, amplitude_mv=train.amplitude_mv * factor)
