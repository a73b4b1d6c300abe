"""An ECG model as one graph: millivolts at 500 Hz in, embedding, values and intervals out.

Denoising and normalisation are inside, as matrices read off the preprocessing, and so are the
beats of an encoder that takes them; what comes before (reading, resampling, gaps, pacing spikes)
and the findings are not.
"""

import torch
from torch import nn
from torch.nn import functional

from ptacl_core.augment.beats import beats_as_steps
from ptacl_core.embedding.ecg_input import find_beat_layout
from ptacl_core.embedding.readout import ReadOut
from ptacl_core.errors import ConfigError
from ptacl_core.models import mean_pool
from ptacl_core.preprocess.denoise_operator import DenoiseOperator, build_denoise_operator
from ptacl_core.preprocess.normalise import FLAT_STD_MV, LEAD_GROUPS
from ptacl_core.records import PHENOTYPE_UNITS
from ptacl_core.tensors import Bool, Float, Int, Tensor
from ptacl_core.trained.ecg_model import EcgModel
from ptacl_core.trained.graph_beats import BeatFinder, describe_rhythm, find_spans
from ptacl_core.trained.graph_targets import OwnTargetsGraph

_SCOPES = {
    "group": LEAD_GROUPS,
    "record": (slice(0, 12),),
    "per_lead": tuple(slice(lead, lead + 1) for lead in range(12)),
}


class Denoiser(nn.Module):
    """The wavelet denoising of one record length as convolutions and two small products."""

    analysis_block: Tensor
    left_border: Tensor
    right_border: Tensor
    project: Tensor
    rebuild: Tensor
    synthesis_block: Tensor

    def __init__(self, operator: DenoiseOperator) -> None:
        super().__init__()
        self.operator = operator
        for name in ("analysis_block", "left_border", "right_border", "project", "rebuild",
                     "synthesis_block"):  # fmt: skip
            self.register_buffer(name, torch.from_numpy(getattr(operator, name)))

    def forward(self, signal: Float[Tensor, "lead sample"]) -> Float[Tensor, "lead sample"]:
        """Denoised signal of the operator's length."""
        operator = self.operator
        count, window = operator.num_coefficients, operator.border_window
        coefficients = _convolve(
            signal, self.analysis_block, first=operator.analysis_first_tap,
            step=operator.decimation * _block_width(self.analysis_block), length=count,
        )  # fmt: skip
        width = self.left_border.shape[1]
        left = signal[:, :window] @ self.left_border
        right = signal[:, operator.num_samples - window :] @ self.right_border
        coefficients = torch.cat((left, coefficients[:, width : count - width], right), dim=1)
        coefficients = coefficients - (coefficients @ self.project) @ self.rebuild
        return _convolve(
            coefficients, self.synthesis_block, first=operator.synthesis_first_tap,
            step=_block_width(self.synthesis_block) // operator.decimation,
            length=operator.num_samples,
        )  # fmt: skip


class EcgGraph(nn.Module):
    """One recording at a time: 12 leads of millivolts, leads that are off being zeros.

    Raises ConfigError for preprocessing that no fixed graph computes (soft thresholds, asymmetric
    least squares).
    """

    input_names = ("signal_mv",)
    output_names = ("embedding", "value", "low", "high", "outlier_score")

    def __init__(self, model: EcgModel) -> None:
        super().__init__()
        settings = model.preprocessing.ecg
        if settings.baseline == "als" or settings.use_soft_threshold:
            raise ConfigError(
                "the preprocessing of this model is not linear (als or soft thresholds): it cannot "
                "be put into a graph"
            )
        self.num_samples = round(settings.duration_s * settings.sampling_rate_hz)
        self.rate_hz = settings.sampling_rate_hz
        self.denoiser: nn.Module = nn.Identity()
        if settings.baseline == "wavelet":
            operator = build_denoise_operator(
                self.num_samples, settings.wavelet, settings.level, settings.num_finest_removed
            )
            self.denoiser = Denoiser(operator)
        self.scope = settings.normalisation
        self.crop_samples = model.settings.data.ecg_crop_samples
        self.encoder, self.projection = model.encoder.eval(), model.projection.eval()
        self.beat_layout = find_beat_layout(model.encoder)
        if self.beat_layout is not None:
            self.beat_finder = BeatFinder(self.num_samples, self.rate_hz)
        self.answers = ReadOutGraph(model.readout)
        self.own_targets = OwnTargetsGraph(model.targets) if model.targets.fitted else None
        own = [fitted.target for fitted in model.targets.fitted]
        self.targets = (
            *((name, PHENOTYPE_UNITS[name]) for name in model.readout.names),
            *((target.name, "probability" if target.is_binary else target.unit) for target in own),
        )
        if not self.targets:
            raise ConfigError(
                "this model predicts nothing (no read-out of phenotypes or targets): there is no "
                "graph to write"
            )

    def forward(
        self, signal_mv: Float[Tensor, "12 sample"]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Embedding [1, dim], `targets`, their bounds, and the outlier score (flagged above 1).

        NaN where the encoder takes beats and the recording holds no complete one.
        """
        centred = signal_mv - signal_mv.double().mean(dim=1, keepdim=True).float()
        denoised = self.denoiser(centred)
        signal = self._normalise(denoised)[:, : self.crop_samples]
        if self.beat_layout is None:
            batch, is_usable = signal[None], signal.isfinite().all()
        else:
            batch, is_usable = self._cut_beats(denoised, signal)
        pooled = mean_pool(self.encoder.tokens(batch))
        embedding = functional.normalize(self.projection(pooled), dim=-1)
        value, low, high, score = self.answers(pooled.double())
        if self.own_targets is not None:
            own = self.own_targets(pooled.double())
            value, low, high = (
                torch.cat((values, own[:, column]))
                for column, values in enumerate((value, low, high))
            )
        outputs = (embedding, value, low, high, score)
        embedding, value, low, high, score = (
            torch.where(is_usable, output, output.new_full((), float("nan"))) for output in outputs
        )
        return embedding, value, low, high, score

    def _cut_beats(
        self, denoised: Float[Tensor, "12 sample"], signal: Float[Tensor, "12 crop"]
    ) -> tuple[Float[Tensor, "1 step width"], Bool[Tensor, ""]]:
        """The mean beat in steps with its rhythm, and whether there is a complete beat."""
        layout = self.beat_layout
        assert layout is not None
        peaks = self.beat_finder(denoised)
        spans, is_beat = find_spans(peaks, num_samples=self.crop_samples, rate_hz=self.rate_hz)
        rhythm = describe_rhythm(peaks, num_samples=self.crop_samples, rate_hz=self.rate_hz)
        beat = average_beats(signal, spans, is_beat, layout.num_steps * layout.samples_per_step)
        batch = beats_as_steps(beat[None], rhythm[None].float(), num_steps=layout.num_steps)
        return batch, is_beat.any()

    def _normalise(self, signal: Float[Tensor, "12 sample"]) -> Float[Tensor, "12 sample"]:
        """`preprocess.normalise` in double precision: flat leads are zeros and do not count."""
        if self.scope == "none":
            return signal
        values = signal.double()
        mean = values.mean(dim=1)
        variance = (values - mean[:, None]).square().mean(dim=1)
        live = (variance > FLAT_STD_MV**2).double()
        parts = []
        for leads in _SCOPES[self.scope]:
            weight = live[leads] / live[leads].sum().clamp(min=1.0)
            centre = (mean[leads] * weight).sum()
            between = ((mean[leads] - centre).square() * weight).sum()
            spread = ((variance[leads] * weight).sum() + between).sqrt().clamp(min=1e-12)
            parts.append((values[leads] - centre) / spread * live[leads][:, None])
        return torch.cat(parts, dim=0).float()


class ReadOutGraph(nn.Module):
    """Values, the intervals of all people, and the outlier score of pooled features."""

    coefficients: Tensor
    intercept: Tensor
    below: Tensor
    above: Tensor
    mean: Tensor
    whitening: Tensor
    centres: Tensor
    radii: Tensor
    scales: Tensor

    def __init__(self, readout: ReadOut) -> None:
        super().__init__()
        offsets, detector = readout.offsets[0], readout.detector
        for name, values in (
            ("coefficients", readout.probe.coefficients), ("intercept", readout.probe.intercept),
            ("below", offsets[:, 0]), ("above", offsets[:, 1]), ("mean", detector.mean),
            ("whitening", detector.whitening), ("centres", detector.prototypes.centres),
            ("radii", detector.prototypes.radii), ("scales", detector.scales),
        ):  # fmt: skip
            self.register_buffer(name, torch.from_numpy(values.copy()))

    def forward(
        self, pooled: Float[Tensor, "1 dim"]
    ) -> tuple[
        Float[Tensor, " target"], Float[Tensor, " target"], Float[Tensor, " target"],
        Float[Tensor, " 1"],
    ]:  # fmt: skip
        """`ReadOut.predict` and `OutlierDetector.score` of one recording."""
        value = (pooled @ self.coefficients + self.intercept)[0]
        whitened = (pooled - self.mean) @ self.whitening
        squared = (whitened - self.centres).square().sum(dim=1)
        radius = self.radii.mean()
        scaled = torch.maximum(self.radii.square(), 1e-12 * (radius**2).clamp(min=1e-300))
        expected = (squared + self.radii.square()).amin(dim=0).sqrt()
        nearest = 0.5 * (expected + radius * (squared / scaled).amin(dim=0).sqrt())
        distances = torch.stack((whitened.square().sum().sqrt(), nearest))
        score = (distances / self.scales).amax(dim=0, keepdim=True)
        return value, value - self.below, value + self.above, score


def average_beats(
    signal: Float[Tensor, "12 sample"],
    beats: Int[Tensor, "beat 2"],
    is_beat: Bool[Tensor, " beat"],
    num_points: int,
) -> Float[Tensor, "12 point"]:
    """`augment.beats.mean_beat` of one recording, without a loop over its beats."""
    start, stop = beats[:, :1].double(), beats[:, 1:].double()
    phase = (torch.arange(num_points, dtype=torch.float64) + 0.5) / num_points
    last = signal.shape[1] - 1
    place = (start + phase * (stop - start) - 0.5).clamp(0.0, float(last))
    low = place.floor().long().clamp(max=last - 1)
    weight = (place - low.double()).float()
    first, second = signal[:, low], signal[:, low + 1]
    sampled = first + weight * (second - first)
    share = is_beat.float() / is_beat.sum().clamp(min=1).float()
    return (sampled * share[:, None]).sum(dim=1)


def _block_width(block: Tensor) -> int:
    return block.shape[1]


def _convolve(
    rows: Float[Tensor, "row value"], block: Tensor, *, first: int, step: int, length: int
) -> Float[Tensor, "row output"]:
    """Windows of `rows` that begin at `first` every `step`, each times `block`, side by side."""
    width, outputs = block.shape
    count = -(-length // outputs)
    before = max(0, -first)
    after = max(0, first + (count - 1) * step + width - rows.shape[1])
    padded = functional.pad(rows, (before, after))[:, first + before :]
    made = functional.conv1d(padded[:, None], block.T[:, None], stride=step)[:, :, :count]
    return made.transpose(1, 2).reshape(rows.shape[0], count * outputs)[:, :length]
