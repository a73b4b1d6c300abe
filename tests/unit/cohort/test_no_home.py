"""A user whom no file names, without HOME, as in an image: folders that were given are used."""

import pwd

import pytest

from ptacl_core.cohort.erasure.app_state import get_state_dir
from ptacl_core.cohort.notes.readings import reading_log
from ptacl_core.cohort.private_folder import KEYS_VARIABLE, keys_folder
from ptacl_core.errors import CohortError


@pytest.fixture(autouse=True)
def no_home(monkeypatch):
    def find_nobody(user):
        raise KeyError(user)

    for name in ("HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", KEYS_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", find_nobody)


def test_logs_and_state_lie_beside_the_keys(monkeypatch, tmp_path):
    monkeypatch.setenv(KEYS_VARIABLE, str(tmp_path))
    assert keys_folder() == tmp_path
    assert reading_log("one") == tmp_path / "audit" / "one.jsonl"
    assert get_state_dir() == tmp_path / "state"


def test_without_any_folder_the_message_names_what_to_set():
    for find in (keys_folder, lambda: reading_log("one"), get_state_dir):
        with pytest.raises(CohortError, match="set HOME or XDG_DATA_HOME, or PTACL_KEYS"):
            find()


def test_a_named_data_folder_is_enough(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert keys_folder() == tmp_path / "ptacl" / "keys"
