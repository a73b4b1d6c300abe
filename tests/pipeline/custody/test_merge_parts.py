"""Two parts of a cohort made without a shared folder, merged, are the cohort made at once."""

import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from ptacl_core.cohort import Cohort
from ptacl_core.cohort.identity.keys import key_file, open_key
from ptacl_core.cohort.layout import CohortDescription, CohortLayout
from ptacl_core.shards import ShardReader

PLACES = {"shard", "ecg_row", "cine_row"}


def key_of(cohort):
    return key_file(CohortDescription.read(CohortLayout(cohort)).cohort_id)


def read_cohort(cohort):
    """Rows of the manifest and arrays, by pseudonym and visit, and rows of the store."""
    with ShardReader.open(cohort) as reader:
        rows = {(r["patient"], r["visit"]): r for r in reader.table.to_pylist()}
        arrays = {}
        for index, key in enumerate(zip(reader.patients, reader.visits, strict=True)):
            for modality, read in (("ecg", reader.read_ecg), ("cmr", reader.read_cine_bytes)):
                if index in reader.rows(needs=(modality,)):
                    arrays[*key, modality] = read(np.array([index]))
    with Cohort.open(cohort) as store:
        tables = {
            name: sorted(map(repr, store.fetch(query)))
            for name, query in {
                "patients": "SELECT * FROM patients",
                "visits": "SELECT * FROM visits",
                "phenotypes": "SELECT * FROM phenotypes",
                "splits": "SELECT split_name, patient, split FROM splits",
                "recordings": "SELECT * FROM recordings",
            }.items()
        }
    values = {k: {n: v for n, v in row.items() if n not in PLACES} for k, row in rows.items()}
    return values, arrays, tables


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The source, the cohort made at once, and two parts, each in a folder of its own."""
    from ptacl_core.stages.preprocess import run as preprocess
    from ptacl_core.stages.simulate import run as simulate

    folder = tmp_path_factory.mktemp("merging")
    simulate.run(folder / "files", preset="tiny", num_patients=6, layout="ukb")
    preprocess.run(folder / "files", folder / "whole", num_workers=1)
    for part in (0, 1):
        preprocess.run(
            folder / "files",
            folder / f"machine-{part}" / "cohort",
            num_workers=1,
            part=(part, 2),
            key_from=key_of(folder / "whole"),
        )
    return folder


@pytest.fixture
def parts(made, tmp_path):
    """Copies of both parts, to spoil."""
    names = []
    for part in (0, 1):
        shutil.copytree(made / f"machine-{part}", tmp_path / f"machine-{part}")
        names.append(tmp_path / f"machine-{part}" / "cohort")
    return names


def test_merged_parts_are_the_cohort_made_at_once(made, parts, tmp_path, ptacl):
    answer = ptacl("merge", tmp_path / "merged", *parts, "--json")
    assert answer.exit_code == 0, answer.err
    summary = json.loads(answer.out)
    assert (summary["parts"], summary["people"]) == (2, 6)
    whole, merged = read_cohort(made / "whole"), read_cohort(tmp_path / "merged")
    assert merged[0] == whole[0]
    assert merged[1].keys() == whole[1].keys()
    assert all(np.array_equal(merged[1][key], value) for key, value in whole[1].items())
    assert merged[2] == whole[2]
    rejected = [
        pq.read_table(folder / "shards" / "rejected.parquet").num_rows
        for folder in (made / "whole", tmp_path / "merged")
    ]
    assert rejected[0] == rejected[1]
    assert ptacl("verify", tmp_path / "merged").exit_code == 0
    again = json.loads(ptacl("merge", tmp_path / "merged", *parts, "--json").out)
    assert again == {**summary, "copied": 0}
    one_by_one = tmp_path / "one-by-one"
    for part in reversed(parts):
        assert ptacl("merge", one_by_one, part).exit_code == 0
    assert read_cohort(one_by_one)[0] == whole[0]


def test_merged_parts_bring_their_targets(parts, tmp_path, ptacl):
    import pyarrow as pa

    from ptacl_core.records import Target

    people = []
    for number, part in enumerate(parts):
        with Cohort.open(part) as store:
            people.append(store.fetch("SELECT min(patient) FROM recordings")[0][0])
        row = {"patient": people[-1], "visit": 0, "name": "strain", "value": -20.0 + number}
        with Cohort.write(part, purpose="targets") as writer:
            writer.put_targets([Target("strain", unit="%")])
            writer.put_target_values(pa.Table.from_pylist([row]))
    assert ptacl("merge", tmp_path / "merged", *parts).exit_code == 0
    with Cohort.open(tmp_path / "merged") as store:
        held = {value.patient: value.value for value in store.target_values(name="strain")}
    assert held == dict(zip(people, [-20.0, -19.0], strict=True))
    with Cohort.write(parts[1], purpose="targets") as writer:
        writer.put_targets([Target("strain", unit="mm")])
    refused = ptacl("merge", tmp_path / "other", *parts)
    assert refused.exit_code == 2 and "defined otherwise" in refused.err


def test_a_part_that_was_changed_is_refused_and_nothing_is_written(parts, tmp_path, ptacl):
    array = next((parts[1] / "shards").glob("*/ecg.npy"))
    data = bytearray(array.read_bytes())
    data[-5] ^= 1
    array.write_bytes(data)
    answer = ptacl("merge", tmp_path / "merged", *parts)
    assert answer.exit_code == 2
    assert "ecg.npy" in answer.err
    assert not (tmp_path / "merged").exists()


def test_parts_that_disagree_are_refused(made, parts, tmp_path, ptacl):
    from ptacl_core.shards import merge_manifests
    from ptacl_core.shards.erasure import _refresh_description

    other = tmp_path / "machine-2" / "cohort"
    shutil.copytree(made / "machine-0" / "cohort", other)
    for path in (other / "shards").glob("*/manifest.parquet"):
        table = pq.read_table(path, memory_map=False)
        column = table.schema.get_field_index("lvedv_ml")
        if table.column(column).null_count < table.num_rows:
            changed = table.set_column(column, "lvedv_ml", [[123.4375] * table.num_rows])
            pq.write_table(changed, path)
            _refresh_description(path.parent)
    merge_manifests(other / "shards", anew=True)
    answer = ptacl("merge", tmp_path / "merged", *parts, other)
    assert answer.exit_code == 2
    assert "lvedv_ml in machine-0/cohort and in machine-2/cohort" in answer.err
    assert not (tmp_path / "merged").exists()


def test_parts_of_another_key_are_refused(made, parts, tmp_path, ptacl):
    from ptacl_core.stages.preprocess import run as preprocess

    stranger = tmp_path / "stranger"
    preprocess.run(made / "files", stranger, num_workers=1)
    answer = ptacl("merge", tmp_path / "merged", parts[0], stranger)
    assert answer.exit_code == 2
    assert "its key is" in answer.err
    with pytest.raises(Exception, match="already"):
        preprocess.run(made / "files", stranger, num_workers=1, key_from=key_of(made / "whole"))


def test_a_part_with_somebody_who_withdrew_before_is_refused(parts, tmp_path, ptacl):
    """They never were in the cohort that it joins, and the list spelled them otherwise."""
    target, part = parts
    with Cohort.open(part) as cohort:
        people = {row[0] for row in cohort.fetch("SELECT patient FROM patients")}
    key = open_key(CohortLayout(part))
    theirs = [str(9_000_000 + row) for row in range(6)]
    member = next(subject for subject in theirs if key.pseudonym(subject) in people)
    listed = tmp_path / "list.csv"
    listed.write_text(f'"eid"\r\n"EID=00{member}.0"\r\n')
    answer = ptacl("withdraw", target, listed, "--yes", "--json")
    assert answer.exit_code == 0, answer.err
    assert json.loads(answer.out)["not_yet_seen"] == 1
    merged = ptacl("merge", target, part)
    assert merged.exit_code == 2, merged.out + merged.err
    assert "1 people who were erased" in merged.err
    assert member not in merged.err
    assert ptacl("withdraw", part, listed, "--yes").exit_code == 0
    assert ptacl("merge", target, part).exit_code == 0
