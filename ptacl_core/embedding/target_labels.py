"""Labels of a cohort's own targets for rows of its recordings."""

from dataclasses import dataclass

import numpy as np

from ptacl_core.arrays import Array, Float64, Int64
from ptacl_core.cohort import Cohort
from ptacl_core.records.phenotypes import PHENOTYPE_NAMES
from ptacl_core.records.targets import Target
from ptacl_core.shards import ShardReader
from ptacl_core.shards.spec import EVERY_VISIT


@dataclass(frozen=True, slots=True, eq=False)
class TargetLabels:
    """Measured values by row and target, NaN where there is none; 0 or 1 of a binary target."""

    targets: tuple[Target, ...]
    values: Float64[Array, "row target"]

    def take(self, chosen: Array) -> "TargetLabels":
        """The same of some of the rows."""
        return TargetLabels(self.targets, self.values[chosen])


def load_target_labels(
    cohort: Cohort, reader: ShardReader, rows: Int64[Array, " row"]
) -> TargetLabels:
    """The labels of `rows` of the manifest.

    A value of the very visit goes before one that holds for every visit; a target with a rule
    follows from another, or from a phenotype.
    """
    targets = cohort.targets()
    held = {
        (value.patient, value.visit, value.name): value.value for value in cohort.target_values()
    }
    places = [(reader.patients[row], int(reader.visits[row])) for row in rows.tolist()]
    measured = {
        target.name: np.array(
            [
                held.get(
                    (patient, visit, target.name),
                    held.get((patient, EVERY_VISIT, target.name), np.nan),
                )
                for patient, visit in places
            ],
            np.float64,
        )
        for target in targets
    }
    phenotypes = reader.phenotypes(rows)
    measured |= {name: phenotypes[:, at] for at, name in enumerate(PHENOTYPE_NAMES)}
    values = np.full((len(places), len(targets)), np.nan)
    for column, target in enumerate(targets):
        rule = target.parse_rule()
        known = measured[target.name] if rule is None else rule.apply(measured[rule.source])
        values[:, column] = known
    return TargetLabels(targets, values)
