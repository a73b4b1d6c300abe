"""What is on disk about a run and its cohort; each fact is there, or None."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ptacl_core.checkpoint import DOCUMENT_FILE, FINAL, WEIGHTS_FILE, load_document
from ptacl_core.cohort import CohortDescription, CohortLayout
from ptacl_core.config.preprocess import PreprocessSettings
from ptacl_core.config.training import RunSettings
from ptacl_core.documents.evaluation import EVALUATION_FILE, EvaluationDocument
from ptacl_core.documents.health import RunHealth, read_health
from ptacl_core.documents.reviews import DataSheetDocument
from ptacl_core.documents.validation import ValidationDocument
from ptacl_core.embedding.readout import ReadOut
from ptacl_core.embedding.readout_fit import READOUT_FOLDER
from ptacl_core.errors import CohortError, ConfigError
from ptacl_core.runs.folder import CONFIG_FILE, load_run_config
from ptacl_core.shards.reader import find_preprocessing
from ptacl_core.shards.spec import MANIFEST_FILE
from ptacl_core.stages.report import data_sheet


@dataclass(frozen=True, slots=True)
class TrainedStage:
    """One stage that was trained to its end."""

    name: str
    step: int
    sha256: str


@dataclass(frozen=True, slots=True)
class RunFacts:
    """Facts by where they come from; `None` is not on disk, so nothing may be said of it."""

    cohort: CohortDescription | None
    sheet: DataSheetDocument | None
    rejected: dict[str, dict[str, int | None]] | None
    preprocessing: PreprocessSettings | None
    settings: RunSettings | None
    stages: tuple[TrainedStage, ...] | None
    health: RunHealth | None
    readout: ReadOut | None
    evaluation: EvaluationDocument | None
    validation: ValidationDocument | None = None
    """Of this run's weights on another cohort, where it is given."""

    def get(self, name: str) -> Any:
        """A fact by its name."""
        return getattr(self, name)


FACT_NAMES = tuple(field.name for field in fields(RunFacts))


def name_sources(run: str, validation: str = "validation.json") -> dict[str, str]:
    """The file or folder that each fact is read from; all but the last lie in the cohort."""
    return {
        "cohort": "cohort.toml",
        "sheet": "shards/manifest.parquet",
        "rejected": "shards/rejected.parquet",
        "preprocessing": "shards/*/shard.json",
        "settings": f"runs/{run}/{CONFIG_FILE}",
        "stages": f"runs/{run}/checkpoints",
        "health": f"runs/{run}/health.json",
        "readout": f"runs/{run}/{READOUT_FOLDER}",
        "evaluation": f"runs/{run}/evaluation/{EVALUATION_FILE}",
        "validation": validation,
    }


def collect_facts(cohort_dir: Path, run: str, validation: Path | None = None) -> RunFacts:
    """Read all that there is; `validation` is a validation.json of the packed run.

    Raises CohortError where there is no such run, ConfigError for a validation of other weights,
    and what readers raise for damaged files.
    """
    directory = cohort_dir / "runs" / run
    if not directory.is_dir():
        raise CohortError(f"{cohort_dir.name}: there is no run '{run}'")
    layout = CohortLayout(cohort_dir.absolute())
    has_recordings = (layout.shards / MANIFEST_FILE).exists()
    sheet = data_sheet.run(cohort_dir) if has_recordings else None
    evaluation_path = directory / "evaluation" / EVALUATION_FILE
    has_readout = (directory / READOUT_FOLDER).is_dir()
    has_config = (directory / CONFIG_FILE).exists()
    stages = tuple(
        TrainedStage(document.stage, document.step, document.files[WEIGHTS_FILE].sha256)
        for path in sorted((directory / "checkpoints").glob(f"*/{FINAL}/{DOCUMENT_FILE}"))
        for document in (load_document(path.parent),)
    )
    external = None if validation is None else ValidationDocument.read(validation)
    if external is not None and external.checkpoint_sha256 not in {s.sha256 for s in stages}:
        raise ConfigError(
            f"{external.model} on {external.cohort}: the validation is of other weights than those "
            f"of run {run}; `ptacl pack` the run and `ptacl validate` that file"
        )
    return RunFacts(
        cohort=CohortDescription.read(layout),
        sheet=sheet,
        rejected=None if sheet is None else sheet.rejected,
        preprocessing=find_preprocessing(layout.shards),
        settings=load_run_config(directory) if has_config else None,
        stages=stages or None,
        health=read_health(directory),
        readout=ReadOut.load(directory / READOUT_FOLDER) if has_readout else None,
        evaluation=EvaluationDocument.read(evaluation_path) if evaluation_path.exists() else None,
        validation=external,
    )
