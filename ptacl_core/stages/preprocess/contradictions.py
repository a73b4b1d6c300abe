"""What a cohort's recordings and tables say against each other, told at the end of a call."""

from collections import defaultdict
from pathlib import Path

from ptacl_core.shards import spec
from ptacl_core.shards.manifest import read_all_rows

_FILES = {"ecg_sha256": "ECGs", "cmr_sha256": "cines"}


def find_contradictions(shards: Path) -> list[str]:
    """One line for each kind: a file that is several people's, a sex that tables deny.

    Either may be a mix-up that no identifier shows: the recording of another person, or one
    person under two identifiers, who would stand on two sides of the split.
    """
    table = read_all_rows(shards, spec.MANIFEST_FILE)
    names = ("patient", "sex", "ecg_row", "cine_row", *_FILES)
    columns = {name: table.column(name).to_pylist() for name in names}
    contradictions = []
    for column, noun in _FILES.items():
        owners: dict[str, set[str]] = defaultdict(set)
        for patient, sha256 in zip(columns["patient"], columns[column], strict=True):
            if sha256 is not None:
                owners[sha256].add(patient)
        shared = [patients for patients in owners.values() if len(patients) > 1]
        if shared:
            num_people = len(set().union(*shared))
            contradictions.append(
                f"WARNING: {len(shared)} {noun} are the very same files under {num_people} people: "
                "one person with two identifiers, or another's recording; look before training"
            )
    recorded: dict[str, set[str]] = defaultdict(set)
    tabled: dict[str, str] = {}
    for patient, sex, *rows in zip(*(columns[name] for name in names[:4]), strict=True):
        if sex is not None and any(row is not None for row in rows):
            recorded[patient].add(sex)
        elif sex is not None:
            tabled[patient] = sex  # rows come oldest first
    num_denied = sum(bool(recorded[patient] - {sex}) for patient, sex in tabled.items())
    if num_denied:
        contradictions.append(
            f"WARNING: {num_denied} people have another sex in their recordings than in a table "
            "(the table counts): a recording or a row may be another person's"
        )
    return contradictions
