"""Shapes are checked at run time in these tests; one thread."""

import torch
from jaxtyping import install_import_hook

torch.set_num_threads(1)

with install_import_hook("ptacl_core.augment", "beartype.beartype"):
    import ptacl_core.augment  # noqa: F401
