"""The encoder of the paper: patches, positions, pre-norm blocks, a final LayerNorm."""

import torch
from torch import nn

from ptacl_core.errors import ConfigError
from ptacl_core.models.parts.attention import AttentionKind
from ptacl_core.models.parts.layers import Float32LayerNorm, init_linear_layers
from ptacl_core.models.parts.masking import gather_tokens
from ptacl_core.models.parts.patch_layout import PatchLayout
from ptacl_core.models.parts.positions import LearnedPositions
from ptacl_core.models.parts.transformer import build_blocks
from ptacl_core.models.token_encoder import TokenEncoder
from ptacl_core.tensors import Float, Generator, Int, Tensor


class PatchTransformer(TokenEncoder):
    """A vision transformer over the patches of a `PatchLayout`; no class token.

    The patch embedding is one linear layer, which is what a convolution with stride equal to
    its kernel computes; it is shared by all leads of an ECG.
    """

    def __init__(
        self,
        layout: PatchLayout,
        *,
        dim: int,
        depth: int,
        num_heads: int,
        mlp_dim: int,
        layer_scale_init: float | None = 1e-5,
        drop_path: float = 0.0,
        position_init_std: float = 0.0,
        weight_init_std: float = 0.02,
        attention: AttentionKind = "auto",
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        self.layout = layout
        self.dim = dim
        self.grid = layout.grid
        self.input_shape = layout.input_shape
        self.patch_embedding = nn.Linear(layout.patch_size, dim)
        self.positions = LearnedPositions(self.num_tokens, dim)
        self.blocks = build_blocks(
            depth,
            dim,
            num_heads,
            mlp_dim,
            layer_scale_init=layer_scale_init,
            drop_path=drop_path,
            attention=attention,
        )
        self.final_norm = Float32LayerNorm(dim)
        self.num_frozen_blocks = 0
        self.has_frozen_embeddings = False
        init_linear_layers(self, std=weight_init_std, generator=generator)
        self.positions.draw(position_init_std, generator=generator)

    @property
    def accepted_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Those of the layout: averaged frames as well where it averages."""
        return self.layout.accepted_shapes

    @property
    def num_layers(self) -> int:
        """Embeddings, blocks, final norm."""
        return len(self.blocks) + 2

    def tokens(
        self,
        batch: Float[Tensor, "batch ..."],
        *,
        ids_keep: Int[Tensor, "batch keep"] | None = None,
    ) -> Float[Tensor, "batch token dim"]:
        """Tokens after the final LayerNorm, in the order of the grid or of `ids_keep`."""
        self.check_batch(batch)
        return self.tokens_of_patches(self.layout.patchify(batch), ids_keep=ids_keep)

    def tokens_of_patches(
        self,
        patches: Float[Tensor, "batch patch value"],
        *,
        ids_keep: Int[Tensor, "batch keep"] | None = None,
    ) -> Float[Tensor, "batch token dim"]:
        """The same, from patches already cut."""
        num_fixed = self.num_frozen_blocks if self.has_frozen_embeddings else 0
        is_recording = torch.is_grad_enabled() and not self.has_frozen_embeddings
        with torch.set_grad_enabled(is_recording):
            if ids_keep is not None:
                patches = gather_tokens(patches, ids_keep)
            tokens = self.patch_embedding(patches) + self.positions(ids_keep)
            for block in self.blocks[:num_fixed]:
                tokens = block(tokens)
        for block in self.blocks[num_fixed:]:
            tokens = block(tokens)
        return self.final_norm(tokens)

    def freeze_first(self, num_blocks: int, *, embeddings: bool = True) -> None:
        """Fix the first blocks and, with `embeddings`, everything outside the blocks.

        That is the patch embedding, the positions and the final LayerNorm: only so does the
        paper's number of trainable parameters come out (12,611,584 and 6,305,792 are four and
        two whole blocks). Gradients still pass through the final norm. Fixed layers drop no
        paths, and where nothing below them learns they run without recording a graph.
        """
        if not 0 <= num_blocks <= len(self.blocks):
            raise ConfigError(
                f"freeze_first: expected 0 to {len(self.blocks)} blocks, got {num_blocks}"
            )
        self.num_frozen_blocks = num_blocks
        self.has_frozen_embeddings = embeddings
        for index, block in enumerate(self.blocks):
            block.requires_grad_(index >= num_blocks)
        for part in (self.patch_embedding, self.positions, self.final_norm):
            part.requires_grad_(not embeddings)
        self.train(self.training)

    def train(self, mode: bool = True) -> "PatchTransformer":
        """Training mode for the layers that learn; fixed blocks stay in evaluation mode."""
        super().train(mode)
        for block in self.blocks[: self.num_frozen_blocks]:
            block.eval()
        return self

    def layer_of(self, parameter_name: str) -> int:
        """0 for embeddings, i + 1 for block i, the last for the final norm."""
        head, _, rest = parameter_name.partition(".")
        if head == "blocks":
            return int(rest.partition(".")[0]) + 1
        return self.num_layers - 1 if head == "final_norm" else 0
