"""From a mounted store: a list of files, a plan, parts with scratch, merged: equal to one call."""

import csv
import json
from pathlib import Path

import pytest

from ptacl_core.stages.preprocess import run as preprocess
from tests.pipeline.platform_tree import build_platform, find_differences

NUM_PEOPLE = 6
PARTS = 2


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The tree, a list of its files with the withdrawal list apart, the plan, and its key."""
    folder = tmp_path_factory.mktemp("mounted")
    platform = build_platform(folder / "project", NUM_PEOPLE)
    withdrawn = platform.withdrawal.rename(folder / "gone.txt")
    listing = folder / "listing.txt"
    files = [path for path in sorted(platform.root.rglob("*")) if path.is_file()]
    listing.write_text("".join(f"{path}\n" for path in files))
    return folder, platform, listing, withdrawn


def run_parts(ptacl, made, work: Path) -> list[Path]:
    _, platform, listing, withdrawn = made
    tables = [word for table in platform.tables for word in ("--phenotypes", table)]
    parts = []
    for index in range(1, PARTS + 1):
        part = work / f"part-{index}"
        answer = ptacl(
            "preprocess", part, "--pairs", work / "plan.csv", "--files-from", listing, *tables,
            "--withdrawn", withdrawn, "--key", work / "cohort.key", "--shard", f"{index}/{PARTS}",
            "--scratch", work / "scratch", "--workers", "1", "--json",
        )  # fmt: skip
        assert answer.exit_code == 0, answer.err
        assert "look for files" not in answer.err  # the plan is enough: nothing is walked
        parts.append(part)
    return parts


def test_parts_of_a_plan_are_the_cohort_of_one_call(ptacl, made, tmp_path):
    _, platform, listing, withdrawn = made
    plan, key = tmp_path / "plan.csv", tmp_path / "cohort.key"
    words = ("--files-from", listing, "--withdrawn", withdrawn, "--key", key, "--plan", plan)
    answer = ptacl("preprocess", *words, "--json")
    assert answer.exit_code == 0, answer.err
    assert json.loads(answer.out)["plan"]["pairs"] == platform.num_pairs
    assert key.stat().st_mode & 0o777 == 0o600
    secret = key.read_text()
    assert ptacl("preprocess", *words).exit_code == 0
    assert key.read_text() == secret  # a second plan keeps the key
    gone = set(withdrawn.read_text().split())
    assert not gone & {row["patient"] for row in csv.DictReader(plan.read_text().splitlines())}

    parts = run_parts(ptacl, made, tmp_path)
    assert list((tmp_path / "scratch").iterdir()) == []
    merged = tmp_path / "merged"
    assert ptacl("merge", merged, *parts).exit_code == 0
    whole = tmp_path / "whole"
    preprocess.open_or_create(whole, preprocess.PreprocessSettings(), key_from=key)
    source = preprocess.Sources((platform.root,), withdrawn=(withdrawn,))
    preprocess.run(source, whole, num_workers=1)
    assert find_differences(merged, whole) == []
