"""An ECG's analysis as columns of the manifest."""

import json

from ptacl_core.records import BeatMarks, EcgAnalysis, EcgRecord
from ptacl_core.records.marks import REPRESENTATIVE_BEAT
from ptacl_core.shards.spec import MEASUREMENT_NAMES, ManifestRow


def describe_analysis(analysis: EcgAnalysis, record: EcgRecord) -> ManifestRow:
    """The manifest's columns about what was measured, ours and the device's."""
    marks = analysis.marks
    beats: list[BeatMarks] = list(marks.beats) if marks.representative is not None else []
    rows = [beat.as_dict() | {"beat": number} for number, beat in enumerate(beats)]
    if marks.representative is not None:
        rows.append(marks.representative.as_dict() | {"beat": REPRESENTATIVE_BEAT})
    leads_mv = analysis.lead_figures_mv
    device_beat = record.device_marks
    return {
        **{name: analysis.figures.get(name) for name in MEASUREMENT_NAMES},
        "ecg_figures": list(analysis.figures.items()),
        "ecg_lead_figures_mv": None if leads_mv is None else leads_mv.ravel().tolist(),
        "ecg_marks": rows,
        "ecg_statements": [json.dumps(statement.as_dict()) for statement in analysis.statements],
        "device_figures": list(record.device_measurements.items()),
        "device_marks": []
        if device_beat is None
        else [device_beat.as_dict() | {"beat": REPRESENTATIVE_BEAT}],
        "device_statements": list(record.device_statements),
    }
