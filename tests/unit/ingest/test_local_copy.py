"""Archives are read from a copy in the scratch folder, everything else where it lies."""

import os
import tempfile
import zipfile
from pathlib import Path

import pytest

from ptacl_core.errors import UnreadableFileError
from ptacl_core.ingest.local_copy import local_copy
from ptacl_core.safety.files.scratch import use_scratch


@pytest.fixture
def scratch(tmp_path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


@pytest.fixture
def archive(tmp_path) -> Path:
    path = tmp_path / "9000001_20209_2_0.zip"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("one.dcm", b"bytes")
    return path


def test_an_archive_is_read_from_its_copy_which_goes_away(archive, scratch):
    with local_copy(archive, scratch) as source:
        assert source.name == archive.name
        assert source.is_relative_to(scratch)
        assert source.read_bytes() == archive.read_bytes()
    assert list(scratch.iterdir()) == []


def test_the_copy_goes_away_when_reading_fails(archive, scratch):
    with pytest.raises(ZeroDivisionError), local_copy(archive, scratch):
        raise ZeroDivisionError
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("with_scratch", [True, False])
def test_what_is_no_archive_or_has_no_scratch_is_read_where_it_lies(
    archive, scratch, tmp_path, with_scratch
):
    plain = tmp_path / "ecg.xml"
    plain.write_text("<xml/>")
    for path in (plain, tmp_path, tmp_path / "missing.zip") if with_scratch else (archive,):
        with local_copy(path, scratch if with_scratch else None) as source:
            assert source == path


def test_an_archive_that_cannot_be_read_is_a_recording_that_cannot_be_used(scratch, tmp_path):
    broken = tmp_path / "9000002_20209_2_0.zip"
    broken.symlink_to("/proc/self/mem")  # is there, answers with an error of the device
    with pytest.raises(UnreadableFileError, match="cannot be copied"), local_copy(broken, scratch):
        pass


def test_a_scratch_folder_that_is_gone_is_not_the_recordings_fault(archive):
    with pytest.raises(OSError, match="directory"), local_copy(archive, archive.parent / "gone"):
        pass


def test_temporary_files_of_this_process_and_its_children_lie_in_scratch(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    folder = tmp_path / "a" / "scratch"
    with use_scratch(folder):
        assert Path(tempfile.gettempdir()) == folder
        assert os.environ["TMPDIR"] == str(folder)
        with tempfile.TemporaryDirectory() as made:
            assert Path(made).parent == folder
    assert os.environ["TMPDIR"] == str(tmp_path)
    assert Path(tempfile.gettempdir()) == tmp_path
    with use_scratch(None):
        assert Path(tempfile.gettempdir()) == tmp_path
