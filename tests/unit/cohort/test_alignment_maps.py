"""A visit's own map comes back; a damaged file is said to be damaged."""

import numpy as np
import pytest

from ptacl_core.cohort import alignment_maps
from ptacl_core.errors import CohortError


@pytest.fixture
def path(tmp_path):
    folder = tmp_path / "align-1"
    folder.mkdir()
    return folder / alignment_maps.FILE_NAME


def write(path, count):
    maps = np.random.default_rng(0).normal(size=(count, 13, 13)).astype(np.float32)
    names = [f"p{index // 2}" for index in range(count)]
    alignment_maps.write_alignment_maps(
        path, names, [2 + index % 2 for index in range(count)], maps
    )
    return maps


@pytest.mark.parametrize("row", [0, 1, 511, 512, 1029])
def test_each_visit_has_its_own_map_in_every_block(path, row):
    maps = write(path, 1030)
    found = alignment_maps.read_alignment_map(path, f"p{row // 2}", 2 + row % 2)
    np.testing.assert_array_equal(found, maps[row])
    assert not found.flags.writeable


def test_what_is_not_there_is_none(path):
    assert alignment_maps.read_alignment_map(path, "p0", 2) is None
    write(path, 4)
    assert alignment_maps.read_alignment_map(path, "p9", 2) is None
    assert alignment_maps.read_alignment_map(path, "p0", 9) is None
    assert path.stat().st_mode & 0o777 == 0o600


def test_no_map_at_all_is_written_and_read(path):
    alignment_maps.write_alignment_maps(path, [], [], np.zeros((0, 13, 13), np.float32))
    assert alignment_maps.read_alignment_map(path, "p0", 2) is None


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_cut_file_is_said_to_be_damaged(path, share):
    write(path, 40)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(CohortError, match=r"align-1/alignment\.parquet is damaged"):
        alignment_maps.read_alignment_map(path, "p0", 2)


def test_a_table_of_another_shape_is_said_to_be_damaged(path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"patient": ["p0"], "visit": [2], "similarity": [[1.0, 2.0]]}), path)
    with pytest.raises(CohortError, match="damaged"):
        alignment_maps.read_alignment_map(path, "p0", 2)
    pq.write_table(pa.table({"name": ["p0"]}), path)
    with pytest.raises(CohortError, match="damaged"):
        alignment_maps.read_alignment_map(path, "p0", 2)
