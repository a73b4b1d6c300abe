"""Several visits of one person: never in one batch, where they would be each other's negatives."""

import numpy as np

from ptacl_core.arrays import Array, Int64


def separate_visits(
    order: Int64[Array, " row"], people: Int64[Array, " row"], *, batch_size: int
) -> Int64[Array, " row"]:
    """The same rows in an order whose batches hold each person once.

    A second visit changes places with the next row, from the following batches on and then
    from the first, whose person is in neither batch; where there is none it stays. `people` is
    a number per row. Orders without such a pair are returned as they are.
    """
    if len(np.unique(people)) == len(people):
        return order
    changed = order.copy()
    held = [
        set(people[changed[start : start + batch_size]].tolist())
        for start in range(0, len(changed), batch_size)
    ]
    for batch, start in enumerate(range(0, len(changed), batch_size)):
        earlier_people: set[int] = set()
        for place in range(start, min(start + batch_size, len(changed))):
            person = int(people[changed[place]])
            if person in earlier_people:
                _swap(changed, people, held, place, batch, batch_size)
                person = int(people[changed[place]])
            earlier_people.add(person)
    return changed


def _swap(
    order: Int64[Array, " row"],
    people: Int64[Array, " row"],
    held: list[set[int]],
    place: int,
    batch: int,
    batch_size: int,
) -> None:
    """Give the row at `place` another batch, for one that repeats nobody in this one."""
    person = int(people[order[place]])
    after = np.arange(min((batch + 1) * batch_size, len(order)), len(order))
    before = np.arange(0, batch * batch_size)
    for other in np.concatenate([after, before]).tolist():
        candidate, other_batch = int(people[order[other]]), other // batch_size
        if candidate not in held[batch] and person not in held[other_batch]:
            order[place], order[other] = order[other], order[place]
            held[batch].add(candidate)
            held[other_batch].add(person)
            # The one who left may have been there twice; staying in the set is only stricter.
            return
