"""R peaks and beats of one prepared recording, in tensors of one shape: the part of a graph.

The same rules as `preprocess.r_peaks`, `rhythm` and `beat_spans`, in float64 and without loops
over beats: a fixed number of slots, of which the first are filled. A lead of zeros is off.
"""

import math
from itertools import pairwise

import numpy as np
import torch
from torch import nn

from ptacl_core.preprocess.beat_steps import (
    ECTOPY_TOLERANCE,
    MAX_RR_S,
    MIN_REMAINING_BEATS,
    MIN_RR_S,
)
from ptacl_core.preprocess.r_peaks import (
    ENERGY_RATE_HZ,
    INTEGRATION_S,
    MIN_SIGNAL_MV,
    MIN_TRANSFORM_RATE_HZ,
    REFINE_S,
    REFRACTORY_S,
    T_WAVE_S,
    next_smooth,
    slope_gain,
)
from ptacl_core.preprocess.rhythm import (
    BEAT_MARGIN,
    BEAT_REACH_S,
    BEAT_STRIDE_S,
    MIN_BEAT_AMPLITUDE,
    MIN_BEAT_CORRELATION,
)
from ptacl_core.tensors import Bool, Float, Int, Tensor

FAR = 10**6
"""Place of an empty slot: behind every sample, so that sorting puts it last."""
_FLAT_MV = 1e-6


class SlopeEnergyGraph(nn.Module):
    """`r_peaks.compute_slope_energy` of recordings of one length."""

    mirror: Tensor
    bins: Tensor
    gain: Tensor
    cosine: Tensor
    sine: Tensor

    def __init__(self, num_samples: int, sampling_rate_hz: float) -> None:
        super().__init__()
        self.merged = max(1, int(sampling_rate_hz // MIN_TRANSFORM_RATE_HZ))
        rate_hz = sampling_rate_hz / self.merged
        length = num_samples // self.merged
        margin = round(0.5 * rate_hz)
        self.padded = next_smooth(length + 2 * margin)
        self.num_steps = next_smooth(math.ceil(self.padded * ENERGY_RATE_HZ / rate_hz))
        step = self.padded / self.num_steps
        self.samples_per_step = step * self.merged
        self.half_window = max(1, round(INTEGRATION_S * rate_hz / step)) // 2
        self.first = round(margin / step)
        self.count = math.floor((length - 1) / step) + 1
        num_bins = min(self.num_steps // 2, self.padded // 2 + 1)
        gain = np.imag(slope_gain(num_bins, rate_hz / self.padded, self.num_steps))
        bins = np.flatnonzero(gain)
        place = np.abs(np.arange(-margin, self.padded - margin))
        turn = 2 * np.pi * np.arange(self.padded) / self.padded
        for name, values in (
            ("mirror", np.where(place < length, place, 2 * (length - 1) - place)),
            ("bins", bins),
            ("gain", gain[bins].astype(np.float64) * 2.0 / self.padded),
            ("cosine", np.cos(turn)),
            ("sine", np.sin(turn)),
        ):
            self.register_buffer(name, torch.from_numpy(values))

    def forward(self, leads: Float[Tensor, "lead sample"]) -> Float[Tensor, " step"]:
        """QRS amplitude on the coarse grid."""
        whole = leads[:, : leads.shape[1] // self.merged * self.merged].double()
        merged = whole.reshape(len(leads), -1, self.merged).mean(dim=2)[:, self.mirror]
        there = (torch.arange(self.padded)[:, None] * self.bins) % self.padded
        cosine, sine = merged @ self.cosine[there], merged @ self.sine[there]
        # The coarse grid's angles may not lie in the fine table: they have one of their own.
        back = (self.bins[:, None] * torch.arange(self.num_steps)) % self.num_steps
        back = back.double() * (2 * math.pi / self.num_steps)
        slopes = (self.gain * sine) @ torch.cos(back) - (self.gain * cosine) @ torch.sin(back)
        energies = slopes.square()
        summed = (self._weights(energies)[:, None] * energies).sum(dim=0)
        total = torch.cat((summed.new_zeros(1), summed.cumsum(0)))
        after = self.first + self.half_window + 1
        before = self.first - self.half_window
        integrated = total[after : after + self.count] - total[before : before + self.count]
        return integrated.clamp(min=0.0).sqrt()

    def _weights(self, energies: Float[Tensor, "lead step"]) -> Float[Tensor, " lead"]:
        ordered = energies.sort(dim=1).values
        num_steps = energies.shape[1]
        typical = ordered[:, num_steps // 2]
        high = ordered[:, min(num_steps - 1, int(0.97 * num_steps))]
        scale = energies.mean(dim=1)
        contrast = high / torch.maximum(typical, 1e-12 + 0.01 * high)
        contrast = torch.where(scale > MIN_SIGNAL_MV**2, contrast, torch.zeros_like(contrast))
        return contrast / scale.clamp(min=1e-12)


class BeatFinder(nn.Module):
    """R peaks of a denoised recording of one length: places ascending, `FAR` in empty slots."""

    def __init__(self, num_samples: int, sampling_rate_hz: float) -> None:
        super().__init__()
        self.rate_hz = sampling_rate_hz
        self.num_samples = num_samples
        self.energy = SlopeEnergyGraph(num_samples, sampling_rate_hz)
        self.steps_per_s = sampling_rate_hz / self.energy.samples_per_step
        self.reach = max(1, round(0.5 * REFRACTORY_S * self.steps_per_s))
        self.num_slots = self.energy.count // (self.reach + 1) + 2

    def forward(self, leads: Float[Tensor, "lead sample"]) -> Int[Tensor, " slot"]:
        """R peaks, without those that noise made."""
        amplitude = self.energy(leads)
        steps, is_kept = self._choose(amplitude)
        centres = (steps.double() * self.energy.samples_per_step).round().long()
        centres = _compact(centres.clamp(max=self.num_samples - 1), is_kept)
        return self._judge(leads, amplitude, self._refine(leads, centres))

    def _choose(
        self, amplitude: Float[Tensor, " step"]
    ) -> tuple[Int[Tensor, " slot"], Bool[Tensor, " slot"]]:
        """Candidates by height, and which of them are kept (`_choose_peaks`)."""
        edge = amplitude.new_full((self.reach,), -1.0)
        highest, width = torch.cat((edge, amplitude, edge)), 1
        while width < 2 * self.reach + 1:
            shift = min(width, 2 * self.reach + 1 - width)
            highest = torch.maximum(highest[:-shift], highest[shift:])
            width += shift
        previous = torch.cat((amplitude.new_full((1,), -1.0), amplitude[:-1]))
        reference = self._reference(amplitude)
        is_candidate = (amplitude >= highest) & (amplitude > previous) & (reference > 0)
        ordered = torch.where(is_candidate, amplitude, amplitude.new_full((), -1.0)).sort(
            descending=True
        )
        heights, steps = ordered.values[: self.num_slots], ordered.indices[: self.num_slots]
        is_kept = self._keep_apart(steps, heights, 0.35 * reference)
        return steps, is_kept | self._search_back(steps, heights, is_kept, 0.2 * reference)

    def _reference(self, amplitude: Float[Tensor, " step"]) -> Float[Tensor, ""]:
        count = self.energy.count
        num_windows = max(1, int(count / (2.0 * self.steps_per_s)))
        bounds = [window * count // num_windows for window in range(num_windows + 1)]
        highest = torch.stack([amplitude[start:stop].max() for start, stop in pairwise(bounds)])
        ordered = highest.sort().values
        return 0.5 * (ordered[(num_windows - 1) // 2] + ordered[num_windows // 2])

    def _keep_apart(
        self,
        steps: Int[Tensor, " slot"],
        heights: Float[Tensor, " slot"],
        threshold: Float[Tensor, ""],
    ) -> Bool[Tensor, " slot"]:
        """Highest first; the n-th is settled after n rounds."""
        distance = steps[:, None] - steps[None, :]
        is_near = distance.abs() < REFRACTORY_S * self.steps_per_s
        is_t_wave = (distance > 0) & (distance < T_WAVE_S * self.steps_per_s)
        is_t_wave = is_t_wave & (heights[:, None] < 0.5 * heights[None, :])
        slot = torch.arange(self.num_slots)
        is_higher = slot[None, :] < slot[:, None]
        is_over = ((is_near | is_t_wave) & is_higher).float()
        is_able = ((heights >= threshold) & (heights >= 0)).float()[:, None]
        kept = is_able
        for _ in range(self.num_slots):  # 1 where able and nothing kept stands over it, else 0
            kept = torch.addmm(is_able, is_over, kept, alpha=-1).relu()
        return kept[:, 0] > 0.5

    def _search_back(
        self,
        steps: Int[Tensor, " slot"],
        heights: Float[Tensor, " slot"],
        is_kept: Bool[Tensor, " slot"],
        threshold: Float[Tensor, ""],
    ) -> Bool[Tensor, " slot"]:
        """The best smaller candidate of each gap longer than 1.66 times the median RR."""
        places = torch.where(is_kept, steps, steps.new_full((), FAR))
        before = torch.where(is_kept, steps, steps.new_full((), -FAR))
        left = torch.where(before[None, :] < steps[:, None], before[None, :], -FAR).amax(dim=1)
        right = torch.where(places[None, :] > steps[:, None], places[None, :], FAR).amin(dim=1)
        ordered = places.sort().values
        intervals = ordered[1:] - ordered[:-1]
        typical = masked_median(intervals.double(), ordered[1:] < FAR)
        gap = right - left
        is_eligible = (
            (is_kept.sum() >= 3)
            & ~is_kept
            & (left >= 0)
            & (right < FAR)
            & (gap.double() > 1.66 * typical)
            & (heights >= threshold)
            & ((steps - left).double() >= T_WAVE_S * self.steps_per_s)
            & ((right - steps).double() >= 0.30 * self.steps_per_s)
        )
        is_better = (heights[None, :] > heights[:, None]) | (
            (heights[None, :] == heights[:, None]) & (steps[None, :] < steps[:, None])
        )
        is_beaten = is_better & (left[None, :] == left[:, None]) & is_eligible[None, :]
        return is_eligible & ~is_beaten.any(dim=1)

    def _refine(
        self, leads: Float[Tensor, "lead sample"], centres: Int[Tensor, " slot"]
    ) -> Int[Tensor, " slot"]:
        """To the largest summed magnitude within 50 ms (`r_peaks._refine`)."""
        reach = max(1, round(REFINE_S * self.rate_hz))
        flank = max(reach + 1, round(0.120 * self.rate_hz))
        offsets = torch.arange(-flank, flank + 1)
        index = (centres[:, None] + offsets).clamp(0, self.num_samples - 1)
        beats = leads.double()[:, index]
        is_flank = (offsets.abs() > reach + (flank - reach) // 4).double()
        baseline = (beats * is_flank).sum(dim=2) / is_flank.sum()
        magnitude = (beats - baseline[:, :, None]).abs().sum(dim=0)
        window = magnitude[:, flank - reach : flank + reach + 1]
        inside = index[:, flank - reach : flank + reach + 1]
        is_beat = centres < FAR
        shape = masked_median(window.T, is_beat[None, :].expand(window.shape[1], -1))
        expected = shape.argmax()
        tolerance = max(1, round(0.012 * self.rate_hz))
        is_near = (torch.arange(2 * reach + 1) - expected).abs() <= tolerance
        near = torch.where(is_near, window, window.new_full((), -1.0))
        use_near = near.amax(dim=1) >= 0.85 * window.amax(dim=1)
        chosen = torch.where(use_near, near.argmax(dim=1), window.argmax(dim=1))
        peaks = _compact(inside.gather(1, chosen[:, None])[:, 0], is_beat)
        earlier = torch.cat((peaks.new_full((1,), -self.num_samples), peaks[:-1]))
        return _compact(peaks, (peaks < FAR) & ((peaks - earlier).double() >= 0.2 * self.rate_hz))

    def _judge(
        self,
        leads: Float[Tensor, "lead sample"],
        amplitude: Float[Tensor, " step"],
        peaks: Int[Tensor, " slot"],
    ) -> Int[Tensor, " slot"]:
        """Without peaks unlike the others and weaker than they (`rhythm.judge_beats`)."""
        reach = round(BEAT_REACH_S * self.rate_hz)
        stride = max(1, round(BEAT_STRIDE_S * self.rate_hz))
        half = reach // stride - BEAT_MARGIN
        is_inside = (peaks >= reach) & (peaks < self.num_samples - reach)
        offsets = stride * torch.arange(-half, half + 1)
        index = (peaks[:, None] + offsets).clamp(0, self.num_samples - 1)
        inner = leads.double()[:, index]
        centred = (inner - inner.mean(dim=2, keepdim=True)) * is_inside[:, None].double()
        others = centred.sum(dim=1, keepdim=True) - centred
        power = centred.square().sum(dim=2) * others.square().sum(dim=2)
        correlation = (centred * others).sum(dim=2) / power.clamp(min=1e-20).sqrt()
        is_live = leads.double().var(dim=1, correction=0) > _FLAT_MV**2
        alike = masked_median(correlation.T, is_live[None, :].expand(len(peaks), -1))
        steps = (peaks.double() / self.energy.samples_per_step).round().long()
        strength = amplitude[steps.clamp(max=len(amplitude) - 1)]
        typical = masked_median(strength, is_inside)
        is_doubtful = (alike < MIN_BEAT_CORRELATION) & (strength < MIN_BEAT_AMPLITUDE * typical)
        is_doubtful = is_doubtful & is_inside & (is_inside.sum() >= 4)
        return _compact(peaks, (peaks < FAR) & ~is_doubtful)


def find_spans(
    peaks: Int[Tensor, " slot"], *, num_samples: int, rate_hz: float
) -> tuple[Int[Tensor, "beat 2"], Bool[Tensor, " beat"]]:
    """`beat_spans.beat_spans` of one recording: beats of neighbouring slots, and which count."""
    spans = torch.stack((peaks[:-1], peaks[1:]), dim=1)
    interval = (peaks[1:] - peaks[:-1]).double()
    is_valid = (peaks[1:] <= num_samples) & (interval >= MIN_RR_S * rate_hz)
    is_valid = is_valid & (interval <= MAX_RR_S * rate_hz)
    typical = masked_median(interval, is_valid)
    is_near = ((interval - typical).abs() <= ECTOPY_TOLERANCE * typical) & is_valid
    is_beat = is_near | (is_valid & (is_near.sum() < MIN_REMAINING_BEATS))
    return spans.clamp(max=num_samples), is_beat


def describe_rhythm(
    peaks: Int[Tensor, " slot"], *, num_samples: int, rate_hz: float
) -> Float[Tensor, "3"]:
    """`beat_spans.rhythm_values` of one recording; zeros without an interval."""
    rr_s = (peaks[1:] - peaks[:-1]).double() / rate_hz
    is_rr = peaks[1:] <= num_samples
    changes = rr_s[1:] - rr_s[:-1]
    mean = masked_mean(rr_s, is_rr)
    spread = masked_mean((rr_s - mean).square(), is_rr).sqrt()
    jitter = masked_mean(changes.square(), is_rr[1:]).sqrt()
    values = torch.stack((masked_median(rr_s, is_rr) - 1.0, spread, jitter))
    return torch.where(is_rr.any(), values, torch.zeros_like(values))


def masked_median(
    values: Float[Tensor, "*shape value"], is_counted: Bool[Tensor, "*shape value"]
) -> Float[Tensor, "*shape"]:
    """Median along the last axis of those that count; 0 where none does."""
    infinite = values.new_full((), float("inf"))
    ordered = torch.where(is_counted, values, infinite).sort(dim=-1).values
    count = is_counted.sum(dim=-1, keepdim=True)
    low = ordered.gather(-1, ((count - 1) // 2).clamp(min=0))
    high = ordered.gather(-1, (count // 2).clamp(max=values.shape[-1] - 1))
    return torch.where(count > 0, 0.5 * (low + high), torch.zeros_like(low))[..., 0]


def masked_mean(
    values: Float[Tensor, " value"], is_counted: Bool[Tensor, " value"]
) -> Float[Tensor, ""]:
    """Mean of those that count; 0 where none does."""
    kept = torch.where(is_counted, values, torch.zeros_like(values))
    return kept.sum() / is_counted.sum().clamp(min=1)


def _compact(places: Int[Tensor, " slot"], is_kept: Bool[Tensor, " slot"]) -> Int[Tensor, " slot"]:
    """Kept places ascending, then empty slots."""
    return torch.where(is_kept, places, places.new_full((), FAR)).sort().values
