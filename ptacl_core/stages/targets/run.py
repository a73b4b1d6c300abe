"""Targets of a cohort: define them with their values, list them, remove one."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ptacl_core.cohort import Cohort, CohortLayout
from ptacl_core.cohort.identity.keys import open_key
from ptacl_core.documents.targets import ListedTarget, TargetsDocument
from ptacl_core.embedding.target_labels import load_target_labels
from ptacl_core.errors import CohortError
from ptacl_core.ingest.targets import put_targets, read_values
from ptacl_core.io.targets.definitions import read_definitions
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.shards import ShardReader


def add(
    cohort_dir: Path,
    definitions: Path,
    tables: Sequence[Path] = (),
    *,
    progress: ProgressSink = SILENT,
) -> TargetsDocument:
    """Define targets and put in their values; returns what the cohort has then.

    Tables that tell rows by time or by the data set's own numbers of recordings go with
    `ptacl preprocess --targets`. Raises ConfigError, RecordError, CohortError.
    """
    file = read_definitions(definitions)
    values = read_values(file, tables)
    key = open_key(CohortLayout(cohort_dir.absolute()))
    summary = put_targets(cohort_dir, file, values, key=key)
    for line in summary.lines:
        progress.say(line)
    return list_targets(cohort_dir)


def list_targets(cohort_dir: Path) -> TargetsDocument:
    """The cohort's own targets and how many people of each split have them."""
    with Cohort.open(cohort_dir) as cohort, ShardReader.open(cohort_dir) as reader:
        rows = reader.rows(needs=("ecg",))
        labels = load_target_labels(cohort, reader, rows)
        splits = np.asarray([reader.splits[row] for row in rows])
        people = np.asarray([reader.patients[row] for row in rows])
        listed = []
        for column, target in enumerate(labels.targets):
            has_value = np.isfinite(labels.values[:, column])
            owners = Counter(
                split for split, _ in set(zip(splits[has_value], people[has_value], strict=True))
            )
            present = labels.values[has_value, column]
            listed.append(
                ListedTarget(
                    name=target.name,
                    kind=target.kind,
                    unit=target.unit,
                    title=target.title,
                    low=target.low,
                    high=target.high,
                    rule=target.rule,
                    reference=target.reference,
                    people={name: owners.get(name, 0) for name in ("train", "val", "test")},
                    mean=float(present.mean()) if present.size else None,
                    sd=float(present.std()) if present.size and not target.is_binary else None,
                )
            )
    return TargetsDocument(targets=tuple(listed))


def remove(cohort_dir: Path, name: str) -> int:
    """Remove a target with its values and predictions; returns how many values it had.

    Raises CohortError where there is none, or another one follows from it.
    """
    with Cohort.open(cohort_dir) as cohort:
        targets = cohort.targets()
    rules = [(target.name, target.parse_rule()) for target in targets]
    dependent = [other for other, rule in rules if rule is not None and rule.source == name]
    if name not in {target.name for target in targets}:
        known = ", ".join(target.name for target in targets) or "none"
        raise CohortError(f"no target '{name[:40]}'; there are: {known}")
    if dependent:
        raise CohortError(f"{name}: {', '.join(dependent)} follows from it; remove that first")
    with Cohort.write(cohort_dir, purpose="remove a target", waits=True) as writer:
        count = writer.remove_target(name)
        writer.put_audit("targets", removed=name)
    return count
