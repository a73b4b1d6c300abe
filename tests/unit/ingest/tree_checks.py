"""What must hold of the plan of a tree whose people are known."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from importlib import util
from pathlib import Path

from ptacl_core.ingest.make_plan import Discovery, make_plan
from ptacl_core.ingest.plan import Plan, PlannedRecording
from ptacl_core.io import discover
from ptacl_core.shards import assign_split


def load_trees():
    """The generator beside this file, which scripts load as well."""
    spec = util.spec_from_file_location("layout_trees", Path(__file__).with_name("layout_trees.py"))
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass
class Tally:
    """Counts over many trees; every kind of fault must stay at zero."""

    trees: int = 0
    recordings: int = 0
    left_out: int = 0
    pairs: int = 0
    true_pairs: int = 0
    faults: Counter = field(default_factory=Counter)
    faulty_seeds: list[int] = field(default_factory=list)


def check_tree(root: Path, seed: int, tally: Tally) -> None:
    """Make the tree of a seed below `root`, plan it, count what is wrong."""
    tree = load_trees().make_tree(root, seed)
    plan = make_plan(Discovery([list(discover(root))]))
    before = sum(tally.faults.values())
    _count(tree, plan, tally)
    if sum(tally.faults.values()) > before:
        tally.faulty_seeds.append(seed)


def _count(tree, plan: Plan, tally: Tally) -> None:
    truth = {recording.place: recording for recording in tree.recordings}
    subjects, people = defaultdict(set), defaultdict(set)
    placed = 0
    for visit in plan.visits:
        for recording in visit.recordings:
            placed += 1
            person = truth[_place(recording)].person
            subjects[person].add(visit.subject)
            people[visit.subject].add(person)
        if visit.ecg is not None and visit.cmr is not None:
            ecg, cmr = truth[_place(visit.ecg)], truth[_place(visit.cmr)]
            tally.faults["pairs of two people"] += ecg.person != cmr.person
            tally.faults["pairs of two visits"] += ecg.visit != cmr.visit
            tally.pairs += ecg.person == cmr.person
    sides = {
        person: {assign_split(subject, salt="ptacl") for subject in subjects_of_person}
        for person, subjects_of_person in subjects.items()
    }
    left_out = sum(file.is_recording for file in plan.unused)
    tally.faults["people on two sides of a split"] += sum(len(s) > 1 for s in sides.values())
    tally.faults["people torn in two"] += sum(len(s) > 1 for s in subjects.values())
    tally.faults["subjects of two people"] += sum(len(p) > 1 for p in people.values())
    tally.faults["recordings lost in silence"] += placed + left_out != len(tree.recordings)
    held = {(r.person, r.visit, r.modality) for r in tree.recordings}
    tally.true_pairs += sum((p, v, "cmr") in held for p, v, m in held if m == "ecg")
    tally.trees += 1
    tally.recordings += len(tree.recordings)
    tally.left_out += left_out


def _place(recording: PlannedRecording) -> str:
    return "/".join(recording.place.parts[1:])
