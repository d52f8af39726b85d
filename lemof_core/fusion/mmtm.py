"""Both modalities in, log-odds out: MMTM (Vaezi Joze et al. 2020), streams that gate each other after every stage."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lemof_core.batch import Modality
from lemof_core.encoders import pool_level
from lemof_core.encoders.ehr_summary import raw_summary
from lemof_core.fusion.contract import FusedHead, NetOutput, NetSizes, StagedFusionNet
from lemof_core.level_heads import LevelPredictor

RATIO = 4


class TransferModule(nn.Module):
    """Squeezed levels (B, d_ecg), (B, d_ehr) in, gates (B, C_ecg), (B, C_ehr) between 0 and 1 out.

    >>> [gate.shape for gate in TransferModule((8, 4), (16, 4))(torch.zeros(2, 8), torch.zeros(2, 4))]
    [torch.Size([2, 16]), torch.Size([2, 4])]
    """

    def __init__(self, widths: tuple[int, int], gate_widths: tuple[int, int]) -> None:
        super().__init__()
        d_joint = 2 * sum(widths) // RATIO
        self.squeeze = nn.Linear(sum(widths), d_joint)
        self.ecg, self.ehr = nn.Linear(d_joint, gate_widths[0]), nn.Linear(d_joint, gate_widths[1])

    def forward(self, ecg: Tensor, ehr: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gates."""
        joint = torch.relu(self.squeeze(torch.cat([ecg, ehr], dim=1)))
        return torch.sigmoid(self.ecg(joint)), torch.sigmoid(self.ehr(joint))


class Mmtm(StagedFusionNet):
    """A transfer module after each of the three stages; its gates feed the next. The logit is the streams' mean.

    Gates are plain sigmoids, as in the authors' code: at the start they halve what they gate.

    # NOTE[DIFF] paper: both modalities are there. here: an absent ECG squeezes to zeros, and its row's logit is the
    # EHR stream's. because: then nothing the ECG stream makes of an absent record reaches the prediction.
    # NOTE[DIFF] paper: the squeeze is the mean over positions. here: each level's own pooling. because: it is what
    # every other head of that encoder reads (FT-Transformer's CLS, say), and where there is no other it is the mean.
    # NOTE[DIFF] paper: a gate acts on the channels it was squeezed from. here: on the encoder's `gate_widths`. because:
    # some encoders hand on more than their tokens show.
    # NOTE[DIFF] authors' code: the streams take turns, each with its own loss. here: one step on the mean's loss.
    # because: every rival is trained by the same loop.
    """

    handles_missing_ecg = True

    def __init__(self, sizes: NetSizes) -> None:
        super().__init__(sizes)
        self.transfers = nn.ModuleList(
            TransferModule((sizes.ecg[k].d, sizes.ehr[k].d), (sizes.ecg_gates[k], sizes.ehr_gates[k])) for k in range(3)
        )
        self.ecg_head, self.ehr_head = FusedHead(sizes.ecg[2].d, sizes), FusedHead(sizes.ehr[2].d, sizes)

    def fuse(self, ecg: LevelPredictor, ehr: LevelPredictor, batch_ecg: Modality, batch_ehr: Modality) -> NetOutput:
        """Return the output; inner ecg_gate_k and ehr_gate_k (B, C) for k = 1, 2, 3.

        The ECG's summary is read off its gated levels: there is no other run of the encoder.
        """
        there = batch_ecg.present[:, None]
        ecg_state, ehr_state = ecg.encoder.stem(batch_ecg), ehr.encoder.stem(batch_ehr)
        ecg_levels, ehr_levels = [], []
        inner: dict[str, Tensor] = {}
        for k, transfer in zip((1, 2, 3), self.transfers, strict=True):
            ecg_state, ecg_level = ecg.encoder.stage(k, ecg_state)
            ehr_state, ehr_level = ehr.encoder.stage(k, ehr_state)
            squeezed = torch.where(there, pool_level(ecg_level, self.sizes.ecg[k - 1]), 0.0)
            ecg_gate, ehr_gate = transfer(squeezed, pool_level(ehr_level, self.sizes.ehr[k - 1]))
            ecg_state, ehr_state = ecg.encoder.scale(k, ecg_state, ecg_gate), ehr.encoder.scale(k, ehr_state, ehr_gate)
            ecg_levels.append(ecg.encoder.read(k, ecg_state))
            ehr_levels.append(ehr.encoder.read(k, ehr_state))
            inner |= {f"ecg_gate_{k}": ecg_gate, f"ehr_gate_{k}": ehr_gate}
        summary = torch.where(there, ecg.summary(ecg_levels), 0.0)
        raw = raw_summary(*(batch_ehr.tensors[name] for name in ("value", "mask", "since", "static", "static_mask")))
        top_ecg = torch.where(there, pool_level(ecg_levels[2], self.sizes.ecg[2]), 0.0)
        ecg_logit = self.ecg_head(top_ecg, summary, raw)
        ehr_logit = self.ehr_head(pool_level(ehr_levels[2], self.sizes.ehr[2]), summary, raw)
        return NetOutput(
            torch.where(there, (ecg_logit + ehr_logit) / 2, ehr_logit),
            {"ecg": torch.where(there, ecg_logit, torch.nan), "ehr": ehr_logit},
            inner,
            ecg.encoder.penalty(ecg_state) + ehr.encoder.penalty(ehr_state),
        )
