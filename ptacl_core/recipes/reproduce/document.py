"""The document of a reproduction: everything that its report shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ptacl_core.checkpoint import DOCUMENT_FILE, FINAL, WEIGHTS_FILE, load_document
from ptacl_core.cohort import Cohort
from ptacl_core.config.reproduction import (
    Method,
    ReproductionPlan,
    ReproductionSize,
    name_run,
    plan_run,
)
from ptacl_core.documents.figures import SOURCE_NOTES
from ptacl_core.documents.health import StageHealth
from ptacl_core.documents.reproduction import (
    ReproducedCohort,
    ReproducedRun,
    ReproductionDocument,
    ReproductionProvenance,
)
from ptacl_core.documents.table_two import NestedQuestion
from ptacl_core.evaluate.references import SOURCE
from ptacl_core.progress import ProgressSink
from ptacl_core.recipes.reproduce.archive import FindRun
from ptacl_core.recipes.reproduce.ceilings import read_ceilings
from ptacl_core.recipes.reproduce.differences import (
    adjust_family,
    describe_comparisons,
    describe_trend,
)
from ptacl_core.recipes.reproduce.durations import describe_durations
from ptacl_core.recipes.reproduce.evaluations import (
    MAIN,
    SECTIONS,
    choose_main,
    describe_alignment,
    load_evaluations,
)
from ptacl_core.recipes.reproduce.retrieval import describe_retrieval
from ptacl_core.recipes.reproduce.rows import collect_rows, list_unjudged
from ptacl_core.recipes.reproduce.step_result import StepResult
from ptacl_core.recipes.reproduce.steps import compare_steps, score_steps
from ptacl_core.runs.health import read_health
from ptacl_core.runs.provenance import describe_code, describe_machine, describe_software
from ptacl_core.shards import ShardReader
from ptacl_core.stages.evaluate.headlines import write_headlines


@dataclass(frozen=True, slots=True)
class ReproductionCall:
    """The call that made a document: its command, how long it took, runs that were archived."""

    command: str
    this_call_s: float
    from_archive: Sequence[str]


def summarise(
    cohort_dir: Path,
    find_run: FindRun,
    plan: ReproductionPlan,
    size: ReproductionSize,
    methods: Sequence[Method],
    *,
    seeds: Sequence[int],
    steps: Mapping[int, Mapping[str, Mapping[str, StepResult]]],
    num_resamples: int,
    call: ReproductionCall,
    progress: ProgressSink,
) -> ReproductionDocument:
    """Read all that was measured and put it into one document. Raises CohortError."""
    with Cohort.open(cohort_dir) as cohort:
        description = cohort.description
    table = collect_rows(
        cohort_dir, find_run, size, methods, seeds,
        num_resamples=num_resamples, ceilings=read_ceilings(cohort_dir), progress=progress,
    )  # fmt: skip
    evaluations = load_evaluations(find_run, plan, size, methods, seeds)
    step_scores = score_steps(
        cohort_dir, size, methods, seeds, list(evaluations), num_resamples=num_resamples
    )
    main = choose_main(evaluations)
    shown = evaluations[main][0] if main else None
    first = next(iter(table.documents.values()))[0]
    comparisons, nested = adjust_family(
        describe_comparisons(plan, table), _lead_with(table.nested, MAIN)
    )
    rows = table.table.rows()
    with ShardReader.open(cohort_dir) as reader:
        data_sha256 = reader.manifest_sha256
    return ReproductionDocument(
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        size=size.name,
        size_notes=size.notes,
        learning_rates=size.learning_rates,
        seeds=tuple(seeds),
        methods=tuple(method.key for method in methods),
        is_whole=len(methods) == len(plan.methods),
        note=SOURCE_NOTES[description.source],
        published_source=SOURCE,
        resamples=num_resamples,
        cohort=ReproducedCohort(
            name=description.name,
            source=description.source,
            preprocessing_hash=description.preprocessing_hash,
            patients_hash=first["patients_hash"],
            data_sha256=data_sha256,
            train=first["num_train"],
            test=len(table.patients),
            unjudged=list_unjudged(table),
        ),
        headlines=write_headlines(
            nested,
            next((row for row in rows if row.key == f"{MAIN}-ecg"), None),
            bar="ridge on the mean beat",
        ),
        health=_collect_health(find_run, plan, size, methods, seeds),
        rows=rows,
        nested=tuple(nested),
        comparisons=tuple(comparisons),
        trend=describe_trend(plan, table),
        retrieval=describe_retrieval(
            cohort_dir,
            find_run,
            size,
            methods,
            seeds,
            evaluations,
            table,
            num_resamples=num_resamples,
        ),
        alignment=tuple(
            describe_alignment(find_run, size, methods, seeds, evaluations, step_scores)
        ),
        alignment_comparisons=compare_steps(plan, step_scores),
        main=main,
        coverage=None if shown is None else shown.coverage,
        coverage_summary=None if shown is None else shown.coverage_summary,
        subgroups=None if shown is None else shown.subgroups,
        calibration=None if shown is None else shown.calibration,
        left_out=SECTIONS if shown is None else (),
        provenance=ReproductionProvenance(
            software=describe_software(),
            code=describe_code(),
            machine=describe_machine(),
            durations=describe_durations(steps),
            runs=_describe_runs(find_run, plan, size, methods, seeds),
            command=call.command,
            this_call_s=call.this_call_s,
            from_archive=tuple(call.from_archive),
        ),
    )


def _lead_with(nested: Sequence[NestedQuestion], key: str) -> list[NestedQuestion]:
    """The same questions, that of the main method first."""
    return sorted(nested, key=lambda row: row.key != key)


def _collect_health(
    find_run: FindRun,
    plan: ReproductionPlan,
    size: ReproductionSize,
    methods: Sequence[Method],
    seeds: Sequence[int],
) -> dict[str, dict[str, StageHealth]]:
    """Health by run and stage, of all runs and seeds that were trained."""
    health_by_run = {}
    for seed in seeds:
        for key in plan.list_runs(methods):
            name = name_run(size.name, seed, key)
            health = read_health(find_run(name))
            if health is not None:
                health_by_run[name] = dict(health.stages)
    return health_by_run


def _describe_runs(
    find_run: FindRun,
    plan: ReproductionPlan,
    size: ReproductionSize,
    methods: Sequence[Method],
    seeds: Sequence[int],
) -> tuple[ReproducedRun, ...]:
    return tuple(
        _describe_run(
            find_run(name_run(size.name, seed, key)),
            seed,
            plan_run(plan, size, key, seed=seed).hash(),
            name=name_run(size.name, seed, key),
        )
        for seed in seeds
        for key in plan.list_runs(methods)
    )


def _describe_run(run_dir: Path, seed: int, settings_hash: str, *, name: str) -> ReproducedRun:
    documents = [
        load_document(path.parent)
        for path in sorted((run_dir / "checkpoints").glob(f"*/{FINAL}/{DOCUMENT_FILE}"))
    ]
    return ReproducedRun(
        run=name,
        seed=seed,
        settings_hash=settings_hash,
        data_sha256=documents[-1].data_sha256 if documents else None,
        weights_sha256={
            document.stage: document.files[WEIGHTS_FILE].sha256 for document in documents
        },
    )
