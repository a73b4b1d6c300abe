"""The platform's tree in deliveries, one killed on the way, is what one call makes of it.

`scripts/soak/platform_tree.py` does the same with 500 people.
"""

import shutil
from pathlib import Path

import pytest

from ptacl_core.config.preprocess import PreprocessSettings
from ptacl_core.stages.preprocess import run as preprocess
from tests.pipeline.platform_tree import (
    Platform,
    build_platform,
    deliver_killed,
    find_differences,
)

NUM_PEOPLE = 8


@pytest.fixture(scope="module", autouse=True)
def keys(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PTACL_KEYS", str(tmp_path_factory.mktemp("keys")))
        yield


@pytest.fixture(scope="module")
def platform(tmp_path_factory) -> Platform:
    return build_platform(tmp_path_factory.mktemp("platform") / "ukb", NUM_PEOPLE)


@pytest.fixture(scope="module")
def at_once(platform, tmp_path_factory) -> Path:
    cohort = tmp_path_factory.mktemp("cohorts") / "at_once"
    preprocess.open_or_create(cohort, PreprocessSettings())
    shutil.copytree(cohort, cohort.with_name("empty"))
    summary = preprocess.run(platform.root, cohort, num_workers=1)
    counts = {"ecg": platform.num_ecg, "cmr": platform.num_cmr, "pairs": platform.num_pairs}
    assert summary.accepted == counts
    counts = summary.unmatched.model_dump()
    assert counts == {"recordings": 0, "table_people": 0, "tables": 0}
    return cohort


def test_deliveries_with_one_killed_are_one_call(platform, at_once):
    cohort = Path(shutil.copytree(at_once.with_name("empty"), at_once.with_name("deliveries")))
    late, early = platform.tables[::2], platform.tables[1::2]
    preprocess.run([platform.cmr, platform.withdrawal, *late], cohort, num_workers=1)
    second = [platform.ecg, platform.withdrawal]
    deliver_killed(cohort, second, after=5, rows_per_shard=2)
    assert len(list(cohort.glob("shards/files-*/shard.json"))) == 3  # one of the cines, two of four
    preprocess.run(second, cohort, num_workers=1)
    preprocess.run([platform.withdrawal, *early], cohort, num_workers=1)
    assert find_differences(cohort, at_once) == []
