"""The ten CMR phenotypes, in the order of every table of the package (UK Biobank 24100-24109)."""

PHENOTYPE_NAMES = (
    "lvedv_ml",
    "lvesv_ml",
    "lvsv_ml",
    "lvef_pct",
    "lvco_l_min",
    "lvm_g",
    "rvedv_ml",
    "rvesv_ml",
    "rvsv_ml",
    "rvef_pct",
)

PHENOTYPE_UNITS = {
    "lvedv_ml": "mL",
    "lvesv_ml": "mL",
    "lvsv_ml": "mL",
    "lvef_pct": "%",
    "lvco_l_min": "L/min",
    "lvm_g": "g",
    "rvedv_ml": "mL",
    "rvesv_ml": "mL",
    "rvsv_ml": "mL",
    "rvef_pct": "%",
}

PHENOTYPE_FIELD_IDS = {name: 24100 + index for index, name in enumerate(PHENOTYPE_NAMES)}
"""UK Biobank data-field of each phenotype (category 157, Bai 2020)."""

SCANNER_FIELD_IDS = {
    "lvef_pct": 22420,
    "lvedv_ml": 22421,
    "lvesv_ml": 22422,
    "lvsv_ml": 22423,
    "lvco_l_min": 22424,
}
"""UK Biobank data-field of what the scanner's own contours gave (category 133); never a label."""

SCANNER_COLUMNS = {name: f"scanner_{name}" for name in SCANNER_FIELD_IDS}
"""Columns that hold the scanner's values, apart from those of the same phenotype."""
