"""Fine-tuning: all weights of a trained encoder and a head, on the phenotypes."""

from ptacl_core.errors import ConfigError
from ptacl_core.runs.bundled import load_pretrained
from ptacl_core.runs.encoders import build_encoder
from ptacl_core.runs.folder import TrainingRun
from ptacl_core.stages.train.align import check_preparation
from ptacl_core.stages.train.fit import StageSummary
from ptacl_core.stages.train.regression import train_regressor


def finetune(run: TrainingRun) -> StageSummary:
    """Train stage `finetune-<modality>` from the alignment or the pretraining.

    Raises CheckpointError when the stage it starts from is not finished.
    """
    settings = run.settings
    section = settings.finetune
    loaded = load_pretrained(run.directory, section.modality, settings, stage=section.start)
    check_preparation(run, section.modality, loaded)
    encoder = build_encoder(settings, section.modality, drop_path=section.drop_path)
    if encoder.grid != loaded.encoder.grid or encoder.dim != loaded.encoder.dim:
        raise ConfigError(
            f"fine-tuning starts from an encoder with grid {loaded.encoder.grid} and dim "
            f"{loaded.encoder.dim}, the settings say {encoder.grid} and {encoder.dim}"
        )
    encoder.load_state_dict(loaded.encoder.state_dict())
    return train_regressor(
        run,
        f"finetune-{section.modality}",
        section.modality,
        encoder,
        section,
        layer_decay=section.layer_decay,
    )
