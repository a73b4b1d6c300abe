"""Every row of `ptacl reproduce` on the pretended CUDA device, in bf16 and in fp32."""

import numpy as np
import pytest

from ptacl_core.config.reproduction import load_plan
from ptacl_core.stages.simulate import run as simulate
from tests.cuda.pretended.runtime import pretended_cuda
from tests.cuda.reproduction import reproduce_on_device
from tests.cuda.test_stages import NUM_PATIENTS


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_every_row_is_trained_and_measured(tmp_path, precision):
    cohort = tmp_path / "cohort"
    simulate.run(cohort, preset="tiny", num_patients=NUM_PATIENTS)
    with pretended_cuda():
        figures = reproduce_on_device(cohort, precision)
    plan = load_plan()
    assert set(figures) == {m.row(modality) for m in plan.methods for modality in m.modalities}
    for row, row_figures in figures.items():
        assert row_figures.document["device"].startswith("cuda"), row
        assert np.isfinite(row_figures.predicted).all(), row
