"""`ptacl verify` is a closed inventory: what something refers to is there, and is what is meant."""

import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ptacl_core.cohort import CohortDescription, CohortLayout
from ptacl_core.cohort.identity.identities import put_identities
from ptacl_core.stages.custody import withdraw
from ptacl_core.stages.custody.inventory import check_inventory, find_orphans, repair_inventory

pytestmark = pytest.mark.xdist_group("trained")
RUN = "runs/tiny"
FINAL = f"{RUN}/checkpoints/align/final"


@pytest.fixture(scope="module")
def whole(trained_cohort, tmp_path_factory):
    """A trained cohort with identities, a register and a certificate, in folders of its own."""
    folder = tmp_path_factory.mktemp("inventory")
    with pytest.MonkeyPatch.context() as patch:
        shutil.copytree(os.environ["PTACL_KEYS"], folder / "keys")
        for variable, name in (("PTACL_KEYS", "keys"), ("XDG_STATE_HOME", "state")):
            patch.setenv(variable, str(folder / name))
        cohort = Path(shutil.copytree(trained_cohort, folder / "cohort"))
        for name in (
            folder.name for folder in (cohort / "runs").iterdir() if folder.name != "tiny"
        ):
            shutil.rmtree(cohort / "runs" / name)
        put_identities(CohortLayout(cohort), {"S000001": "9000001", "S000002": "9000002"})
        withdraw.run(cohort, ["9000777"])
        yield cohort


@pytest.fixture
def cohort(whole, tmp_path):
    return Path(shutil.copytree(whole, tmp_path / "cohort"))


def swap_description(cohort: Path) -> None:
    layout = CohortLayout(cohort)
    replace(CohortDescription.read(layout), cohort_id="0" * 32).write(layout)


def swap_weights(cohort: Path) -> None:
    """Another stage's final checkpoint, whole in itself, in the place of the aligned one."""
    shutil.rmtree(cohort / FINAL)
    shutil.copytree(cohort / RUN / "checkpoints" / "ecg" / "final", cohort / FINAL)


def swap_readout(cohort: Path) -> None:
    path = cohort / RUN / "readout" / "readout.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "checkpoint_sha256": "0" * 64}))


def cut_log(cohort: Path) -> None:
    path = cohort / RUN / "metrics.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[: len(lines) // 3]))


def change_settings(cohort: Path) -> None:
    path = cohort / RUN / "config.toml"
    path.write_text(path.read_text().replace("sigma = 0.1", "sigma = 0.2"))


def change_register(cohort: Path) -> None:
    path = cohort / "withdrawn.json"
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "people": {}}))


def turn_bits(path: Path) -> None:
    """One bit of every block that holds something, behind the file's headers."""
    data = bytearray(path.read_bytes())
    for start in range(12_288, len(data), 4096):
        if any(data[start : start + 4096]):
            data[start + 2000] ^= 1
    path.write_bytes(bytes(data))


def forget_verdict(cohort: Path) -> None:
    path = cohort / RUN / "health.json"
    path.write_text(path.read_text().replace('"learned": true', '"learned": false'))


def turn_a_digit(path: Path) -> None:
    """Another figure where the first one stands, in a file that stays whole."""
    text = path.read_text()
    first = re.search(r"0\.\d", text)
    assert first is not None
    digit = "1" if text[first.end() - 1] != "1" else "2"
    path.write_text(text[: first.end() - 1] + digit + text[first.end() :])


DAMAGES: dict[str, tuple[str, Callable[[Path], object]]] = {
    "run_missing": (RUN, lambda cohort: shutil.rmtree(cohort / RUN)),
    "checkpoint_missing": (FINAL, lambda cohort: shutil.rmtree(cohort / FINAL)),
    "foreign_checkpoint": (FINAL, swap_weights),
    "readout_missing": (f"{RUN}/readout", lambda cohort: shutil.rmtree(cohort / RUN / "readout")),
    "foreign_readout": (f"{RUN}/readout", swap_readout),
    "run_config": (f"{RUN}/config.toml", change_settings),
    "evaluation": (
        f"{RUN}/evaluation/evaluation.json",
        lambda cohort: (cohort / RUN / "evaluation" / "evaluation.json").unlink(),
    ),
    "log_truncated": (f"{RUN}/metrics.jsonl", cut_log),
    "identities_missing": (
        "identities.duckdb", lambda cohort: (cohort / "identities.duckdb").unlink(),
    ),
    "lineage_missing": ("lineage.duckdb", lambda cohort: (cohort / "lineage.duckdb").unlink()),
    "register_missing": ("withdrawn.json", lambda cohort: (cohort / "withdrawn.json").unlink()),
    "register_changed": ("withdrawn.json", change_register),
    "database": ("lineage.duckdb", lambda cohort: turn_bits(cohort / "lineage.duckdb")),
    "health": (f"{RUN}/health.json", forget_verdict),
    "health_changed": (
        f"{RUN}/health.json", lambda cohort: turn_a_digit(cohort / RUN / "health.json"),
    ),
    "log_changed": (
        f"{RUN}/metrics.jsonl", lambda cohort: turn_a_digit(cohort / RUN / "metrics.jsonl"),
    ),
    "foreign_description": ("cohort.toml", swap_description),
}  # fmt: skip


def test_a_whole_cohort_has_nothing_missing(cohort):
    assert check_inventory(CohortLayout(cohort)) == []
    assert find_orphans(CohortLayout(cohort)) == []
    (cohort / "stray.bin").write_bytes(b"x")
    assert find_orphans(CohortLayout(cohort)) == ["stray.bin"]


@pytest.mark.parametrize("code", DAMAGES)
def test_what_is_missing_cut_or_foreign_is_named_where_it_lies(cohort, code):
    place, damage = DAMAGES[code]
    damage(cohort)
    defects = {(defect.code, defect.place) for defect in check_inventory(CohortLayout(cohort))}
    assert (code, place) in defects


def test_an_evaluation_that_the_store_holds_is_written_again(cohort):
    DAMAGES["evaluation"][1](cohort)
    repair_inventory(CohortLayout(cohort))
    assert check_inventory(CohortLayout(cohort)) == []
