import json

import numpy as np
import pytest

from ptacl_core.embedding.readout import ReadOut, fit_readout
from ptacl_core.errors import CheckpointError, CohortError
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
    expected, found = readout.predict(features[:9]), loaded.predict(features[:9])
    np.testing.assert_array_equal(found.value, expected.value)
    np.testing.assert_array_equal(found.high, expected.high)
    np.testing.assert_array_equal(found.outlier_score, expected.outlier_score)
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
