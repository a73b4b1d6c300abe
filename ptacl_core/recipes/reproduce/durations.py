"""How long the steps of a reproduction took."""

from collections.abc import Mapping

from ptacl_core.documents.reproduction import Durations
from ptacl_core.recipes.reproduce.step_result import StepResult


def describe_durations(steps: Mapping[int, Mapping[str, Mapping[str, StepResult]]]) -> Durations:
    """Seconds by kind of step over all seeds, and the runs whose training was cut and resumed.

    Of a resumed training only the last part is counted.
    """
    seconds: dict[str, float] = {}
    resumed: list[str] = []
    for seed, runs in steps.items():
        for key, done in runs.items():
            for step, result in done.items():
                kind = step.split()[0]
                seconds[kind] = seconds.get(kind, 0.0) + result["wall_s"]
                if result.get("was_resumed"):
                    resumed.append(f"{key} (seed {seed})")
    return Durations(by_step_s=seconds, total_s=sum(seconds.values()), resumed=tuple(resumed))
