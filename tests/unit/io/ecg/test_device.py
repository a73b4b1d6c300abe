"""What a cart wrote beside the rhythm: statements without names, marks only in order."""

import numpy as np

from ptacl_core.io.ecg.assembly import Channel
from ptacl_core.io.ecg.device import assemble_beat, clean_statements, place_marks
from ptacl_core.records import LEAD_NAMES


def test_statements_that_could_name_a_person_are_left_out():
    kept = clean_statements(
        [
            "Sinus  rhythm",
            "Sinus rhythm",
            "Confirmed by Dr. Example",
            "Compared with ECG of 12-JAN-2004 and 9000001",
            "Referred by somebody",
            "Recorded 03/04/2005",
            "ST>0.10mV, II III aVF",
            "",
        ]
    )
    assert kept == ("Sinus rhythm", "ST>0.10mV, II III aVF")


def test_marks_need_a_qrs_complex_and_their_order():
    marks = place_marks({"p_onset": 100.0, "qrs_onset": 250.0, "qrs_offset": 340.0, "t_end": 600.0})
    assert marks is not None
    assert (marks.p_onset, marks.qrs_onset, marks.qrs_offset, marks.t_end) == (50, 125, 170, 300)
    assert marks.r_peak == 147
    assert place_marks({"p_onset": 100.0}) is None
    assert place_marks({"qrs_onset": 340.0, "qrs_offset": 250.0}) is None
    assert place_marks({"qrs_onset": 250.0, "qrs_offset": 250.0}) is None


def test_a_beat_with_leads_missing_is_left_out_and_told():
    raw = np.arange(10, dtype=np.int16)
    findings = []
    whole = assemble_beat([Channel(lead, raw, 0.001) for lead in LEAD_NAMES], findings)
    assert whole is not None
    assert whole.shape == (12, 10)
    assert whole[6, 9] == np.float32(0.009)
    assert findings == []
    assert assemble_beat([Channel("I", raw, 0.001)], findings) is None
    assert [finding.code for finding in findings] == ["device_beat"]
    assert assemble_beat(None, findings) is None
