"""A cohort's own targets on the patient screen, and a run that has no cines."""

import shutil

import pyarrow as pa

from ptacl_app.widgets.phenotype_panel import PhenotypePanel
from ptacl_core.cohort import Cohort
from ptacl_core.records import Target
from tests.app.conftest import RUN

PATIENT = "p0002"


def text_of(widget):
    return [
        "".join(segment.text for segment in widget.render_line(y))
        for y in range(widget.size.height)
    ]


async def test_targets_stand_beside_the_phenotypes(cohort_dir, tmp_path, make_app, settle):
    root = tmp_path / "targets"
    shutil.copytree(cohort_dir, root)
    key = {"run": RUN, "patient": PATIENT, "visit": 2, "coverage": 0.9}
    with Cohort.write(root, purpose="targets") as writer:
        writer.put_targets(
            [
                Target("strain", unit="%", title="Strain"),
                Target("weak", "binary", rule="strain > -16"),
            ]
        )
        value = {"patient": PATIENT, "visit": 2, "name": "strain", "value": -14.0}
        writer.put_target_values(pa.Table.from_pylist([value]))
        writer.put_predictions(
            pa.Table.from_pylist(
                [
                    {**key, "name": "strain", "value": -15.0, "low": -20.0, "high": -9.5,
                     "unit": "%"},
                    {**key, "name": "weak", "value": 0.62, "low": 0.4, "high": 0.81,
                     "unit": "probability"},
                ]
            )
        )  # fmt: skip
    app = make_app(root, first_patient=PATIENT)
    async with app.run_test(size=(146, 40)) as pilot:
        await settle(pilot)
        lines = text_of(app.screen.query_one(PhenotypePanel))
    strain = next(line for line in lines if line.startswith("Strain"))
    assert "~-15.0" in strain.replace("−", "-") and "-14.0" in strain.replace("−", "-")
    weak = next(line for line in lines if line.startswith("P: weak"))
    assert "~62.0" in weak and "40.0–81.0" in weak and "100.0" in weak


async def test_a_run_without_cines_finds_its_neighbours_among_ecgs(
    cohort_dir, tmp_path, make_app, settle
):
    root = tmp_path / "ecg"
    shutil.copytree(cohort_dir, root)
    with Cohort.open(root) as cohort:
        stored = cohort.embeddings(RUN, "ecg")
    with Cohort.write(root, purpose="ecg alone") as writer:
        writer.put_run("alone", kind="ecg", config={})
        writer.put_embeddings(
            "alone", "ecg", "projected", stored.patients, stored.visits.tolist(), stored.vectors
        )
    app = make_app(root, first_patient=PATIENT)
    async with app.run_test(size=(146, 40)) as pilot:
        await settle(pilot)
        app.reader.choose_run("alone")
        assert app.reader.settle_direction("ecg-cmr") == "ecg-ecg"
        view = app.reader.load_patient(PATIENT)
        assert view.neighbours and "ECGs alone" in view.map_note
        await app.switch_mode("neighbours")
        await settle(pilot)
        app.screen.load()
        await settle(pilot)
        assert app.screen.direction == "ecg-ecg"
