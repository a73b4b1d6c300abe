"""A model without PTACL, by numpy and onnxruntime alone. Research use only.

    ptacl export NAME.ptacl --out NAME.onnx
    python docs/examples/onnx_ecg.py NAME.onnx ECG.npy     # float, [12, 5000] mV at 500 Hz
    python docs/examples/onnx_ecg.py NAME.onnx HR06000.mat # a PhysioNet recording, 1000 per mV

Leads are I II III aVR aVL aVF V1 … V6; a lead that was off must be zeros.
"""

import sys
from pathlib import Path

import numpy as np
import onnxruntime

model, ecg = Path(sys.argv[1]), Path(sys.argv[2])
if ecg.suffix == ".npy":
    signal_mv = np.load(ecg)
else:  # MATLAB 4: 24 bytes of header, then the twelve leads of each sample
    signal_mv = np.fromfile(ecg, "<i2", offset=24).reshape(-1, 12).T / 1000.0

session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
embedding, value, low, high, outlier_score = session.run(
    None, {"signal_mv": signal_mv[:, :5000].astype(np.float32)}
)

notes = session.get_modelmeta().custom_metadata_map
print(notes["ptacl"], notes["unfit"])
names, units = notes["targets"].split(","), notes["units"].split(",")
for name, unit, *figures in zip(names, units, value, low, high, strict=True):
    print("{:10s} {:7.2f} [{:.2f}, {:.2f}]".format(name, *figures), unit)
print(f"outlier score {outlier_score[0]:.2f}: {notes['outlier_score']}")
print("embedding", embedding.shape, embedding[0, :4].round(4))
