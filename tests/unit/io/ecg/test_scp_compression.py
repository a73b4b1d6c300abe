"""SCP-ECG with reference-beat subtraction and bimodal compression, written from the standard."""

import struct

import numpy as np
import pytest

from ptacl_core.errors import UnreadableFileError, UnsupportedFormatError
from ptacl_core.io import read_ecg
from ptacl_core.records import LEAD_NAMES

NUM_SAMPLES = 5000
FACTOR = 4
BEATS = tuple(range(300, 4800, 402))
"""Fiducial sample numbers (from 1); the reference beat reaches from -149 to +250 around them."""
REFERENCE_FIDUCIAL, REFERENCE_SAMPLES = 150, 400


def codes(record):
    return [finding.code for finding in record.findings]


def make_ecg(generator):
    """Reference beat, residual and rhythm [12, sample] in steps; Einthoven holds exactly."""
    time = np.arange(REFERENCE_SAMPLES)
    shape = np.exp(-(((time - 149) / 8) ** 2)) + 0.3 * np.exp(-(((time - 290) / 30) ** 2))
    shape[0] = shape[-1] = 0
    reference = complete(np.rint(shape * generator.uniform(60, 240, (8, 1)) / 2) * 2)
    slow = np.sin(np.arange(NUM_SAMPLES) / 700 + generator.uniform(0, 6, (8, 1)))
    residual = complete(np.rint(slow * 10) * 2)
    rhythm = residual.copy()
    for fiducial in BEATS:
        start = fiducial - REFERENCE_FIDUCIAL
        rhythm[:, start : start + REFERENCE_SAMPLES] += reference
    return reference, residual, rhythm


def complete(eight):
    one, two = eight[:2].astype(np.int64)
    rows = {"I": one, "II": two, "III": two - one, "aVR": -(one + two) // 2}
    rows |= {"aVL": one - two // 2, "aVF": two - one // 2}
    rows |= {f"V{number}": eight[1 + number].astype(np.int64) for number in range(1, 7)}
    return np.stack([rows[lead] for lead in LEAD_NAMES])


def protect(start, stop):
    """A protected stretch widened to whole groups of FACTOR samples, numbers from 1."""
    return (start - 1) // FACTOR * FACTOR + 1, -(-stop // FACTOR) * FACTOR


def decimate(residual, zones):
    """Means of FACTOR samples outside the zones, each sample inside."""
    columns, position = [], 0
    for start, stop in [*zones, (residual.shape[1] + 1, residual.shape[1])]:
        for begin in range(position, start - 1, FACTOR):
            group = residual[:, begin : min(begin + FACTOR, start - 1)]
            columns.append(np.rint(group.mean(axis=1)).astype(np.int64))
        columns += list(residual[:, start - 1 : stop].T)
        position = stop
    return np.stack(columns, axis=1)


def coded(files, steps, order):
    streams = []
    for row in steps:
        differences = row.astype(np.int64).copy()
        for _ in range(order):
            differences[1:] = np.diff(differences)
        if order == 2:
            differences[1] = row[1]
        stream = files._huffman(differences)
        streams.append(stream + b"\0" * (len(stream) % 2))
    return struct.pack(f"<{len(streams)}H", *map(len, streams)) + b"".join(streams)


def scp(files, *, bimodal, subtract=True, order=2, nanovolts=(5000, 5000), change=None):
    """Bytes of a file, and the rhythm in mV that it holds without the loss of decimation."""
    reference, residual, rhythm = make_ecg(np.random.default_rng(7))
    stored = residual if subtract else rhythm
    zones = [protect(fiducial - 60, fiducial + 80) for fiducial in BEATS]
    interval_us = 2000 * (FACTOR if bimodal else 1)
    samples = decimate(stored, zones) if bimodal else stored
    zone_bytes = b"".join(struct.pack("<II", *zone) for zone in zones)
    beats = b"".join(
        struct.pack("<HIII", 0, fiducial - 149, fiducial, fiducial + 250) for fiducial in BEATS
    )
    head_4 = struct.pack("<HHH", 2 * REFERENCE_SAMPLES, REFERENCE_FIDUCIAL, len(BEATS))
    codes_of = [files.SCP_CODES[lead] for lead in LEAD_NAMES]
    extents = b"".join(struct.pack("<IIB", 1, NUM_SAMPLES, code) for code in codes_of)
    bodies = {
        2: struct.pack("<H", 19999),
        3: struct.pack("<BB", 12, 0b1100100 | subtract) + extents,
        4: head_4 + beats + (zone_bytes if bimodal else b""),
        5: struct.pack("<HHBB", nanovolts[0], 2000, order, 0) + coded(files, reference, order),
        6: struct.pack("<HHBB", nanovolts[1], interval_us, order, int(bimodal))
        + coded(files, samples, order),
    }
    if change:
        change(bodies)
    scaled = rhythm * nanovolts[0] if nanovolts[0] == nanovolts[1] else None
    if scaled is None:
        scaled = residual * nanovolts[1] + (rhythm - residual) * nanovolts[0]
    return files.scp_file(bodies), scaled / 1e6


def read(tmp_path, data):
    path = tmp_path / "a.scp"
    path.write_bytes(data)
    return read_ecg(path)


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("nanovolts", [(5000, 5000), (2500, 1250)])
def test_a_subtracted_reference_beat_is_added_back(files, tmp_path, order, nanovolts):
    data, expected_mv = scp(files, bimodal=False, order=order, nanovolts=nanovolts)
    record = read(tmp_path, data)
    assert codes(record) == [] and record.sampling_rate_hz == 500.0
    np.testing.assert_allclose(record.signal_mv, expected_mv, atol=1e-6)


@pytest.mark.parametrize("subtract", [True, False])
def test_bimodal_compression_is_undone(files, tmp_path, subtract):
    """Exact inside the protected stretches; outside, as near as a slow signal interpolates."""
    data, expected_mv = scp(files, bimodal=True, subtract=subtract)
    record = read(tmp_path, data)
    assert codes(record) == ["decimated"] and record.sampling_rate_hz == 500.0
    assert record.signal_mv.shape == expected_mv.shape
    for fiducial in BEATS:
        start, stop = protect(fiducial - 60, fiducial + 80)
        inside = slice(start - 1, stop)
        np.testing.assert_allclose(record.signal_mv[:, inside], expected_mv[:, inside], atol=1e-6)
    assert np.abs(record.signal_mv - expected_mv).max() <= 0.02
    if subtract:  # what is decimated is then the slow rest, not the T waves
        assert np.abs(record.signal_mv - expected_mv).max() <= 0.0101


def test_a_stretch_that_is_no_whole_group_ends_with_a_smaller_one(files, tmp_path):
    """4800 samples and three: the last group has three samples."""

    def shorten(bodies):
        _, residual, _ = make_ecg(np.random.default_rng(7))
        zones = [protect(fiducial - 60, fiducial + 80) for fiducial in BEATS]
        samples = decimate(residual[:, :4903], zones)
        bodies[6] = bodies[6][:6] + coded(files, samples, 2)
        bodies[3] = bodies[3].replace(struct.pack("<I", NUM_SAMPLES), struct.pack("<I", 4903))

    data, expected_mv = scp(files, bimodal=True, change=shorten)
    record = read(tmp_path, data)
    np.testing.assert_allclose(record.signal_mv, expected_mv[:, :4903], atol=0.0101)


def test_beats_of_another_type_were_not_subtracted(files, tmp_path):
    def mark(bodies):
        body = bytearray(bodies[4])
        body[6 + 14 * 2] = 1  # the third beat
        bodies[4] = bytes(body)

    data, expected_mv = scp(files, bimodal=False, change=mark)
    _, residual, _ = make_ecg(np.random.default_rng(7))
    third = slice(BEATS[2] - REFERENCE_FIDUCIAL, BEATS[2] + 250)
    expected_mv[:, third] = residual[:, third] * 5000 / 1e6
    np.testing.assert_allclose(read(tmp_path, data).signal_mv, expected_mv, atol=1e-6)


def drop(*numbers):
    return lambda bodies: [bodies.pop(number) for number in numbers]


def put(number, at, data):
    def change(bodies):
        body = bytearray(bodies[number])
        body[at : at + len(data)] = data
        bodies[number] = bytes(body)

    return change


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (drop(4), UnreadableFileError, "sections 4 and 5"),
        (drop(5), UnreadableFileError, "sections 4 and 5"),
        (put(4, 4, b"\xff\xff"), UnreadableFileError, "section 4"),
        (put(4, 0, b"\xff\xff"), UnreadableFileError, "section 5"),
        (put(4, 0, b"\0\0"), UnreadableFileError, "reference beat of 0 ms"),
        (put(5, 2, struct.pack("<H", 3000)), UnsupportedFormatError, "every 3000 us"),
        (put(5, 2, struct.pack("<H", 0)), UnreadableFileError, "section 5"),
        (put(5, 2, struct.pack("<H", 1)), UnsupportedFormatError, "every 1 us"),
        (put(6, 5, b"\0"), UnreadableFileError, "section 6 holds more"),
        (put(4, 6 + 14 * len(BEATS), bytes(8 * 6)), UnreadableFileError, "section 6 holds"),
    ],
)
def test_damaged_sections_are_refused(files, tmp_path, refuse, change, error, words):
    path = tmp_path / "a.scp"
    path.write_bytes(scp(files, bimodal=True, change=change)[0])
    assert words in refuse(path, error)


def test_beats_beyond_the_recording_add_nothing(files, tmp_path):
    far = struct.pack("<HIII", 0, 2**32 - 500, 2**32 - 400, 2**32 - 1)
    data, expected_mv = scp(files, bimodal=False, change=put(4, 6, far))
    record = read(tmp_path, data)
    np.testing.assert_allclose(record.signal_mv[:, 800:], expected_mv[:, 800:], atol=1e-6)


@pytest.mark.parametrize("bimodal", [False, True])
def test_the_carts_beats_and_statements_are_kept(files, tmp_path, bimodal):
    texts = (b"Sinus rhythm\0", b"Confirmed by Dr. Example\0", b"Left axis deviation\0")
    lines = b"".join(struct.pack("<BH", n, len(text)) + text for n, text in enumerate(texts, 1))

    def say(bodies):
        bodies[8] = struct.pack("<BHBBBBBB", 1, 2020, 1, 2, 9, 30, 0, len(texts)) + lines

    data, _ = scp(files, bimodal=bimodal, change=say)
    record = read(tmp_path, data)
    np.testing.assert_array_equal(record.device_r_peak_samples, np.array(BEATS) - 1)
    assert record.device_statements == ("Sinus rhythm", "Left axis deviation")

    def cut(bodies):
        say(bodies)
        bodies[8] = bodies[8][:-10]

    assert read(tmp_path, scp(files, bimodal=bimodal, change=cut)[0]).device_statements == ()
