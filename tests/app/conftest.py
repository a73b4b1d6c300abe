"""A small cohort with everything the app shows, made by the package's own writers."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from textual.css.stylesheet import Stylesheet
from textual.pilot import Pilot

from ptacl_app.app import PtaclApp
from ptacl_app.shell.settings import AppSettings
from ptacl_app.terminal.graphics import Graphics, Protocol
from ptacl_core.cohort import Cohort
from ptacl_core.config.preprocess import PreprocessSettings
from ptacl_core.ingest.register import register_shards
from ptacl_core.records import (
    PHENOTYPE_NAMES,
    PHENOTYPE_UNITS,
    Finding,
    PreparedCine,
    PreparedEcg,
)
from ptacl_core.shards import ShardEntry, ShardWriter
from tests.unit.io.ecg.ecg_files import write_wfdb

NUM_PATIENTS = 48
RUN = "align-demo"
NO_CMR, NO_ECG, NOISY = "p0003", "p0005", "p0007"
_MEANS = (150.0, 60.0, 90.0, 60.0, 5.2, 95.0, 150.0, 62.0, 88.0, 58.0)
_SPREADS = (28.0, 16.0, 16.0, 6.0, 0.9, 22.0, 30.0, 16.0, 16.0, 6.0)


HOSTILE_MODULES = (
    "json", "dl", "textual", "tomllib", "numpy", "duckdb", "ptacl_core", "ptacl_app",
    "sitecustomize", "usercustomize",
)  # fmt: skip


def plant_hostile_modules(folder: Path) -> None:
    """Modules and an `.env` that nothing started in `folder` may run: they write `RAN` there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in HOSTILE_MODULES:
        (folder / f"{name}.py").write_text(f"open({str(folder / 'RAN')!r}, 'w').write('x')\n")
    (folder / ".env").write_text("TEXTUAL_DRIVER=evil:Driver\n")


def draw_ecg(heart_rate_bpm: float, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Twelve leads of 5000 samples in mV from a turning dipole, and the R peaks."""
    rng = np.random.default_rng(seed)
    times_s = np.arange(5000) / 500.0
    r_times_s = np.arange(0.35, 9.9, 60.0 / heart_rate_bpm)
    waves = (  # offset s, width s, amplitude mV, direction (X left, Y down, Z back)
        (-0.16, 0.022, 0.14, (0.6, 0.6, 0.1)),
        (-0.02, 0.007, 0.20, (-0.45, 0.1, -0.75)),
        (0.0, 0.010, 1.35, (0.80, 0.50, 0.22)),
        (0.022, 0.010, 0.75, (-0.15, -0.25, 0.90)),
        (0.30, 0.045, 0.36, (0.70, 0.45, -0.48)),
    )
    dipole = np.zeros((3, times_s.size))
    for peak in r_times_s:
        for offset, width, amplitude, direction in waves:
            bump = amplitude * np.exp(-((times_s - peak - offset) ** 2) / (2 * width**2))
            dipole += np.outer(direction, bump)
    rows = {
        "I": (0.632, -0.235, 0.059), "II": (0.235, 1.066, -0.132),
        "V1": (-0.515, 0.157, -0.917), "V2": (0.044, 0.164, -1.387), "V3": (0.882, 0.098, -1.277),
        "V4": (1.213, 0.127, -0.601), "V5": (1.125, 0.127, -0.086), "V6": (0.831, 0.076, 0.230),
    }  # fmt: skip
    leads = {name: np.asarray(row) @ dipole for name, row in rows.items()}
    one, two = leads["I"], leads["II"]
    signal = np.stack(
        [one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2]
        + [leads[f"V{number}"] for number in range(1, 7)]
    )
    signal += rng.normal(0, 0.008, signal.shape)
    return signal.astype(np.float32), np.round(r_times_s * 500).astype(np.int64)


def draw_cine(*, seed: int = 0) -> np.ndarray:
    """Fifty frames in [0, 1] of a ring that contracts, with a crescent beside it."""
    rng = np.random.default_rng(seed)
    row, column = np.mgrid[0:84, 0:84].astype(np.float64)
    frames = np.empty((50, 84, 84), np.float32)
    for index in range(50):
        phase = index / 50
        contraction = np.sin(np.pi * np.clip(phase / 0.8, 0, 1)) ** 1.4
        inner, outer = 15.0 - 6.0 * contraction, 22.0 - 2.5 * contraction
        distance = np.hypot(row - 42, column - 46)
        beside = np.hypot((row - 42) / 1.25, column - 27)
        image = np.full((84, 84), 0.12)
        image[beside < 17 - 3 * contraction] = 0.85
        image[distance < outer] = 0.35
        image[distance < inner] = 0.92
        image[np.hypot(row - 36, column - 52) < 2.4] = 0.40
        frames[index] = np.clip(image + rng.normal(0, 0.02, image.shape), 0, 1)
    return frames


def build_cohort(root: Path, *, num_patients: int = NUM_PATIENTS, has_model: bool = True) -> Path:
    """Shards, store, and (with a model) embeddings, predictions and an evaluation."""
    rng = np.random.default_rng(7)
    writer = ShardWriter(root / "shards", preprocessing=PreprocessSettings())
    cine = draw_cine()
    values = rng.normal(_MEANS, _SPREADS, (num_patients, 10))
    for index in range(num_patients):
        patient = f"p{index:04d}"
        rate = float(rng.uniform(52, 92))
        signal_mv, peaks = draw_ecg(rate, seed=index)
        findings = ()
        if patient == NOISY:
            findings = (Finding("noise", "warning", "muscle noise of 0.09 mV", ("V1", "V2")),)
        scale = signal_mv.std()
        ecg = PreparedEcg(signal_mv / scale, signal_mv, peaks, rate, findings)
        writer.add(
            ShardEntry(
                patient=patient,
                visit=2,
                split=("train", "val", "test")[index % 3],
                ecg=None if patient == NO_ECG else ecg,
                cine=None
                if patient == NO_CMR
                else PreparedCine(cine, 4, (100.0, 90.0), frame_interval_ms=18.0),
                attributes={
                    "sex": "FM"[index % 2],
                    "age_years": float(rng.uniform(46, 80)),
                    "height_cm": 170.0,
                    "weight_kg": 74.0,
                    "bmi_kg_m2": 25.6,
                    "pr_ms": 160.0,
                    "qrs_ms": 92.0,
                    "qt_ms": 400.0,
                    "qtc_ms": 420.0,
                    "axis_deg": 40.0,
                    **dict(zip(PHENOTYPE_NAMES, values[index].tolist(), strict=True)),
                },
            )
        )
    writer.finish()
    register_shards(root, name="demo-cohort", source="simulated", convention="made up for tests")
    if has_model:
        _add_model(root, values)
    return root


def _add_model(root: Path, values: np.ndarray) -> None:
    rng = np.random.default_rng(11)
    num_patients = values.shape[0]
    patients = [f"p{index:04d}" for index in range(num_patients)]
    vectors = rng.normal(size=(num_patients, 8)).astype(np.float32)
    predicted = values + rng.normal(0, 0.5, values.shape) * _SPREADS
    rows = [
        {
            "run": RUN, "patient": patient, "visit": 2, "name": name,
            "value": predicted[row, column],
            "low": predicted[row, column] - 1.3 * _SPREADS[column],
            "high": predicted[row, column] + 1.3 * _SPREADS[column],
            "unit": PHENOTYPE_UNITS[name], "coverage": 0.9,
        }
        for row, patient in enumerate(patients)
        if patient != NO_ECG
        for column, name in enumerate(PHENOTYPE_NAMES)
    ]  # fmt: skip
    steps = np.arange(13)
    alignment = np.exp(-((steps[:, None] - steps[None, :]) ** 2) / 6.0)
    document = {
        "run": RUN,
        "version": "0.1.0",
        "regression": {
            modality: {
                name: {"r2": level + 0.01 * index, "low": level - 0.05, "high": level + 0.08}
                for index, name in enumerate(PHENOTYPE_NAMES)
            }
            for modality, level in (("random", 0.05), ("ecg-mae", 0.21), ("ptacl", 0.42))
        },
        "retrieval": {
            "excluded": {
                name: {"p_at_1": 0.5, "p_at_10": 0.45, "mean_rank": 2.4, "median_rank": 2.0}
                for name in PHENOTYPE_NAMES
            }
        },
        "alignment": {"top1": 0.74, "within1": 0.99, "map": alignment.tolist()},
    }
    with Cohort.write(root, purpose="test") as writer:
        writer.put_run(RUN, kind="align", config={"preset": "demo"}, checkpoint_sha256="a" * 64)
        for modality, missing in (("ecg", NO_ECG), ("cmr", NO_CMR)):
            keep = [index for index, patient in enumerate(patients) if patient != missing]
            writer.put_embeddings(
                RUN, modality, "projected", [patients[row] for row in keep],
                [2] * len(keep), vectors[keep],
            )  # fmt: skip
        writer.put_predictions(pa.Table.from_pylist(rows))
        distances = [
            {
                "run": RUN,
                "patient": patient,
                "visit": 2,
                "modality": "ecg",
                "score": 9.5 if patient == NOISY else 1.0,
                "threshold": 3.0,
                "is_flagged": patient == NOISY,
            }
            for patient in patients
            if patient != NO_ECG
        ]
        writer.put_out_of_distribution(pa.Table.from_pylist(distances))
        results = pa.Table.from_pylist(
            [
                {"run": RUN, "section": "alignment", "variant": "", "modality": "",
                 "phenotype": "", "metric": "top1", "value": 0.74, "low": 0.7, "high": 0.78}
            ]
        )  # fmt: skip
        writer.put_evaluation(RUN, results, document=document)
    _write_maps(root, [patient for patient in patients if patient not in {NO_ECG, NO_CMR}])


def draw_map(patient: str) -> np.ndarray:
    """What `_write_maps` writes for a patient: one bright row, another for each."""
    values = np.full((13, 13), 0.1, np.float32)
    values[int(patient[1:]) % 13] = 0.9
    return values


def _write_maps(root: Path, patients: list[str]) -> None:
    maps = np.stack([draw_map(patient) for patient in patients])
    with Cohort.write(root, purpose="maps") as writer:
        writer.put_alignment_maps(RUN, patients, [2] * len(patients), maps)


@dataclass
class FakeTime:
    """A clock that moves only when told to."""

    now_s: float = 100.0
    calls: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        self.calls.append(self.now_s)
        return self.now_s

    def advance(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture(scope="session", autouse=True)
def parse_styles_once() -> Iterator[None]:
    """Each app has its own stylesheet, made of the same texts: their rules are parsed once."""
    known: dict[tuple[object, ...], object] = {}
    parse = Stylesheet._parse_rules

    def parse_once(sheet: Stylesheet, css: str, *rest: object, **options: object) -> object:
        variables = tuple(sorted(sheet._variables.items()))
        key = (css, variables, rest, tuple(sorted(options.items())))
        if key not in known:
            known[key] = parse(sheet, css, *rest, **options)  # type: ignore[arg-type]
        return known[key]

    patch = pytest.MonkeyPatch()
    patch.setattr(Stylesheet, "_parse_rules", parse_once)
    yield
    patch.undo()


@pytest.fixture(scope="session")
def cohort_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cohort with a model; tests only read it."""
    return build_cohort(tmp_path_factory.mktemp("app") / "demo-cohort")


@pytest.fixture(scope="session")
def bare_cohort_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cohort without any model."""
    root = tmp_path_factory.mktemp("bare") / "bare-cohort"
    return build_cohort(root, num_patients=6, has_model=False)


@pytest.fixture(scope="session")
def empty_cohort_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cohort without patients."""
    root = tmp_path_factory.mktemp("empty") / "empty-cohort"
    Cohort.create(root, name="empty", source="files", preprocessing_hash="0" * 16).close()
    return root


@pytest.fixture
def fake_time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def graphics() -> Graphics:
    """How pictures are shown: cells, or what `PTACL_TEST_GRAPHICS` (a protocol's name) says."""
    return make_graphics(os.environ.get("PTACL_TEST_GRAPHICS", Protocol.CELLS.value))


@pytest.fixture
def in_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of the cells themselves: pictures have tests of their own in `terminal`."""
    monkeypatch.setenv("PTACL_TEST_GRAPHICS", Protocol.CELLS.value)


def make_graphics(name: str) -> Graphics:
    """A protocol as if somebody had asked for it."""
    return Graphics(Protocol(name), "asked for by a test")


@pytest.fixture
def make_app(
    tmp_path: Path, fake_time: FakeTime, cohort_dir: Path, graphics: Graphics
) -> Iterator[Callable[..., PtaclApp]]:
    """Makes apps on a private state folder, a fake clock and no settings of the developer's."""

    def make(cohort: Path = cohort_dir, **options: object) -> PtaclApp:
        settings = options.pop("settings", None) or AppSettings(remember=False, fps=1.0)
        return PtaclApp(
            cohort,
            settings=settings,  # type: ignore[arg-type]
            time_source=fake_time,
            state_dir=tmp_path / "state",
            graphics=graphics,
            cell_px=(8, 16),
            **options,  # type: ignore[arg-type]
        )

    yield make


LENGTH_S = 38


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A cohort that `preprocess` made of one person's two visits of 38 s, and the files."""
    from ptacl_core.stages.preprocess import run as preprocess

    folder = tmp_path_factory.mktemp("recorded")
    files = folder / "files"
    listed = "patient,visit,ecg,cmr\n"
    for visit in (1, 2):
        signal_mv, _ = draw_ecg(56.0 + 10 * visit, seed=visit)
        whole = np.tile(signal_mv, 4)[:, : LENGTH_S * 500] + 0.3  # an offset that denoising takes
        whole[6] *= visit
        write_wfdb(files, np.round(whole * 200).astype(np.int64), name=f"9000001{visit}")
        listed += f"9000001,{visit},9000001{visit}.hea,\n"
    (files / "pairs.csv").write_text(listed)
    preprocess.run(files, folder / "cohort", pairs=files / "pairs.csv", num_workers=1)
    return folder / "cohort", files


@pytest.fixture(scope="session")
def many_cohort_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Patients on three pages, without recordings."""
    root = tmp_path_factory.mktemp("many") / "many-cohort"
    Cohort.create(root, name="many", source="files", preprocessing_hash="0" * 16).close()
    people = [
        {"patient": f"q{index:04d}", "sex": "FM"[index % 2], "age_years": 45.0 + index % 30}
        for index in range(450)
    ]
    with Cohort.write(root, purpose="test") as writer:
        writer.put_patients(pa.Table.from_pylist(people))
    return root


async def _settle(pilot: Pilot) -> None:
    # twice idle in a row: a worker's message may start the next worker. `wait_for_complete` is
    # of no use here, it raises for workers that a newer one has replaced
    num_idle = 0
    while num_idle < 2:
        await pilot.pause()
        is_busy = any(not worker.is_finished for worker in pilot.app.workers)
        num_idle = 0 if is_busy else num_idle + 1
        if is_busy:
            await asyncio.sleep(0.01)


@pytest.fixture
def settle() -> Callable[[Pilot], Awaitable[None]]:
    """Waits until every worker has ended and what it posted is on the screen."""
    return _settle


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every toast's text: on screen they go after some seconds, however slow the machine is."""
    texts: list[str] = []
    notify = PtaclApp.notify

    def record(app: PtaclApp, message: str, **options: object) -> None:
        texts.append(message)
        notify(app, message, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(PtaclApp, "notify", record)
    return texts


@pytest.fixture
def read_screen() -> Callable[[PtaclApp], list[str]]:
    """The rows of text on the screen."""

    def read(app: PtaclApp) -> list[str]:
        strips = app.screen._compositor.render_strips()
        return ["".join(segment.text for segment in strip) for strip in strips]

    return read
