"""A file that was read, and what the model answered, as a patient to show."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ptacl_app.data.ecg_marks import find_marks
from ptacl_app.data.patient_view import (
    EcgView,
    Neighbour,
    OutOfDistribution,
    PatientView,
    PhenotypeValue,
    Prediction,
)
from ptacl_app.data.target_values import read_answer
from ptacl_app.drawing.ecg_page import SAMPLING_RATE_HZ
from ptacl_app.drawing.trace import Trace
from ptacl_app.text.formatting import safe
from ptacl_core.arrays import Array
from ptacl_core.records import LEAD_NAMES, PHENOTYPE_NAMES, Finding

NUM_LEADS = 12


def build_view(name: str, document: Mapping[str, Any], leads: bytes) -> PatientView:
    """The child's answer as a patient to show; everything in it is made safe to print."""
    values = np.frombuffer(leads, np.float32)
    num_model = NUM_LEADS * document["num_samples"]
    signal_mv = values[:num_model].reshape(NUM_LEADS, document["num_samples"])
    raw = read_raw(values[num_model:], document)
    answer: Mapping[str, Any] = document.get("answer") or {}
    findings = [
        _read_finding(finding) for finding in answer.get("findings") or document["findings"]
    ]
    if "model_error" in document:
        findings.append(Finding("no_prediction", "info", safe(document["model_error"])))
    elif answer and not answer.get("accepted", False):
        findings.append(Finding("no_prediction", "warning", safe(answer.get("error", ""))))
    verdict = answer.get("out_of_distribution")
    predicted = answer.get("phenotypes") or {}
    measurements = answer.get("measurements") or document.get("measurements") or {}
    device = (answer.get("device") or {}).get("measurements") or document.get("device") or {}
    peaks = np.asarray(document["r_peak_samples"], np.float64) / SAMPLING_RATE_HZ
    model = Trace(signal_mv, SAMPLING_RATE_HZ, LEAD_NAMES)
    return PatientView(
        patient=safe(name, max_length=60),
        visit=0,
        split=None,
        sex=None,
        age_years=None,
        run=safe(answer["run"], max_length=60) if answer.get("run") else None,
        ecg=EcgView(
            signal_mv=signal_mv,
            r_peak_times_s=tuple(peaks.tolist()),
            heart_rate_bpm=document["heart_rate_bpm"],
            measurements={
                key: float(value) for key, value in measurements.items() if value is not None
            },
            raw=raw,
            raw_note="" if raw is not None else "the file's own samples are not there",
            marks=find_marks(raw or model, tuple(peaks.tolist())),
            device={key: float(value) for key, value in device.items() if value is not None},
        ),
        cine=None,
        phenotypes=tuple(
            PhenotypeValue(
                name=phenotype_name,
                predicted=Prediction(
                    float(predicted[phenotype_name]["value"]),
                    float(predicted[phenotype_name]["low"]),
                    float(predicted[phenotype_name]["high"]),
                    z_score=predicted[phenotype_name].get("z_score"),
                    interval_group=safe(answer.get("interval_group", "all"), max_length=20),
                )
                if phenotype_name in predicted
                else None,
            )
            for phenotype_name in PHENOTYPE_NAMES
        ),
        targets=read_answer(answer),
        findings=tuple(findings),
        out_of_distribution=None
        if verdict is None
        else OutOfDistribution(bool(verdict["flag"]), float(verdict["score"])),
        neighbours=tuple(
            Neighbour(
                patient=neighbour["patient"], rank=rank, similarity=float(neighbour["similarity"])
            )
            for rank, neighbour in enumerate(answer.get("neighbours") or (), start=1)
        ),
        map_note="a file has no cine to compare with",
        coverage=answer.get("coverage"),
        origin="file",
    )


def read_raw(values: Array, document: Mapping[str, Any]) -> Trace | None:
    """The recording as the file has it; None from a child that did not send it."""
    names = tuple(safe(name, max_length=8) for name in document.get("raw_lead_names") or ())
    if not names or values.size == 0 or values.size % len(names):
        return None
    signal_mv = values.reshape(len(names), -1)
    return Trace(signal_mv, float(document["raw_rate_hz"]), names)


def _read_finding(document: Mapping[str, Any]) -> Finding:
    severity = document.get("severity")
    return Finding(
        safe(document.get("code", ""), max_length=40),
        severity if severity in ("info", "warning", "reject") else "warning",
        safe(document.get("message", ""), max_length=300),
        tuple(safe(lead, max_length=8) for lead in document.get("leads") or ()),
    )
