"""A small invented data set laid out as MIMIC-IV-ECG and MIMIC-IV-ECHO are: ECGs, no cine.

A hidden severity flattens T, widens QRS and lowers the ejection fraction; the echo is weeks away.
"""

import csv
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

FIRST_DAY = datetime(2130, 1, 1, 8)
_LEADS = ("I", "II", "III", "aVR", "aVF", "aVL", "V1", "V2", "V3", "V4", "V5", "V6")
_GAINS = np.array([0.6, 1.0, 0.4, -0.8, 0.7, 0.1, -0.7, -0.4, 0.5, 1.2, 1.3, 1.0])

DEFINITIONS = """
[targets.echo_lvef]
title = "LVEF, echo"
unit = "%"
low = 5.0
high = 90.0
column = "result"
where = { measurement = "lvef" }

[targets.lvef_below_50]
title = "LVEF below 50 %"
rule = "echo_lvef < 50"

[targets.la_volume]
unit = "mL"
column = "result"
where = { measurement = "la_volume" }

[[tables]]
file = "structured-measurement.csv"
person = "subject_id"
time = "measurement_datetime"
within_days = 60
"""


@dataclass(frozen=True)
class EchoSource:
    """The folder, the definitions, and the truth by person."""

    folder: Path
    definitions: Path
    lvef: dict[str, float]


def make_source(folder: Path, *, num_people: int, seed: int = 0) -> EchoSource:
    """Records, record_list.csv and an echo table in long form."""
    generator = np.random.default_rng(seed)
    root = folder / "mimic"
    root.mkdir(parents=True)
    listed, measured, lvef = [], [], {}
    for number in range(num_people):
        person = f"{90000000 + number}"
        severity = float(generator.normal())
        place = f"files/p{person[:4]}/p{person}/s{40000000 + number}/{40000000 + number}"
        made = FIRST_DAY + timedelta(days=int(generator.integers(0, 300)))
        write_record(root / place, draw_ecg(severity, generator))
        listed.append((person, 40000000 + number, number, made.isoformat(" "), place))
        lvef[person] = round(float(52 - 9 * severity + generator.normal(0, 3)), 1)
        echo = made + timedelta(days=int(generator.integers(-40, 40)))
        far = made + timedelta(days=200)
        measured += [
            (person, 1, echo.isoformat(" "), "lvef", lvef[person], "%"),
            (person, 1, echo.isoformat(" "), "la_volume", round(60 + 8 * severity, 1), "mL"),
            (person, 2, far.isoformat(" "), "lvef", 88.0, "%"),
        ]
    _write_table(root / "record_list.csv", "subject_id,study_id,file_name,ecg_time,path", listed)
    _write_table(
        root / "structured-measurement.csv",
        "subject_id,measurement_id,measurement_datetime,measurement,result,unit",
        measured,
    )
    definitions = root / "targets.toml"
    definitions.write_text(DEFINITIONS)
    return EchoSource(root, definitions, lvef)


def draw_ecg(severity: float, generator: np.random.Generator) -> np.ndarray:
    """Millivolts [12, 5000] at 500 Hz."""
    time_s = np.arange(5000) / 500
    beats_s = np.arange(0.3, 10, 60 / generator.uniform(58, 85))
    width_s = 0.012 * np.exp(0.35 * severity)
    trace = np.zeros(5000)
    for beat_s in beats_s:
        for centre_s, sd_s, height in (
            (-0.16, 0.022, 0.12), (0.0, width_s, 1.0), (0.27, 0.045, 0.3 - 0.16 * severity),
        ):  # fmt: skip
            trace += height * np.exp(-0.5 * ((time_s - beat_s - centre_s) / sd_s) ** 2)
    noise = generator.normal(0, 0.015, (12, 5000))
    return _GAINS[:, None] * trace + noise


def write_record(path: Path, signal_mv: np.ndarray) -> None:
    """A WFDB record in format 16, leads in MIMIC's order."""
    path.parent.mkdir(parents=True)
    counts = np.round(signal_mv * 200).astype("<i2")
    counts.T.tofile(path.with_suffix(".dat"))
    head = [f"{path.name} 12 500 5000"]
    head += [
        f"{path.name}.dat 16 200.0(0)/mV 16 0 {row[0]} "
        f"{int(row.astype(np.int64).sum() + 32768) % 65536 - 32768} 0 {lead}"
        for lead, row in zip(_LEADS, counts, strict=True)
    ]
    path.with_suffix(".hea").write_text("\n".join(head) + "\n")


def _write_table(path: Path, header: str, rows: list[tuple[object, ...]]) -> None:
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(header.split(","))
        writer.writerows(rows)
