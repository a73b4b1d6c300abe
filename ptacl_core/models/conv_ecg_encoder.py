"""A small residual convolutional ECG encoder: a baseline that is not a transformer."""

from torch import nn
from torch.nn import functional

from ptacl_core.errors import ConfigError
from ptacl_core.models.convolutional import (
    ConvolutionalEncoder,
    ConvolutionalStack,
    num_norm_groups,
)
from ptacl_core.tensors import Float, Generator, Int, Tensor


class ConvEcgEncoder(ConvolutionalEncoder):
    """Residual stages whose strides multiply to one token per `patch_samples`.

    Each lead passes the same network on its own (grid lead × slot), or all leads enter as
    channels (`mixes_leads`, grid 1 × slot). Windows are placed so that a token is centred on
    its own patch, as in the transformer: the beat-step matrix fits both.
    """

    def __init__(
        self,
        *,
        num_leads: int,
        num_samples: int,
        patch_samples: int,
        dim: int,
        width: int = 64,
        mixes_leads: bool = False,
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        if num_samples % patch_samples:
            raise ConfigError(
                f"num_samples: expected a multiple of patch_samples {patch_samples}, "
                f"got {num_samples}"
            )
        self.dim = dim
        self.mixes_leads = mixes_leads
        self.grid = (1 if mixes_leads else num_leads, num_samples // patch_samples)
        self.input_shape = (num_leads, num_samples)
        num_inputs = num_leads if mixes_leads else 1
        widths = [width]
        stages: list[nn.Module] = []
        for stride in stage_strides(patch_samples):
            widths.append(min(2 * widths[-1], dim))
            stages.append(ResidualBlock1d(widths[-2], widths[-1], stride))
        stem = nn.Conv1d(num_inputs, width, kernel_size=7, padding=3)
        self.stack = ConvolutionalStack(
            stem, stages, width=widths[-1], dim=dim, generator=generator
        )

    def tokens(
        self,
        batch: Float[Tensor, "batch lead sample"],
        *,
        ids_keep: Int[Tensor, "batch keep"] | None = None,
    ) -> Float[Tensor, "batch token dim"]:
        """Tokens in lead-major order; `ids_keep` is refused."""
        self.refuse_masking(ids_keep)
        self.check_batch(batch)
        if self.mixes_leads:
            return self.stack(batch)
        return self.stack(batch.reshape(-1, 1, batch.shape[2])).reshape(
            len(batch), self.num_tokens, self.dim
        )


class ResidualBlock1d(nn.Module):
    """Two convolutions beside an averaging shortcut; the first one has the stride."""

    def __init__(self, num_inputs: int, num_outputs: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.first = nn.Conv1d(
            num_inputs,
            num_outputs,
            kernel_size=3 * stride,
            stride=stride,
            padding=stride,
            bias=False,
        )
        self.first_norm = nn.GroupNorm(num_norm_groups(num_outputs), num_outputs)
        self.second = nn.Conv1d(num_outputs, num_outputs, kernel_size=3, padding=1, bias=False)
        self.second_norm = nn.GroupNorm(num_norm_groups(num_outputs), num_outputs)
        self.shortcut = nn.Conv1d(num_inputs, num_outputs, kernel_size=1, bias=False)

    def forward(
        self, maps: Float[Tensor, "batch channel sample"]
    ) -> Float[Tensor, "batch width slot"]:
        """Maps at a `stride` times lower rate."""
        branch = functional.relu(self.first_norm(self.first(maps)))
        branch = self.second_norm(self.second(branch))
        shortcut = self.shortcut(functional.avg_pool1d(maps, self.stride))
        return functional.relu(branch + shortcut)


def stage_strides(patch_samples: int) -> list[int]:
    """Prime factors of the patch, largest first (50: 5, 5, 2), so that tokens are patches."""
    strides = []
    rest, factor = patch_samples, 2
    while rest > 1:
        if rest % factor:
            factor += 1
        else:
            strides.append(factor)
            rest //= factor
    return sorted(strides, reverse=True) or [1]
