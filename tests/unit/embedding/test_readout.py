import json
from dataclasses import replace

import numpy as np
import pytest

from ptacl_core.embedding.readout import ReadOut, fit_readout
from ptacl_core.errors import CheckpointError, CohortError
from ptacl_core.evaluate import fit_reference_ranges
from ptacl_core.records import PHENOTYPE_NAMES


@pytest.fixture(scope="module")
def data():
    generator = np.random.default_rng(7)
    weights = generator.normal(size=(6, 10))
    features = generator.normal(size=(1200, 6))
    targets = 50 + features @ weights + generator.normal(size=(1200, 10))
    return features, targets


@pytest.fixture(scope="module")
def readout(data):
    features, targets = data
    return fit_readout(
        features[:400],
        targets[:400],
        features[400:800],
        targets[400:800],
        checkpoint_sha256="c" * 64,
        preprocessing_hash="p" * 16,
    )


def test_intervals_cover_as_they_say(data, readout):
    features, targets = data
    predictions = readout.predict(features[800:])
    is_inside = (targets[800:] >= predictions.low) & (targets[800:] <= predictions.high)
    # 4,000 cells; the spread of validation order statistics adds to the binomial one.
    assert is_inside.mean() == pytest.approx(0.9, abs=0.02)
    assert (predictions.low < predictions.value).all()
    assert (predictions.value < predictions.high).all()


def test_strange_recordings_are_flagged_and_usual_ones_are_not(data, readout):
    features, _ = data
    assert readout.predict(features[800:]).is_outlier.mean() < 0.05
    assert readout.predict(features[800:] + 30).is_outlier.all()


def test_saved_and_loaded_answers_are_equal(data, readout, tmp_path):
    features, _ = data
    readout.save(tmp_path / "run" / "readout")
    loaded = ReadOut.load(tmp_path / "run" / "readout")
    expected, answered = readout.predict(features[:9]), loaded.predict(features[:9])
    np.testing.assert_array_equal(answered.value, expected.value)
    np.testing.assert_array_equal(answered.high, expected.high)
    np.testing.assert_array_equal(answered.outlier_score, expected.outlier_score)
    assert (loaded.coverage, loaded.checkpoint_sha256) == (0.9, "c" * 64)


@pytest.mark.parametrize("fault", ["missing", "flipped", "foreign", "garbled"])
def test_a_damaged_readout_is_refused_with_the_way_out(readout, tmp_path, fault):
    folder = tmp_path / "run" / "readout"
    readout.save(folder)
    tensors, document = folder / "readout.safetensors", folder / "readout.json"
    if fault == "missing":
        tensors.unlink()
    elif fault == "flipped":
        data = bytearray(tensors.read_bytes())
        data[-1] ^= 1
        tensors.write_bytes(bytes(data))
    elif fault == "foreign":
        document.write_text(json.dumps(json.loads(document.read_text()) | {"kind": "soup"}))
    else:
        document.write_text("{")
    with pytest.raises(CheckpointError, match="ptacl embed"):
        ReadOut.load(folder)


@pytest.mark.parametrize("version", [1, 2])
def test_a_readout_of_an_earlier_version_says_what_to_do(readout, tmp_path, version):
    folder = tmp_path / "myrun" / "readout"
    readout.save(folder)
    document = folder / "readout.json"
    document.write_text(json.dumps(json.loads(document.read_text()) | {"version": version}))
    with pytest.raises(
        CheckpointError, match=r"version 3, got .* \d; `ptacl embed COHORT --run myrun"
    ):
        ReadOut.load(folder)


def test_groups_get_their_own_intervals_and_it_is_told_whose(data):
    features, targets = data
    generator = np.random.default_rng(1)
    groups = np.array(["F <55"] * 150 + ["M >65"] * 150 + ["M <55"] * 100)
    spread = np.where(groups == "M >65", 5.0, 0.0)[:, None]
    noisy = targets[400:800] + spread * generator.normal(size=(400, 10))
    made = fit_readout(
        features[:400],
        targets[:400],
        features[400:800],
        noisy,
        validation_groups=list(groups),
        checkpoint_sha256="",
        preprocessing_hash="",
    )
    assert made.groups == ("all", "F <55", "M <55", "M >65")
    assert made.num_calibration[:, 0].tolist() == [400, 150, 100, 150]
    predictions = made.predict(features[800:804], groups=["F <55", "M >65", "F >65", "all"])
    assert predictions.interval_group == ("F <55", "M >65", "all", "all")
    width = (predictions.high - predictions.low).mean(axis=1)
    assert width[1] > 2 * width[0]
    assert width[0] < width[2] < width[1]
    np.testing.assert_allclose(width[2], width[3])
    assert made.predict(features[800:802]).interval_group == ("all", "all")
    # Each group is covered as promised: the pooled interval would miss the noisy one.
    fresh = targets[800:] + 5.0 * generator.normal(size=(400, 10))
    wide = made.predict(features[800:], groups=["M >65"] * 400)
    assert ((fresh >= wide.low) & (fresh <= wide.high)).mean() == pytest.approx(0.9, abs=0.04)


def test_small_groups_use_the_intervals_of_all(data):
    features, targets = data
    made = fit_readout(
        features[:400],
        targets[:400],
        features[400:800],
        targets[400:800],
        validation_groups=["F <55"] * 99 + ["M <55"] * 301,
        checkpoint_sha256="",
        preprocessing_hash="",
    )
    assert made.groups == ("all", "M <55")


def test_reference_ranges_are_stored_with_it(data, readout, tmp_path):
    _, targets = data
    generator = np.random.default_rng(5)
    body = generator.normal([60, 170, 75], [7, 8, 12], size=(400, 3))
    sex = np.array(["F", "M"])[np.arange(400) % 2]
    labels = targets[:400] + body[:, 1:2] * 0.4
    made = replace(readout, reference=fit_reference_ranges(labels, body, sex))
    made.save(tmp_path / "run" / "readout")
    loaded = ReadOut.load(tmp_path / "run" / "readout")
    z_scores = loaded.reference.z_scores(labels, body, sex)
    np.testing.assert_array_equal(z_scores, made.reference.z_scores(labels, body, sex))
    assert z_scores.std() == pytest.approx(1.0, abs=0.02)
    assert loaded.reference.by_sex["F"].num_patients == (200,) * 10


def test_too_few_validation_labels_give_no_interval(data):
    features, targets = data
    with pytest.raises(CohortError, match=r"18 labels in validation are too few .* at least 19"):
        fit_readout(
            features[:400],
            targets[:400],
            features[400:418],
            targets[400:418],
            checkpoint_sha256="",
            preprocessing_hash="",
        )


def test_nineteen_validation_labels_are_enough(data):
    features, targets = data
    made = fit_readout(
        features[:400],
        targets[:400],
        features[400:419],
        targets[400:419],
        checkpoint_sha256="",
        preprocessing_hash="",
    )
    assert np.isfinite(made.offsets).all()


def test_an_absent_phenotype_is_named(data):
    features, targets = data
    without = targets.copy()
    without[:, PHENOTYPE_NAMES.index("rvef_pct")] = np.nan
    with pytest.raises(CohortError, match="rvef_pct has no label"):
        fit_readout(
            features[:400],
            without[:400],
            features[400:800],
            without[400:800],
            checkpoint_sha256="",
            preprocessing_hash="",
        )
