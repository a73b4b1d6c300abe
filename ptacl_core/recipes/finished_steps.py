"""What a recipe has done, so that an interrupted one goes on where it stopped."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ptacl_core.safety.files.atomic import write_json


class FinishedSteps:
    """Results of finished steps, in one file that is replaced whole after each step.

    Another `identity` (software, settings, patients …) begins anew.
    """

    def __init__(self, path: Path, identity: Mapping[str, Any]) -> None:
        self._path = path
        self._identity = dict(identity)
        document = _read(path)
        is_same = {key: document.get(key) for key in self._identity} == self._identity
        self._results: dict[str, Any] = document.get("steps", {}) if is_same else {}

    def is_done(self, name: str) -> bool:
        """Whether the step ended in this call or an earlier one."""
        return name in self._results

    def forget(self, name: str) -> None:
        """Have a step done again, since what it left is not there any more."""
        self._results.pop(name, None)

    def once(self, name: str, work: Callable[[], Any]) -> Any:
        """The result of `work`, done now or in an earlier call."""
        if name not in self._results:
            self._results[name] = json.loads(json.dumps(work()))
            write_json(self._path, {**self._identity, "steps": self._results})
        return self._results[name]


def _read(path: Path) -> dict[str, Any]:
    """The document; an unreadable one counts as none, and its steps are done again."""
    try:
        document = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}
