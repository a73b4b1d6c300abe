"""What a step of a run came to, as reproduce.json keeps it."""

from typing import NotRequired, TypedDict


class StepResult(TypedDict):
    """How long a step took; of a training also its updates, and whether it went on."""

    wall_s: float
    steps: NotRequired[int]
    was_resumed: NotRequired[bool]
