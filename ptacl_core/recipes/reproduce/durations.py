"""How long the steps of a reproduction took."""

from collections.abc import Mapping
from typing import Any


def describe_durations(steps: Mapping[int, Mapping[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """Seconds by kind of step over all seeds, and the runs whose training was cut and resumed.

    Of a resumed training only the last part is counted.
    """
    seconds: dict[str, float] = {}
    resumed = []
    for seed, runs in steps.items():
        for key, done in runs.items():
            for step, result in done.items():
                kind = step.split()[0]
                seconds[kind] = seconds.get(kind, 0.0) + float(result["wall_s"])
                if result.get("was_resumed"):
                    resumed.append(f"{key} (seed {seed})")
    return {"by_step_s": seconds, "total_s": sum(seconds.values()), "resumed": resumed}
