"""From an ECG's file to the store: marks, figures, leads and statements, replaced as a whole."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from ptacl_core.cohort import Cohort
from ptacl_core.records import FIGURE_NAMES, LEAD_NAMES, MARK_NAMES
from ptacl_core.stages.preprocess import run as preprocess

SAMPLES = Path(__file__).parents[2] / "assets" / "samples"


@pytest.fixture(scope="module")
def cohort_dir(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("ecgs")
    for name in ("HR06004.hea", "HR06004.mat", "philips_1.04_demo.xml"):
        shutil.copy(SAMPLES / name, folder / name)
    pairs = folder / "pairs.csv"
    pairs.write_text(
        "patient,ecg,cmr\n9000000001,HR06004.hea,\n9000000002,philips_1.04_demo.xml,\n"
    )
    cohort = tmp_path_factory.mktemp("cohort") / "c"
    summary = preprocess.run(folder, cohort, pairs=pairs, num_workers=1)
    assert summary.accepted["ecg"] == 2
    return cohort


def rows(cohort_dir, statement) -> list[dict[str, Any]]:
    with Cohort.open(cohort_dir) as cohort:
        result = cohort.sql(statement)
    return [dict(zip(result.columns, row, strict=True)) for row in result.rows]


def test_every_beat_and_the_representative_one_have_marks(cohort_dir):
    marks = rows(cohort_dir, "SELECT * FROM ecg_marks WHERE source = 'ptacl' ORDER BY ALL")
    for patient in {row["patient"] for row in marks}:
        own = [row for row in marks if row["patient"] == patient]
        assert [row["beat"] for row in own] == list(range(-1, len(own) - 1))
        assert len(own) > 10
        for row in own:
            placed = [row[name] for name in MARK_NAMES if row[name] is not None]
            assert placed == sorted(placed)
        assert all(own[0][name] is not None for name in MARK_NAMES)


def test_our_figures_stand_beside_the_devices(cohort_dir):
    figures = rows(cohort_dir, "SELECT * FROM ecg_figures")
    assert {row["name"] for row in figures} <= set(FIGURE_NAMES)
    both = {}
    for row in figures:
        both.setdefault((row["patient"], row["name"]), {})[row["source"]] = row["value"]
    compared = [pair for (_, name), pair in both.items() if name == "pr_ms" and len(pair) == 2]
    assert len(compared) == 1
    assert abs(compared[0]["ptacl"] - compared[0]["device"]) <= 6
    assert compared[0]["device"] == 144.0


def test_recordings_leads_and_findings_agree_with_the_analysis(cohort_dir):
    leads = rows(cohort_dir, "SELECT patient, lead, r_mv, st_j_mv FROM ecg_leads")
    assert {row["lead"] for row in leads} == set(LEAD_NAMES)
    assert len(leads) == 24
    assert all(row["r_mv"] is not None and row["r_mv"] >= 0 for row in leads)
    joined = rows(
        cohort_dir,
        "SELECT count(*) AS n FROM recordings r JOIN ecg_figures f USING (patient, visit) "
        "WHERE f.source = 'ptacl' AND f.name = 'qt_ms' AND f.value = r.qt_ms",
    )
    assert joined[0]["n"] == 2


def test_an_analysis_is_replaced_as_a_whole(cohort_dir):
    before = {
        name: rows(cohort_dir, f"SELECT count(*) AS n FROM {name}")[0]["n"]
        for name in ("ecg_marks", "ecg_figures", "ecg_leads", "ecg_statements")
    }
    from ptacl_core.ingest.register import register_shards

    register_shards(cohort_dir, name="c", source="files", convention="as given")
    for name, count in before.items():
        assert rows(cohort_dir, f"SELECT count(*) AS n FROM {name}")[0]["n"] == count
