"""Huffman codes of SCP-ECG: the default table, one table of a file, and their decoding."""

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ptacl_core.arrays import Array, Int64
from ptacl_core.errors import UnreadableFileError, UnsupportedFormatError


@dataclass(frozen=True, slots=True)
class HuffmanCode:
    """A prefix of "0" and "1"; then `num_extra_bits` that hold the signed value themselves.

    Without extra bits the code stands for `value`.
    """

    prefix: str
    num_extra_bits: int
    value: int


def _build_default_table() -> tuple[HuffmanCode, ...]:
    """0 → 0; k ones, a zero and a sign bit → ±k up to 8; nine ones → 8 or 16 bits follow."""
    codes = [HuffmanCode("0", 0, 0)]
    for magnitude in range(1, 9):
        codes.append(HuffmanCode("1" * magnitude + "00", 0, magnitude))
        codes.append(HuffmanCode("1" * magnitude + "01", 0, -magnitude))
    codes.append(HuffmanCode("1" * 9 + "0", 8, 0))
    codes.append(HuffmanCode("1" * 9 + "1", 16, 0))
    return tuple(codes)


DEFAULT_TABLE = _build_default_table()


def read_table(data: bytes, *, name: str) -> list[HuffmanCode]:
    """One table as section 2 stores it: count, then 9 bytes per code.

    Prefix bits, total bits, mode (1: no table switch), base value, base code (its first bit
    the lowest). Raises UnsupportedFormatError for table switches, UnreadableFileError for codes
    that are not a prefix code, struct.error when cut short.
    """
    (count,) = struct.unpack_from("<H", data)
    codes: list[HuffmanCode] = []
    for index in range(count):
        num_prefix, num_total, mode, value, base = struct.unpack_from("<BBBhI", data, 2 + 9 * index)
        if mode != 1:
            raise UnsupportedFormatError(
                f"{name}: SCP data that switch Huffman tables are not read; export it with the "
                "default table"
            )
        if not 1 <= num_prefix <= num_total <= num_prefix + 16 or num_prefix > 32:
            raise UnreadableFileError(f"{name}: code {index + 1} of the Huffman table is damaged")
        prefix = "".join(str(base >> bit & 1) for bit in range(num_prefix))
        codes.append(HuffmanCode(prefix, num_total - num_prefix, value))
    prefixes = sorted(code.prefix for code in codes)
    if not codes or any(after.startswith(before) for before, after in pairwise(prefixes)):
        raise UnreadableFileError(f"{name}: the Huffman table of SCP section 2 is damaged")
    return codes


def decode_samples(
    data: bytes, table: Sequence[HuffmanCode], *, count: int
) -> Int64[Array, " sample"]:
    """At most `count` values from the bits of `data`, first bit highest; fewer when they end."""
    bits = bin(int.from_bytes(b"\x01" + data, "big"))[3:]
    pattern = re.compile("|".join(f"{code.prefix}[01]{{{code.num_extra_bits}}}" for code in table))
    known = {code.prefix: code.value for code in table if code.num_extra_bits == 0}
    lengths = {code.prefix: len(code.prefix) for code in table if code.num_extra_bits}
    values = np.zeros(count, np.int64)
    num_decoded = 0
    position = 0
    while num_decoded < count:
        match = pattern.match(bits, position)
        if match is None:
            break
        word = match[0]
        value = known.get(word)
        if value is None:
            start = next(length for prefix, length in lengths.items() if word.startswith(prefix))
            value = _to_signed(word[start:])
            known[word] = value
        values[num_decoded] = value
        num_decoded += 1
        position = match.end()
    return values[:num_decoded]


def _to_signed(bits: str) -> int:
    number = int(bits, 2)
    return number - (1 << len(bits)) if bits[0] == "1" else number
