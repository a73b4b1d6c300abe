"""The paper's Tables 1 and 2, as published: for comparison beside ours, never as our result."""

from typing import NamedTuple

from ptacl_core.records import PHENOTYPE_NAMES

SOURCE = "UK Biobank, as published (PTACL, 27,951 train / 5,991 test patients)"
"""Label that stands wherever these figures are shown."""


class PublishedRetrieval(NamedTuple):
    """One phenotype's row of Table 1: precision at 1, 3, 5, 10, 15, mean and median rank."""

    p_at: dict[int, float]
    mean_rank: float
    median_rank: float


class PublishedRegression(NamedTuple):
    """One row of Table 2: R² per phenotype; LVCO is None where the paper gives none."""

    modality: str
    method: str
    evaluation: str
    r2: dict[str, float | None]
    note: str = ""


_KS = (1, 3, 5, 10, 15)

_TABLE_1_GLOBAL = (
    (0.492, 0.462, 0.445, 0.426, 0.416, 3.1, 2.0),
    (0.501, 0.469, 0.456, 0.438, 0.429, 3.0, 1.0),
    (0.458, 0.417, 0.404, 0.387, 0.380, 3.4, 2.0),
    (0.431, 0.392, 0.378, 0.355, 0.349, 3.9, 2.0),
    (0.439, 0.407, 0.391, 0.377, 0.368, 3.9, 2.0),
    (0.547, 0.516, 0.498, 0.479, 0.471, 2.6, 1.0),
    (0.500, 0.467, 0.450, 0.433, 0.426, 3.0, 2.0),
    (0.518, 0.485, 0.471, 0.455, 0.446, 2.8, 1.0),
    (0.458, 0.420, 0.403, 0.386, 0.380, 3.8, 2.0),
    (0.433, 0.397, 0.383, 0.370, 0.364, 4.3, 2.0),
)

_TABLE_1_PTACL = (
    (0.510, 0.463, 0.444, 0.427, 0.415, 2.9, 1.0),
    (0.524, 0.480, 0.461, 0.442, 0.432, 3.0, 1.0),
    (0.472, 0.423, 0.405, 0.388, 0.377, 3.2, 2.0),
    (0.436, 0.396, 0.377, 0.359, 0.351, 3.8, 2.0),
    (0.453, 0.417, 0.394, 0.378, 0.368, 3.6, 2.0),
    (0.561, 0.522, 0.504, 0.486, 0.474, 2.6, 1.0),
    (0.516, 0.477, 0.459, 0.441, 0.430, 2.8, 1.0),
    (0.531, 0.494, 0.476, 0.460, 0.451, 2.6, 1.0),
    (0.473, 0.428, 0.408, 0.390, 0.382, 3.7, 2.0),
    (0.443, 0.405, 0.390, 0.373, 0.365, 4.2, 2.0),
)

_TABLE_1_RANDOM = (
    (0.291, 0.287),
    (0.303, 0.284),
    (0.294, 0.296),
    (0.278, 0.282),
    (0.295, 0.284),
    (0.293, 0.294),
    (0.280, 0.287),
    (0.290, 0.281),
    (0.285, 0.289),
    (0.288, 0.290),
)


def _retrieval(rows: tuple[tuple[float, ...], ...]) -> dict[str, PublishedRetrieval]:
    return {
        name: PublishedRetrieval(dict(zip(_KS, row[:5], strict=True)), row[5], row[6])
        for name, row in zip(PHENOTYPE_NAMES, rows, strict=True)
    }


TABLE_1 = {"Global": _retrieval(_TABLE_1_GLOBAL), "PTACL": _retrieval(_TABLE_1_PTACL)}
"""Method → phenotype → row. The query's own CMR is among the candidates."""

TABLE_1_RANDOM = {
    name: {1: row[0], 10: row[1]}
    for name, row in zip(PHENOTYPE_NAMES, _TABLE_1_RANDOM, strict=True)
}
"""Phenotype → precision at 1 and 10 of a random order, as drawn by the authors."""


def _regression(
    modality: str, method: str, evaluation: str, values: tuple[float | None, ...], note: str = ""
) -> PublishedRegression:
    r2: dict[str, float | None] = dict(zip(PHENOTYPE_NAMES, values, strict=True))
    return PublishedRegression(modality, method, evaluation, r2, note)


_RANDOM_ECG = (-4.86, -3.89, -7.03, -38.8, -7.61, 18.3, 0.936, 3.61, -9.66, 0.983)

TABLE_2 = (
    _regression(
        "CMR",
        "Random Init",
        "LP",
        (0.015, 0.017, 0.009, 0.008, 0.003, 0.021, 0.018, 0.020, 0.009, 0.007),
    ),
    _regression(
        "CMR",
        "SimCLR",
        "LP",
        (0.572, 0.612, 0.466, 0.513, 0.418, 0.628, 0.618, 0.681, 0.463, 0.520),
    ),
    _regression(
        "CMR",
        "MAE",
        "LP",
        (0.809, 0.772, 0.678, 0.489, 0.571, 0.824, 0.799, 0.784, 0.657, 0.492),
    ),
    _regression(
        "CMR",
        "Supervised",
        "FN",
        (0.814, 0.789, 0.665, 0.470, 0.536, 0.823, 0.801, 0.808, 0.623, 0.473),
    ),
    _regression(
        "ECG",
        "Random Init",
        "LP",
        tuple(1e-5 * value for value in _RANDOM_ECG),
        "printed times 1e-5 in the paper",
    ),
    _regression(
        "ECG",
        "SimCLR",
        "LP",
        (0.278, 0.261, 0.196, 0.085, 0.156, 0.343, 0.308, 0.317, 0.205, 0.130),
    ),
    _regression(
        "ECG",
        "MAE",
        "LP",
        (0.439, 0.425, 0.332, 0.218, 0.252, 0.524, 0.466, 0.481, 0.333, 0.254),
    ),
    _regression(
        "ECG",
        "Supervised",
        "FN",
        (0.458, 0.443, 0.333, 0.198, 0.252, 0.516, 0.481, 0.491, 0.340, 0.237),
    ),
    _regression(
        "ECG",
        "ECCL",
        "FN",
        (0.372, 0.348, 0.270, 0.176, 0.212, 0.449, 0.397, 0.397, 0.281, 0.203),
        "squared Pearson correlation, which is at least R²",
    ),
    _regression(
        "ECG",
        "CMAE",
        "LP",
        (0.451, 0.380, 0.316, 0.103, 0.281, 0.536, 0.490, 0.445, 0.320, 0.129),
        "long-axis slices, reconstruction loss in the multimodal stage",
    ),
    _regression(
        "ECG",
        "MMCL",
        "FN+AP",
        (0.498, 0.497, 0.360, 0.245, None, 0.597, 0.527, 0.534, 0.375, 0.248),
        "three short-axis slices",
    ),
    _regression(
        "ECG",
        "PTACL (w/o SMP)",
        "LP",
        (0.359, 0.334, 0.256, 0.114, 0.187, 0.406, 0.381, 0.386, 0.253, 0.149),
    ),
    _regression(
        "ECG",
        "PTACL (w/ CosSim++)",
        "LP",
        (0.509, 0.496, 0.383, 0.252, 0.286, 0.614, 0.537, 0.553, 0.387, 0.295),
    ),
    _regression(
        "ECG",
        "Global",
        "LP",
        (0.507, 0.499, 0.377, 0.258, 0.281, 0.612, 0.534, 0.553, 0.380, 0.297),
    ),
    _regression(
        "ECG",
        "PTACL",
        "LP",
        (0.514, 0.500, 0.386, 0.255, 0.289, 0.616, 0.540, 0.557, 0.389, 0.299),
    ),
    _regression(
        "ECG",
        "PTACL",
        "FN+AP",
        (0.544, 0.537, 0.408, 0.283, 0.310, 0.645, 0.568, 0.582, 0.408, 0.315),
    ),
)
"""Rows of Table 2 in the paper's order. LP: linear probe; FN: fine-tuned; AP: attention pooling."""
