"""`ptacl pack`: a trained run as one file without patients."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from ptacl_core import __version__
from ptacl_core.arrays import Modality
from ptacl_core.bundle.container import SUFFIX
from ptacl_core.bundle.model_file import (
    ENCODER_FILES,
    READOUT_FILE,
    TARGETS_FILE,
    ModelFile,
    write_model_file,
)
from ptacl_core.cohort import CohortDescription, CohortLayout
from ptacl_core.cohort.identity.lineage import read_marks
from ptacl_core.config.training import RunSettings
from ptacl_core.documents.bundle import (
    AggregateEvaluation,
    BundledEncoder,
    BundleDocument,
    BundledOwnTarget,
    BundledReadOut,
    BundledTarget,
    BundledView,
    Membership,
)
from ptacl_core.documents.evaluation import EVALUATION_FILE, EvaluationDocument
from ptacl_core.documents.figures import SOURCE_NOTES
from ptacl_core.documents.targets import TargetPart
from ptacl_core.embedding.readout import DOCUMENT_FILE, ReadOut
from ptacl_core.embedding.readout_fit import READOUT_FOLDER
from ptacl_core.embedding.target_readout import FittedTarget, TargetReadOut, load_targets_of
from ptacl_core.errors import BundleError, CheckpointError, CohortError, ConfigError
from ptacl_core.json_values import JsonObject
from ptacl_core.progress import SILENT, ProgressSink
from ptacl_core.records import LEAD_NAMES, PHENOTYPE_NAMES, PHENOTYPE_UNITS
from ptacl_core.report.bundle_card import build_bundle_card
from ptacl_core.report.markdown import render_markdown
from ptacl_core.runs.choose import find_run
from ptacl_core.runs.encoders import LoadedEncoder, build_view, load_encoder
from ptacl_core.runs.folder import load_run_config
from ptacl_core.runs.health import explain_unfit, read_health
from ptacl_core.runs.provenance import describe_code
from ptacl_core.shards import ShardReader
from ptacl_core.stages.pack.aggregates import (
    MIN_CELL,
    aggregate_evaluation,
    describe_training,
    hide_small_splits,
)
from ptacl_core.stages.pack.membership import ACCEPTED_AUC, find_telling, measure_membership

_MODALITIES: tuple[Modality, ...] = ("ecg", "cmr")
_ALIGNED = "checkpoints/align/final/checkpoint.json"


@dataclass(frozen=True, slots=True)
class PackOptions:
    """What the author says of the model, and what goes into the file.

    `modalities` are the encoders; None takes the ECG side alone of an aligned run, since a pair
    of towers remembers its pairs, and every encoder of a run that was not aligned.
    `accepts_membership` packs a model whose answers tell who was in its training.
    """

    author: str | None = None
    licence: str | None = None
    modalities: tuple[Modality, ...] | None = None
    accepts_membership: bool = False


@dataclass(frozen=True, slots=True)
class PackSummary:
    """What `ptacl pack` reports."""

    run: str
    out: Path
    num_bytes: int
    sha256: str
    encoders: tuple[str, ...]
    predicts: bool
    membership: tuple[Membership, ...]

    def as_dict(self) -> JsonObject:
        """The JSON document."""
        return {
            "run": self.run,
            "out": str(self.out),
            "bytes": self.num_bytes,
            "bundle_sha256": self.sha256,
            "encoders": list(self.encoders),
            "predicts": self.predicts,
            "membership": [figure.model_dump(mode="json") for figure in self.membership],
        }


def run(
    cohort_dir: Path,
    run: str | None,
    out: Path,
    *,
    options: PackOptions | None = None,
    progress: ProgressSink = SILENT,
) -> PackSummary:
    """Pack an aligned run, or the pretrained encoders of one that was not aligned, into `out`.

    Raises CohortError when people of its training withdrew since, or its figures tell who was in
    it; CheckpointError when it has no trained encoder; ConfigError for a path not ending in
    .ptacl.
    """
    options = options or PackOptions()
    if out.suffix != SUFFIX:
        raise ConfigError(f"--out {out.name}: expected a name that ends in {SUFFIX}")
    directory = _find_run(cohort_dir, run)
    name = directory.name
    layout = CohortLayout(cohort_dir.absolute())
    mark = read_marks(layout).get(name)
    if mark is not None:
        raise CohortError(
            f"run {name}: people who were in its training withdrew since; train anew without them "
            "under another name, and pack that"
        )
    vectors = load_run_config(directory).align.vectors
    if vectors is not None and "cmr" in (options.modalities or ()):
        raise ConfigError(
            f"run {name}: its second tower takes the vectors '{vectors}' of another model, which "
            "no file of ours can make of a new person; pack the ECG side: --modality ecg"
        )
    encoders = _load_encoders(directory, options.modalities or _choose(directory, progress))
    settings = _without_paths(next(iter(encoders.values())))
    with ShardReader.open(cohort_dir) as reader:
        readout = _load_readout(directory, encoders, progress)
        membership: tuple[Membership, ...] = ()
        targets = None
        if readout is not None:
            targets = _load_targets(directory, readout, progress)
            membership = measure_membership(
                cohort_dir, reader, name, readout, targets, with_cine="cmr" in encoders
            )
        document = _describe(
            directory, settings, encoders, readout, targets, membership, options,
            reader=reader, description=CohortDescription.read(layout),
        )  # fmt: skip
    is_simulated = document.training.source == "simulated"
    _judge_membership(membership, progress, may_tell=is_simulated or options.accepts_membership)
    evaluation = _read_evaluation(directory)
    tensors: dict[str, Mapping[str, np.ndarray]] = {
        ENCODER_FILES[modality]: _collect(loaded) for modality, loaded in encoders.items()
    }
    if readout is not None:
        tensors[READOUT_FILE] = _without_small_counts(readout.as_tensors())
    if targets is not None and targets.fitted:
        tensors[TARGETS_FILE] = targets.as_tensors()
    card = render_markdown(build_bundle_card(document, evaluation))
    write_model_file(out, document, tensors=tensors, evaluation=evaluation, card=card)
    written = ModelFile(out)
    written.verify()
    return PackSummary(
        run=name,
        out=out,
        num_bytes=written.num_bytes,
        sha256=written.sha256,
        encoders=tuple(encoders),
        predicts=readout is not None,
        membership=membership,
    )


def _find_run(cohort_dir: Path, run: str | None) -> Path:
    """Folder of an aligned run, or of one that has pretrained encoders only."""
    if run is not None:
        directory = cohort_dir / "runs" / run
        if any(directory.glob("checkpoints/*/final/checkpoint.json")):
            return directory
    return find_run(cohort_dir, run)


def _choose(directory: Path, progress: ProgressSink) -> tuple[Modality, ...]:
    """The ECG side alone of an aligned run; every encoder of another."""
    if not (directory / _ALIGNED).exists():
        return _MODALITIES
    if load_run_config(directory).align.vectors is not None:
        progress.say("the tower of vectors is left out: no file of ours makes such a vector")
        return ("ecg",)
    progress.say(
        "the cine encoder is left out: an aligned pair of towers remembers its pairs, so whoever "
        "holds a person's ECG and cine could tell that they were in the training; "
        "--modality both packs it too, measures that and says it"
    )
    return ("ecg",)


def _load_encoders(
    directory: Path, modalities: tuple[Modality, ...]
) -> dict[Modality, LoadedEncoder]:
    """Aligned encoders, or the pretrained ones there are. Raises CheckpointError."""
    if (directory / _ALIGNED).exists():
        return {modality: load_encoder(directory, modality, "align") for modality in modalities}
    loaded: dict[Modality, LoadedEncoder] = {}
    if "ecg" in modalities and (directory / "checkpoints/finetune-ecg/final").is_dir():
        return {"ecg": load_encoder(directory, "ecg", "finetune")}
    for modality in modalities:
        if (directory / f"checkpoints/{modality}/final/checkpoint.json").exists():
            settings = load_run_config(directory)
            loaded[modality] = load_encoder(directory, modality, "pretrain", settings=settings)
    if not loaded:
        raise CheckpointError(
            f"run {directory.name}: no encoder of {', '.join(modalities)} is trained yet"
        )
    return loaded


def _without_paths(loaded: LoadedEncoder) -> RunSettings:
    """The settings with runs of other cohorts named by their last part, not by a machine's path."""
    assert loaded.document is not None
    settings = loaded.document.settings
    sources = {
        stage: None if source is None else Path(source).name
        for stage, source in settings.pretrained_from
    }
    taken = settings.pretrained_from.model_copy(update=sources)
    return settings.model_copy(update={"pretrained_from": taken})


def _load_readout(
    directory: Path, encoders: Mapping[Modality, LoadedEncoder], progress: ProgressSink
) -> ReadOut | None:
    ecg = encoders.get("ecg")
    folder = directory / READOUT_FOLDER
    is_alone = ecg is not None and ecg.projection is None and (folder / DOCUMENT_FILE).exists()
    if ecg is None or (ecg.projection is None and not is_alone):
        progress.say(
            f"run {directory.name}: no aligned ECG encoder and no read-out, so the file will not "
            "predict"
        )
        return None
    readout = ReadOut.load(directory / READOUT_FOLDER)
    if readout.checkpoint_sha256 != ecg.sha256:
        raise CheckpointError(
            f"run {directory.name}: its read-out was made for other weights; "
            f"`ptacl embed COHORT --run {directory.name}` makes it anew"
        )
    return readout


def _load_targets(directory: Path, readout: ReadOut, progress: ProgressSink) -> TargetReadOut:
    """The read-out of the cohort's own targets, without those that fewer than ten people give."""
    stored = load_targets_of(
        directory / READOUT_FOLDER, readout.checkpoint_sha256, coverage=readout.coverage
    )
    kept = []
    for fitted in stored.fitted:
        if min(fitted.counts) < MIN_CELL:
            progress.say(
                f"target {fitted.target.name} is left out: its intervals come from fewer than "
                f"{MIN_CELL} people on a side"
            )
        else:
            kept.append(fitted)
    return replace(stored, fitted=tuple(kept), unfitted={})


def _describe(
    directory: Path,
    settings: RunSettings,
    encoders: Mapping[Modality, LoadedEncoder],
    readout: ReadOut | None,
    targets: TargetReadOut | None,
    membership: tuple[Membership, ...],
    options: PackOptions,
    *,
    reader: ShardReader,
    description: CohortDescription,
) -> BundleDocument:
    first = next(iter(encoders.values())).document
    assert first is not None
    health = read_health(directory)
    view = build_view(settings)
    return BundleDocument(
        name=directory.name,
        software=__version__,
        code=describe_code(),
        packed_on=datetime.now(UTC).date().isoformat(),
        author=options.author,
        licence=options.licence,
        note=SOURCE_NOTES[description.source],
        settings=settings.model_dump(mode="json", exclude_none=True),
        preprocessing=first.preprocessing.model_dump(mode="json"),
        preprocessing_hash=first.preprocessing_hash,
        lead_names=LEAD_NAMES,
        view=BundledView(
            crop_samples=view.crop_samples,
            patch_samples=view.patch_samples,
            num_steps=view.num_steps,
            num_frames=view.num_frames,
            beat_mode=view.beat_mode,
            precision=view.precision,
        ),
        targets=tuple(
            BundledTarget(name=name, unit=PHENOTYPE_UNITS[name])
            for name in (PHENOTYPE_NAMES if readout is None else readout.names)
        ),
        own_targets=() if targets is None else tuple(map(_describe_target, targets.fitted)),
        encoders={modality: _describe_encoder(encoder) for modality, encoder in encoders.items()},
        readout=None
        if readout is None
        else BundledReadOut(coverage=readout.coverage, groups=readout.groups),
        training=describe_training(reader, description, first.data_sha256),
        health={} if health is None else hide_small_splits(health.stages),
        unfit=explain_unfit(directory),
        membership=membership,
        files={},
    )


def _describe_target(fitted: FittedTarget) -> BundledOwnTarget:
    target = fitted.target
    names = ("name", "kind", "unit", "title", "low", "high", "rule", "reference")
    definition = TargetPart.model_validate({name: getattr(target, name) for name in names})
    return BundledOwnTarget(target=definition, groups=fitted.groups)


def _describe_encoder(loaded: LoadedEncoder) -> BundledEncoder:
    if loaded.sha256 is None:
        raise BundleError("an encoder with random weights cannot be packed")
    return BundledEncoder(
        stage="finetune"
        if loaded.head is not None
        else "pretrain"
        if loaded.projection is None
        else "align",
        checkpoint_sha256=loaded.sha256,
        has_projection=loaded.projection is not None,
        num_parameters=sum(weight.numel() for weight in loaded.encoder.parameters()),
    )


def _judge_membership(
    membership: tuple[Membership, ...], progress: ProgressSink, *, may_tell: bool
) -> None:
    """Say what each figure comes to; refuse a model that tells members from others.

    Simulated people have nothing to hide: of them it is said and not refused.
    """
    for figure in membership:
        progress.say(
            f"membership by {figure.figure}: AUC {figure.auc.value:.3f} "
            f"[{figure.auc.low:.3f}, {figure.auc.high:.3f}] ({figure.training} training and "
            f"{figure.held_out} held-out people); needs {figure.needs}"
        )
    telling = find_telling(membership)
    if telling and not may_tell:
        named = ", ".join(figure.figure for figure in telling)
        way_out = (
            "pack the ECG side alone with --modality ecg, "
            if any("cine" in figure.needs for figure in telling)
            else ""
        )
        raise CohortError(
            f"{named}: the whole interval of the AUC lies above {ACCEPTED_AUC}, so whoever has the "
            f"file and a person's recordings can tell that they were in the training; {way_out}"
            "train longer with more people, or pack it all the same with --accept-membership"
        )


def _read_evaluation(directory: Path) -> AggregateEvaluation | None:
    path = directory / "evaluation" / EVALUATION_FILE
    return aggregate_evaluation(EvaluationDocument.read(path)) if path.exists() else None


def _collect(loaded: LoadedEncoder) -> dict[str, np.ndarray]:
    modules = {"encoder": loaded.encoder, "projection": loaded.projection}
    return {
        f"{part}.{name}": value.detach().cpu().numpy()
        for part, module in modules.items()
        if module is not None
        for name, value in module.state_dict().items()
    }


def _without_small_counts(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Counts of one to nine people become 0; what was fitted on so few is not there anyway."""
    return {
        name: np.where(values < MIN_CELL, 0, values) if "num_" in name else values
        for name, values in tensors.items()
    }
