"""Patients of a simulated cohort: ECG, cine, phenotypes and the truth behind them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ptacl_core.config.simulation import SimulationSettings
from ptacl_core.simulate.batching import as_float32, select_patients
from ptacl_core.simulate.cine.frames import (
    WINDOW_PX,
    add_noise_and_scale,
    pixel_grid,
    render_slices,
    shape_slice,
)
from ptacl_core.simulate.cine.geometry import HeartGeometry, draw_geometry
from ptacl_core.simulate.cine.tissue import draw_tissue
from ptacl_core.simulate.coupling import Coupling, draw_coupling
from ptacl_core.simulate.ecg.faults import apply_lead_faults, draw_lead_faults
from ptacl_core.simulate.ecg.intervals import Intervals, draw_intervals
from ptacl_core.simulate.ecg.rhythm import (
    CONDUCTION_NAMES,
    NUM_SAMPLES,
    RHYTHM_NAMES,
    Rhythm,
    draw_rhythm,
)
from ptacl_core.simulate.ecg.signal import draw_recording, render_ecg
from ptacl_core.simulate.ecg.waves import draw_waves
from ptacl_core.simulate.latents import draw_visible_latents, standardise_targets
from ptacl_core.simulate.population import (
    STRATUM_NAMES,
    Population,
    draw_population,
    observe_phenotypes,
)
from ptacl_core.simulate.randomness import Stream, draw_grain, draw_uniforms
from ptacl_core.simulate.timing import (
    NUM_FRAMES,
    CycleTiming,
    ElectricalLink,
    compute_filled_share,
    draw_timing,
)
from ptacl_core.tensors import Float, Int, Tensor

_ECGS_ON_HOST = 8
_CINES_ON_HOST = 1
_CHUNK_ON_ACCELERATOR = 128


@dataclass(frozen=True, slots=True, eq=False)
class PatientTruth:
    """Everything about the patients but their pixels and samples; float64 on the host.

    Making it takes well under a millisecond a patient, so that moments and ceilings of a whole
    cohort come in seconds.
    """

    indices: Int[Tensor, " patient"]
    population: Population
    targets: Float[Tensor, "patient 8"]
    visible_latents: Float[Tensor, "patient 8"]
    phenotypes: Float[Tensor, "patient 10"]
    rhythm: Rhythm
    timing: CycleTiming
    geometry: HeartGeometry
    intervals: Intervals
    lead_faults: tuple[str, ...]
    phase_shift_frames: Int[Tensor, " patient"]
    infarct: Float[Tensor, "patient 2"]


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedPatients:
    """Simulated patients; arrays of pixels and samples on the device, the rest on the host.

    `ecg_mv` is in mV at 500 Hz, order `LEAD_NAMES`; `r_peak_samples` are true R peaks. `cine`
    holds raw intensities in [0, 1] of the mid slice, 50 frames over one cycle from the R peak
    (later by `phase_shift_frames` when the phase was broken), 1.83 mm pixels.
    `phenotypes` carry observer error, `true_phenotypes` none; order `PHENOTYPE_NAMES`.
    `targets` z and `visible_latents` g are in the order of `LATENT_NAMES`. `lv_volume_ml` and
    `end_systole_frame` go with the frames of `cine`. `heart_centre_px` is (row, column).
    `settings` made them.
    """

    settings: SimulationSettings
    indices: Int[Tensor, " patient"]
    ecg_mv: Float[Tensor, "patient 12 5000"]
    r_peak_samples: list[Int[Tensor, " _"]]
    cine: Float[Tensor, "patient 50 84 84"]
    frame_interval_ms: Float[Tensor, " patient"]
    phenotypes: Float[Tensor, "patient 10"]
    true_phenotypes: Float[Tensor, "patient 10"]
    sex: tuple[str, ...]
    age_years: Float[Tensor, " patient"]
    height_cm: Float[Tensor, " patient"]
    weight_kg: Float[Tensor, " patient"]
    bmi_kg_m2: Float[Tensor, " patient"]
    systolic_bp_mmhg: Float[Tensor, " patient"]
    heart_rate_ecg_bpm: Float[Tensor, " patient"]
    heart_rate_mri_bpm: Float[Tensor, " patient"]
    rhythm: tuple[str, ...]
    conduction: tuple[str, ...]
    stratum: tuple[str, ...]
    lead_faults: tuple[str, ...]
    targets: Float[Tensor, "patient 8"]
    visible_latents: Float[Tensor, "patient 8"]
    lv_volume_ml: Float[Tensor, "patient 50"]
    end_systole_frame: Int[Tensor, " patient"]
    end_systole_ms: Float[Tensor, " patient"]
    pr_ms: Float[Tensor, " patient"]
    qrs_ms: Float[Tensor, " patient"]
    qt_ms: Float[Tensor, " patient"]
    phase_shift_frames: Int[Tensor, " patient"]
    heart_centre_px: Float[Tensor, "patient 2"]

    def __len__(self) -> int:
        return len(self.indices)


def simulate_patients(
    settings: SimulationSettings, indices: Sequence[int], *, device: str | torch.device = "cpu"
) -> SimulatedPatients:
    """Make the patients with these numbers.

    Patient i is a function of (settings, i): made alone or among others it has the same bytes
    on one kind of device, and the same truth on all.

    Args:
        settings: the cohort's settings.
        indices: numbers of the patients, each ≥ 0; they may go beyond `num_patients`.
        device: where samples and pixels are rendered.
    """
    truth = draw_truth(settings, indices)
    ecg_mv = render_ecgs(settings, truth, device=device)
    cine = render_cines(settings, truth, device=device)
    return _assemble(truth, ecg_mv, cine, settings)


def render_ecgs(
    settings: SimulationSettings, truth: PatientTruth, *, device: str | torch.device = "cpu"
) -> Float[Tensor, "patient 12 5000"]:
    """The ECGs of patients in mV, with their lead faults."""
    place = torch.device(device)
    rows = truth.indices.tolist()
    recording = draw_recording(
        settings.seed, rows, truth.visible_latents, settings.ecg, nuisance=settings.nuisance
    )
    waves = draw_waves(
        settings.seed,
        rows,
        truth.visible_latents,
        truth.rhythm,
        truth.intervals,
        settings=settings.ecg,
        nuisance=settings.nuisance,
        hidden_energy=settings.hidden_energy,
        num_nuisance_bumps=settings.num_nuisance_bumps,
    )
    ecg_mv = torch.empty((len(rows), 12, NUM_SAMPLES), dtype=torch.float32, device=place)
    for chunk in _chunks(len(rows), place, on_host=_ECGS_ON_HOST):
        ecg_mv[chunk] = render_ecg(
            settings.seed,
            rows[chunk],
            select_patients(truth.rhythm, chunk),
            select_patients(waves, chunk),
            select_patients(recording, chunk),
            settings=settings.ecg,
            device=place,
        )
    return apply_lead_faults(ecg_mv, truth.lead_faults)


def render_cines(
    settings: SimulationSettings, truth: PatientTruth, *, device: str | torch.device = "cpu"
) -> Float[Tensor, "patient 50 84 84"]:
    """The mid-slice cines of patients, raw intensities in [0, 1]."""
    place = torch.device(device)
    rows = truth.indices.tolist()
    traits = draw_tissue(settings.seed, rows, truth.population.z_bmi, settings.cine)
    shape = shape_slice(truth.geometry, truth.infarct, settings.cine, device=place)
    row_mm, column_mm = pixel_grid(WINDOW_PX, WINDOW_PX, settings.cine.pixel_mm, device=place)
    cine = torch.empty((len(rows), NUM_FRAMES, WINDOW_PX, WINDOW_PX), device=place)
    for chunk in _chunks(len(rows), place, on_host=_CINES_ON_HOST):
        image = render_slices(
            select_patients(shape, chunk),
            as_float32(select_patients(traits, chunk), place),
            row_mm,
            column_mm,
            settings.cine,
        )
        grain = draw_grain(
            settings.seed, rows[chunk], Stream.CINE, (2, *image.shape[1:]), device=place
        )
        cine[chunk] = add_noise_and_scale(image, grain, settings.cine).view(cine[chunk].shape)
    return _shift_frames(cine, truth.phase_shift_frames)


def _chunks(count: int, device: torch.device, *, on_host: int) -> list[slice]:
    """Few patients at a time on a host, to stay in its caches; many on an accelerator."""
    step = on_host if device.type == "cpu" else _CHUNK_ON_ACCELERATOR
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]


def draw_truth(settings: SimulationSettings, indices: Sequence[int]) -> PatientTruth:
    """The patients without pixels and samples."""
    seed = settings.seed
    population = draw_population(seed, indices, settings.population, settings.strata)
    targets = standardise_targets(population, settings.latents)
    latents = draw_visible_latents(
        seed, indices, targets, settings.latents, kappa_scale=settings.kappa_scale
    )
    rhythm = draw_rhythm(
        seed,
        indices,
        population.heart_rate_ecg_bpm,
        settings.ecg,
        af_share=settings.af_share,
        pac_share=settings.pac_share,
        pvc_share=settings.pvc_share,
        bbb_share=settings.bbb_share,
    )
    coupling = draw_coupling(seed, indices, settings.coupling)
    intervals = draw_intervals(
        seed,
        indices,
        (1 - settings.hidden_energy) * latents,
        rhythm,
        settings=settings.ecg,
        nuisance=settings.nuisance,
        share_systole=None if coupling is None else coupling.share_systole,
    )
    link = None
    if coupling is not None:
        link = ElectricalLink(
            coupling,
            intervals,
            qrs_before_r=settings.ecg.qrs_before_r,
            pr_heart_rate_slope_ms=settings.ecg.pr_heart_rate_slope_ms,
        )
    timing = draw_timing(
        seed,
        indices,
        population,
        settings.timing,
        is_fibrillating=rhythm.is_fibrillating,
        link=link,
    )
    uniforms = draw_uniforms(seed, indices, Stream.TIMING, 4)
    shift = torch.floor(uniforms[:, 0] * NUM_FRAMES).to(torch.int64)
    is_scarred = population.stratum == STRATUM_NAMES.index("infarction")
    depth = settings.cine.infarct_thinning * is_scarred.to(torch.float64)
    return PatientTruth(
        indices=torch.tensor(list(indices), dtype=torch.int64),
        population=population,
        targets=targets,
        visible_latents=latents,
        phenotypes=observe_phenotypes(
            seed, indices, population, settings.label_noise, scale=settings.label_noise_scale
        ),
        rhythm=rhythm,
        timing=timing,
        geometry=draw_geometry(
            seed,
            indices,
            population,
            compute_filled_share(timing),
            settings.cine,
            slice_mismatch=settings.slice_mismatch,
            lateral_delay_frames=None if coupling is None else _in_frames(coupling, rhythm, timing),
        ),
        intervals=intervals,
        lead_faults=draw_lead_faults(seed, indices, share=settings.lead_fault_share),
        phase_shift_frames=shift if settings.break_phase else torch.zeros_like(shift),
        infarct=torch.stack((depth, 2 * torch.pi * uniforms[:, 1]), dim=1),
    )


def _in_frames(
    coupling: Coupling, rhythm: Rhythm, timing: CycleTiming
) -> Float[Tensor, " patient"]:
    """Delay of the lateral wall in frames of the cine."""
    return coupling.delay_lateral_wall_ms(rhythm) * NUM_FRAMES / timing.rr_ms


def _shift_frames(values: Tensor, shifts: Int[Tensor, " patient"]) -> Tensor:
    """Each patient's frames rolled by its shift, in place."""
    for row, shift in enumerate(shifts.tolist()):
        if shift:
            values[row] = torch.roll(values[row], shift, dims=0)
    return values


def _assemble(
    truth: PatientTruth,
    ecg_mv: Float[Tensor, "patient 12 5000"],
    cine: Float[Tensor, "patient 50 84 84"],
    settings: SimulationSettings,
) -> SimulatedPatients:
    population = truth.population
    volume_ml = _shift_frames(truth.geometry.lv_volume_ml.clone(), truth.phase_shift_frames)
    middle_px = (WINDOW_PX - 1) / 2
    centre_mm = (truth.geometry.centre_row_mm, truth.geometry.centre_column_mm)
    return SimulatedPatients(
        settings=settings,
        indices=truth.indices,
        ecg_mv=ecg_mv,
        r_peak_samples=truth.rhythm.r_peak_samples(),
        cine=cine,
        frame_interval_ms=truth.timing.rr_ms / NUM_FRAMES,
        phenotypes=truth.phenotypes,
        true_phenotypes=population.phenotypes(),
        sex=tuple("M" if is_male else "F" for is_male in population.is_male.tolist()),
        age_years=population.age_years,
        height_cm=population.height_cm,
        weight_kg=population.weight_kg,
        bmi_kg_m2=population.bmi_kg_m2,
        systolic_bp_mmhg=population.systolic_bp_mmhg,
        heart_rate_ecg_bpm=population.heart_rate_ecg_bpm,
        heart_rate_mri_bpm=population.heart_rate_mri_bpm,
        rhythm=tuple(RHYTHM_NAMES[number] for number in truth.rhythm.rhythm.tolist()),
        conduction=tuple(CONDUCTION_NAMES[number] for number in truth.rhythm.conduction.tolist()),
        stratum=tuple(STRATUM_NAMES[number] for number in population.stratum.tolist()),
        lead_faults=truth.lead_faults,
        targets=truth.targets,
        visible_latents=truth.visible_latents,
        lv_volume_ml=volume_ml,
        end_systole_frame=volume_ml.argmin(dim=1),
        end_systole_ms=truth.timing.end_systole_ms,
        pr_ms=truth.intervals.pr_ms,
        qrs_ms=truth.intervals.qrs_ms,
        qt_ms=truth.intervals.qt_ms,
        phase_shift_frames=truth.phase_shift_frames,
        heart_centre_px=middle_px + torch.stack(centre_mm, dim=1) / settings.cine.pixel_mm,
    )
