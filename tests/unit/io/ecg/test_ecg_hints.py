"""Hints are checked before any file is touched, with the nearest name for a misspelt one."""

import pytest

from ptacl_core.errors import ConfigError


@pytest.mark.parametrize(
    ("hints", "message"),
    [
        ({"sampling_rate": 500}, "did you mean sampling_rate_hz?"),
        ({"fs": 500}, "known are lead_names, unit"),
        ({"unit": "metre"}, "unit must be"),
        ({"unit": 5}, "unit must be"),
        ({"sampling_rate_hz": "500"}, "a number of Hz above 0"),
        ({"sampling_rate_hz": -1}, "a number of Hz above 0"),
        ({"sampling_rate_hz": float("nan")}, "a number of Hz above 0"),
        ({"sampling_rate_hz": True}, "a number of Hz above 0"),
        ({"lead_names": 12}, "lead_names must be"),
        ({"lead_names": []}, "lead_names must be"),
        ({"record_index": -1}, "a whole number from 0"),
        ({"record_index": 1.0}, "a whole number from 0"),
        ({"array_name": ""}, "the name of an array"),
    ],
)
def test_hints_are_checked_before_any_file(tmp_path, refuse, hints, message):
    assert message in refuse(tmp_path / "absent.npy", ConfigError, **hints)
