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
