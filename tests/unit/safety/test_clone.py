"""A private copy is a file of its own, whether its blocks are shared or copied."""

import errno
import fcntl
from pathlib import Path

import pytest

from ptacl_core.safety.files.clone import clone_file

CONTENT = bytes(range(256)) * 4096


def test_what_is_written_to_a_copy_is_not_seen_in_the_original(tmp_path: Path) -> None:
    original, copy = tmp_path / "original", tmp_path / "copy"
    original.write_bytes(CONTENT)
    copy.write_bytes(b"older and longer" * 100_000)
    clone_file(original, copy)
    assert copy.read_bytes() == CONTENT
    with copy.open("r+b") as file:
        file.write(b"changed")
    assert original.read_bytes() == CONTENT


def test_a_disk_that_shares_blocks_is_asked_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, copy = tmp_path / "original", tmp_path / "copy"
    original.write_bytes(CONTENT)

    def share(target: int, request: int, source: int) -> int:
        assert request == 0x40049409
        with open(source, "rb", closefd=False) as read, open(target, "wb", closefd=False) as write:
            write.write(read.read())
        return 0

    monkeypatch.setattr(fcntl, "ioctl", share)
    assert clone_file(original, copy)
    assert copy.read_bytes() == CONTENT


def test_a_full_disk_is_an_error_and_not_a_reason_to_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "original").write_bytes(CONTENT)

    def refuse(target: int, request: int, source: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(fcntl, "ioctl", refuse)
    with pytest.raises(OSError, match="No space left"):
        clone_file(tmp_path / "original", tmp_path / "copy")
