"""Fixtures of all tests: one thread, and a small cohort with a trained run made once a session."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import HealthCheck, settings

from ptacl_core.cli.main import app
from ptacl_core.cli.output import run_guarded

TINY_PATIENTS = 160

# No test depends on the machine's speed.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of one file stay in order on one worker: their cohort may grow from test to test."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.relative_to(Path(__file__).parent)))


@dataclass(frozen=True)
class Answer:
    """What a command printed and its exit status."""

    exit_code: int
    out: str
    err: str


@pytest.fixture(scope="session", autouse=True)
def private_folders(tmp_path_factory):
    """Keys, audit heads and the app's memory of this session alone, never the user's own."""
    folder = tmp_path_factory.mktemp("private")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PTACL_KEYS", str(folder / "keys"))
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        patch.setenv("XDG_DATA_HOME", str(folder / "data"))
        yield


@pytest.fixture
def ptacl(capsys) -> Callable[..., Answer]:
    """Runs the command line in this process, guarded as the console script is."""

    def run(*arguments: object) -> Answer:
        capsys.readouterr()
        with pytest.raises(SystemExit) as leaving:
            run_guarded(lambda: app([str(argument) for argument in arguments]))
        captured = capsys.readouterr()
        return Answer(int(leaving.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def trained_cohort(tmp_path_factory) -> Path:
    """A small simulated cohort with a tiny run trained, embedded and evaluated."""
    from ptacl_core.config.run_presets import load_run_settings
    from ptacl_core.stages.embed import run as embed
    from ptacl_core.stages.evaluate import run as evaluate
    from ptacl_core.stages.simulate import run as simulate
    from ptacl_core.stages.train import run as train

    cohort = tmp_path_factory.mktemp("cohorts") / "trained"
    simulate.run(cohort, preset="tiny", num_patients=TINY_PATIENTS)
    # A few steps learn nothing; with limits that nothing fails the run may be taken unasked.
    limits = ["health.contrastive_share=9", "health.min_effective_rank=1",
              "health.reconstruction_share=9"]  # fmt: skip
    settings = load_run_settings("tiny", overrides=limits)
    train.run(cohort, settings, stage="all", resume=False, run_name="tiny")
    embed.run(cohort, run="tiny")
    evaluate.run(cohort, run="tiny", num_resamples=100)
    return cohort
