"""An ECG model as one graph: millivolts at 500 Hz in, embedding, values and intervals out.

Denoising and normalisation are inside, as matrices read off the preprocessing; what comes before
(reading, resampling, gaps, pacing spikes) and the findings are not. An encoder of the beat family
also takes the complete beats and three figures of the rhythm.
"""

import torch
from torch import nn
from torch.nn import functional

from ptacl_core.augment.beats import beats_as_steps
from ptacl_core.embedding.ecg_input import find_beat_layout
from ptacl_core.errors import ConfigError
from ptacl_core.models import mean_pool
from ptacl_core.preprocess.denoise_operator import DenoiseOperator, build_denoise_operator
from ptacl_core.preprocess.normalise import FLAT_STD_MV, LEAD_GROUPS
from ptacl_core.tensors import Float, Int, Tensor
from ptacl_core.trained.ecg_model import EcgModel

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
    """One prepared recording at a time; `input_names` and `output_names` in their order.

    Raises ConfigError for preprocessing that no fixed graph computes (soft thresholds, asymmetric
    least squares).
    """

    output_names = ("embedding", "value", "low", "high")
    coefficients: Tensor
    intercept: Tensor
    below: Tensor
    above: Tensor

    def __init__(self, model: EcgModel) -> None:
        super().__init__()
        settings = model.preprocessing.ecg
        if settings.baseline == "als" or settings.use_soft_threshold:
            raise ConfigError(
                "the preprocessing of this model is not linear (als or soft thresholds): it cannot "
                "be put into a graph"
            )
        self.num_samples = round(settings.duration_s * settings.sampling_rate_hz)
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
        probe, offsets = model.readout.probe, model.readout.offsets[0]
        for name, values in (("coefficients", probe.coefficients), ("intercept", probe.intercept),
                             ("below", offsets[:, 0]), ("above", offsets[:, 1])):  # fmt: skip
            self.register_buffer(name, torch.from_numpy(values.copy()))

    @property
    def input_names(self) -> tuple[str, ...]:
        """`signal_mv` [12, 5000]; of the beat family also `beats` [beat, 2] and `rhythm` [3]."""
        return ("signal_mv",) if self.beat_layout is None else ("signal_mv", "beats", "rhythm")

    def forward(
        self,
        signal_mv: Float[Tensor, "12 sample"],
        beats: Int[Tensor, "beat 2"] | None = None,
        rhythm: Float[Tensor, "3"] | None = None,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Embedding [1, dim], ten phenotypes, and their intervals' bounds."""
        centred = signal_mv - signal_mv.double().mean(dim=1, keepdim=True).float()
        signal = self._normalise(self.denoiser(centred))[:, : self.crop_samples]
        if self.beat_layout is None:
            batch = signal[None]
        else:
            assert beats is not None
            assert rhythm is not None
            layout = self.beat_layout
            beat = average_beats(signal, beats, layout.num_steps * layout.samples_per_step)
            batch = beats_as_steps(beat[None], rhythm[None], num_steps=layout.num_steps)
        pooled = mean_pool(self.encoder.tokens(batch))
        embedding = functional.normalize(self.projection(pooled), dim=-1)
        value = (pooled.double() @ self.coefficients + self.intercept)[0]
        return embedding, value, value - self.below, value + self.above

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


def average_beats(
    signal: Float[Tensor, "12 sample"], beats: Int[Tensor, "beat 2"], num_points: int
) -> Float[Tensor, "12 point"]:
    """`augment.beats.mean_beat` of one recording, without a loop over its beats."""
    start, stop = beats[:, :1].double(), beats[:, 1:].double()
    phase = (torch.arange(num_points, dtype=torch.float64) + 0.5) / num_points
    last = signal.shape[1] - 1
    place = (start + phase * (stop - start) - 0.5).clamp(0.0, float(last))
    low = place.floor().long().clamp(max=last - 1)
    weight = (place - low.double()).float()
    first, second = signal[:, low], signal[:, low + 1]
    return (first + weight * (second - first)).mean(dim=1)


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
