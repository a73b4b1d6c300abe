"""Negative control: where the ECG knows nothing (κ = 0), the pipeline must find nothing.

The heart rate stays a true route: it is in the ECG, in the cine's timing and in the output per
minute. Anything beyond it would be a leak between patients, splits or modalities.
"""

from pathlib import Path

import numpy as np
import pytest

from ptacl_core.config.run_presets import load_run_settings
from ptacl_core.evaluate import linear_probe_r2
from ptacl_core.records import PHENOTYPE_NAMES
from ptacl_core.shards import ShardReader
from ptacl_core.stages.embed import run as embed
from ptacl_core.stages.evaluate import run as evaluate
from ptacl_core.stages.simulate import run as simulate
from ptacl_core.stages.train import run as train

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("no-leak")]
NUM_PATIENTS = 512
SHORT = [
    "pretrain_ecg.optimisation.steps=20",
    "pretrain_cmr.optimisation.steps=20",
    "align.optimisation.steps=60",
    "align.optimisation.batch_size=32",
    "align.optimisation.learning_rate=5e-3",
    "ecg_encoder.dim=32",
    "cmr_encoder.dim=32",
]


def run_pipeline(cohort: Path, *, kappa_scale: float | None) -> dict:
    simulate.run(cohort, preset="tiny", num_patients=NUM_PATIENTS, kappa_scale=kappa_scale)
    settings = load_run_settings("demo", overrides=SHORT)
    train.run(cohort, settings, stage="all", run_name="short")
    embed.run(cohort, run="short")
    return evaluate.run(cohort, run="short", num_resamples=200).as_dict()


def heart_rate_r2(cohort: Path) -> np.ndarray:
    """What the heart rate alone says of each phenotype on the test split."""
    with ShardReader.open(cohort) as reader:
        train_rows, test_rows = reader.rows("train"), reader.rows("test")
        rates = [
            np.nan_to_num(reader.column("heart_rate_bpm", rows), nan=64.0)[:, None]
            for rows in (train_rows, test_rows)
        ]
        return linear_probe_r2(
            rates[0], reader.phenotypes(train_rows), rates[1], reader.phenotypes(test_rows)
        )


@pytest.fixture(scope="module")
def blind(tmp_path_factory):
    cohort = tmp_path_factory.mktemp("no-leak") / "blind"
    return cohort, run_pipeline(cohort, kappa_scale=0.0)


@pytest.fixture(scope="module")
def seeing(tmp_path_factory):
    cohort = tmp_path_factory.mktemp("no-leak") / "seeing"
    return cohort, run_pipeline(cohort, kappa_scale=None)


def ecg_r2(document: dict) -> np.ndarray:
    return np.array([document["regression"]["ecg"][name]["r2"] for name in PHENOTYPE_NAMES])


def test_without_coupling_the_ecg_has_no_skill_beyond_the_heart_rate(blind):
    cohort, document = blind
    excess = ecg_r2(document) - np.maximum(heart_rate_r2(cohort), 0.0)
    assert excess.mean() < 0.02
    assert excess.max() < 0.10


def test_without_coupling_retrieval_is_near_random(blind):
    _, document = blind
    mean = document["retrieval_mean"]["excluded"]
    assert mean["p_at_10"]["value"] - mean["random_p_at_10"] < 0.03


def test_with_coupling_the_same_pipeline_has_skill(seeing, blind):
    """The positive control: the bounds above are not met because nothing was learnt at all."""
    assert ecg_r2(seeing[1]).mean() > ecg_r2(blind[1]).mean() + 0.10


def test_the_cine_still_shows_its_phenotypes_without_coupling(blind):
    _, document = blind
    assert document["regression"]["cmr"]["lvedv_ml"]["r2"] > 0.3
