"""What a prediction asks of withdrawals: is the file of somebody who withdrew, was the model?"""

from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from typing import Any

from ptacl_core.cohort import Cohort
from ptacl_core.cohort.identity.keys import find_key
from ptacl_core.cohort.identity.register import is_register_closed, open_register, read_register
from ptacl_core.ingest.shard_files import hash_recording
from ptacl_core.io.discover.names import parse_name
from ptacl_core.progress import ProgressSink

WITHDRAWN = "this recording is of a person who withdrew; it is not used"
IsWithdrawn = Callable[[Path, Mapping[str, Any]], bool]


def ask_register(cohort: Cohort, progress: ProgressSink) -> IsWithdrawn:
    """Tells of a file whether its person is on the register, by its name or its bytes.

    Without the cohort's key, or with a register that only its owner may read, it cannot be told,
    which is said.
    """
    fingerprint = cohort.description.key_fingerprint
    if is_register_closed(cohort.layout):
        progress.say(
            "the register of withdrawn people is open to the cohort's owner alone: whether these "
            "ECGs are of people who withdrew cannot be told"
        )
        return lambda _path, _hints: False
    register = read_register(cohort.layout, key_fingerprint=fingerprint)
    if register.is_empty:
        return lambda _path, _hints: False
    key = find_key(cohort.layout)
    if key is None:
        progress.say(
            "the cohort's key is not on this machine: whether these ECGs are of people who "
            "withdrew cannot be told"
        )
        return lambda _path, _hints: False
    withdrawn = open_register(cohort.layout, key)

    def is_withdrawn(path: Path, hints: Mapping[str, Any]) -> bool:
        subject = parse_name(PurePath(path)).subject
        return (
            withdrawn.holds_identifier(subject)
            or withdrawn.holds_identifier(path.name)
            or (path.exists() and withdrawn.holds_recording(hash_recording(path, hints)))
        )

    return is_withdrawn


def tell_mark(cohort: Cohort, run: str, progress: ProgressSink) -> None:
    """Say that people of the run's training were erased since."""
    for run_of_store in cohort.runs():
        if run_of_store.run == run and run_of_store.withdrawn_people:
            progress.say(
                f"WARNING: run {run} was trained with people who withdrew since (or may have "
                f"been): {run_of_store.withdrawn_people}; `ptacl train` under another name leaves "
                "them out"
            )
