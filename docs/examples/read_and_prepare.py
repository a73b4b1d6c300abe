"""A real ECG file of any supported format: read, checked, prepared for the encoder.

python docs/examples/read_and_prepare.py [FILE]
"""

import sys
from pathlib import Path

from ptacl_core.io import read_ecg
from ptacl_core.preprocess import prepare_ecg

SAMPLES = Path(__file__).resolve().parents[2] / "assets" / "samples"

record = read_ecg(sys.argv[1] if len(sys.argv) > 1 else SAMPLES / "HR06000.hea")
num_leads, num_samples = record.signal_mv.shape
print(f"{record.source_format}: {num_leads} leads, {num_samples / record.sampling_rate_hz:.1f} s")
for finding in record.findings:
    print(f"  {finding}")

prepared = prepare_ecg(record)
if prepared.is_accepted:
    rate = prepared.heart_rate_bpm
    print(f"prepared {prepared.signal.shape} at 500 Hz, {len(prepared.r_peak_samples)} R peaks")
    print("heart rate not found" if rate is None else f"heart rate {rate:.0f} bpm")
else:
    print("rejected:", *(str(finding) for finding in prepared.findings))
