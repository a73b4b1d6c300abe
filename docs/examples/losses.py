"""The four equations of PTACL on random features: what each loss is when nothing is known."""

import math

import torch

from ptacl_core.losses import patient_alignment_loss, ptacl_loss, temporal_alignment_loss

generator = torch.Generator().manual_seed(0)
num_patients, num_steps, dim = 16, 13, 64
ecg_steps = torch.randn(num_patients, num_steps, dim, generator=generator)
cmr_steps = torch.randn(num_patients, num_steps, dim, generator=generator)

patient_loss = patient_alignment_loss(ecg_steps.mean(1), cmr_steps.mean(1), temperature=0.1)
temporal_loss = temporal_alignment_loss(ecg_steps, cmr_steps, temperature=1.0, sigma=0.1)
total = ptacl_loss(patient_loss, temporal_loss, beta=1.0)

print(f"Eq. (1) {patient_loss:.3f}, chance is ln {num_patients} = {math.log(num_patients):.3f}")
print(f"Eq. (3) {temporal_loss:.3f}, chance is ln {num_steps} = {math.log(num_steps):.3f}")
print(f"Eq. (4) {total:.3f}")
