"""The known dotted keys that are most like one that is not known."""

import difflib
from collections.abc import Sequence

NUM_NEAR = 3


def find_nearest(key: str, known: Sequence[str]) -> list[str]:
    """At most three of `known`, best first: same last part, then alike as a whole or at its end."""
    last_part = key.rpartition(".")[2]
    same_end = [name for name in known if name.rpartition(".")[2] == last_part and name != key]
    alike = difflib.get_close_matches(key, known, n=NUM_NEAR, cutoff=0.6)
    by_end = {name.rpartition(".")[2]: name for name in reversed(known)}
    alike_end = [by_end[end] for end in difflib.get_close_matches(last_part, list(by_end), n=1)]
    return list(dict.fromkeys([*same_end, *alike, *alike_end]))[:NUM_NEAR]


def suggest(key: str, known: Sequence[str]) -> str:
    """`; nearest: a, b`, or nothing when no known key is alike."""
    nearest = find_nearest(key, known)
    return f"; nearest: {', '.join(nearest)}" if nearest else ""
