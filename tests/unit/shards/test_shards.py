import json

import numpy as np
import pytest
import torch

from ptacl_core.config.preprocess import EcgSettings, PreprocessSettings
from ptacl_core.errors import ShardError
from ptacl_core.records import PHENOTYPE_NAMES, PreparedCine, PreparedEcg
from ptacl_core.shards import (
    Rejection,
    ShardEntry,
    ShardReader,
    ShardWriter,
    assign_exact_splits,
    assign_split,
)
from ptacl_core.shards.spec import CINE_STEPS
from ptacl_core.tensors import scale_bytes


def make_ecg(generator: np.random.Generator) -> PreparedEcg:
    signal_mv = generator.normal(0.1, 0.4, (12, 5000)).astype(np.float32)
    signal_mv[7] = 0.25
    mean, sd = signal_mv.mean(1, keepdims=True), np.maximum(signal_mv.std(1, keepdims=True), 1e-3)
    return PreparedEcg(
        signal=((signal_mv - mean) / sd).astype(np.float32),
        signal_mv=signal_mv,
        r_peak_samples=np.array([400, 900, 1400], np.int64),
        heart_rate_bpm=60.0,
    )


def make_cine(generator: np.random.Generator) -> PreparedCine:
    frames = generator.random((50, 84, 84)).astype(np.float32)
    return PreparedCine(frames, slice_index=3, centre_px=(40.0, 41.5), frame_interval_ms=20.0)


@pytest.fixture
def cohort(tmp_path):
    generator = np.random.default_rng(0)
    entries = [
        ShardEntry(
            f"p{index}",
            2,
            ("train", "val", "test")[index % 3],
            make_ecg(generator) if index != 1 else None,
            make_cine(generator) if index != 2 else None,
            {"sex": "F" if index % 2 else "M", "age_years": 50.0 + index, "lvef_pct": 60.0},
        )
        for index in range(5)
    ]
    writer = ShardWriter(tmp_path / "shards", preprocessing=PreprocessSettings(), rows_per_shard=2)
    for entry in entries:
        writer.add(entry)
    writer.reject(Rejection("p9", 2, "ecg", "x.xml", "lead_off", "V1 is constant"))
    writer.finish()
    return tmp_path, entries


def test_rows_come_back_in_the_order_asked_for(cohort):
    path, entries = cohort
    with ShardReader.open(path) as reader:
        rows = reader.rows(needs=("ecg", "cmr"))
        assert [reader.patients[row] for row in rows] == ["p0", "p3", "p4"]
        shuffled = rows[[2, 0, 1]]
        ecg, cine = reader.read_ecg(shuffled), reader.read_cine(shuffled)
        assert (ecg.dtype, cine.dtype) == (np.float16, np.float32)
        for position, row in enumerate(shuffled):
            entry = entries[row]
            np.testing.assert_array_equal(ecg[position], entry.ecg.signal.astype(np.float16))
            np.testing.assert_allclose(cine[position], entry.cine.frames, atol=0.501 / CINE_STEPS)
        stored = reader.read_cine_bytes(shuffled)
        assert stored.dtype == np.uint8
        np.testing.assert_array_equal(scale_bytes(torch.from_numpy(stored)).numpy(), cine)
        assert reader.r_peaks(shuffled)[0].tolist() == [400, 900, 1400]


def test_millivolts_are_recovered_within_float16(cohort):
    path, entries = cohort
    with ShardReader.open(path) as reader:
        rows = reader.rows(needs=("ecg",))
        for position, row in enumerate(rows):
            restored = reader.read_ecg_mv(rows)[position]
            np.testing.assert_allclose(restored, entries[row].ecg.signal_mv, atol=2e-3)


def test_splits_needs_phenotypes_and_covariates(cohort):
    path, _ = cohort
    with ShardReader.open(path) as reader:
        assert reader.rows("train").tolist() == [0, 3]
        assert reader.rows("val", needs=("ecg",)).tolist() == [4]
        targets = reader.phenotypes(reader.rows())
        assert np.isnan(targets[:, 0]).all()
        assert (targets[:, PHENOTYPE_NAMES.index("lvef_pct")] == 60).all()
        covariates = reader.covariates(np.array([0, 1]))
        assert covariates[:, 0].tolist() == [1.0, 0.0]
        assert covariates[:, 1].tolist() == [50.0, 51.0]


def test_a_row_without_the_modality_is_refused(cohort):
    path, _ = cohort
    with ShardReader.open(path) as reader, pytest.raises(ShardError, match="1 of the rows"):
        reader.read_ecg(np.array([0, 1]))


def test_a_truncated_array_is_named(cohort):
    path, _ = cohort
    array = path / "shards" / "part-00000" / "cine.npy"
    array.write_bytes(array.read_bytes()[:-100])
    with ShardReader.open(path) as reader, pytest.raises(ShardError, match=r"part-00000/cine\.npy"):
        reader.read_cine_bytes(np.array([0]))


def test_an_unfinished_shard_is_written_again_and_finished_ones_stay(cohort):
    path, entries = cohort
    shards = path / "shards"
    before = (shards / "part-00000" / "ecg.npy").stat().st_mtime_ns
    (shards / "part-00002" / "shard.json").unlink()
    writer = ShardWriter(shards, preprocessing=PreprocessSettings(), rows_per_shard=2)
    assert writer.num_complete_shards == 2
    for entry in entries[4:]:
        writer.add(entry)
    writer.finish()
    assert (shards / "part-00000" / "ecg.npy").stat().st_mtime_ns == before
    with ShardReader.open(path) as reader:
        assert reader.patients == ["p0", "p1", "p2", "p3", "p4"]


def test_other_preprocessing_beside_it_is_refused(cohort):
    path, entries = cohort
    other = PreprocessSettings(ecg=EcgSettings(normalisation="per_lead"))
    writer = ShardWriter(path / "shards", preprocessing=other, prefix="other-")
    writer.add(ShardEntry("q0", 2, "train", entries[0].ecg, None))
    writer.finish()
    with pytest.raises(ShardError, match="different preprocessing"):
        ShardReader.open(path)


def test_another_version_is_refused(cohort):
    path, _ = cohort
    description = path / "shards" / "part-00000" / "shard.json"
    document = json.loads(description.read_text())
    description.write_text(json.dumps(document | {"version": 77}))
    with pytest.raises(ShardError, match="version 77, expected 'ptacl-shards' version 1"):
        ShardReader.open(path)


def test_no_shards_says_how_to_make_them(tmp_path):
    with pytest.raises(ShardError, match="ptacl simulate"):
        ShardReader.open(tmp_path)


def test_an_unknown_attribute_is_refused(tmp_path):
    writer = ShardWriter(tmp_path / "shards", preprocessing=PreprocessSettings())
    with pytest.raises(KeyError, match="agee_years"):
        writer.add(ShardEntry("p0", 0, "train", None, None, {"agee_years": 3}))


def test_hash_splits_are_stable_and_near_their_fractions():
    patients = [f"patient-{index}" for index in range(4000)]
    splits = [assign_split(patient, salt="a") for patient in patients]
    assert splits == [assign_split(patient, salt="a") for patient in patients]
    assert splits != [assign_split(patient, salt="b") for patient in patients]
    shares = [splits.count(name) / 4000 for name in ("train", "val", "test")]
    np.testing.assert_allclose(shares, (0.70, 0.15, 0.15), atol=0.03)


def test_exact_splits_count_and_reject_wrong_sums():
    patients = [f"patient-{index}" for index in range(100)]
    splits = assign_exact_splits(patients, salt="a", counts=(70, 14, 16))
    assert [list(splits.values()).count(name) for name in ("train", "val", "test")] == [70, 14, 16]
    with pytest.raises(ValueError, match="do not add up to 100"):
        assign_exact_splits(patients, salt="a", counts=(1, 1, 1))
