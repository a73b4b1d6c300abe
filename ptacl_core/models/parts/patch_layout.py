"""How one kind of recording is cut into tokens."""

from ptacl_core.models.parts.beat_patches import BeatPatches, PooledCinePatches
from ptacl_core.models.parts.patches import CinePatches, EcgPatches

PatchLayout = EcgPatches | CinePatches | BeatPatches | PooledCinePatches
"""`grid`, `patch_size`, `num_target_values`, `input_shape` and `patchify`."""
