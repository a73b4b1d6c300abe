"""What a living heart and body can measure: values outside are refused, in tables and elsewhere."""

POSSIBLE_RANGES: dict[str, tuple[float, float]] = {
    "lvedv_ml": (10.0, 800.0),
    "lvesv_ml": (2.0, 750.0),
    "lvsv_ml": (2.0, 400.0),
    "lvef_pct": (3.0, 95.0),
    "lvco_l_min": (0.3, 30.0),
    "lvm_g": (5.0, 800.0),
    "rvedv_ml": (10.0, 850.0),
    "rvesv_ml": (2.0, 800.0),
    "rvsv_ml": (2.0, 500.0),
    "rvef_pct": (3.0, 95.0),
    "age_years": (0.002, 120.0),
    "height_cm": (30.0, 260.0),
    "weight_kg": (1.0, 400.0),
    "bmi_kg_m2": (8.0, 96.0),
}
"""Smallest and largest possible value by quantity.

Wide enough for newborns and for the largest dilated ventricles: UK Biobank's healthy LV
end-diastolic volumes are 70 to 235 mL (Petersen et al., J Cardiovasc Magn Reson 2017;19:18). Narrow
enough that the numbers which tables write for "not known" (0, -1, -9, 99 %, 888 mL, 999, 9999) are
outside. One day is 0.003 years; an age of 0 is that of nobody.
"""

UNKNOWN_CODES = (77.0, 88.0, 99.0, 777.0, 888.0, 999.0)
"""Numbers that mean "not known" where they stand apart from everybody's values."""
