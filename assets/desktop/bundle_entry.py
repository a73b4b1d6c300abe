"""The one program of the bundle: `ptacl-app`, or the Python that its own processes ask for.

Sessions, readers and the command line are started as `sys.executable -P -c CODE …` or
`-P -m MODULE …`. In a bundle that is this program, so it understands these two forms. Without
arguments, as a double click gives none, the window opens.
"""

import multiprocessing
import runpy
import sys

LIBRARY_OPTIONS = {"-P", "-I", "-s", "-E", "-u", "-B"}


def run() -> int:
    """Run what the words ask for."""
    words = sys.argv[1:]
    while words and words[0] in LIBRARY_OPTIONS:
        words.pop(0)
    if words[:1] == ["-c"] and len(words) > 1:
        sys.argv = ["-c", *words[2:]]
        exec(compile(words[1], "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102
        return 0
    if words[:1] == ["-m"] and len(words) > 1:
        sys.argv = [words[1], *words[2:]]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        return 0
    if words and words[0].endswith(".py"):
        sys.argv = words
        runpy.run_path(words[0], run_name="__main__")
        return 0
    from ptacl_app.__main__ import main

    return main(words or ["desktop"])


if __name__ == "__main__":
    multiprocessing.freeze_support()
    sys.exit(run())
