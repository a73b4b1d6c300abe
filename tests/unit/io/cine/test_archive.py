"""Zip archives: what is refused, and that nothing leaves the folder given."""

import io
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from ptacl_core.errors import UnreadableFileError, UnsupportedFormatError
from ptacl_core.io.files.archive import (
    ArchiveBudget,
    ArchiveLimits,
    extract_archive,
    kept_suffix,
    open_archive,
)


def make(path: Path, files: dict[str, bytes], **options) -> Path:
    with zipfile.ZipFile(path, "w", options.get("method", zipfile.ZIP_DEFLATED)) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def extract(path: Path, tmp_path: Path, **limits) -> dict[str, bytes]:
    folder = tmp_path / "out"
    folder.mkdir()
    files = extract_archive(path, folder, limits=ArchiveLimits(**limits))
    contents = {}
    for file in files:
        assert isinstance(file.path, Path)
        assert file.path.parent == folder
        contents[file.name] = file.path.read_bytes()
    return contents


def test_files_get_fresh_flat_names(tmp_path: Path) -> None:
    path = make(tmp_path / "x.zip", {"b/β.DCM": b"1", "a/p.nii.gz": b"2", "a/sub/c": b"3"})
    folder = tmp_path / "out"
    folder.mkdir()
    files = extract_archive(path, folder)
    assert [file.name for file in files] == ["a/p.nii.gz", "a/sub/c", "b/β.DCM"]
    assert [file.path.name for file in files] == ["000001.nii.gz", "000002", "000003.dcm"]
    assert sorted(path.name for path in folder.iterdir()) == [file.path.name for file in files]


def test_nested_archives_are_unpacked_and_counted_together(tmp_path: Path) -> None:
    inner = make(tmp_path / "inner.zip", {"a.dcm": b"1" * 50, "b.dcm": b"2" * 50}).read_bytes()
    path = make(tmp_path / "x.zip", {"one/i.zip": inner, "c.txt": b"3"})
    assert set(extract(path, tmp_path)) == {"one/i.zip/a.dcm", "one/i.zip/b.dcm", "c.txt"}
    folder = tmp_path / "few"
    folder.mkdir()
    with pytest.raises(UnsupportedFormatError, match="more than 3 files"):
        extract_archive(path, folder, limits=ArchiveLimits(max_members=3))


def test_a_shared_budget_counts_over_archives(tmp_path: Path) -> None:
    budget = ArchiveBudget(ArchiveLimits(max_members=3), 0)
    folder = tmp_path / "out"
    folder.mkdir()
    path = make(tmp_path / "x.zip", {"a": b"1", "b": b"2"})
    assert len(extract_archive(path, folder, budget=budget)) == 2
    with pytest.raises(UnsupportedFormatError, match="more than 3"):
        extract_archive(path, folder, budget=budget)


def test_nesting_has_an_end(tmp_path: Path) -> None:
    data = b"core"
    for level in range(5):
        data = make(tmp_path / f"{level}.zip", {"x.zip" if level else "x": data}).read_bytes()
    with pytest.raises(UnsupportedFormatError, match="nested deeper than 3"):
        extract(tmp_path / "4.zip", tmp_path)


@pytest.mark.parametrize(
    "name",
    ["../x", "a/../../x", "/etc/x", "\\windows\\x", "C:\\x", "c:x", "a\\..\\..\\x", "..", "//h/x"],
)
def test_paths_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    path = make(tmp_path / "x.zip", {name: b"1"})
    with pytest.raises(UnsupportedFormatError, match="leads out"):
        extract(path, tmp_path)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFBLK])
def test_links_and_devices_are_refused(tmp_path: Path, kind: int) -> None:
    info = zipfile.ZipInfo("link.dcm")
    info.create_system = 3
    info.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(UnsupportedFormatError, match="link or device"):
        extract(tmp_path / "x.zip", tmp_path)


def test_encrypted_members_are_refused(tmp_path: Path) -> None:
    path = make(tmp_path / "x.zip", {"a": b"1"})
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(UnsupportedFormatError, match="encrypted"):
        extract(path, tmp_path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_rare_compression_is_refused(tmp_path: Path, method: int) -> None:
    path = make(tmp_path / "x.zip", {"a": b"1" * 100}, method=method)
    with pytest.raises(UnsupportedFormatError, match=f"method {method}"):
        extract(path, tmp_path)


def test_bomb_is_stopped_by_ratio_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = make(tmp_path / "x.zip", {"a": bytes(3_000_000)})
    with pytest.raises(UnsupportedFormatError, match="100 times"):
        extract(path, tmp_path, max_ratio=100.0, ratio_floor_bytes=1_000_000)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_plain_image_may_pack_well(tmp_path: Path) -> None:
    path = make(tmp_path / "x.zip", {"a": bytes(200_000)})
    assert extract(path, tmp_path) == {"a": bytes(200_000)}


@pytest.mark.parametrize(
    ("limits", "match"),
    [
        ({"max_member_bytes": 1000}, "a file in the archive"),
        ({"max_total_bytes": 3000}, "unpacks to more than"),
        ({"max_members": 2}, "more than 2 files"),
        ({"max_directory_bytes": 100}, "list of files"),
        ({"max_archive_bytes": 100}, "at most"),
    ],
)
def test_limits(tmp_path: Path, limits: dict[str, int], match: str) -> None:
    path = make(tmp_path / "x.zip", {f"{i}": bytes(range(250)) * 6 for i in range(3)})
    with pytest.raises(UnsupportedFormatError, match=match):
        extract(path, tmp_path, **limits)


def test_declared_sizes_are_not_believed(tmp_path: Path) -> None:
    """A member that declares ten bytes and holds ten million does not get through."""
    path = make(tmp_path / "x.zip", {"a": bytes(10_000_000)})
    data = bytearray(path.read_bytes())
    struct.pack_into("<L", data, 22, 10)
    struct.pack_into("<L", data, data.index(b"PK\x01\x02") + 24, 10)
    path.write_bytes(data)
    with pytest.raises(UnreadableFileError, match="damaged"):
        extract(path, tmp_path)
    assert list((tmp_path / "out").iterdir()) == []


def test_wrong_checksum_is_noticed(tmp_path: Path) -> None:
    path = make(tmp_path / "x.zip", {"a": b"some data here"}, method=zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"some data", b"same data"))
    with pytest.raises(UnreadableFileError, match="damaged"):
        extract(path, tmp_path)


def test_truncation_at_every_tenth_byte(tmp_path: Path) -> None:
    data = make(tmp_path / "x.zip", {"a": bytes(range(200)), "b": b"2" * 50}).read_bytes()
    for end in range(4, len(data) - 1, 10):
        path = tmp_path / "cut.zip"
        path.write_bytes(data[:end])
        with pytest.raises(UnreadableFileError), open_archive(path) as archive:
            archive.read_head(archive.members[0], num_bytes=10)


def test_huge_zip64_directory_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path / "x.zip", {"a": b"1"})
    data = bytearray(path.read_bytes())
    end = data.rindex(b"PK\x05\x06")
    record = b"PK\x06\x06" + struct.pack("<QHHLLQQQQ", 44, 45, 45, 0, 0, 1, 1, 2**40, 0)
    locator = b"PK\x06\x07" + struct.pack("<LQL", 0, end, 1)
    path.write_bytes(bytes(data[:end]) + record + locator + bytes(data[end:]))
    with pytest.raises(UnsupportedFormatError, match="list of files"), open_archive(path):
        pass


def test_resource_forks_and_folders_are_skipped(tmp_path: Path) -> None:
    path = make(
        tmp_path / "x.zip", {"__MACOSX/a": b"1", "d/._b": b"2", "d/.DS_Store": b"3", "d/": b""}
    )
    assert extract(path, tmp_path) == {}


@pytest.mark.parametrize("name", [".", "./.", " "])
def test_nameless_members_are_refused(tmp_path: Path, name: str) -> None:
    path = make(tmp_path / "x.zip", {name: b"1"})
    with pytest.raises(UnreadableFileError, match="without a name"):
        extract(path, tmp_path)


def test_messages_do_not_name_members(tmp_path: Path) -> None:
    path = make(tmp_path / "x.zip", {"../John_Doe_1947.dcm": b"1"})
    with pytest.raises(UnsupportedFormatError) as caught:
        extract(path, tmp_path)
    assert "Doe" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("a.dcm", ".dcm"), ("a.NII.GZ", ".gz"), ("a.nii.gz", ".nii.gz"), ("a", ""), ("a.b/c", "")],
)
def test_kept_suffix(name: str, suffix: str) -> None:
    assert kept_suffix(name) == suffix


def test_not_a_zip(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"PK\x03\x04" + bytes(500))
    with pytest.raises(UnreadableFileError, match="directory at the end"):
        extract(tmp_path / "x.zip", tmp_path)
    stream = io.BytesIO()
    zipfile.ZipFile(stream, "w").close()
    (tmp_path / "empty.zip").write_bytes(stream.getvalue())
    with open_archive(tmp_path / "empty.zip") as archive:
        assert archive.members == ()
