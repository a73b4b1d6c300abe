"""A cohort that is shared with a group stays so, whatever is written later; secrets stay closed."""

import stat
from pathlib import Path

import pyarrow as pa

from ptacl_core.cohort import Cohort
from ptacl_core.cohort.erasure.erase import ShardErasure, erase_patients
from ptacl_core.cohort.health.verification import verify_cohort
from ptacl_core.cohort.layout import CohortLayout
from ptacl_core.stages.custody import share


def rights(cohort: Path) -> dict[str, int]:
    return {
        str(path.relative_to(cohort)): stat.S_IMODE(path.stat().st_mode)
        for path in cohort.rglob("*")
    }


def test_what_is_written_later_follows_the_folder(cohort: Cohort) -> None:
    path = cohort.path
    assert share.run(path, "read") > 0
    cohort.export("SELECT patient FROM patients", name="people")
    cohort.notes.add_note("sim-000003", "a note")
    with Cohort.write(path, purpose="more") as writer:
        writer.put_patients(pa.table({"patient": ["new-1"]}))
    erase_patients(CohortLayout(path), ["sim-000001"], erase_shards=lambda *_: ShardErasure(0))
    modes = rights(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o2750
    secrets = ("identities.duckdb", "lineage.duckdb", "withdrawn.json")
    for name, mode in modes.items():
        if name in secrets:
            assert mode == 0o600, name
        else:
            assert mode & 0o040, (name, oct(mode))
            assert not mode & 0o027, (name, oct(mode))
    assert any(name.startswith("erasures/") for name in modes)
    assert [defect.code for defect in verify_cohort(path).defects if defect.code == "rights"] == []
    share.run(path, "none")
    assert {mode & 0o077 for mode in rights(path).values()} == {0}
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
