import pytest

from ptacl_core.config.reproduction import (
    DEMOGRAPHICS,
    load_plan,
    load_size,
    name_run,
    plan_run,
)
from ptacl_core.config.run_presets import load_run_settings
from ptacl_core.errors import ConfigError
from ptacl_core.evaluate.references import TABLE_1, TABLE_2

PLAN = load_plan()
SIZES = ("tiny", "demo", "workstation", "paper")
PAPER_PRESETS = {
    "simclr": "paper-simclr",
    "mae": "paper-regression",
    "supervised": "paper-supervised",
    "eccl": "eccl-style",
    "cmae": "cmae-style",
    "mmcl": "mmcl-style",
    "ptacl-no-pretraining": "paper-no-pretraining",
    "ptacl-cossim": "paper-cossim",
    "global": "paper-global",
    "ptacl": "paper-regression",
    "ptacl-finetuned": "paper-finetune",
    "ptacl-retrieval": "paper-retrieval",
    "stranger": "control-stranger",
    "break-phase": "control-break-phase",
    "shuffled-steps": "control-shuffled-steps",
    "shuffled-pairs": "control-shuffled-pairs",
    "ptacl2-shift": "ptacl2-shift",
    "ptacl2-phase": "ptacl2-phase",
    "ptacl2-both": "ptacl2-both",
}


@pytest.mark.parametrize("size", SIZES)
def test_every_run_of_every_size_has_settings(size):
    for key in PLAN.runs:
        settings = plan_run(PLAN, load_size(size), key, seed=3)
        assert settings.name == f"reproduce-{size}-s3-{key}"
        assert settings.seed == 3
        for stage, source in PLAN.runs[key].takes.items():
            assert getattr(settings.pretrained_from, stage) == name_run(size, 3, source)


def test_every_row_of_the_papers_table_2_is_planned_once():
    planned = [
        (modality.upper(), method.published, method.evaluation)
        for method in PLAN.methods
        if method.published
        for modality in method.modalities
    ]
    assert len(planned) == len(set(planned))
    published = {(row.modality, row.method, row.evaluation) for row in TABLE_2}
    assert published <= set(planned)
    assert {method.published_retrieval for method in PLAN.methods} - {""} == set(TABLE_1)


@pytest.mark.parametrize(("key", "preset"), sorted(PAPER_PRESETS.items()))
def test_at_the_papers_size_a_run_is_its_preset(key, preset):
    """Only name, notes, stages, seed and where pretraining comes from may differ."""
    run = plan_run(PLAN, load_size("paper"), key, seed=0).model_dump()
    known = load_run_settings(preset).model_dump()
    ours = {"name", "notes", "stages", "seed", "pretrained_from"}
    differing = {name for name in run if name not in ours and run[name] != known[name]}
    assert differing == set()


def test_the_retrieval_pair_differs_in_beta_only():
    size = load_size("paper")
    first = plan_run(PLAN, size, "global-retrieval", seed=0).align
    second = plan_run(PLAN, size, "ptacl-retrieval", seed=0).align
    assert first.beta == 0.0
    assert first.model_copy(update={"beta": second.beta}) == second
    assert (second.sigma, second.temperature_global, second.temperature_local) == (0.0, 0.07, 0.07)


def test_runs_come_after_those_they_take_from():
    ordered = PLAN.list_runs(PLAN.choose(["ptacl-finetuned"]))
    assert ordered == ["mae", "ptacl", "ptacl-finetuned"]
    everything = PLAN.list_runs(PLAN.choose(None))
    assert sorted(everything) == sorted(PLAN.runs)


def test_an_unknown_row_is_named_with_those_there_are():
    with pytest.raises(ConfigError, match=r"no row 'ptacI'.*ptacl-retrieval"):
        PLAN.choose(["mae", "ptacI"])


def test_comparisons_name_methods_or_demographics():
    keys = {method.key for method in PLAN.methods} | {DEMOGRAPHICS}
    for pair in PLAN.comparisons:
        assert {pair.first, pair.second} <= keys
