"""Lead faults, for the quality gate to find: electrodes off and electrodes swapped (§4.5)."""

from collections.abc import Sequence

from ptacl_core.records import LEAD_NAMES
from ptacl_core.simulate.randomness import Stream, draw_uniforms
from ptacl_core.tensors import Float, Tensor

_PRECORDIAL = LEAD_NAMES[6:]


def draw_lead_faults(seed: int, indices: Sequence[int], *, share: float) -> tuple[str, ...]:
    """A fault per patient, empty for most.

    `off:V4` (or `off:V2,V3`): no signal; `swap:arms`: right and left arm exchanged;
    `swap:V1,V3`: two chest electrodes exchanged.
    """
    uniforms = draw_uniforms(seed, indices, Stream.FAULTS, 6).tolist()
    return tuple(_describe(row) if row[0] < share else "" for row in uniforms)


def _describe(uniform: list[float]) -> str:
    first = int(6 * uniform[2])
    other = (first + 1 + int(5 * uniform[3])) % 6
    pair = sorted((first, other))
    if uniform[1] < 0.45:
        return f"off:{_PRECORDIAL[first]}"
    if uniform[1] < 0.6:
        return f"off:{_PRECORDIAL[pair[0]]},{_PRECORDIAL[pair[1]]}"
    if uniform[1] < 0.8:
        return "swap:arms"
    return f"swap:{_PRECORDIAL[pair[0]]},{_PRECORDIAL[pair[1]]}"


def apply_lead_faults(
    ecg_mv: Float[Tensor, "patient 12 sample"], faults: Sequence[str]
) -> Float[Tensor, "patient 12 sample"]:
    """The ECGs with their faults, in place; the limb leads keep Einthoven's law."""
    for row, fault in enumerate(faults):
        if not fault:
            continue
        kind, _, names = fault.partition(":")
        signal = ecg_mv[row]
        if kind == "off":
            for name in names.split(","):
                signal[LEAD_NAMES.index(name)] = 0
        elif names == "arms":
            # I turns round; II and III, aVR and aVL change places; aVF stays.
            first, second, third, right, left = (signal[lead].clone() for lead in range(5))
            exchanged = (-first, third, second, left, right)
            for lead, values in enumerate(exchanged):
                signal[lead] = values
        else:
            one, two = (LEAD_NAMES.index(name) for name in names.split(","))
            signal[[one, two]] = signal[[two, one]].clone()
    return ecg_mv
