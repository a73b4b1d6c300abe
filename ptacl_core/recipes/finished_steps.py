"""What a recipe has done, so that an interrupted one goes on where it stopped."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar, cast

from ptacl_core.json_values import JsonObject
from ptacl_core.safety.files.atomic import write_json
from ptacl_core.safety.files.json_object import read_json_object

Result = TypeVar("Result")


class FinishedSteps:
    """Results of finished steps, in one file that is replaced whole after each step.

    Another `identity` (software, settings, patients …) begins anew.
    """

    def __init__(self, path: Path, identity: Mapping[str, object]) -> None:
        self._path = path
        self._identity = dict(identity)
        document = read_json_object(path) or {}  # an unreadable one counts as none
        is_same = {key: document.get(key) for key in self._identity} == self._identity
        steps = document.get("steps") if is_same else None
        self._results: JsonObject = steps if isinstance(steps, dict) else {}

    def is_done(self, name: str) -> bool:
        """Whether the step ended in this call or an earlier one."""
        return name in self._results

    def forget(self, name: str) -> None:
        """Have a step done again, since what it left is not there any more."""
        self._results.pop(name, None)

    def once(self, name: str, work: Callable[[], Result]) -> Result:
        """The result of `work`, plain JSON values, done now or in an earlier call."""
        if name not in self._results:
            self._results[name] = json.loads(json.dumps(work()))
            write_json(self._path, {**self._identity, "steps": self._results})
        return cast(Result, self._results[name])
