"""Tables of clinics: languages, long names, stated codings, what stands above the names."""

import math

import pytest

from ptacl_core.io import read_phenotypes

GERMAN = "Patient;Geschlecht;Alter;LVEF (%)\n9000001;weiblich;61,5;58,2\n9000002;männlich;70;47,1\n"
TABLES = {
    "german": (GERMAN, {"lvef_pct": [58.2, 47.1], "sex": ["F", "M"], "age_years": [61.5, 70]}),
    "french": (
        "Identifiant;Sexe;Âge;FEVG (%);VTD VG (ml)\n9000001;Femme;61;58,2;150\n",
        {"sex": ["F"], "age_years": [61], "lvef_pct": [58.2], "lvedv_ml": [150]},
    ),
    "spanish": (
        "Paciente;Sexo;Edad;FEVI (%)\n1;Mujer;61;58,2\n2;H;7,5;4\n",
        {"sex": ["F", "M"], "age_years": [61, 7.5]},
    ),
    "spanish letters": ("Paciente;Sexo;FEVI\n1;M;60\n2;H;60\n", {"sex": ["F", "M"]}),
    "dutch letters": ("subject;geslacht;lvef\n1;V;60\n2;M;60\n", {"sex": ["F", "M"]}),
    "swedish": ("subject;kön;lvef\n1;K;60\n2;M;60\n", {"sex": ["F", "M"]}),
    "chinese": (
        "患者ID,性别,年龄,LVEF\n9000001,女,61,58.2\n9000002,男,70,47\n",
        {"sex": ["F", "M"], "age_years": [61, 70], "lvef_pct": [58.2, 47]},
    ),
    "long names": (
        "subject,Left ventricular ejection fraction (%),Right ventricular end-systolic volume\n"
        "1,58,60\n",
        {"lvef_pct": [58], "rvesv_ml": [60]},
    ),
    "names behind": ("PatientID,EDV_LV,EF_LV\n1,150,60\n", {"lvedv_ml": [150], "lvef_pct": [60]}),
    "body surface": (
        "subject,Left ventricular mass index,LVEF\n1,60,58\n",
        {"lvm_g": [None], "lvef_pct": [58]},
    ),
    "stata": ("n_eid,n_24103_2_0,n_31_0_0\n9000001,60,0\n", {"lvef_pct": [60], "sex": ["F"]}),
    "title before field": ("eid,lv_ejection_fraction_f24103_2_0\n1,60\n", {"lvef_pct": [60]}),
    "coding in the name": (
        'subject,"Sex (1=female, 0=male)",lvef\n1,0,60\n2,1,60\n',
        {"sex": ["M", "F"]},
    ),
    "excel": ("\ufeffsep=;\r\nSubject;LVEF (%)\r\n1;58,2\r\n", {"lvef_pct": [58.2]}),
    "blank lines": ("\n\nsubject,lvef_pct\n1,60\n", {"lvef_pct": [60]}),
    "title": ("CMR results of 2020,,\nsubject,lvef_pct,lvedv_ml\n1,60,150\n", {"lvef_pct": [60]}),
    "unnamed index": (",LVEF (%)\n9000001,61\n", {"lvef_pct": [61]}),
    "old line ends": ("subject,lvef_pct\r1,60\r2,61\r", {"lvef_pct": [60, 61]}),
    "visits by name": (
        "record_id,redcap_event_name,lvef_pct\n1,baseline,60\n1,followup,58\n",
        {"lvef_pct": [60, 58], "visit": ["baseline", "followup"]},
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_clinics_table_is_read(tmp_path, name):
    text, expected = TABLES[name]
    path = tmp_path / "table.csv"
    path.write_bytes(text.encode())
    table = read_phenotypes(path)
    for quantity, values in expected.items():
        got = [value if isinstance(value, str) else float(value) for value in read(table, quantity)]
        for ours, theirs in zip(got, values, strict=True):
            is_missing = theirs is None and math.isnan(float(ours))
            assert is_missing or ours == pytest.approx(theirs), quantity


def read(table, quantity: str) -> list:
    return list(getattr(table, quantity))


@pytest.mark.parametrize(
    ("header", "cells"),
    [("sex", "HM"), ("Sexo", "M"), ("sex", "VM"), ("sex", "01")],
)
def test_letters_and_digits_that_may_mean_either_are_not_read(tmp_path, header, cells):
    path = tmp_path / "table.csv"
    rows = [f"{number},{cell},60" for number, cell in enumerate(cells)]
    path.write_text("\n".join([f"subject,{header},lvef_pct", *rows]) + "\n")
    table = read_phenotypes(path)
    sexes = dict(zip(cells, table.sex, strict=True))
    assert sexes.get("M") is None and sexes.get("0") is None and sexes.get("1") is None
    assert "sex_ambiguous" in {finding.code for finding in table.findings}
    declared = read_phenotypes(path, sex_coding="h=M,m=F,v=M,0=F,1=M")
    assert None not in declared.sex
