"""A cohort's own targets over many draws: figures, coverage and calibration, and shuffled labels.

    PYTHONPATH=. python scripts/soak/targets.py --draws 8

Every draw is an invented data set laid out as MIMIC-IV-ECG with an echo's measurements
(`tests/pipeline/echo_cohort.py`), preprocessed, an untrained `tiny` encoder embedded and
evaluated; beside it the same people with every value another person's. Prints one line a draw.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa

from ptacl_core.cohort import Cohort
from ptacl_core.config.run_presets import load_run_settings
from ptacl_core.documents.targets import TargetEvaluation
from ptacl_core.stages.embed import run as embed
from ptacl_core.stages.evaluate import run as evaluate
from ptacl_core.stages.preprocess import run as preprocess
from ptacl_core.stages.train import run as train
from tests.pipeline.echo_cohort import make_source

RUN = "ecg"
OVERRIDES = ('stages=["ecg"]', "health.reconstruction_share=9", "health.min_effective_rank=1")


def shuffle(cohort: Path, seed: int) -> None:
    """Every value of the ejection fraction becomes another person's."""
    with Cohort.open(cohort) as store:
        values = store.target_values(name="echo_lvef")
    order = np.random.default_rng(seed).permutation(len(values))
    with Cohort.write(cohort, purpose="shuffle") as writer:
        rows = [
            {"patient": value.patient, "visit": value.visit, "name": value.name,
             "value": values[at].value}
            for value, at in zip(values, order.tolist(), strict=True)
        ]  # fmt: skip
        writer.put_target_values(pa.Table.from_pylist(rows))


def describe(targets: dict[str, TargetEvaluation]) -> str:
    """R², coverage, AUC, slope and Brier score in one line."""
    lvef, low = (targets[name].model_dump(mode="json") for name in ("echo_lvef", "lvef_below_50"))
    if lvef["why"] or low["why"]:
        return f"{lvef['why'] or ''} {low['why'] or ''}"
    area, slope = low["auc"], low["slope"]
    return (
        f"R² {lvef['r2']['value']:+.2f}  inside {lvef['coverage']['share']:.2f} of "
        f"{lvef['coverage']['n']}  "
        f"AUC {area['value']:.2f} [{area['low']:.2f}, {area['high']:.2f}]  "
        f"slope {slope['value'] or float('nan'):.2f}  Brier {low['brier']['value']:.3f} "
        f"(prevalence {low['brier_of_prevalence']:.3f})"
    )


def main() -> None:
    """Run the draws that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=8)
    parser.add_argument("--people", type=int, default=240)
    options = parser.parse_args()
    settings = load_run_settings("tiny", overrides=OVERRIDES)
    for draw in range(options.draws):
        with tempfile.TemporaryDirectory() as folder:
            source = make_source(Path(folder), num_people=options.people, seed=draw)
            cohort = Path(folder) / "cohort"
            preprocess.run(source.folder, cohort, targets=source.definitions, num_workers=1)
            train.run(cohort, settings, run_name=RUN)
            embed.run(cohort, run=RUN)
            evaluation = evaluate.run(cohort, run=RUN, num_resamples=200)
            print(f"{draw} as measured  {describe(evaluation.targets)}", flush=True)
            shuffle(cohort, draw)
            embed.run(cohort, run=RUN)
            evaluation = evaluate.run(cohort, run=RUN, num_resamples=200)
            print(f"{draw} shuffled     {describe(evaluation.targets)}", flush=True)


if __name__ == "__main__":
    main()
