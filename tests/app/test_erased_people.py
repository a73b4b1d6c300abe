"""People who are erased while the app is open leave what it remembers, too."""

import json
import os
import shutil
from pathlib import Path

import pytest

from ptacl_app.data.cohort_reader import CohortReader
from ptacl_app.shell.session import SessionState
from ptacl_core.errors import PtaclError
from ptacl_core.stages.custody import withdraw

PERSON = "p0002"


def test_an_erasure_beside_the_open_app_empties_its_session(cohort_dir, tmp_path):
    cohort = Path(shutil.copytree(cohort_dir, tmp_path / "cohort"))
    reader = CohortReader.open(cohort)
    try:
        assert not reader.has_erased()
        reader.load_patient(PERSON)
        certificate = withdraw.run(cohort, [PERSON]).certificate
        assert certificate is not None
        assert certificate.is_complete, certificate.hits
        assert certificate.open_readers == (os.getpid(),)
        assert reader.has_erased()
        assert reader.refresh()
        with pytest.raises(PtaclError):
            reader.load_patient(PERSON)
    finally:
        reader.close()
    session = SessionState(
        mode="patient",
        patient=PERSON,
        visit=2,
        criteria=(f"patient = '{PERSON}'",),
        statement=f"SELECT '{PERSON}'",
        history=(f"SELECT '{PERSON}'",),
        theme="ptacl-paper",
    )
    kept = session.without_people()
    assert PERSON not in json.dumps(kept.model_dump(mode="json"))
    assert (kept.theme, kept.mode) == ("ptacl-paper", "patient")
