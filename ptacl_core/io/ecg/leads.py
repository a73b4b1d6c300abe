"""The twelve leads by name: spellings, derivation of limb leads, Einthoven's law."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from ptacl_core.arrays import Array, Float32
from ptacl_core.records import LEAD_NAMES, Finding

LIMB_LEADS = LEAD_NAMES[:6]
PRECORDIAL_LEADS = LEAD_NAMES[6:]

_LIMB_WEIGHTS: dict[str, tuple[float, float]] = {
    "I": (1.0, 0.0),
    "II": (0.0, 1.0),
    "III": (-1.0, 1.0),
    "aVR": (-0.5, -0.5),
    "aVL": (1.0, -0.5),
    "aVF": (-0.5, 1.0),
}
"""Each limb lead as a sum of leads I and II (Einthoven, Goldberger)."""

LEAD_CODES = {
    1: "I",
    2: "II",
    3: "V1",
    4: "V2",
    5: "V3",
    6: "V4",
    7: "V5",
    8: "V6",
    61: "III",
    62: "aVR",
    63: "aVL",
    64: "aVF",
}
"""Lead numbers shared by SCP-ECG, MDC and DICOM."""

_PREFIX = re.compile(r"^(?:(?:(?:MDC|NOM)[_ ]?ECG[_ ]?LEAD|LEAD|ECG|EKG)[\s_:.\-]*)+")
_SUFFIX = re.compile(r"\s*\((?:EINTHOVEN|GOLDBERGER|WILSON)\)$")
_LEAD = re.compile(r"(?:D[\s_]?)?(I{1,3})|D[\s_]?([123])|A[\s_]?V[\s_\-]?([RLF])|V[\s_\-]?([1-6])")

_FURTHER_LEAD = re.compile(r"V[\s_\-]?([789]|[2-9]R|[XYZ])|([XYZ])")

_CHUNK_SAMPLES = 1 << 20
MISMATCH_LIMIT_MV = 0.05
"""Largest departure from Einthoven's law that rounding and separate filters explain, in mV."""


def find_lead(label: str) -> str | None:
    """The standard lead that `label` names ("ECG aVR", "MDC_ECG_LEAD_AVR", "DII"), or None.

    Joined leads ("I-II"), inverted ones ("-aVR"), further electrodes (V3R, V7, Frank's VX) and
    bare numbers are not standard leads: stripping their signs would turn one lead into another.
    """
    text = _SUFFIX.sub("", _PREFIX.sub("", label.strip().upper()))
    match = _LEAD.fullmatch(text)
    if match is None:
        return None
    einthoven, numbered, goldberger, wilson = match.groups()
    if einthoven:
        return einthoven
    if numbered:
        return "I" * int(numbered)
    return f"aV{goldberger}" if goldberger else f"V{wilson}"


def find_further_lead(label: str) -> str | None:
    """The lead beside the twelve that `label` names: V7 to V9, V2R to V9R, Frank's X, Y, Z."""
    text = _SUFFIX.sub("", _PREFIX.sub("", label.strip().upper()))
    match = _FURTHER_LEAD.fullmatch(text)
    if match is None:
        return None
    chest, frank = match.groups()
    return frank or (chest if chest in "XYZ" else f"V{chest}")


def find_missing_leads(present: Sequence[str]) -> tuple[str, ...]:
    """The leads that a file would need beside `present`: any two limb leads give the other four."""
    missing = [lead for lead in PRECORDIAL_LEADS if lead not in present]
    limb = [lead for lead in LIMB_LEADS if lead in present]
    if len(limb) < 2:
        missing = [lead for lead in LIMB_LEADS if lead not in present] + missing
    return tuple(missing)


def derive_limb_leads(
    signals_mv: Mapping[str, Float32[Array, " sample"]],
) -> dict[str, Float32[Array, " sample"]]:
    """The limb leads that `signals_mv` lacks, from two that it has.

    III = II - I, aVR = -(I + II)/2, aVL = I - II/2, aVF = II - I/2, solved for whichever two
    limb leads are there (I and II first). Raises ValueError with fewer than two.
    """
    present = [lead for lead in LIMB_LEADS if lead in signals_mv]
    if len(present) < 2:
        raise ValueError("two limb leads are needed to derive the others")
    first, second = present[:2]
    to_i_and_ii = np.linalg.inv(np.array([_LIMB_WEIGHTS[first], _LIMB_WEIGHTS[second]]))
    derived: dict[str, Array] = {}
    for lead in LIMB_LEADS:
        if lead not in signals_mv:
            weights = np.array(_LIMB_WEIGHTS[lead]) @ to_i_and_ii
            derived[lead] = _weighted_sum(weights, signals_mv[first], signals_mv[second])
    return derived


def _weighted_sum(
    weights: Array, first: Float32[Array, " sample"], second: Float32[Array, " sample"]
) -> Float32[Array, " sample"]:
    total = np.multiply(first, weights[0], dtype=np.float64)
    total += np.multiply(second, weights[1], dtype=np.float64)
    return total.astype(np.float32)


def compute_limb_residuals_mv(limb_mv: Float32[Array, "6 sample"]) -> dict[str, float]:
    """Largest |III - (II - I)|, |aVR + (I + II)/2| … over the samples present, in mV per lead."""
    largest: dict[str, float] = dict.fromkeys(LIMB_LEADS[2:], 0.0)
    for start in range(0, limb_mv.shape[1], _CHUNK_SAMPLES):
        limb = limb_mv[:, start : start + _CHUNK_SAMPLES].astype(np.float64)
        for row, lead in enumerate(LIMB_LEADS[2:], start=2):
            weight_i, weight_ii = _LIMB_WEIGHTS[lead]
            residual = np.abs(limb[row] - weight_i * limb[0] - weight_ii * limb[1])
            if np.isfinite(residual).any():
                largest[lead] = max(largest[lead], float(np.nanmax(residual)))
    return largest


def check_limb_leads(signal_mv: Float32[Array, "12 sample"]) -> Finding | None:
    """A `einthoven_mismatch` warning when the six limb leads contradict Einthoven's law."""
    residuals = compute_limb_residuals_mv(signal_mv[:6])
    if max(residuals.values()) <= MISMATCH_LIMIT_MV:
        return None
    leads = tuple(lead for lead, largest in residuals.items() if largest > MISMATCH_LIMIT_MV)
    worst = max(residuals, key=residuals.__getitem__)
    message = (
        f"the limb leads contradict Einthoven's law by up to {residuals[worst]:.3f} mV ({worst}); "
        "wrong lead order, wrong scale or damaged samples"
    )
    if leads == ("aVL", "aVF"):
        swapped = signal_mv[[0, 1, 2, 3, 5, 4]]
        if max(compute_limb_residuals_mv(swapped).values()) <= MISMATCH_LIMIT_MV:
            message += "; with aVL and aVF exchanged they agree"
    return Finding("einthoven_mismatch", "warning", message, leads)
