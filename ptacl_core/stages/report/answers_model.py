"""What the files of a run answer: model, training, measures and figures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ptacl_core.config.optimisation import Optimisation
from ptacl_core.config.training import RunSettings
from ptacl_core.documents.evaluation import EvaluationDocument
from ptacl_core.documents.table_two import TableTwoRow
from ptacl_core.documents.targets import TargetEvaluation
from ptacl_core.report.numbers import show, show_interval
from ptacl_core.stages.report import answers_data as data
from ptacl_core.stages.report import answers_validation as validation
from ptacl_core.stages.report.facts import RunFacts


@dataclass(frozen=True, slots=True)
class Answer:
    """A text and the facts that it is made of; without any one of them it is not given.

    An empty text says that the facts do not tell it either.
    """

    needs: tuple[str, ...]
    write: Callable[[RunFacts], str]


def tell_model(facts: RunFacts) -> str:
    """Encoders and stages."""
    assert facts.settings is not None
    encoders = {"ECG": facts.settings.ecg_encoder, "cine": facts.settings.cmr_encoder}
    sides = [
        f"{name} encoder {encoder.family}, depth {encoder.depth}, width {encoder.dim}"
        for name, encoder in encoders.items()
    ]
    vectors = facts.settings.align.vectors
    if vectors is not None:
        sides[1] = (
            f"no cine encoder, one layer of width {encoders['cine'].dim} over vectors of another "
            f"model ({vectors}, {facts.settings.cmr_encoder.num_values} values)"
        )
    return f"Deep learning: {'; '.join(sides)}; stages {', '.join(facts.settings.stages)}."


def tell_training(facts: RunFacts) -> str:
    """Stages, steps, losses' settings, seed."""
    assert facts.settings is not None
    assert facts.stages is not None
    settings, align = facts.settings, facts.settings.align
    stages = "; ".join(
        f"{stage.name} {stage.step} steps{_tell_optimiser(settings, stage.name)}"
        for stage in facts.stages
    )
    aligned = (
        f" Alignment: temperatures {align.temperature_global:g} (people) and "
        f"{align.temperature_local:g} (phases), σ {align.sigma:g}, β {align.beta:g}, local loss "
        f"{align.local_loss}, control {align.control}."
        if any(stage.name == "align" for stage in facts.stages)
        else ""
    )
    return (
        f"Stages trained to their end, by AdamW: {stages}.{aligned} Seed {settings.seed}, "
        f"{settings.precision}."
    )


def tell_start(facts: RunFacts) -> str:
    """How the weights began."""
    assert facts.settings is not None
    taken = facts.settings.pretrained_from.model_dump(exclude_none=True)
    sources = "; ".join(f"{stage} from {source}" for stage, source in taken.items())
    beside = f"{sources}; all others " if sources else ""
    return f"Initial weights: {beside}random weights of seed {facts.settings.seed}."


def tell_selection(facts: RunFacts) -> str:
    """Which weights were kept."""
    assert facts.settings is not None
    assert facts.stages is not None
    rules = []
    for stage in facts.stages:
        optimisation = _find_optimisation(facts.settings, stage.name)
        if optimisation is None:
            continue
        rule = (
            f"the best by validation, ended after {optimisation.patience} validations without "
            "improvement"
            if optimisation.patience
            else "those of the last step, set beforehand"
        )
        rules.append(f"{stage.name} {rule}")
    kept = f"Weights kept: {'; '.join(rules)}. " if rules else ""
    return f"{kept}One set of weights of each encoder; nothing is averaged or voted."


def tell_weighting(facts: RunFacts) -> str:
    """No class is weighted in the settings of the run."""
    assert facts.settings is not None
    return "Nothing is sampled or weighted by class: the run's settings have no such option."


def tell_learned(facts: RunFacts) -> str:
    """The verdict on each stage."""
    assert facts.health is not None
    failed = facts.health.failures
    verdicts = {
        name: f"has not learned ({'; '.join(failed[name])})" if name in failed else "has learned"
        for name in facts.health.stages
    }
    texts = "; ".join(f"{name} {verdict}" for name, verdict in verdicts.items())
    return f"Against its own mean predictor and chance, {texts}." if texts else ""


def tell_output(facts: RunFacts) -> str:
    """What comes out for one ECG."""
    readout = facts.readout
    assert readout is not None
    values = (
        f"A value for each of {len(readout.names)} phenotypes by one linear probe on pooled "
        f"tokens, with a split-conformal interval of {readout.coverage * 100:.0f} % (offsets of: "
        f"{', '.join(readout.groups)}); an "
        if readout.names
        else "An "
    )
    return (
        f"{values}embedding; and an outlier score that flags recordings unlike those of the "
        "training above 1."
    )


def tell_measures(facts: RunFacts) -> str:
    """Measures and how their uncertainty was had."""
    evaluation = _evaluation(facts)
    targets = evaluation.targets.values()
    has_values = bool(evaluation.rows) or any(target.kind == "continuous" for target in targets)
    has_events = bool(evaluation.calibration) or any(target.kind == "binary" for target in targets)
    measures = {
        "R², mean absolute error, bias, calibration and coverage of intervals": has_values,
        "precision at k of retrieval": bool(evaluation.retrieval),
        "area under the curve, Brier score and calibration of events": has_events,
    }
    named = "; ".join(name for name, is_there in measures.items() if is_there)
    bar = "" if evaluation.row("demographics") is None else "; beside demographics alone"
    return f"{named}{bar}. 95 % intervals over {evaluation.resamples} resamples of people."


def tell_held_out(facts: RunFacts) -> str:
    """Whom the figures are of."""
    evaluation = _evaluation(facts)
    return (
        f"Probes fitted on {evaluation.patients.train} training people, intervals on "
        f"{evaluation.patients.validation} validation people, all figures of "
        f"{evaluation.patients.test} held-out test people of the same cohort. {evaluation.note}"
    )


def tell_performance(facts: RunFacts) -> str:
    """R² with intervals of the run's ECG row beside demographics, and the cohort's own targets."""
    evaluation = _evaluation(facts)
    row = _find_row(evaluation)
    texts = []
    if row is not None:
        cells = "; ".join(
            f"{name} {show(cell.r2)} {show_interval(cell.low, cell.high)}, mean absolute error "
            f"{show(cell.mean_absolute_error, digits=2)}"
            for name, cell in row.phenotypes.items()
        )
        bar = evaluation.row("demographics")
        beside = "" if bar is None else f"; demographics alone {_show_mean(bar)}"
        texts.append(f"{row.title}, R²: mean {_show_mean(row)}{beside}. By phenotype: {cells}.")
    if evaluation.targets:
        listed = "; ".join(_tell_target(target) for target in evaluation.targets.values())
        texts.append(f"The cohort's own targets: {listed}.")
    return " ".join(texts)


def tell_calibration(facts: RunFacts) -> str:
    """Bias and slope, coverage, and events."""
    evaluation = _evaluation(facts)
    row = _find_row(evaluation)
    if row is None:
        return ""
    lines = "; ".join(
        f"{name} bias {show(cell.bias, digits=2, is_signed=True)} "
        f"{show_interval(cell.bias_low, cell.bias_high, digits=2, is_signed=True)}, slope "
        f"{show(cell.slope, digits=2)}"
        for name, cell in row.phenotypes.items()
    )
    return f"{evaluation.coverage_summary.text} {lines}."


def tell_events(facts: RunFacts) -> str:
    """Discrimination of the events, where there are enough."""
    parts = []
    for name, event in _evaluation(facts).calibration.items():
        if event.auc is None:
            parts.append(f"{name}: {event.events} of {event.n}, not judged ({event.why})")
            continue
        auc = f"{show(event.auc.value)} {show_interval(event.auc.low, event.auc.high)}"
        parts.append(f"{name}: {event.events} of {event.n}, area under the curve {auc}")
    return f"Events: {'; '.join(parts)}." if parts else ""


def tell_subgroups(facts: RunFacts) -> str:
    """Groupings and the widest gaps."""
    subgroups = _evaluation(facts).subgroups
    gaps = [
        f"{grouping} of {gap.phenotype} {show(gap.lowest, digits=2)} ({gap.lowest_group}) to "
        f"{show(gap.highest, digits=2)} ({gap.highest_group})"
        for grouping, gap in subgroups.worst_gap.items()
        if gap is not None
    ]
    sizes = [
        f"{grouping} ({', '.join(f'{name} {group.n}' for name, group in groups.items())})"
        for grouping, groups in subgroups.groupings.items()
    ]
    if not sizes:
        return ""
    widest = f" Widest gaps (errors and bias in SD): {'; '.join(gaps)}." if gaps else ""
    return f"Figures with intervals by {'; '.join(sizes)} in the evaluation.{widest}"


def tell_hashes(facts: RunFacts) -> str:
    """Code, settings, data and weights by hash."""
    origin = _evaluation(facts).provenance
    named = {
        "PTACL": origin.software, "code": origin.code, "settings": origin.settings_hash,
        "data": origin.data_sha256, "trained on": origin.trained_on_sha256,
        "weights": origin.checkpoint_sha256,
    }  # fmt: skip
    known = [f"{name} {value}" for name, value in named.items() if value]
    return f"{', '.join(known)}."


def tell_departures(facts: RunFacts) -> str:
    """What the settings say of themselves."""
    assert facts.settings is not None
    return f"Notes of the run's settings: {facts.settings.notes or 'none'}"


def _tell_target(target: TargetEvaluation) -> str:
    """Name, people, and R² or the area under the curve."""
    figure, name = (target.auc, "area under the curve") if target.auc else (target.r2, "R²")
    if figure is None:
        return f"{target.name} not judged ({target.why})"
    value = f"{show(figure.value)} {show_interval(figure.low, figure.high)}"
    events = f", {target.events} events" if target.events is not None else ""
    return f"{target.name} ({target.n} people{events}) {name} {value}"


def _find_optimisation(settings: RunSettings, stage: str) -> Optimisation | None:
    """The optimiser's settings of a stage by its name on disk; None of another name."""
    name = {"ecg": "pretrain_ecg", "cmr": "pretrain_cmr"}.get(stage, stage)
    return getattr(getattr(settings, name, None), "optimisation", None)


def _tell_optimiser(settings: RunSettings, stage: str) -> str:
    optimiser = _find_optimisation(settings, stage)
    if optimiser is None:
        return ""
    return (
        f" (batches of {optimiser.batch_size}, learning rate {optimiser.learning_rate:g}, weight "
        f"decay {optimiser.weight_decay:g}, warm-up {optimiser.warmup_fraction * 100:g} %)"
    )


def _evaluation(facts: RunFacts) -> EvaluationDocument:
    assert facts.evaluation is not None
    return facts.evaluation


def _find_row(evaluation: EvaluationDocument) -> TableTwoRow | None:
    rows: Sequence[TableTwoRow] = [row for row in evaluation.rows if row.modality == "ecg"]
    return next((row for row in rows if row.name == "Aligned"), rows[-1] if rows else None)


def _show_mean(row: TableTwoRow) -> str:
    return f"{show(row.mean.r2)} {show_interval(row.mean.low, row.mean.high)}"


ANSWERS: dict[str, Answer] = {
    "source": Answer(("cohort",), data.tell_source),
    "formats": Answer(("sheet",), data.tell_formats),
    "flow": Answer(("sheet",), data.tell_flow),
    "rejected": Answer(("rejected",), data.tell_rejected),
    "criteria": Answer(("preprocessing",), data.tell_criteria),
    "people": Answer(("sheet",), data.tell_people),
    "missing": Answer(("sheet",), data.tell_missing),
    "outcome": Answer(("evaluation",), data.tell_outcome),
    "predictors": Answer(("preprocessing", "settings"), data.tell_predictors),
    "preparation": Answer(("preprocessing",), data.tell_preparation),
    "quality": Answer(("sheet",), data.tell_quality),
    "partition": Answer(("sheet",), data.tell_partition),
    "size": Answer(("sheet",), data.tell_size),
    "model": Answer(("settings",), tell_model),
    "training": Answer(("settings", "stages"), tell_training),
    "start": Answer(("settings",), tell_start),
    "selection": Answer(("settings", "stages"), tell_selection),
    "weighting": Answer(("settings",), tell_weighting),
    "departures": Answer(("settings",), tell_departures),
    "learned": Answer(("health",), tell_learned),
    "output": Answer(("readout",), tell_output),
    "measures": Answer(("evaluation",), tell_measures),
    "held out": Answer(("evaluation",), tell_held_out),
    "performance": Answer(("evaluation",), tell_performance),
    "calibration": Answer(("evaluation",), tell_calibration),
    "events": Answer(("evaluation",), tell_events),
    "subgroups": Answer(("evaluation",), tell_subgroups),
    "hashes": Answer(("evaluation",), tell_hashes),
    "external": Answer(("validation",), validation.tell_external),
    "external figures": Answer(("validation",), validation.tell_external_figures),
    "shift": Answer(("validation",), validation.tell_shift),
    "updating": Answer(("validation",), validation.tell_updating),
    "updated figures": Answer(("validation",), validation.tell_updated_figures),
}
"""Every answer by its topic."""
