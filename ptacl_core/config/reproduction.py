"""What `ptacl reproduce` trains and measures, as data: methods, runs, comparisons, sizes."""

import tomllib
from collections.abc import Sequence
from importlib import resources
from typing import Literal, Self

from pydantic import Field, model_validator

from ptacl_core.arrays import Modality
from ptacl_core.config.model import Settings
from ptacl_core.config.run_presets import lay_over_preset
from ptacl_core.config.training import RunSettings
from ptacl_core.errors import ConfigError
from ptacl_core.json_values import JsonObject

SizeName = Literal["tiny", "demo", "workstation", "paper"]
EncoderSource = Literal["random", "pretrain", "align", "finetune", "supervised"]
DEMOGRAPHICS = "demographics"
"""Key of the row that knows sex, age, height and BMI only; nothing is trained for it."""


class Method(Settings):
    """One method of the tables: a row of Table 2 per modality."""

    key: str = Field(pattern=r"^[a-z0-9-]+$")
    """Name on the command line and in file names."""
    title: str
    """Name in tables."""
    run: str
    """Key of the run that trains it."""
    stage: EncoderSource
    """Stage whose encoder, or whose own predictions, are measured."""
    evaluation: Literal["LP", "FN", "FN+AP"]
    """Linear probe on frozen features, or the fine-tuned network (AP: attention pooling)."""
    modalities: tuple[Modality, ...]
    """Inputs; each gives a row."""
    published: str = ""
    """Method of the paper's Table 2 that stands beside it; empty: none."""
    published_retrieval: str = ""
    """Method of the paper's Table 1 that stands beside it; empty: none."""

    def row(self, modality: Modality) -> str:
        """Key of the row for one input, such as mae-ecg."""
        return f"{self.key}-{modality}"


class PlannedRun(Settings):
    """A training that one or several methods need."""

    takes: dict[Literal["ecg", "cmr", "align"], str] = Field(default_factory=dict)
    """Stage → key of the run of the same seed that it is taken from."""
    overlay: JsonObject
    """Settings laid over the size's preset."""
    is_embedded: bool = False
    """Whether embeddings and predictions also go into the store."""
    is_evaluated: bool = False
    """Whether retrieval, alignment, coverage and subgroups are measured as well."""


class Comparison(Settings):
    """A difference that is tested: first minus second on the same patients."""

    first: str
    second: str
    question: str
    modality: Modality = "ecg"
    """Input of the rows that are compared."""


class Trend(Settings):
    """Methods in the order in which R² should rise."""

    methods: tuple[str, ...] = Field(min_length=3)


class ReproductionPlan(Settings):
    """Methods in the order of the paper's tables, and what they need."""

    methods: tuple[Method, ...]
    runs: dict[str, PlannedRun]
    comparisons: tuple[Comparison, ...]
    trend: Trend

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        keys = {method.key for method in self.methods} | {DEMOGRAPHICS}
        named = {key for pair in self.comparisons for key in (pair.first, pair.second)}
        unknown = sorted((named | set(self.trend.methods)) - keys)
        wanted = {method.run for method in self.methods}
        wanted |= {source for run in self.runs.values() for source in run.takes.values()}
        unknown += sorted(wanted - self.runs.keys())
        if unknown:
            raise ValueError(f"no method or run is named {', '.join(unknown)}")
        return self

    def choose(self, keys: Sequence[str] | None) -> tuple[Method, ...]:
        """The methods named (None: all), in the order of the plan. Raises ConfigError."""
        known = [method.key for method in self.methods]
        unknown = [key for key in keys or () if key not in known]
        if unknown:
            raise ConfigError(
                f"--rows: no row '{unknown[0]}'; there are {', '.join(known)}, separated by commas"
            )
        return tuple(method for method in self.methods if keys is None or method.key in keys)

    def list_runs(self, methods: Sequence[Method]) -> list[str]:
        """Keys of the runs that `methods` need, each after those that it takes from."""
        ordered: list[str] = []

        def visit(key: str) -> None:
            for source in self.runs[key].takes.values():
                visit(source)
            if key not in ordered:
                ordered.append(key)

        for method in methods:
            visit(method.run)
        return ordered


class ReproductionSize(Settings):
    """Encoders and lengths of one size: a preset, and what single runs change in it."""

    name: SizeName
    notes: str
    """What this size can and cannot show; printed in the report."""
    based_on: str
    """Preset of every run that names none of its own."""
    learning_rates: dict[str, dict[str, float]] = Field(default_factory=dict)
    """Run → learning rate → mean R² on validation patients of the search that chose it."""
    runs: dict[str, JsonObject] = Field(default_factory=dict)
    """Run → settings laid over the plan's, and its own preset as `based_on`."""


def load_plan() -> ReproductionPlan:
    """The methods of both tables. Raises ConfigError."""
    return ReproductionPlan.from_mapping(_read("plan"), source="presets/reproduce/plan.toml")


def load_size(name: str) -> ReproductionSize:
    """One of the sizes tiny, demo, workstation, paper. Raises ConfigError."""
    return ReproductionSize.from_mapping(_read(name), source=f"presets/reproduce/{name}.toml")


def name_run(size: str, seed: int, key: str) -> str:
    """Folder of a run below runs/, such as reproduce-demo-s0-ptacl."""
    return f"reproduce-{size}-s{seed}-{key}"


def plan_run(
    plan: ReproductionPlan, size: ReproductionSize, key: str, *, seed: int, device: str = "auto"
) -> RunSettings:
    """Settings of the run `key` at a size and seed. Raises ConfigError."""
    planned = plan.runs[key]
    own = dict(size.runs.get(key, {}))
    preset = str(own.pop("based_on", size.based_on))
    takes = {
        stage: name_run(size.name, seed, planned.takes[stage]) if stage in planned.takes else None
        for stage in ("ecg", "cmr", "align")
    }
    overlays = [planned.overlay, own, {"seed": seed, "device": device, "pretrained_from": takes}]
    return lay_over_preset(preset, overlays, name=name_run(size.name, seed, key))


def _read(name: str) -> JsonObject:
    path = resources.files("ptacl_core") / "presets" / "reproduce" / f"{name}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))
