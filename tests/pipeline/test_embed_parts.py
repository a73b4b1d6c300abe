"""Array jobs: parts of an embedding made one by one and merged equal one call, bit for bit."""

import hashlib
import json
import shutil

import pytest

from ptacl_core.cohort import Cohort

pytestmark = pytest.mark.xdist_group("trained")
TABLES = {
    "embedding_sets": "run, modality, space",
    "predictions": "run, patient, visit, name",
    "out_of_distribution": "run, patient, visit, modality",
    "alignment_maps": "run, patient, visit",
}
COUNT = 3


def contents(cohort) -> dict[str, list]:
    """What `embed` wrote, but for the time of day."""
    with Cohort.open(cohort) as store:
        held: dict[str, list[object]] = {
            name: list(
                store.fetch(
                    f"SELECT * EXCLUDE (created_at) FROM {name} ORDER BY {order}"
                    if name == "embedding_sets"
                    else f"SELECT * FROM {name} ORDER BY {order}"
                )
            )
            for name, order in TABLES.items()
        }
    run_dir = cohort / "runs" / "tiny"
    for path in ("readout/readout.safetensors", "readout/readout.json"):
        held[path] = [hashlib.sha256((run_dir / path).read_bytes()).hexdigest()]
    return held


def embed_part(ptacl, cohort, index: int, count: int = COUNT):
    return ptacl("embed", cohort, "--run", "tiny", "--shard", f"{index}/{count}", "--json")


@pytest.fixture
def parts(trained_cohort):
    folder = trained_cohort / "runs" / "tiny" / "embedding-parts"
    yield folder
    for path in folder.glob("*"):
        path.unlink()


def test_parts_merged_are_one_call(ptacl, trained_cohort, parts):
    whole = ptacl("embed", trained_cohort, "--run", "tiny", "--json")
    assert whole.exit_code == 0, whole.err
    before = contents(trained_cohort)
    assert before["predictions"]
    shutil.rmtree(trained_cohort / "features")
    documents = []
    for index in (3, 1, 2):
        answer = embed_part(ptacl, trained_cohort, index)
        assert answer.exit_code == 0, answer.err
        documents.append(json.loads(answer.out))
    assert {document["shard"] for document in documents} == {"1/3", "2/3", "3/3"}
    total = json.loads(whole.out)
    for modality in ("ecg", "cmr"):
        assert all(document[modality] > 0 for document in documents)
        assert sum(document[modality] for document in documents) == total[modality]

    kept = (parts / "part-0002-of-0003.parquet").read_bytes()
    again = embed_part(ptacl, trained_cohort, 2)
    assert "part 2/3 is there already: kept" in again.err
    (parts / "part-0002-of-0003.parquet").write_bytes(kept[:-50])
    repaired = embed_part(ptacl, trained_cohort, 2)
    assert "made anew" in repaired.err
    assert (parts / "part-0002-of-0003.parquet").read_bytes() == kept

    merged = ptacl("embed", trained_cohort, "--run", "tiny", "--merge", "--json")
    assert merged.exit_code == 0, merged.err
    assert json.loads(merged.out) == total
    assert contents(trained_cohort) == before
    assert not parts.exists()


def test_a_missing_part_is_named_and_the_store_stays(ptacl, trained_cohort, parts):
    before = contents(trained_cohort)
    assert embed_part(ptacl, trained_cohort, 1).exit_code == 0
    answer = ptacl("embed", trained_cohort, "--run", "tiny", "--merge")
    assert answer.exit_code == 2
    assert "part 2/3 is missing; part 3/3 is missing" in answer.err
    assert "again for 2/3, 3/3" in answer.err
    assert contents(trained_cohort) == before


def test_parts_of_another_division_make_way(ptacl, trained_cohort, parts):
    assert embed_part(ptacl, trained_cohort, 1).exit_code == 0
    answer = embed_part(ptacl, trained_cohort, 4, 4)
    assert "part-0001-of-0003.parquet is of another division of the cohort: removed" in answer.err
    assert [path.name for path in parts.iterdir()] == ["part-0004-of-0004.parquet"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--merge"], "no parts to merge"),
        (["--shard", "4/3"], "expected i/n with 1 ≤ i ≤ n"),
        (["--shard", "1/3", "--merge"], "exclude each other"),
    ],
)
def test_what_makes_no_sense_is_one_line(ptacl, trained_cohort, options, words):
    answer = ptacl("embed", trained_cohort, "--run", "tiny", *options)
    assert answer.exit_code == 2
    assert words in answer.err
    assert len(answer.err.strip().splitlines()) == 1
