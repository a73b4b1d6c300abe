"""NumPy array types of the package, one alias per kind of array (torch-free).

Axis legend: `lead` 12 in the order of `LEAD_NAMES`; `sample` time points of an ECG;
`beat` R peaks; `slice frame height width` a cine stack; `step` the 13 phases of a beat;
`token` patches of an encoder; `dim` embedding width; `patient`; `target` phenotypes.
Equal names in one signature are equal sizes.
"""

from typing import Literal

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, UInt8

Array = np.ndarray

Modality = Literal["ecg", "cmr"]
"""The two modalities, as settings, tables and files name them."""

__all__ = ["Array", "Bool", "Float32", "Float64", "Int64", "Modality", "UInt8"]
