"""`ptacl report --checklist` and `--data-sheet`: answered from disk, or the author's to write."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ptacl_core.documents.reviews import ChecklistDocument, DataSheetDocument
from ptacl_core.safety.files.atomic import write_json
from ptacl_core.shards import ShardReader
from ptacl_core.stages.pack import run as pack
from ptacl_core.stages.report.answers_model import ANSWERS
from ptacl_core.stages.report.data_sheet import SmallCells
from ptacl_core.stages.report.facts import FACT_NAMES, RunFacts, collect_facts, name_sources
from ptacl_core.stages.report.run import CHECKLISTS, ChecklistName, answer_checklist
from ptacl_core.stages.simulate import run as simulate
from ptacl_core.stages.validate import run as validate

pytestmark = pytest.mark.xdist_group("trained")
NAMES: tuple[ChecklistName, ...] = ("tripod-ai", "claim")
TRIPOD = (
    "1 2 3a 3b 3c 4 5a 5b 6a 6b 6c 7 8a 8b 8c 9a 9b 9c 10 11 12a 12b 12c 12d 12e 12f 12g 13 14 15 "
    "16 17 18a 18b 18c 18d 18e 18f 19 20a 20b 20c 21 22 23a 23b 24 25 26 27a 27b 27c"
)


@pytest.fixture(scope="module")
def validation(trained_cohort, tmp_path_factory) -> Path:
    """validation.json of the packed run on other people."""
    folder = tmp_path_factory.mktemp("validation")
    simulate.run(folder / "others", preset="tiny", num_patients=36, seed=9, num_workers=1)
    pack.run(trained_cohort, "tiny", folder / "tiny.ptacl")
    document = validate.run(folder / "tiny.ptacl", folder / "others", num_resamples=100)
    write_json(folder / "validation.json", document.as_dict())
    return folder / "validation.json"


@pytest.fixture(scope="module")
def facts(trained_cohort, validation) -> RunFacts:
    return collect_facts(trained_cohort, "tiny", validation)


def test_every_item_is_there_by_its_number():
    _, _, tripod = CHECKLISTS["tripod-ai"]
    _, _, claim = CHECKLISTS["claim"]
    assert [item.number for item in tripod] == TRIPOD.split()
    assert [item.number for item in claim] == [str(number) for number in range(1, 45)]
    used = {topic for _, _, items in CHECKLISTS.values() for item in items for topic in item.topics}
    assert used == set(ANSWERS)


@pytest.mark.parametrize("name", NAMES)
def test_the_command_writes_all_three_forms(ptacl, trained_cohort, tmp_path, name):
    answer = ptacl(
        "report", trained_cohort, "tiny", "--checklist", name, "--out", tmp_path, "--json"
    )
    assert answer.exit_code == 0, answer.err
    document = ChecklistDocument.parse(json.loads(answer.out), source="answer")
    by_number = {item.number: item for item in document.items}
    assert {item.status for item in document.items} == {"answered", "partly", "author"}
    for item in document.items:
        assert bool(item.answer) == (item.status != "author") == bool(item.sources)
        assert bool(item.left) == (item.status != "answered")
    with ShardReader.open(trained_cohort) as reader:
        num_people = len(set(reader.patients))
    flow = by_number["20a" if name == "tripod-ai" else "35"]
    assert f"In use: {num_people} people" in flow.answer[0]
    ethics = by_number["17" if name == "tripod-ai" else "44"]
    assert (ethics.status, ethics.answer) == ("author", ())
    page, text = (tmp_path / f"{name}{suffix}" for suffix in (".html", ".md"))
    for item in document.items:
        assert f"### {item.number}  {item.asks}" in text.read_text()
    assert "For the author to write" in page.read_text()
    assert "Research use only" in page.read_text()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fact", FACT_NAMES)
def test_without_its_source_an_answer_is_the_authors(facts, name, fact):
    whole = answer_checklist(facts, name, cohort="cohort", run="tiny")
    without = answer_checklist(replace(facts, **{fact: None}), name, cohort="cohort", run="tiny")
    source = name_sources("tiny")[fact]
    changed = 0
    for before, after in zip(whole.items, without.items, strict=True):
        assert source not in after.sources
        if source not in before.sources:
            assert after == before
            continue
        changed += 1
        lost = set(before.answer) - set(after.answer)
        assert lost
        assert set(after.answer) < set(before.answer)
        assert after.status == ("partly" if after.answer else "author")
        assert after.left
    assert changed


def test_what_is_removed_on_disk_is_not_spoken_of(ptacl, trained_cohort, tmp_path):
    cohort = Path(shutil.copytree(trained_cohort, tmp_path / "cohort"))
    shutil.rmtree(cohort / "runs" / "tiny" / "evaluation")
    (cohort / "shards" / "rejected.parquet").unlink()
    answer = ptacl("report", cohort, "tiny", "--checklist", "tripod-ai", "--json")
    items = {item["number"]: item for item in json.loads(answer.out)["items"]}
    assert (items["23a"]["status"], items["12e"]["status"]) == ("author", "author")
    assert "left out by reason" not in str(items["20a"])
    assert "R²" not in answer.out


def test_a_validation_of_other_weights_is_refused(ptacl, trained_cohort, validation, tmp_path):
    words = ("report", trained_cohort, "tiny", "--checklist", "claim", "--json", "--validation")
    answer = ptacl(*words, validation)
    assert answer.exit_code == 0, answer.err
    external = json.loads(answer.out)["items"][32]
    assert (external["status"], "36 people of" in str(external["answer"])) == ("answered", True)
    other = json.loads(validation.read_text()) | {"checkpoint_sha256": "0" * 64}
    (tmp_path / "other.json").write_text(json.dumps(other))
    refused = ptacl(*words, tmp_path / "other.json")
    assert (refused.exit_code, "other weights" in refused.err) == (2, True)


def test_a_person_in_two_splits_is_told(trained_cohort, tmp_path):
    cohort = Path(shutil.copytree(trained_cohort, tmp_path / "cohort"))
    manifest = cohort / "shards" / "manifest.parquet"
    table = pq.read_table(manifest)
    people = table.column("patient").to_pylist()
    splits = table.column("split").to_pylist()
    people[splits.index("test")] = people[splits.index("train")]
    at = table.schema.get_field_index("patient")
    pq.write_table(table.set_column(at, table.schema.field(at), [people]), manifest)
    item = answer_checklist(
        collect_facts(cohort, "tiny"), "claim", cohort="cohort", run="tiny"
    ).items[19]
    assert "1 people are in two of them" in item.answer[0]


def test_the_data_sheet_counts_the_cohort(ptacl, trained_cohort, tmp_path):
    answer = ptacl("report", trained_cohort, "--data-sheet", "--out", tmp_path, "--json")
    assert answer.exit_code == 0, answer.err
    sheet = DataSheetDocument.parse(json.loads(answer.out), source="answer")
    with ShardReader.open(trained_cohort) as reader:
        ages = reader.column("age_years", reader.rows())
        assert sheet.people == len(set(reader.patients))
        assert sheet.splits["train"].pairs == len(reader.rows("train"))
    variables = {variable.name: variable for variable in sheet.variables}
    assert variables["age_years"].mean == pytest.approx(ages.mean(), rel=1e-3)
    assert variables["age_years"].missing == 0
    assert len(variables["lvef_pct"].quantiles) == 5
    assert (tmp_path / "data-sheet.html").exists()
    assert "For the author" in (tmp_path / "data-sheet.md").read_text()


def test_a_sheet_that_leaves_has_no_small_cell(ptacl, trained_cohort, tmp_path):
    cohort = Path(shutil.copytree(trained_cohort, tmp_path / "cohort"))
    manifest = cohort / "shards" / "manifest.parquet"
    table = pq.read_table(manifest)
    for name, values in (
        ("sex", ["X"] * 3 + ["F"] * 60 + ["M"] * (table.num_rows - 63)),
        ("lvm_g", [None] * 4 + [80.0] * (table.num_rows - 4)),
    ):
        at = table.schema.get_field_index(name)
        table = table.set_column(at, table.schema.field(at), [values])
    pq.write_table(table, manifest)
    sheet = json.loads(ptacl("report", cohort, "--data-sheet", "--egress", "--json").out)
    assert sheet["smallest_cell"] == 10
    assert sheet["sex"]["X"] is None
    assert list(sheet["sex"].values()).count(None) == 2, "the small one follows from the total"
    variables = {variable["name"]: variable for variable in sheet["variables"]}
    assert variables["lvm_g"]["missing"] is None is variables["lvm_g"]["present"]
    assert all(variable["quantiles"] == [] for variable in sheet["variables"])
    assert sheet["suppressed"]

    def counts(value) -> list[int]:
        if isinstance(value, dict):
            return [
                n for key, part in value.items() if key != "preprocessing" for n in counts(part)
            ]
        if isinstance(value, list):
            return [n for part in value for n in counts(part)]
        return [value] if isinstance(value, int) and not isinstance(value, bool) else []

    kept = counts({key: part for key, part in sheet.items() if key != "version"})
    assert len(kept) > 40
    assert [count for count in kept if 0 < count < 10] == []


def test_small_counts_take_the_next_one_with_them():
    cells = SmallCells(10)
    assert cells.hide("a", {"x": 3, "y": 50, "z": 20}) == {"x": None, "y": 50, "z": None}
    assert cells.hide("b", {"x": 3, "y": 8, "z": 20}) == {"x": None, "y": None, "z": 20}
    assert cells.hide("c", {"x": 0, "y": 12}) == {"x": 0, "y": 12}
    assert cells.suppressed == [f"{name}: figures of fewer than 10 people" for name in "ab"]
    assert SmallCells(1).hide("d", {"x": 3}) == {"x": 3}


@pytest.mark.parametrize(
    "words", [[], ["tiny"], ["--checklist", "claim"], ["tiny", "--checklist", "claim", "--egress"],
              ["tiny", "--checklist", "claim", "--data-sheet"]],
)  # fmt: skip
def test_one_thing_is_asked_for(ptacl, trained_cohort, words):
    answer = ptacl("report", trained_cohort, *words)
    assert (answer.exit_code, "expected one of" in answer.err) == (2, True)
