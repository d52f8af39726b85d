"""Level 3 of both modalities in, log-odds out: DAFT (Poelsterl et al. 2021), one modality scales and shifts the other.

Main map F (B, N, C), squeezed to s (B, C), and the other modality's vector x (B, P) give scale and shift of every
channel: (alpha, beta) = MLP([s, x]), F' = alpha * F + beta. The prediction flows through F' alone.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lemof_core.encoders import Level, pool_level
from lemof_core.errors import ModelMistake
from lemof_core.fusion.contract import FusedHead, FusionInput, FusionNet, NetOutput, NetSizes

DIRECTIONS = ("ehr_to_ecg", "ecg_to_ehr")
BOTTLENECK_FACTOR = 7


class Daft(FusionNet):
    """ehr_to_ecg, as published: the record conditions the signal. ecg_to_ehr, as Hayat et al. 2022 used it: reversed.

    Scale is alpha itself, not 1 + alpha, from an MLP without biases (published so): it starts near zero, and slowly.

    # NOTE[DIFF] paper: the affine map sits inside the last residual block of a 3D CNN, before its ReLU. here: on the
    # finished tokens of level 3. because: every encoder has those; note that the mean over tokens is linear, so the
    # map is the same before and after it.
    # NOTE[DIFF] paper: conditioned on the raw tabular vector. here: on the pooled level 3 of the other modality.
    # because: all rivals read the same encoders; the raw view reaches the head.
    """

    def __init__(self, sizes: NetSizes, *, direction: str = "ehr_to_ecg") -> None:
        super().__init__(sizes)
        if direction not in DIRECTIONS:
            raise ModelMistake(f"unknown direction of DAFT {direction!r}; known: {', '.join(DIRECTIONS)}")
        self.direction = direction
        main, d_other = (sizes.ecg, sizes.d_ehr) if direction == "ehr_to_ecg" else (sizes.ehr, sizes.d_ecg)
        self.info, d_main = main[2], main[2].d
        # Published as int((4 * base + P) / 7), where 4 * base channels enter the last block: here those of level 2.
        d_bottleneck = max(1, int((main[1].d + d_other) / BOTTLENECK_FACTOR))
        self.generator = nn.Sequential(
            nn.Linear(d_main + d_other, d_bottleneck, bias=False),
            nn.ReLU(),
            nn.Linear(d_bottleneck, 2 * d_main, bias=False),
        )
        self.head = FusedHead(d_main, sizes)

    def scale_and_shift(self, squeezed: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Return alpha and beta (B, C) of the squeezed map (B, C) and the condition (B, P)."""
        alpha, beta = self.generator(torch.cat([squeezed, condition], dim=1)).chunk(2, dim=1)
        return alpha, beta

    def fuse(self, given: FusionInput) -> NetOutput:
        """Return the output; inner scale and shift (B, C)."""
        ecg, ehr = self.top(given)
        levels, condition = (given.ecg, ehr) if self.direction == "ehr_to_ecg" else (given.ehr, ecg)
        level = levels[2]
        alpha, beta = self.scale_and_shift(pool_level(level, self.info), condition)
        conditioned = Level(alpha[:, None] * level.tokens + beta[:, None], level.mask)
        logit = self.head(pool_level(conditioned, self.info), given.ecg_summary, given.raw_ehr)
        return NetOutput(logit, inner={"scale": alpha, "shift": beta})
