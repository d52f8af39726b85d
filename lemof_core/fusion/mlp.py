"""ECG level 3 and the plain record in, log-odds out: one small MLP, the rival that skips the EHR's encoder."""

from __future__ import annotations

import torch
from torch import nn

from lemof_core.fusion.contract import FusionInput, FusionNet, NetOutput, NetSizes


class Mlp(FusionNet):
    """[pooled ECG level 3, ECG's summary, is there an ECG, raw EHR] -> a hidden layer -> log-odds.

    It reads no level of the EHR: an encoder fitted to the label drops what matters only together with the ECG. The
    raw EHR is therefore read with or without `raw_view`; the ECG's summary, which stands beside the levels, only with.
    """

    handles_missing_ecg = True

    def __init__(self, sizes: NetSizes) -> None:
        super().__init__(sizes)
        widths = [sizes.d_ecg] + [sizes.d_summary] * sizes.raw_view
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in widths)
        self.layers = nn.Sequential(
            nn.Dropout(sizes.dropout / 2),
            nn.Linear(sum(widths) + 1 + sizes.d_raw, sizes.d),
            nn.ReLU(),
            nn.Dropout(sizes.dropout),
            nn.Linear(sizes.d, 1),
        )

    def fuse(self, given: FusionInput) -> NetOutput:
        """Return the output; an absent ECG is a block of zeros and a flag of its own."""
        there = given.ecg_present[:, None]
        parts = [self.top(given)[0], given.ecg_summary][: len(self.norms)]
        # Zeroed after the norms, whose learnt shift would else stand in the place of an absent ECG.
        blocks = [torch.where(there, norm(part), 0.0) for norm, part in zip(self.norms, parts, strict=True)]
        return NetOutput(self.layers(torch.cat([*blocks, there.to(given.raw_ehr.dtype), given.raw_ehr], dim=1)))
