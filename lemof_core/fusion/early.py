"""Level 3 of both modalities in, log-odds out: early fusion, one small MLP on both side by side, a yardstick."""

from __future__ import annotations

import torch
from torch import nn

from lemof_core.fusion.contract import FusedHead, FusionInput, FusionNet, NetOutput, NetSizes


class EarlyFusion(FusionNet):
    """[pooled ECG level 3, pooled EHR level 3] -> LayerNorm, a hidden layer, the head."""

    def __init__(self, sizes: NetSizes) -> None:
        super().__init__(sizes)
        d_joint = sizes.d_ecg + sizes.d_ehr
        self.hidden = nn.Sequential(
            nn.LayerNorm(d_joint), nn.Linear(d_joint, sizes.d), nn.ReLU(), nn.Dropout(sizes.dropout)
        )
        self.head = FusedHead(sizes.d, sizes)

    def fuse(self, given: FusionInput) -> NetOutput:
        """Return the output."""
        fused = self.hidden(torch.cat(self.top(given), dim=1))
        return NetOutput(self.head(fused, given.ecg_summary, given.raw_ehr))
