"""A simulated paired cohort, streamed into shards or into files as UK Biobank lays them out."""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from ptacl_core.cohort import Cohort
from ptacl_core.config.simulation import SimulationSettings, load_cohort_settings
from ptacl_core.errors import CohortError
from ptacl_core.ingest.register import register_shards
from ptacl_core.json_values import JsonObject
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.runs.choose import resolve_device
from ptacl_core.safety.files.atomic import write_json
from ptacl_core.safety.files.lock import hold_lock
from ptacl_core.shards import count_rejections
from ptacl_core.simulate import (
    Generation,
    finished_ukb_patients,
    simulate_patients,
    write_ukb_layout,
)
from ptacl_core.stages.simulate.card import record_generation, write_card
from ptacl_core.stages.simulate.shards import (
    choose_num_workers,
    name_patient,
    write_simulated_shards,
)

FILES_PER_BATCH = 16
CONVENTION = "simulated, observer error included"


@dataclass(frozen=True, slots=True)
class SimulateSummary:
    """What `ptacl simulate` reports; the rate is of this call, 0 when nothing was left to do."""

    cohort: str
    preset: str
    layout: str
    num_patients: int
    patients_per_s: float
    rejected: int
    next_command: str

    def as_dict(self) -> JsonObject:
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
    assignments: tuple[str, ...] = (),
    num_workers: int | None = None,
    device: str = "cpu",
    progress: ProgressSink = SILENT,
) -> SimulateSummary:
    """Make the named cohort in `cohort_dir`, going on where an interrupted call stopped.

    `assignments` are `key=value` over the preset. Raises ConfigError for wrong settings,
    CohortError when the folder holds something else.
    """
    settings = load_cohort_settings(
        preset,
        assignments=assignments,
        num_patients=num_patients,
        seed=seed,
        kappa_scale=kappa_scale,
        break_phase=break_phase or None,
    )
    with hold_lock(_make_folder(cohort_dir) / ".simulate.lock", purpose="simulate"):
        _check_settings(cohort_dir, settings, layout)
        device = str(resolve_device(device))
        workers = 1 if layout == "ukb" else choose_num_workers(settings, num_workers)
        started_s = time.monotonic()
        if layout == "ukb":
            num_made = _write_files(cohort_dir, settings, device, progress)
        else:
            num_made = write_simulated_shards(
                cohort_dir / "shards",
                settings,
                num_workers=workers,
                device=device,
                progress=progress,
                left_out=_find_withdrawn(cohort_dir, settings, progress),
            )
        elapsed_s = max(time.monotonic() - started_s, 1e-9)
        if num_made:
            made = Generation(num_made, elapsed_s, workers, device)
            record_generation(cohort_dir, made)
        rejected = 0
        if layout == "shards":
            register_shards(
                cohort_dir, name=settings.name, source="simulated", convention=CONVENTION
            )
            rejected = count_rejections(cohort_dir / "shards")
        write_card(cohort_dir, settings, progress)
    return SimulateSummary(
        cohort=str(cohort_dir),
        preset=preset,
        layout=layout,
        num_patients=settings.num_patients,
        patients_per_s=num_made / elapsed_s,
        rejected=rejected,
        next_command=_next_command(cohort_dir, preset, layout),
    )


def _find_withdrawn(
    cohort_dir: Path, settings: SimulationSettings, progress: ProgressSink
) -> frozenset[str]:
    """Simulated patients whom the cohort's register knows: they are not made again."""
    if not (cohort_dir / "cohort.toml").exists():
        return frozenset()
    names = [name_patient(index) for index in range(settings.num_patients)]
    with Cohort.open(cohort_dir) as cohort:
        erased = cohort.find_erased(names)
    if erased:
        progress.say(f"{len(erased)} people withdrew from this cohort: left out")
    return frozenset(erased)


def preset_for_training(cohort_preset: str) -> str:
    """The run preset that suits a named cohort."""
    return {"tiny": "tiny", "bench": "paper-regression"}.get(cohort_preset, "demo")


def _next_command(cohort_dir: Path, preset: str, layout: str) -> str:
    if layout == "ukb":
        table = cohort_dir / "phenotypes.csv"
        return f"ptacl preprocess {cohort_dir} --cohort COHORT --phenotypes {table}"
    return f"ptacl train {cohort_dir} --preset {preset_for_training(preset)}"


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
    try:
        present = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise CohortError(
            f"{cohort_dir}/{path.name} cannot be read ({type(error).__name__}); give another folder"
        ) from None
    if present != document:
        raise CohortError(
            f"{cohort_dir}: holds a simulation with other settings (simulation.json); "
            "give another folder, or the same preset, size, seed and knobs"
        )


def _write_files(
    folder: Path, settings: SimulationSettings, device: str, progress: ProgressSink
) -> int:
    """Write the files of the patients that the phenotype table does not name yet."""
    finished = finished_ukb_patients(folder)
    left = [index for index in range(settings.num_patients) if index not in finished]
    progress.start("simulate files", len(left), "patients")
    for start in range(0, len(left), FILES_PER_BATCH):
        indices = left[start : start + FILES_PER_BATCH]
        write_ukb_layout(simulate_patients(settings, indices, device=device), folder)
        progress.advance("simulate files", len(indices))
    progress.finish("simulate files")
    return len(left)
