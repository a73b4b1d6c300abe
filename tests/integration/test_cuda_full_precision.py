"""Every stage on the pretended CUDA device in fp32: the second precision beside `tests/cuda`."""

import pytest

from ptacl_core.stages.embed import run as embed
from ptacl_core.stages.evaluate import run as evaluate
from ptacl_core.stages.simulate import run as simulate
from tests.cuda.pretended.runtime import pretended_cuda
from tests.cuda.stages import find_other_waits, train_on_device
from tests.cuda.test_stages import NUM_PATIENTS, VARIANTS


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder = tmp_path_factory.mktemp("full-precision") / "cohort"
    simulate.run(folder, preset="tiny", num_patients=NUM_PATIENTS)
    return folder


def test_every_stage_trains_embeds_and_is_evaluated_in_fp32(cohort):
    with pretended_cuda() as ledger:
        waits = train_on_device(cohort, ledger, "whole", "fp32")
        assert find_other_waits(waits) == {}
        assert embed.run(cohort, run="whole", device="cuda").ecg == NUM_PATIENTS
        document = evaluate.run(cohort, run="whole", num_resamples=20, device="cuda")
    assert document.patients.test > 0


@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_variants_train_in_fp32(cohort, variant):
    with pretended_cuda() as ledger:
        waits = train_on_device(cohort, ledger, variant, "fp32", VARIANTS[variant])
        assert find_other_waits(waits) == {}
