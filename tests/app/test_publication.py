"""The cohort is written while it is looked at: the numbers change, what plays goes on."""

import pyarrow as pa
import pytest

from ptacl_app.drawing.saliency import Saliency
from ptacl_app.shell import messages
from ptacl_app.widgets.ecg.plot import EcgPlot
from ptacl_app.widgets.phenotype_panel import PhenotypePanel
from ptacl_app.widgets.tables.neighbours import NeighbourList
from ptacl_core.cohort import Cohort
from ptacl_core.records import PHENOTYPE_UNITS
from tests.app.conftest import RUN, build_cohort

SIZE = (146, 40)
WHY = Saliency("lvef_pct", tuple(float(change) for change in range(12)), (0.5,) * 13)


@pytest.fixture
def written_cohort(tmp_path):
    return build_cohort(tmp_path / "written", num_patients=8)


def publish_prediction(root, *, value):
    row = {
        "run": RUN, "patient": "p0002", "visit": 2, "name": "lvef_pct", "value": value,
        "low": value - 5, "high": value + 5, "unit": PHENOTYPE_UNITS["lvef_pct"], "coverage": 0.9,
    }  # fmt: skip
    with Cohort.write(root, purpose="test") as writer:
        writer.put_predictions(pa.Table.from_pylist([row]))


def publish_person(root):
    with Cohort.write(root, purpose="test") as writer:
        writer.put_patients(pa.Table.from_pylist([{"patient": "late", "sex": "F"}]))


async def test_playback_page_and_overlay_survive_a_publication(
    make_app, settle, written_cohort, fake_time
):
    app = make_app(written_cohort, first_patient="p0002")
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot)
        await pilot.press("g", "l", "m")
        await pilot.press("space")
        fake_time.advance(0.63)
        app.screen.tick()
        app.screen.post_message(messages.SaliencyLoaded(app.patient, {"lvef_pct": WHY}))
        await settle(pilot)
        ecg = app.screen.query_one("#ecg", EcgPlot)
        clock, before, view, calipers = app.screen.clock, app.patient, ecg.view, ecg.calipers
        frame = clock.position.frame
        assert clock.is_playing
        assert frame

        publish_person(written_cohort)
        app.check_publication()
        await settle(pilot)
        assert app.patient is not before
        assert app.screen.clock is clock
        assert clock.is_playing
        assert clock.position.frame == frame
        assert (ecg.view, ecg.calipers, ecg.saliency) == (view, calipers, WHY)
        assert app.screen.query_one("#phenotypes", PhenotypePanel).explained == "lvef_pct"

        publish_prediction(written_cohort, value=41.5)
        app.check_publication()
        await settle(pilot)
        shown = {phenotype.name: phenotype.predicted for phenotype in app.patient.phenotypes}
        assert shown["lvef_pct"].value == 41.5
        assert app.screen.clock is clock
        assert ecg.saliency is None, "an explanation of another prediction stayed"
        assert not app.screen.overlay.by_phenotype


async def test_two_hearts_beat_on_through_a_publication(make_app, settle, written_cohort):
    app = make_app(written_cohort, first_patient="p0002")
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot)
        await pilot.press("n")
        await settle(pilot)
        await pilot.press("down", "down")
        table = app.screen.query_one("#table", NeighbourList)
        chosen = table.selected.patient
        await pilot.press("enter")
        await settle(pilot)
        assert app.screen.is_pair_shown
        publish_person(written_cohort)
        app.check_publication()
        await settle(pilot)
        assert app.screen.is_pair_shown
        assert app.screen.clock.is_playing
        assert table.selected.patient == chosen
        await pilot.press("escape", "2", "right_square_bracket")
        await settle(pilot)
        assert not app.screen.overlay.is_on


async def test_a_patient_asked_for_during_a_publication_is_the_one_shown(
    make_app, settle, written_cohort
):
    app = make_app(written_cohort, first_patient="p0002")
    async with app.run_test(size=SIZE) as pilot:
        await settle(pilot)
        publish_person(written_cohort)
        app.open_patient("p0004")
        app.on_cohort_opened(messages.CohortOpened(app.reader.summarise()))
        await settle(pilot)
        assert app.patient.patient == "p0004"
