"""Which split a patient belongs to: a salted hash of the pseudonym, never of a visit.

All visits of a patient share a split, and adding patients moves nobody.
"""

import hashlib
from collections.abc import Mapping, Sequence

from ptacl_core.shards.spec import SPLIT_NAMES

DEFAULT_FRACTIONS = (0.70, 0.15, 0.15)


def assign_split(
    patient: str, *, salt: str, fractions: tuple[float, float, float] = DEFAULT_FRACTIONS
) -> str:
    """Split of one patient, by where its hash falls among the cumulated `fractions`."""
    position = _hash_position(patient, salt)
    if position < fractions[0]:
        return SPLIT_NAMES[0]
    return SPLIT_NAMES[1] if position < fractions[0] + fractions[1] else SPLIT_NAMES[2]


def assign_exact_splits(
    patients: Sequence[str], *, salt: str, counts: tuple[int, int, int]
) -> Mapping[str, str]:
    """Splits of exactly `counts` patients, in the order of their hashes (closed cohorts)."""
    if sum(counts) != len(patients):
        raise ValueError(f"counts {counts} do not add up to {len(patients)} patients")
    ordered = sorted(patients, key=lambda patient: _hash_position(patient, salt))
    names = [name for name, count in zip(SPLIT_NAMES, counts, strict=True) for _ in range(count)]
    return dict(zip(ordered, names, strict=True))


def _hash_position(patient: str, salt: str) -> float:
    digest = hashlib.sha256(f"{salt}:{patient}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
