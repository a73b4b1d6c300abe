"""Tables whose time column names no unit: one that fits, clock times, or a question."""

import numpy as np
import pytest

from ptacl_core.errors import MissingUnitError, UnsupportedFormatError
from ptacl_core.io import read_ecg
from ptacl_core.records import LEAD_NAMES


def codes(record):
    return [finding.code for finding in record.findings]


def write(tmp_path, files, times, *, name="time", first_lines=None, num_samples=900):
    """A CSV with the `times` (index to text) before the leads; the steps and the file."""
    steps = files.make_steps(num_samples)
    lines = first_lines or [",".join([name, *(f"{lead} (mV)" for lead in LEAD_NAMES)])]
    lines += [
        ",".join([times(index), *(f"{value * 0.005:.3f}" for value in row)])
        for index, row in enumerate(steps.T)
    ]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(lines) + "\n")
    return path, files.to_mv(steps)


@pytest.mark.parametrize("name", ["time", "t", "Zeit", "TIME "])
@pytest.mark.parametrize("factor", [0.002, 2, 2000])
def test_the_only_unit_that_gives_an_ecg_is_taken_and_told(files, tmp_path, name, factor):
    path, expected_mv = write(tmp_path, files, lambda n: f"{n * factor:.6g}", name=name)
    record = read_ecg(path)
    assert record.sampling_rate_hz == 500.0 and codes(record) == ["time_unit_inferred"]
    np.testing.assert_allclose(record.signal_mv, expected_mv, atol=1e-5)


@pytest.mark.parametrize("step", ["1", "0.5e-6", "30", "-0.002", "0"])
def test_other_steps_are_asked_about(files, tmp_path, refuse, step):
    """Steps of 1 may be milliseconds or a count; the others are no ECG in any unit."""
    path, _ = write(tmp_path, files, lambda n: f"{n * float(step):.9g}")
    assert "sampling_rate_hz=" in refuse(path, MissingUnitError)
    assert read_ecg(path, sampling_rate_hz=500).sampling_rate_hz == 500.0


@pytest.mark.parametrize(
    "form",
    [
        "2019-02-03 10:11:{:06.3f}",
        "2019-02-03T10:11:{:06.3f}",
        "10:11:{:06.3f}",
        "'0:{:06.3f}'",
        "'[14:32:{:06.3f} 01/02/2012]'",
    ],
)
def test_clock_times(files, tmp_path, form):
    path, expected_mv = write(tmp_path, files, lambda n: form.format(n / 500))
    record = read_ecg(path)
    assert record.sampling_rate_hz == 500.0 and codes(record) == []
    np.testing.assert_allclose(record.signal_mv, expected_mv, atol=1e-5)


def test_a_clock_pattern_under_the_names(files, tmp_path):
    """As PhysioNet's archive exports: 'Elapsed time' over 'hh:mm:ss.mmm'."""
    names = ",".join(["'Elapsed time'", *(f"'{lead}'" for lead in LEAD_NAMES)])
    units = ",".join(["'hh:mm:ss.mmm'", *["'mV'"] * 12])
    path, expected_mv = write(
        tmp_path, files, lambda n: f"'0:{n / 500:06.3f}'", first_lines=[names, units]
    )
    record = read_ecg(path)
    assert record.sampling_rate_hz == 500.0
    np.testing.assert_allclose(record.signal_mv, expected_mv, atol=1e-5)


def test_gaps_and_midnight_are_refused(files, tmp_path, refuse):
    path, _ = write(tmp_path, files, lambda n: f"{(n + 90 * (n > 400)) * 0.002:.3f}")
    assert "not evenly spaced" in refuse(path, UnsupportedFormatError)
    path, _ = write(
        tmp_path,
        files,
        lambda n: f"23:59:{59 + n / 500:06.3f}" if n < 500 else f"0:00:{n / 500:06.3f}",
    )
    assert "does not increase" in refuse(path, UnsupportedFormatError)
