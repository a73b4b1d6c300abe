import subprocess
import sys

import numpy as np
import pytest

from ptacl_core.evaluate import expected_precision
from ptacl_core.evaluate.references import SOURCE, TABLE_1, TABLE_1_RANDOM, TABLE_2
from ptacl_core.records import PHENOTYPE_NAMES


def row(method, evaluation="LP", modality="ECG"):
    rows = [
        r for r in TABLE_2 if (r.method, r.evaluation, r.modality) == (method, evaluation, modality)
    ]
    assert len(rows) == 1
    return rows[0].r2


def test_labelled_and_complete():
    assert "UK Biobank, as published" in SOURCE
    assert len(TABLE_2) == 16
    for published in TABLE_2:
        assert tuple(published.r2) == PHENOTYPE_NAMES
    for method in ("Global", "PTACL"):
        assert tuple(TABLE_1[method]) == PHENOTYPE_NAMES
    assert tuple(TABLE_1_RANDOM) == PHENOTYPE_NAMES


def test_known_cells():
    assert TABLE_1["PTACL"]["lvm_g"].p_at[1] == 0.561
    assert TABLE_1["Global"]["rvef_pct"].mean_rank == 4.3
    assert row("PTACL")["lvm_g"] == 0.616
    assert row("PTACL", "FN+AP")["rvef_pct"] == 0.315
    assert row("MMCL", "FN+AP")["lvco_l_min"] is None
    assert row("MAE", modality="CMR")["lvef_pct"] == 0.489
    assert row("Random Init")["lvm_g"] == pytest.approx(18.3e-5)


def test_the_table_keeps_its_own_laws():
    for method in TABLE_1.values():
        for published in method.values():
            precisions = [published.p_at[k] for k in (1, 3, 5, 10, 15)]
            assert precisions == sorted(precisions, reverse=True)
            # The median rank is 1 exactly where over half of the queries hit at once
            # (one cell is rounded onto the limit).
            if abs(published.p_at[1] - 0.5) > 0.001:
                assert (published.median_rank == 1.0) == (published.p_at[1] > 0.5)
    ptacl, baseline = row("PTACL"), row("Global")
    better = [
        mine > theirs
        for name in PHENOTYPE_NAMES
        if (mine := ptacl[name]) is not None and (theirs := baseline[name]) is not None
    ]
    assert (sum(better), len(better)) == (9, len(PHENOTYPE_NAMES))


def test_table_1_follows_from_table_2():
    ecg, cmr = row("PTACL"), row("MAE", modality="CMR")
    for name in PHENOTYPE_NAMES:
        predicted = expected_precision(np.float64(ecg[name]), np.float64(cmr[name]))
        assert TABLE_1["PTACL"][name].p_at[10] == pytest.approx(predicted, abs=0.03)


def test_the_package_imports_neither_torch_nor_sklearn():
    program = (
        "import sys, ptacl_core.evaluate\n"
        "slow = {'torch', 'sklearn', 'scipy', 'pandas', 'neurokit2'}\n"
        "print(sorted(slow & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
