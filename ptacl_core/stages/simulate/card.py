"""The dataset card of a simulated cohort, with read-outs of the recordings in its shards."""

import json
from pathlib import Path

import numpy as np
import torch

from ptacl_core.arrays import Array, Int64
from ptacl_core.config.simulation import SimulationSettings
from ptacl_core.errors import CohortError
from ptacl_core.progress import ProgressSink
from ptacl_core.safety.files.atomic import write_json, write_text
from ptacl_core.shards import ShardReader
from ptacl_core.simulate import Generation, compute_dataset_card, draw_truth, format_card
from ptacl_core.simulate.card import describe_generation
from ptacl_core.simulate.card_document import GenerationFacts
from ptacl_core.simulate.probes import ProbeFeatures, compute_mean_beats, pool_pixels

MIN_CARD_PATIENTS = 40
"""Below, ceilings of so few patients mean nothing."""
MIN_PROBE_PATIENTS = 200
MAX_PROBE_PATIENTS = 8000
"""As many as the prototype's figures were measured on (simulator.md §4.6)."""
_PROBE_TRAIN_SHARE = 0.75
_BATCH_SIZE = 64


def write_card(cohort_dir: Path, settings: SimulationSettings, progress: ProgressSink) -> None:
    """Write `card.json` and `card.md`; nothing when they are there and hold these settings."""
    if settings.num_patients < MIN_CARD_PATIENTS:
        progress.say(f"no dataset card: under {MIN_CARD_PATIENTS} patients it has no read-outs")
        return
    if (cohort_dir / "card.json").exists() and (cohort_dir / "card.md").exists():
        return
    features, num_train = None, 0
    if (cohort_dir / "shards").exists() and settings.num_patients >= MIN_PROBE_PATIENTS:
        progress.say("dataset card: reading mean beats and pixels")
        features, num_train = read_probe_features(cohort_dir, settings)
    card = compute_dataset_card(
        settings,
        features=features,
        num_probe_train=num_train,
        generation=sum_generation(cohort_dir),
    )
    write_json(cohort_dir / "card.json", card)
    write_text(cohort_dir / "card.md", format_card(card))


def record_generation(cohort_dir: Path, generation: Generation) -> None:
    """Add to `generation.json` how long one call took for how many patients."""
    path = cohort_dir / "generation.json"
    calls = _read_calls(path)
    calls.append(describe_generation(generation))
    write_json(path, {"calls": calls})


def sum_generation(cohort_dir: Path) -> Generation | None:
    """What all recorded calls took together; None when none made a patient."""
    calls = [Generation(**call) for call in _read_calls(cohort_dir / "generation.json")]
    if not calls:
        return None
    return Generation(
        num_patients=sum(call.num_patients for call in calls),
        seconds=sum(call.seconds for call in calls),
        num_workers=max(call.num_workers for call in calls),
        device=calls[-1].device,
    )


def read_probe_features(
    cohort_dir: Path, settings: SimulationSettings
) -> tuple[ProbeFeatures, int]:
    """Mean beats and pooled pixels of at most 8,000 patients, those to fit on first.

    Three quarters are of the training split, the others of the held-out ones; fewer of each
    where the cohort has no more. Returns the features and how many are to be fitted on.
    """
    with ShardReader.open(cohort_dir) as reader:
        num_train = round(_PROBE_TRAIN_SHARE * MAX_PROBE_PATIENTS)
        training = _sound_rows(reader, settings, ("train",))[:num_train]
        held_out = _sound_rows(reader, settings, ("test", "val"))
        held_out = held_out[: MAX_PROBE_PATIENTS - num_train]
        rows = np.concatenate((training, held_out))
        parts = [
            _read_features(reader, settings, rows[start : start + _BATCH_SIZE])
            for start in range(0, len(rows), _BATCH_SIZE)
        ]
    ecg, cine, phenotypes, rates = (np.concatenate(part) for part in zip(*parts, strict=True))
    features = ProbeFeatures(ecg=ecg, cine=cine, phenotypes=phenotypes, heart_rate_bpm=rates)
    return features, len(training)


def _sound_rows(
    reader: ShardReader, settings: SimulationSettings, splits: tuple[str, ...]
) -> Int64[Array, " row"]:
    """Rows of the splits with both recordings and no lead fault, in the order of the splits."""
    rows = np.concatenate([reader.rows(split) for split in splits])
    faults = draw_truth(settings, [_index_of(reader, row) for row in rows]).lead_faults
    return rows[[not fault for fault in faults]]


def _index_of(reader: ShardReader, row: int) -> int:
    return int(reader.patients[row].removeprefix("S"))


def _read_features(
    reader: ShardReader, settings: SimulationSettings, rows: Int64[Array, " row"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    truth = draw_truth(settings, [_index_of(reader, row) for row in rows])
    ecg_mv = torch.from_numpy(reader.read_ecg_mv(rows))
    cine = torch.from_numpy(reader.read_cine_bytes(rows)).float()
    return (
        compute_mean_beats(ecg_mv, truth).double().numpy(),
        pool_pixels(cine).double().numpy(),
        truth.phenotypes.numpy(),
        truth.population.heart_rate_ecg_bpm.numpy(),
    )


def _read_calls(path: Path) -> list[GenerationFacts]:
    if not path.exists():
        return []
    try:
        calls: list[GenerationFacts] = json.loads(path.read_text())["calls"]
    except (OSError, ValueError, KeyError) as error:
        raise CohortError(
            f"{path.parent.name}/{path.name}: expected the times that earlier calls took, it "
            f"cannot be read ({type(error).__name__}); delete it and run the command again"
        ) from None
    return calls
