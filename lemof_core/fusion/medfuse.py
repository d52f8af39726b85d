"""Level 3 of both modalities in, log-odds out: MedFuse (Hayat, Geras and Shamout 2022), an LSTM over modalities."""

from __future__ import annotations

import torch
from torch import nn

from lemof_core.fusion.contract import FusedHead, FusionInput, FusionNet, NetOutput, NetSizes


class MedFuse(FusionNet):
    """The modalities are a sequence, [EHR, ECG] or [EHR] alone; the LSTM's last state is the joint representation.

    # NOTE[DIFF] paper: the image's vector is projected to the width of the EHR's. here: both are projected to d.
    # because: the encoders' widths differ from pair to pair.
    # NOTE[DIFF] paper: 256 units in, 512 hidden. here: d in, 2 d hidden. because: the same ratio, at the
    # other rivals' width.
    # NOTE[DIFF] paper: shorter sequences are packed. here: both steps run, and the state after the last modality that
    # is there is read. because: the same number, and a row's bits cannot depend on who else lacks an ECG.
    """

    handles_missing_ecg = True

    def __init__(self, sizes: NetSizes) -> None:
        super().__init__(sizes)
        d = sizes.d
        self.ehr = nn.Sequential(nn.Dropout(sizes.dropout), nn.Linear(sizes.d_ehr, d))
        self.ecg = nn.Linear(sizes.d_ecg, d)
        self.lstm = nn.LSTM(d, 2 * d, batch_first=True)
        self.head = FusedHead(2 * d, sizes)

    def fuse(self, given: FusionInput) -> NetOutput:
        """Return the output."""
        ecg, ehr = self.top(given)
        after_ehr, after_both = self.lstm(torch.stack([self.ehr(ehr), self.ecg(ecg)], dim=1))[0].unbind(1)
        fused = torch.where(given.ecg_present[:, None], after_both, after_ehr)
        return NetOutput(self.head(fused, given.ecg_summary, given.raw_ehr))
