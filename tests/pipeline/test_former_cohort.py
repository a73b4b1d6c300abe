"""Store, shards, checkpoint and evaluation that the version before wrote are read by this one."""

import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest

from ptacl_core.arrays import Modality
from ptacl_core.cohort import Cohort
from ptacl_core.documents.evaluation import EvaluationDocument
from ptacl_core.embedding.encoding import encode_cines, encode_ecgs
from ptacl_core.embedding.refit import refit_readouts
from ptacl_core.runs.encoders import build_view, load_encoder
from ptacl_core.shards import ShardReader

FORMER = Path(__file__).parents[1] / "data" / "former"
SAMPLE = Path(__file__).parents[2] / "assets" / "samples" / "HR06000.hea"
KEPT_PERSON = "S000009"
"""The one whose recordings the archive still holds."""
NUM_PEOPLE = 44
MODALITIES: tuple[Modality, ...] = ("ecg", "cmr")


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory) -> Path:
    """The archive as it was written."""
    folder = tmp_path_factory.mktemp("former") / "cohort"
    with tarfile.open(FORMER / "cohort.tar.xz") as archive:
        archive.extractall(folder, filter="tar")  # with the rights it was written with
    return folder


@pytest.fixture(scope="module")
def migrated(unpacked, tmp_path_factory) -> Path:
    """The same after `ptacl verify --repair`, which an older store asks for."""
    from ptacl_core.stages.custody import verify

    folder = shutil.copytree(unpacked, tmp_path_factory.mktemp("migrated") / "cohort")
    verification = verify.run(folder, repair=True)
    assert "schema" in {defect.code for defect in verification.repaired}
    remaining = {defect.code for defect in verification.defects}
    assert remaining <= {"readout"}  # version 2 held rows of patients; `embed` makes it anew
    return Path(folder)


def test_the_store_is_brought_up_to_date_and_answers(ptacl, unpacked, migrated):
    refused = ptacl("query", unpacked, "SELECT 1")
    assert refused.exit_code == 2
    assert "verify --repair" in refused.err
    question = (
        "SELECT count(*) AS people, count(lvef_pct) AS labelled, "
        "(SELECT count(*) FROM predictions WHERE run = 'tiny') AS predictions, "
        "(SELECT count(*) FROM embeddings_8) AS pooled FROM overview"
    )
    answer = ptacl("query", migrated, question, "--format", "json")
    assert answer.exit_code == 0, answer.err
    (row,) = json.loads(answer.out)
    assert row["people"] == row["labelled"] == NUM_PEOPLE
    assert row["predictions"] == 10 * NUM_PEOPLE
    assert row["pooled"] == 2 * NUM_PEOPLE
    neighbours = ptacl("neighbours", migrated, KEPT_PERSON, "-k", 3, "--run", "tiny", "--json")
    assert len(json.loads(neighbours.out)) == 3, neighbours.err


def test_its_checkpoint_gives_the_vectors_of_then_from_its_shards(migrated):
    towers = {name: load_encoder(migrated / "runs" / "tiny", name, "align") for name in MODALITIES}
    with ShardReader.open(migrated) as reader:
        rows = np.array([reader.patients.index(KEPT_PERSON)])
        signals, r_peaks = reader.read_ecg(rows), reader.r_peaks(rows)
        frames = reader.read_cine_bytes(rows)
    ecg, cmr = towers["ecg"], towers["cmr"]
    assert ecg.document is not None
    view = build_view(ecg.document.settings)
    # then the first frame of each 26th of the cycle was taken, now the middle one (changelog)
    of_then = np.arange(view.num_frames) * frames.shape[1] // view.num_frames
    features = {
        "ecg": encode_ecgs(ecg.encoder, ecg.projection, signals, r_peaks, view),
        "cmr": encode_cines(cmr.encoder, cmr.projection, frames[:, of_then], view),
    }
    with Cohort.open(migrated) as cohort:
        for modality in MODALITIES:
            for space in ("pooled", "projected"):
                stored = cohort.embeddings("tiny", modality, space)
                kept = stored.vectors[stored.patients.index(KEPT_PERSON)]
                # float32 sums may be ordered otherwise on another processor
                vector = getattr(features[modality], space)[0]
                np.testing.assert_allclose(vector, kept, rtol=1e-5, atol=1e-5)


def test_its_evaluation_is_read(migrated):
    path = migrated / "runs" / "tiny" / "evaluation" / "evaluation.json"
    former = json.loads(path.read_text())
    assert "kind" not in former
    document = EvaluationDocument.read(path)
    assert [row.key for row in document.rows] == [row["key"] for row in former["rows"]]
    for row, before in zip(document.rows, former["rows"], strict=True):
        figures = {name: cell.r2 for name, cell in row.phenotypes.items()}
        assert figures == {name: cell["r2"] for name, cell in before["phenotypes"].items()}
    assert document.alignment.top1 == former["alignment"]["top1"]


def test_it_predicts_what_it_predicted(ptacl, migrated, tmp_path):
    """The read-out of then held rows of patients: it is refused, fitted anew, and answers alike."""
    cohort = shutil.copytree(migrated, tmp_path / "cohort")
    command = ("predict", SAMPLE, "--cohort", cohort, "--run", "tiny", "-k", 3, "--json")
    refused = ptacl(*command)
    assert refused.exit_code == 2
    assert "ptacl embed" in refused.err
    shutil.rmtree(cohort / "runs" / "tiny" / "readout")
    assert refit_readouts(cohort) == ["tiny"]
    answer = ptacl(*command)
    assert answer.exit_code == 0, answer.err
    (now,), (before,) = json.loads(answer.out), json.loads((FORMER / "predicted.json").read_text())
    assert now["heart_rate_bpm"] == pytest.approx(before["heart_rate_bpm"])
    assert [neighbour["patient"] for neighbour in now["neighbours"]] == [
        neighbour["patient"] for neighbour in before["neighbours"]
    ]
    for name, figure in before["phenotypes"].items():
        width = figure["high"] - figure["low"]
        for bound in ("value", "low", "high"):
            # offsets of intervals are kept to three digits since
            tolerance = 1e-3 * width if bound == "value" else 1e-2 * width
            assert now["phenotypes"][name][bound] == pytest.approx(figure[bound], abs=tolerance)
