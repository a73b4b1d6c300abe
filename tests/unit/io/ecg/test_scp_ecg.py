"""SCP-ECG written from the format: Huffman tables, differences, checksums."""

import struct

import numpy as np
import pytest

from ptacl_core.io import read_ecg
from ptacl_core.io.ecg.scp.huffman import DEFAULT_TABLE, decode_samples, read_table
from ptacl_core.io.ecg.scp.sections import compute_crc
from ptacl_core.records import LEAD_NAMES


def codes(record):
    return [finding.code for finding in record.findings]


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("coding", ["default", "own table", "plain"])
def test_round_trip(files, tmp_path, order, coding):
    steps = files.make_steps(1000)
    table = {
        "default": struct.pack("<H", 19999),
        "own table": files.default_table_spelt_out(),
        "plain": None,
    }[coding]
    path = tmp_path / "a.scp"
    path.write_bytes(files.scp_bytes(steps, order=order, table=table))
    record = read_ecg(path)
    np.testing.assert_array_equal(record.signal_mv, files.to_mv(steps))
    assert record.sampling_rate_hz == 500.0 and codes(record) == []


def test_the_default_table_spelt_out_is_the_default_table(files):
    table = read_table(files.default_table_spelt_out()[2:], name="a.scp")
    assert sorted(table, key=lambda code: code.prefix) == sorted(
        DEFAULT_TABLE, key=lambda code: code.prefix
    )


def test_default_codes_by_hand():
    bits = "0" + "100" + "101" + "1100" + "1" * 8 + "01" + "1" * 9 + "0" + "10000000"
    bits += "1" * 9 + "1" + "0111111111111111"
    data = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    assert decode_samples(data, DEFAULT_TABLE, count=7).tolist() == [0, 1, -1, 2, -8, -128, 32767]


def test_crc_is_ccitt():
    assert compute_crc(b"123456789") == 0x29B1


def test_eight_leads_are_completed(files, tmp_path):
    steps = files.make_steps(600)
    rows = [0, 1, 6, 7, 8, 9, 10, 11]
    path = tmp_path / "a.scp"
    path.write_bytes(files.scp_bytes(steps[rows], codes=[1, 2, 3, 4, 5, 6, 7, 8]))
    record = read_ecg(path)
    np.testing.assert_allclose(record.signal_mv, files.to_mv(steps), atol=1e-6)
    assert codes(record) == ["derived_leads"]


def test_leads_beside_the_twelve_are_left_out(files, tmp_path):
    steps = files.make_steps(600)
    path = tmp_path / "a.scp"
    with_v7 = np.concatenate([steps, steps[:1]])
    numbers = [files.SCP_CODES[lead] for lead in LEAD_NAMES]
    path.write_bytes(files.scp_bytes(with_v7, codes=[*numbers, 13]))
    record = read_ecg(path)
    np.testing.assert_array_equal(record.signal_mv, files.to_mv(steps))
    assert codes(record) == ["ignored_channels"]


def test_a_wrong_checksum_of_the_whole_file_is_told(files, tmp_path):
    data = bytearray(files.scp_bytes(files.make_steps(400)))
    data[0] ^= 0xFF
    path = tmp_path / "a.scp"
    path.write_bytes(data)
    assert codes(read_ecg(path)) == ["checksum_mismatch"]


def test_a_real_file_recoded_with_its_own_table(files, samples, tmp_path):
    """The real Huffman data with the table written out in section 2 decode to the same."""
    source = (samples / "ecgtoolkit_Example.scp").read_bytes()
    bodies = {}
    for index in range(12):
        number, size, start = struct.unpack_from("<HII", source, 22 + 10 * index)
        if size and number:
            bodies[number] = source[start - 1 + 16 : start - 1 + size]
    bodies[2] = files.default_table_spelt_out()
    path = tmp_path / "a.scp"
    path.write_bytes(files.scp_file(bodies))
    np.testing.assert_array_equal(
        read_ecg(path).signal_mv, read_ecg(samples / "ecgtoolkit_Example.scp").signal_mv
    )
