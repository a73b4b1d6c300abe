"""A simulated paired cohort, streamed into shards or into files as UK Biobank lays them out."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ptacl_core.config.preprocess import CineSettings, PreprocessSettings
from ptacl_core.config.simulation import SimulationSettings, load_cohort_settings
from ptacl_core.errors import CohortError
from ptacl_core.preprocess import prepare_cine, prepare_ecg
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.records import (
    PHENOTYPE_NAMES,
    CineRecord,
    EcgRecord,
    PreparedCine,
    PreparedEcg,
)
from ptacl_core.safety.atomic import write_json, write_text
from ptacl_core.safety.lock import hold_lock
from ptacl_core.shards import Rejection, ShardEntry, ShardWriter, assign_exact_splits
from ptacl_core.simulate import (
    SimulatedPatients,
    compute_dataset_card,
    format_card,
    simulate_patients,
)
from ptacl_core.stages.register import register_shards

VISIT = 2
"""UK Biobank's first imaging visit, so that files and shards name the same visit."""
ROWS_PER_SHARD = 256
BATCH_SIZE = 64
SAMPLING_RATE_HZ = 500.0
MIN_CARD_PATIENTS = 40
CONVENTION = "simulated, observer error included"


@dataclass(frozen=True, slots=True)
class SimulateSummary:
    """What `ptacl simulate` reports."""

    cohort: str
    preset: str
    layout: str
    num_patients: int
    patients_per_s: float
    rejected: int
    next_command: str

    def as_dict(self) -> dict[str, Any]:
        """The JSON document."""
        return asdict(self)


def run(
    cohort_dir: Path,
    *,
    preset: str,
    num_patients: int | None = None,
    seed: int | None = None,
    layout: str = "shards",
    kappa_scale: float | None = None,
    break_phase: bool = False,
    device: str = "cpu",
    progress: ProgressSink = SILENT,
) -> SimulateSummary:
    """Make the named cohort in `cohort_dir`, going on where an interrupted call stopped.

    Raises ConfigError for wrong settings, CohortError when the folder holds something else.
    """
    settings = load_cohort_settings(
        preset,
        num_patients=num_patients,
        seed=seed,
        kappa_scale=kappa_scale,
        break_phase=break_phase or None,
    )
    started_s = time.monotonic()
    with hold_lock(_make_folder(cohort_dir) / ".simulate.lock", purpose="simulate"):
        _check_settings(cohort_dir, settings, layout)
        if layout == "ukb":
            num_made = _write_files(cohort_dir, settings, device, progress)
            rejected = 0
            next_command = (
                f"ptacl preprocess {cohort_dir} --cohort COHORT "
                f"--phenotypes {cohort_dir / 'phenotypes.csv'}"
            )
        else:
            num_made, rejected = _write_shards(cohort_dir, settings, device, progress)
            next_command = f"ptacl train {cohort_dir} --preset {preset_for_training(preset)}"
    elapsed_s = max(time.monotonic() - started_s, 1e-9)
    return SimulateSummary(
        cohort=str(cohort_dir),
        preset=preset,
        layout=layout,
        num_patients=settings.num_patients,
        patients_per_s=num_made / elapsed_s,
        rejected=rejected,
        next_command=next_command,
    )


def preset_for_training(cohort_preset: str) -> str:
    """The run preset that suits a named cohort."""
    return {"tiny": "tiny", "bench": "paper-regression"}.get(cohort_preset, "demo")


def name_patient(index: int) -> str:
    """Pseudonym of the simulated patient `index`."""
    return f"S{index:06d}"


def build_preprocess_settings() -> PreprocessSettings:
    """Preprocessing of simulated recordings: the defaults, which files get as well."""
    return PreprocessSettings()


def _make_folder(cohort_dir: Path) -> Path:
    if cohort_dir.exists() and not cohort_dir.is_dir():
        raise CohortError(f"{cohort_dir}: expected a folder to make a cohort in, got a file")
    cohort_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    return cohort_dir


def _check_settings(cohort_dir: Path, settings: SimulationSettings, layout: str) -> None:
    path = cohort_dir / "simulation.json"
    document = {"layout": layout, "settings": settings.model_dump(mode="json")}
    if not path.exists():
        strangers = [entry.name for entry in cohort_dir.iterdir() if entry.name[0] != "."]
        if strangers:
            raise CohortError(
                f"{cohort_dir}: expected an empty folder, found {len(strangers)} entries; "
                "give a new folder, or the one of the same simulation"
            )
        write_json(path, document)
        return
    import json

    if json.loads(path.read_text()) != document:
        raise CohortError(
            f"{cohort_dir}: holds a simulation with other settings (simulation.json); "
            "give another folder, or the same preset, size, seed and knobs"
        )


def _write_shards(
    cohort_dir: Path, settings: SimulationSettings, device: str, progress: ProgressSink
) -> tuple[int, int]:
    writer = ShardWriter(
        cohort_dir / "shards",
        preprocessing=build_preprocess_settings(),
        rows_per_shard=ROWS_PER_SHARD,
    )
    names = [name_patient(index) for index in range(settings.num_patients)]
    splits = assign_exact_splits(
        names, salt=f"simulated-{settings.seed}", counts=settings.split.resolve(len(names))
    )
    first = min(writer.num_complete_shards * ROWS_PER_SHARD, settings.num_patients)
    rejected = 0
    progress.start("simulate", settings.num_patients - first, "patients")
    for start in range(first, settings.num_patients, BATCH_SIZE):
        indices = range(start, min(start + BATCH_SIZE, settings.num_patients))
        patients = simulate_patients(settings, indices, device=device)
        for position, index in enumerate(indices):
            name = names[index]
            ecg, cine = prepare_simulated(patients, position)
            for modality, prepared in (("ecg", ecg), ("cmr", cine)):
                for finding in prepared.findings:
                    if finding.severity == "reject":
                        rejected += 1
                        writer.reject(
                            Rejection(name, VISIT, modality, "", finding.code, finding.message)
                        )
            writer.add(
                ShardEntry(
                    name,
                    VISIT,
                    splits[name],
                    ecg if ecg.is_accepted else None,
                    cine if cine.is_accepted else None,
                    _attributes(patients, position),
                )
            )
        progress.advance("simulate", len(indices))
    writer.finish()
    progress.finish("simulate")
    register_shards(cohort_dir, name=settings.name, source="simulated", convention=CONVENTION)
    _write_card(cohort_dir, settings, progress)
    return settings.num_patients - first, rejected


def prepare_simulated(
    patients: SimulatedPatients, position: int
) -> tuple[PreparedEcg, PreparedCine]:
    """One simulated patient through the preprocessing that files go through."""
    settings = build_preprocess_settings()
    record = EcgRecord(
        signal_mv=patients.ecg_mv[position].cpu().numpy(),
        sampling_rate_hz=SAMPLING_RATE_HZ,
        source_format="simulated",
    )
    frames = patients.cine[position].cpu().numpy().astype(np.float32)
    interval_ms = float(patients.frame_interval_ms[position])
    pixel_mm = settings.cine.pixel_mm or 1.0
    centre = (frames.shape[-1] - 1) / 2
    cine = CineRecord(
        frames=frames[None],
        spacing_mm=(10.0, pixel_mm, pixel_mm),
        frame_times_ms=np.arange(len(frames)) * interval_ms,
        source_format="simulated",
    )
    whole_image = CineSettings(**{**settings.cine.model_dump(), "centre_px": (centre, centre)})
    return prepare_ecg(record, settings.ecg), prepare_cine(cine, whole_image)


def _attributes(patients: SimulatedPatients, position: int) -> dict[str, Any]:
    phenotypes = patients.phenotypes[position].cpu().numpy()
    return {
        "sex": patients.sex[position],
        **{
            name: float(getattr(patients, name)[position])
            for name in ("age_years", "height_cm", "weight_kg", "bmi_kg_m2")
        },
        **{name: float(value) for name, value in zip(PHENOTYPE_NAMES, phenotypes, strict=True)},
        "ecg_format": "simulated",
        "cmr_format": "simulated",
    }


def _write_files(
    folder: Path, settings: SimulationSettings, device: str, progress: ProgressSink
) -> int:
    from ptacl_core.simulate import write_ukb_layout  # loads pydicom

    progress.start("simulate files", settings.num_patients, "patients")
    for start in range(0, settings.num_patients, BATCH_SIZE):
        indices = range(start, min(start + BATCH_SIZE, settings.num_patients))
        write_ukb_layout(simulate_patients(settings, indices, device=device), folder)
        progress.advance("simulate files", len(indices))
    progress.finish("simulate files")
    return settings.num_patients


def _write_card(cohort_dir: Path, settings: SimulationSettings, progress: ProgressSink) -> None:
    if settings.num_patients < MIN_CARD_PATIENTS:
        progress.say(f"no dataset card: under {MIN_CARD_PATIENTS} patients it has no read-outs")
        return
    card = compute_dataset_card(settings)
    write_json(cohort_dir / "card.json", card)
    write_text(cohort_dir / "card.md", format_card(card))
