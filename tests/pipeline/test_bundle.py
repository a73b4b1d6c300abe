"""A model that travels: packed, answered from alone, searched for the people it was trained on."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

import ptacl_core
from ptacl_core.bundle.model_file import ModelFile
from ptacl_core.cohort import Cohort
from ptacl_core.cohort.erasure.byte_search import binary_needle, search_directories, text_needles
from ptacl_core.documents.bundle import Membership
from ptacl_core.documents.figures import Bounded
from ptacl_core.errors import CohortError, RecordError
from ptacl_core.io import read_ecg
from ptacl_core.progress import SILENT
from ptacl_core.runs.bundled import load_pretrained
from ptacl_core.runs.encoders import load_encoder
from ptacl_core.runs.folder import load_run_config
from ptacl_core.shards import ShardReader
from ptacl_core.shards.spec import COVARIATE_NAMES
from ptacl_core.stages.pack import run as pack_stage
from ptacl_core.stages.pack.membership import find_telling
from ptacl_core.stages.simulate import run as simulate
from tests.pipeline.no_patient import derive, least_gap, list_tensors, read_matrices

pytestmark = pytest.mark.xdist_group("trained")
SAMPLES = Path(__file__).resolve().parents[2] / "assets" / "samples"
FILES = [SAMPLES / name for name in ("HR06000.hea", "JS20000.hea", "philips_1.04_demo.xml")]


@pytest.fixture(scope="module")
def leaving(trained_cohort, tmp_path_factory) -> Path:
    """What `ptacl egress` writes of the run: the packed model with both encoders among it."""
    from ptacl_core.stages.pack import egress

    folder = tmp_path_factory.mktemp("leaving") / "out"
    options = pack_stage.PackOptions(modalities=("ecg", "cmr"))
    egress.run(trained_cohort, "tiny", folder, options=options)
    return folder


def test_the_cine_encoder_leaves_only_when_asked_for(ptacl, trained_cohort, tmp_path):
    path = tmp_path / "tiny.ptacl"
    packed = ptacl("pack", trained_cohort, "tiny", "--out", path)
    assert packed.exit_code == 0, packed.err
    document = ModelFile(path).document
    assert list(document.encoders) == ["ecg"]
    assert all("cine" not in figure.needs for figure in document.membership)
    assert "--modality both packs it too" in packed.err


@pytest.fixture
def model(leaving, tmp_path) -> Path:
    """The packed model alone in a folder."""
    return Path(shutil.copy(leaving / "tiny.ptacl", tmp_path / "tiny.ptacl"))


def test_it_gives_the_figures_that_the_run_gives(ptacl, model, trained_cohort):
    alone = ptacl("predict", *FILES, "--model", model, "--person", "sex=F,age=61", "--json")
    beside = ptacl(
        "predict", *FILES, "--cohort", trained_cohort, "--run", "tiny",
        "--person", "sex=F,age=61", "--json",
    )  # fmt: skip
    assert (alone.exit_code, beside.exit_code) == (0, 0), alone.err + beside.err
    session = ptacl_core.load_model(model)
    spoken = session.predict(FILES, person="sex=F,age=61")
    of_run = ptacl_core.load_model(trained_cohort, run="tiny")
    for mine, theirs, document in zip(
        json.loads(alone.out), json.loads(beside.out), spoken, strict=True
    ):
        assert mine.pop("neighbours") == []
        assert len(theirs.pop("neighbours")) == 5
        assert mine.pop("neighbour_phenotypes") == {}
        del theirs["neighbour_phenotypes"]
        assert mine == theirs
        assert document.as_dict()["phenotypes"] == mine["phenotypes"]
    np.testing.assert_array_equal(session.embed(FILES), of_run.embed(FILES))


def test_with_a_cohort_of_the_same_weights_it_finds_the_nearest(ptacl, model, trained_cohort):
    answer = ptacl("predict", FILES[0], "--model", model, "--cohort", trained_cohort, "--json")
    assert answer.exit_code == 0, answer.err
    assert len(json.loads(answer.out)[0]["neighbours"]) == 5
    both = ptacl("predict", FILES[0], "--model", model, "--run", "tiny")
    assert both.exit_code == 2


def test_paths_records_and_arrays_are_one(model):
    session = ptacl_core.load_model(model)
    record = read_ecg(FILES[0])
    rate = record.sampling_rate_hz
    of_path = session.embed(str(FILES[0]))
    np.testing.assert_array_equal(of_path, session.embed(record))
    np.testing.assert_array_equal(of_path, session.embed(record.signal_mv, sampling_rate_hz=rate))
    several = session.embed([FILES[0], record], space="pooled")
    assert several.shape[0] == 2
    np.testing.assert_allclose(several[0], several[1], atol=1e-6)
    table = session.predict([record, "missing.xml"]).to_pandas()
    assert list(table["error"].notna()) == [False] * 10 + [True]
    assert session.predict(record).to_arrow().num_rows == 10
    with pytest.raises(RecordError, match="missing"):
        session.embed("missing.xml")
    gap = session.embed(["missing.xml", record], on_error="nan")
    assert np.isnan(gap[0]).all()
    assert np.isfinite(gap[1]).all()
    with pytest.raises(RecordError, match="sampling rate"):
        session.embed(record.signal_mv)


def test_unpack_prints_everything(ptacl, model):
    shown = ptacl("unpack", model, "--show")
    assert shown.exit_code == 0, shown.err
    for word in ("encoder.", "coefficients", "ptacl-bundle", "ptacl-aggregates", "membership",
                 "Research use only"):  # fmt: skip
        assert word in shown.out
    document = json.loads(ptacl("unpack", model, "--json").out)
    held = ModelFile(model).document.files
    assert set(document["tensors"]) == {name for name in held if name.endswith(".safetensors")}


def test_nothing_that_leaves_names_or_holds_anybody(leaving, trained_cohort, capsys):
    """Bytes of every person, and their rows, also solved for by the linear maps beside them."""
    with ShardReader.open(trained_cohort) as reader:
        rows = reader.rows("train")
        signals, people = reader.read_ecg(rows), [reader.patients[row] for row in rows]
        labels = reader.phenotypes(rows)
        covariates = reader.covariates(rows)
        hashes = [
            digest
            for name in ("ecg_sha256", "cmr_sha256")
            for digest in reader.table.column(name).take(rows).to_pylist()
            if digest
        ]
    needles = [needle for text in (*people, *hashes) for needle in text_needles(text)]
    for values in (signals, signals.astype(np.float32), labels, labels.astype(np.float32)):
        needles += [binary_needle(row.tobytes()[:64]) for row in values.reshape(len(values), -1)]
    places = [leaving, trained_cohort / "runs" / "tiny"]
    report = search_directories(places, needles)
    assert not report.hits
    assert not report.not_searched

    with Cohort.open(trained_cohort) as cohort:
        embeddings = [
            cohort.embeddings("tiny", modality, space)
            for modality in ("ecg", "cmr")
            for space in ("pooled", "projected")
        ]
    matrices, maps = read_matrices(leaving)
    of_run, maps_of_run = read_matrices(places[1])
    assert min(len(matrices), len(of_run)) > 50
    matrices, maps = matrices + of_run, maps + maps_of_run
    train = set(people)
    least = {}
    for stored in embeddings:
        at = np.flatnonzero([patient in train for patient in stored.patients])
        points = stored.vectors[at].astype(np.float64)
        gap = least_gap(points, derive(matrices, maps, points.shape[1]))
        least[f"{stored.modality} {stored.space}"] = gap
        assert gap > 1e-3
    for name, values in (("phenotypes", labels), ("sex, age and size", covariates)):
        known = values[np.isfinite(values).all(axis=1)]
        gap = least_gap(known, derive(matrices, [], known.shape[1]))
        least[name] = gap
        assert gap > 1e-3
    offsets = {
        abs(value)
        for name, tensors in list_tensors(leaving)
        if name == "readout.safetensors"
        for value in tensors["offsets"].ravel().tolist()
    }
    assert all(f"{value:.3g}" == f"{value:.12g}" for value in offsets), "a person's own residual"
    assert len(COVARIATE_NAMES) == covariates.shape[1]
    lines = [
        f"{len(train)} people, {len(needles)} needles in {report.num_files} files "
        f"({report.num_bytes:,} bytes) of the packed model, the egress folder and the run: none "
        f"found; {len(matrices)} matrices through "
        f"{len(maps)} maps, nearest row by kind in SD: "
        + ", ".join(f"{name} {gap:.3f}" for name, gap in least.items()),
        *(
            f"membership by {figure.figure}: AUC {figure.auc.value:.3f} "
            f"[{figure.auc.low:.3f}, {figure.auc.high:.3f}]"
            for figure in ModelFile(leaving / "tiny.ptacl").document.membership
        ),
    ]
    with capsys.disabled():
        sys.stdout.write("\n" + "\n".join(lines) + "\n")


def test_no_count_of_one_to_nine_people_leaves(leaving):
    def counts(values) -> list[int]:
        if isinstance(values, dict):
            own = [values["n"]] if isinstance(values.get("n"), int) else []
            own += [values["patients"]] if isinstance(values.get("patients"), int) else []
            return own + [count for child in values.values() for count in counts(child)]
        return [count for child in values for count in counts(child)] if isinstance(
            values, list
        ) else []  # fmt: skip

    model = ModelFile(leaving / "tiny.ptacl")
    aggregates = model.evaluation()
    assert aggregates is not None
    published = counts(aggregates.as_dict()) + counts(model.document.as_dict())
    assert len(published) > 30
    assert min(published) >= 10
    readout = model.tensors("readout.safetensors")
    numbers = [values for name, values in readout.items() if "num_" in name]
    assert all(((values == 0) | (values >= 10)).all() for values in numbers)
    manifest = json.loads((leaving / "manifest.json").read_text())
    assert {file["name"] for file in manifest["files"]} == {
        path.name for path in leaving.iterdir()
    } - {"manifest.json"}
    assert all(file["why_harmless"] for file in manifest["files"])
    assert manifest["scan"]["found"] == 0


def test_a_model_that_tells_its_members_is_refused():
    telling = Membership(
        figure="loss of the read-out", auc=Bounded(value=0.7, low=0.62, high=0.78),
        training=100, held_out=30, needs="the ECG",
    )  # fmt: skip
    assert find_telling([telling]) == [telling]
    with pytest.raises(CohortError, match="can tell that they were in the training"):
        pack_stage._judge_membership((telling,), SILENT, may_tell=False)
    pack_stage._judge_membership((telling,), SILENT, may_tell=True)


def test_egress_removes_what_names_somebody(ptacl, trained_cohort, tmp_path):
    with ShardReader.open(trained_cohort) as reader:
        somebody = reader.patients[0]
    out = tmp_path / "out"
    answer = ptacl("egress", trained_cohort, "tiny", out, "--author", f"thanks to {somebody}")
    assert answer.exit_code == 2
    assert somebody not in answer.err
    assert list(out.iterdir()) == []


@pytest.fixture(scope="module")
def other_cohort(tmp_path_factory) -> Path:
    """Other people, simulated with another seed."""
    folder = tmp_path_factory.mktemp("other") / "cohort"
    simulate.run(folder, preset="tiny", num_patients=48, seed=7, num_workers=1)
    return folder


def test_a_cohort_is_embedded_and_searched_by_the_file(ptacl, model, other_cohort):
    embedded = ptacl("embed", other_cohort, "--model", model, "--json")
    assert embedded.exit_code == 0, embedded.err
    assert json.loads(embedded.out)["ecg"] == 48
    again = ptacl("embed", other_cohort, "--model", model)
    assert (again.exit_code, "there already" in again.err) == (0, True)
    readouts = [
        ptacl_core.load_model(place, run=run).predict(FILES[0])[0].phenotypes
        for place, run in ((model, None), (other_cohort, "tiny"))
    ]
    assert readouts[0] == readouts[1], "the read-out was fitted anew"
    nearest = ptacl("predict", FILES[0], "--model", model, "--cohort", other_cohort, "--json")
    assert len(json.loads(nearest.out)[0]["neighbours"]) == 5
    with ptacl_core.Cohort.open(other_cohort) as cohort:
        vector = ptacl_core.load_model(model).embed(FILES[0])
        alike = cohort.search("sex = 'F'", like=vector, k=3)
        assert [row["rank"] for row in alike] == [1, 2, 3]
        assert cohort.to_arrow().num_rows == len(cohort.to_pandas()) == 48
        assert {row["sex"] for row in cohort.search("sex = 'F'")} == {"F"}
        assert cohort.to_pandas("predictions")["run"].unique().tolist() == ["tiny"]
    assert ptacl("verify", other_cohort).exit_code == 0


def test_another_run_of_the_same_name_is_not_taken(ptacl, model, other_cohort, tmp_path):
    cohort = Path(shutil.copytree(other_cohort, tmp_path / "cohort"))
    shutil.rmtree(cohort / "runs", ignore_errors=True)
    started = ptacl("train", cohort, "--preset", "tiny", "--stage", "ecg", "--run", "tiny")
    assert started.exit_code == 0, started.err
    assert ptacl("embed", cohort, "--model", model).exit_code == 2


def test_training_starts_from_a_file_of_either_modality(
    ptacl, trained_cohort, other_cohort, tmp_path
):
    for modality in ("ecg", "cmr"):
        path = tmp_path / f"{modality}.ptacl"
        packed = ptacl("pack", trained_cohort, "tiny", "--out", path, "--modality", modality)
        assert packed.exit_code == 0, packed.err
        assert list(ModelFile(path).document.encoders) == [modality]
    assert ptacl("predict", FILES[0], "--model", tmp_path / "ecg.ptacl").exit_code == 0
    refused = ptacl("predict", FILES[0], "--model", tmp_path / "cmr.ptacl")
    assert (refused.exit_code, "cannot predict" in refused.err) == (2, True)
    assert ptacl("embed", other_cohort, "--model", tmp_path / "ecg.ptacl").exit_code in (0, 2)
    sources = [
        f"--set=pretrained_from.{modality}={tmp_path / modality}.ptacl"
        for modality in ("ecg", "cmr")
    ]
    trained = ptacl(
        "train", other_cohort, "--preset", "tiny", "--run", "from-files", *sources,
        "--set", "align.optimisation.steps=1", "--json",
    )  # fmt: skip
    assert trained.exit_code == 0, trained.err
    settings = load_run_config(other_cohort / "runs" / "from-files")
    for modality in ("ecg", "cmr"):
        theirs = load_encoder(trained_cohort / "runs" / "tiny", modality, "align").encoder
        ours = load_pretrained(other_cohort / "runs" / "from-files", modality, settings).encoder
        for name, value in theirs.state_dict().items():
            np.testing.assert_array_equal(value.numpy(), ours.state_dict()[name].numpy())
