"""A recording is encoded once; never is a feature taken of other weights, data or settings."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ptacl_core.arrays import Modality
from ptacl_core.cohort import Cohort
from ptacl_core.config.run_presets import load_run_settings
from ptacl_core.documents.prediction import PredictionDocument
from ptacl_core.embedding.feature_cache import FeatureCache, FeatureSource, open_caches
from ptacl_core.embedding.stored_features import StoredFeatures
from ptacl_core.progress import SilentProgress
from ptacl_core.runs.choose import load_aligned_run
from ptacl_core.safety.files.checksum import compute_sha256
from ptacl_core.shards import ShardReader
from ptacl_core.shards.manifest import merge_manifests
from ptacl_core.stages.drift import run as drift
from ptacl_core.stages.embed import added
from ptacl_core.stages.embed import run as embed
from ptacl_core.stages.evaluate import measure_row
from ptacl_core.stages.evaluate import run as evaluate
from ptacl_core.stages.predict import run as predict
from ptacl_core.stages.simulate import run as simulate
from ptacl_core.stages.train import run as train

pytestmark = pytest.mark.xdist_group("trained")
RUN = "tiny"
OF_OTHERS = ("alignment controls", "shifted frames", "finetuned", "supervised")
"""Tasks that apply changed encoders, or those of other stages."""


class Encoded(SilentProgress):
    """Hears how many recordings each task encoded."""

    def __init__(self):
        self.counts: dict[str, int] = {}

    def start(self, task: str, total: int | None, unit: str) -> None:
        if (
            total is not None
            and unit in ("ECGs", "cines", "recordings")
            and not task.startswith(OF_OTHERS)
        ):
            self.counts[task] = self.counts.get(task, 0) + total


@pytest.fixture
def cohort(trained_cohort, tmp_path) -> Path:
    """A copy that was embedded, and that nobody has evaluated since."""
    copy = Path(shutil.copytree(trained_cohort, tmp_path / "cohort"))
    shutil.rmtree(copy / "features")
    embed.run(copy, run=RUN, device="cpu")
    return copy


def evaluate_counted(cohort: Path) -> tuple[dict, dict[str, int]]:
    heard = Encoded()
    document = evaluate.run(
        cohort, run=RUN, num_resamples=20, device="cpu", with_baselines=False, progress=heard
    )
    return document.as_dict(), heard.counts


def find_all(cohort: Path, modality: Modality = "ecg") -> tuple[dict[str, int], int]:
    """What the cache encoded to find all recordings, and how many there are; all are right."""
    heard = Encoded()
    with ShardReader.open(cohort) as reader:
        aligned = load_aligned_run(cohort, RUN, device="cpu")
        source = FeatureSource.of(aligned, modality)
        rows = reader.rows(needs=(modality,))
        features = FeatureCache(reader, source, home=cohort).find(rows, progress=heard)
        made = source.encode(
            reader, rows, with_steps=False, task="again", progress=Encoded()
        )  # what they must be
    np.testing.assert_array_equal(features.pooled, made.pooled)
    np.testing.assert_array_equal(features.projected, made.projected)
    np.testing.assert_array_equal(features.is_step_valid, made.is_step_valid)
    return heard.counts, len(rows)


def test_what_embed_stored_is_not_encoded_again_and_the_figures_are_the_same(cohort):
    reused, counts = evaluate_counted(cohort)
    assert counts == {}
    heard = Encoded()
    for modality in ("ecg", "cmr"):
        measure_row.run(
            cohort, RUN, f"row-{modality}", stage="align", modality=modality, progress=heard
        )
    with_itself = drift.run(cohort, cohort, run=RUN, num_permutations=20, progress=heard)
    assert heard.counts == {}
    assert with_itself.as_dict()["embeddings"]["ecgs"]["other"] > 100
    shutil.rmtree(cohort / "features")
    made, counts = evaluate_counted(cohort)
    assert sum(counts.values()) > 200
    assert json.dumps(made, sort_keys=True) == json.dumps(reused, sort_keys=True)
    with ShardReader.open(cohort) as reader:  # evaluate asks for no cines of validation
        assert find_all(cohort, "cmr")[0] == {"encode": len(reader.rows("val"))}


def test_features_of_other_weights_are_not_taken(cohort, tmp_path):
    bare = ["pretrain_ecg.method=none", "pretrain_cmr.method=none", "stages=['align']", "seed=7"]
    train.run(cohort, load_run_settings("tiny", overrides=bare), run_name="other")
    aligned = cohort / "runs" / RUN / "checkpoints" / "align"
    shutil.rmtree(aligned)
    shutil.copytree(cohort / "runs" / "other" / "checkpoints" / "align", aligned)
    counts, num_rows = find_all(cohort)
    assert counts == {"encode": num_rows}


def test_features_of_other_recordings_are_not_taken(cohort):
    assert find_all(cohort)[0] == {}
    shard = next(path for path in sorted((cohort / "shards").iterdir()) if path.is_dir())
    array = np.load(shard / "ecg.npy", mmap_mode="r+")
    array[0] *= 2
    array.flush()
    table = pq.read_table(shard / "manifest.parquet")
    hashes = ["f" * 64, *table.column("ecg_sha256").to_pylist()[1:]]
    place = table.column_names.index("ecg_sha256")
    changed = table.set_column(place, "ecg_sha256", pa.array(hashes, pa.string()))
    pq.write_table(changed, shard / "manifest.parquet")
    described = json.loads((shard / "shard.json").read_text())
    described["sha256"] = {name: compute_sha256(shard / name) for name in described["sha256"]}
    (shard / "shard.json").write_text(json.dumps(described))
    merge_manifests(cohort / "shards", anew=True)
    counts, num_rows = find_all(cohort)
    assert counts == {"encode": num_rows}


def test_settings_that_matter_are_told_apart_from_those_that_do_not(cohort):
    aligned = load_aligned_run(cohort, RUN, device="cpu")
    with ShardReader.open(cohort) as reader:
        known = FeatureSource.of(aligned, "ecg").describe(reader)
        data = aligned.settings.data.model_copy(update={"ecg_crop_samples": 2000})
        for changes, is_other in (({"data": data}, True), ({"notes": "another note"}, False)):
            changed = replace(aligned, settings=aligned.settings.model_copy(update=changes))
            assert (FeatureSource.of(changed, "ecg").describe(reader) != known) == is_other


def test_of_a_part_only_the_rest_is_encoded(cohort):
    path = cohort / "features" / RUN / "ecg.safetensors"
    with ShardReader.open(cohort) as reader:
        origin = FeatureSource.of(load_aligned_run(cohort, RUN, device="cpu"), "ecg").describe(
            reader
        )
    held = StoredFeatures.load(path, origin)
    kept = held.rows[::3]
    part = StoredFeatures.of(kept, held.take(kept, with_steps=False), np.zeros(len(kept), bool))
    part.save(path, origin)
    counts, num_rows = find_all(cohort)
    assert counts == {"encode": num_rows - len(kept)}
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    assert find_all(cohort)[0] == {"encode": num_rows}  # a damaged file counts as none


def test_an_erased_person_leaves_the_features_and_does_not_come_back(cohort, ptacl):
    row = measure_row.run(cohort, RUN, "kept-ecg", stage="align", modality="ecg")
    assert measure_row.has_row(cohort, RUN, "kept-ecg")
    assert row["num_test"] > 0
    with ShardReader.open(cohort) as reader:
        aligned = load_aligned_run(cohort, RUN, device="cpu")
        person = reader.patients[0]
        late = open_caches(reader, aligned)
        shutil.rmtree(cohort / "features")
        late["ecg"].find(reader.rows())
        answer = ptacl("erase", cohort, person, "--yes", "--json")
        assert answer.exit_code == 0, answer.err
        late["ecg"].save()  # by a command that began before the erasure
    assert not (cohort / "features").exists()
    embed.run(cohort, run=RUN, device="cpu")
    counts, num_rows = find_all(cohort)
    assert counts == {}
    with ShardReader.open(cohort) as reader:
        assert num_rows == reader.num_rows
        assert person not in reader.patients
    assert "belongs to nothing" not in ptacl("verify", cohort).out


def test_rows_that_were_removed_are_measured_again(cohort):
    measure_row.run(cohort, RUN, "align-ecg", stage="align", modality="ecg")
    before = measure_row.load_row(cohort, RUN, "align-ecg")
    shutil.rmtree(cohort / "features")
    assert measure_row.list_rows(cohort, RUN) == []
    measure_row.run(cohort, RUN, "align-ecg", stage="align", modality="ecg")
    again = measure_row.load_row(cohort, RUN, "align-ecg")
    np.testing.assert_array_equal(before.predicted, again.predicted)
    np.testing.assert_array_equal(before.nested, again.nested)
    assert before.curve is not None
    assert again.curve is not None
    for one, other in zip(before.curve.points, again.curve.points, strict=True):
        np.testing.assert_array_equal(one.predicted, other.predicted)
    assert not any((cohort / "runs" / RUN).glob("rows/*"))


def test_nothing_is_kept_of_another_cohort(cohort, tmp_path):
    other = tmp_path / "other"
    simulate.run(other, preset="tiny", num_patients=40)
    heard = Encoded()
    drift.run(cohort, other, run=RUN, num_permutations=20, progress=heard)
    assert heard.counts == {"encode ECGs": 40}
    assert not (other / "features").exists()


def test_a_file_that_is_added_is_the_only_one_encoded(cohort, tmp_path):
    samples = Path(__file__).resolve().parents[2] / "assets" / "samples"
    for path in samples.glob("JS20000.*"):
        shutil.copy(path, tmp_path)

    def read(query: str) -> list[tuple]:
        with Cohort.open(cohort) as store:
            return store.fetch(query)

    shutil.rmtree(cohort / "runs" / RUN / "readout")
    whole = added.run(cohort, [], run=RUN, device="cpu")  # no read-out: as `ptacl embed`
    assert whole.ecg > 100
    kept = "SELECT * FROM predictions WHERE patient LIKE 'S0%' ORDER BY ALL"
    before, heard = read(kept), Encoded()
    summary = added.run(cohort, [tmp_path / "JS20000.hea"], run=RUN, device="cpu", progress=heard)
    assert (summary.ecg, summary.cmr) == (1, 0)
    assert heard.counts == {"embed": 1}
    assert read(kept) == before  # nobody else's numbers have moved
    values = read("SELECT name, value, patient FROM predictions WHERE patient NOT LIKE 'S0%'")
    assert len(values) == 10
    with Cohort.open(cohort) as store:
        assert len(store.neighbours(values[0][2], k=3, run=RUN)) == 3
    # the shards hold half-precision samples: what predict says of the file, but for that
    (answer,) = predict.run([tmp_path / "JS20000.hea"], cohort, run=RUN, device="cpu")
    prediction = PredictionDocument.parse(answer, source="predict")
    for name, value, _ in values:
        assert value == pytest.approx(prediction.phenotypes[name].value, rel=2e-3)
