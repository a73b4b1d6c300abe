"""MFER (ISO 22077-1) files: tagged fields, waveforms in blocks of channels."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ptacl_core.arrays import Array
from ptacl_core.errors import MissingUnitError, UnreadableFileError, UnsupportedFormatError
from ptacl_core.io.ecg.assembly import Channel, Recording, assemble_ecg, check_extent, require_leads
from ptacl_core.io.ecg.hints import EcgHints
from ptacl_core.io.ecg.leads import LEAD_CODES
from ptacl_core.io.ecg.person_facts import build_person
from ptacl_core.io.files.bounded_file import read_bytes, shown_name
from ptacl_core.records import EcgRecord, Person

_BYTE_ORDER, _BLOCK, _CHANNELS, _SEQUENCES = 0x01, 0x04, 0x05, 0x06
_LEAD, _DATA_TYPE, _INTERVAL, _SENSITIVITY, _OFFSET, _NULL = 0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x12
_WAVE, _CHANNEL, _END, _AGE, _SEX = 0x1E, 0x3F, 0x80, 0x83, 0x84
_TYPES = {0: "i2", 1: "u2", 2: "i4", 3: "u1", 5: "i1", 6: "u4", 7: "f4", 8: "f8"}
_MAX_CHANNELS = 64
_MAX_FIELDS = 10_000


@dataclass(slots=True)
class _State:
    """The file's settings so far; a channel's own stand in `channels`."""

    order: str = ">"
    block: int = 0
    num_channels: int = 0
    num_sequences: int = 1
    rate_hz: float | None = None
    common: dict[int, bytes] = field(default_factory=dict)
    channels: dict[int, dict[int, bytes]] = field(default_factory=dict)
    waves: list[bytes] = field(default_factory=list)


def is_mfer(head: bytes) -> bool:
    """Whether a file that starts with `head` has MFER's preamble."""
    return head[:1] == b"\x40" and b"MFR" in head[2:8]


def read_mfer_ecg(path: Path, _hints: EcgHints) -> EcgRecord:
    """The first frame of waveforms with 12 leads.

    Raises UnsupportedFormatError for sample types that are not read and channels that are not the
    12 leads, MissingUnitError without interval or sensitivity, UnreadableFileError for lengths
    that disagree.
    """
    name = shown_name(path)
    state = _State()
    for tag, channel, value in _fields(read_bytes(path), name):
        _apply(state, tag, channel, value)
        if tag == _WAVE:
            break
    if not state.waves or not 1 <= state.num_channels <= _MAX_CHANNELS:
        raise UnreadableFileError(f"{name}: the MFER file holds no waveform; copy it again")
    if state.rate_hz is None:
        raise MissingUnitError(f"{name}: the MFER file states no sampling interval")
    labels = [_label(state, at) for at in range(state.num_channels)]
    require_leads(name, labels)
    rows = _samples(state, name)
    check_extent(name, num_samples=rows.shape[1], sampling_rate_hz=state.rate_hz)
    channels = [_to_channel(state, at, labels[at], rows[at], name) for at in range(len(labels))]
    return assemble_ecg(
        Recording(name, "mfer", state.rate_hz, channels, person=_read_person(state))
    )


def _fields(data: bytes, name: str) -> Iterator[tuple[int, int | None, bytes]]:
    """(tag, channel, value) one after another; fields inside a channel carry its number."""
    at = 0
    for _ in range(_MAX_FIELDS):
        if at >= len(data) or data[at] == _END:
            return
        tag = data[at]
        at += 1
        channel = None
        if tag == _CHANNEL:
            channel, at = _channel_number(data, at, name)
        value, at = _value(data, at, name)
        if channel is None:
            yield tag, None, value
            continue
        inner = 0
        while inner < len(value) and value[inner] != _END:
            inner_tag = value[inner]
            inner_value, inner = _value(value, inner + 1, name)
            yield inner_tag, channel, inner_value


def _channel_number(data: bytes, at: int, name: str) -> tuple[int, int]:
    if at >= len(data):
        raise _cut_short(name)
    number, at = data[at], at + 1
    if number & 0x80:  # in two bytes
        if at >= len(data):
            raise _cut_short(name)
        number, at = (number & 0x7F) << 7 | data[at], at + 1
    return number, at


def _value(data: bytes, at: int, name: str) -> tuple[bytes, int]:
    if at >= len(data):
        raise _cut_short(name)
    length, at = data[at], at + 1
    if length == 0x80:  # open end: up to the end mark
        end = data.find(b"\0\0", at)
        end = len(data) if end < 0 else end
        return data[at:end], end + 2
    if length & 0x80:
        width = length & 0x7F
        length, at = int.from_bytes(data[at : at + width], "big"), at + width
    value = data[at : at + length]
    if len(value) < length:
        raise _cut_short(name)
    return value, at + length


def _cut_short(name: str) -> UnreadableFileError:
    return UnreadableFileError(f"{name}: the MFER file is cut short; copy it again")


def _apply(state: _State, tag: int, channel: int | None, value: bytes) -> None:
    if channel is not None:
        state.channels.setdefault(channel, {})[tag] = value
        return
    if tag == _BYTE_ORDER:
        state.order = "<" if value[:1] == b"\x01" else ">"
    elif tag == _BLOCK:
        state.block = _whole(value, state.order)
    elif tag == _CHANNELS:
        state.num_channels = _whole(value, state.order)
    elif tag == _SEQUENCES:
        state.num_sequences = max(_whole(value, state.order), 1)
    elif tag == _INTERVAL and len(value) >= 3:
        number = _whole(value[2:], state.order) * 10.0 ** struct.unpack("b", value[1:2])[0]
        if number > 0:
            state.rate_hz = number if value[0] == 0 else 1.0 / number
            state.rate_hz = round(state.rate_hz, 6)
    elif tag == _WAVE:
        state.waves.append(value)
    else:
        state.common[tag] = value


def _whole(value: bytes, order: str) -> int:
    return int.from_bytes(value, "little" if order == "<" else "big")


def _setting(state: _State, channel: int, tag: int) -> bytes:
    return state.channels.get(channel, {}).get(tag, state.common.get(tag, b""))


def _label(state: _State, channel: int) -> str:
    value = _setting(state, channel, _LEAD)
    code = _whole(value[:2], state.order) if len(value) >= 2 else _whole(value, state.order)
    return LEAD_CODES.get(code, "")


def _samples(state: _State, name: str) -> Array:
    """Samples [channel, sample]: sequences of blocks, channel after channel."""
    kind = _whole(_setting(state, 0, _DATA_TYPE) or b"\0", state.order)
    if kind not in _TYPES:
        raise UnsupportedFormatError(
            f"{name}: MFER samples of type {kind} are not read; export 16-bit integers"
        )
    sample = np.dtype(state.order + _TYPES[kind])
    block = state.block or len(state.waves[0]) // (sample.itemsize * state.num_channels)
    count = state.num_sequences * state.num_channels * block
    if not block or len(state.waves[0]) < count * sample.itemsize:
        raise UnreadableFileError(
            f"{name}: the MFER waveform holds {len(state.waves[0])} bytes, {state.num_sequences} "
            f"sequences of {state.num_channels} channels of {block} samples need more"
        )
    stored = np.frombuffer(state.waves[0], sample, count)
    stored = stored.reshape(state.num_sequences, state.num_channels, block)
    return stored.transpose(1, 0, 2).reshape(state.num_channels, -1)


def _to_channel(state: _State, at: int, label: str, row: Array, name: str) -> Channel:
    value = _setting(state, at, _SENSITIVITY)
    if len(value) < 3 or value[0] != 0:  # unit 0 is the volt
        raise MissingUnitError(f"{name}: the MFER file states no voltage of a step for its leads")
    step_v = _whole(value[2:], state.order) * 10.0 ** struct.unpack("b", value[1:2])[0]
    offset, null = (_setting(state, at, tag) for tag in (_OFFSET, _NULL))
    sample = np.dtype(state.order + row.dtype.str[1:])
    baseline = float(np.frombuffer(offset, sample, 1)[0]) if len(offset) == sample.itemsize else 0.0
    missing = (int(np.frombuffer(null, sample, 1)[0]),) if len(null) == sample.itemsize else ()
    return Channel(label, row, step_v * 1e3, baseline=baseline, missing_values=missing)


def _read_person(state: _State) -> Person:
    age = state.common.get(_AGE, b"")
    sex = state.common.get(_SEX, b"")
    return build_person(
        sex=sex[0] if sex else None, age_years=age[0] if age and age[0] < 0xFF else None
    )
