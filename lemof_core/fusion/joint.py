"""What reads both modalities at once, in one fold: one log-odds a sample, the port "cross".

Module 2, a rival's network, or boosted trees. Networks read the frozen levels of Stage 1 (arm "frozen"), or those of
encoders of their own that were trained on with them (arm "finetuned").
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from lemof_core.batch import Modality
from lemof_core.boosted_trees import BoostedTrees
from lemof_core.ecg_signal import LEADS, MODEL_SIG_LEN
from lemof_core.encoders import Level, LevelInfo, run_stages
from lemof_core.encoders.ehr_summary import raw_summary
from lemof_core.fusion.contract import FusionInput, FusionNet, NetOutput, StagedFusionNet, refuse_absent_ecgs
from lemof_core.fusion.cross_attention import CrossAttention, CrossOutput
from lemof_core.level_heads import LevelPredictor
from lemof_core.table_view import tabular_view

EHR_TENSORS = ("value", "mask", "since", "static", "static_mask")
# fusion -> what its trees read of the ECG: nothing, what the encoder read out, or what was measured from the signal
TREES = {"boosted": "", "boosted_ecg": "summary", "boosted_measured": "measured"}
TEACHER = "boosted_measured"


@dataclass(frozen=True)
class Encoded:
    """B samples and what the encoders of one fold make of them; ECG and EHR may be two people's.

    The levels and the summary (B, d_summary) of an absent ECG may be anything.
    """

    ecg: Modality
    ehr: Modality
    ecg_levels: list[Level]
    ehr_levels: list[Level]
    ecg_summary: Tensor


def encode(ecg: LevelPredictor, ehr: LevelPredictor, batch_ecg: Modality, batch_ehr: Modality) -> Encoded:
    """Return the samples with their levels."""
    levels = ecg.levels(batch_ecg)
    return Encoded(batch_ecg, batch_ehr, levels, ehr.levels(batch_ehr), ecg.summary(levels))


def without_ecg(ecg: LevelPredictor, ehr_levels: list[Level], batch_ehr: Modality) -> Encoded:
    """Return the samples as if none had an ECG; its encoder, which would read nothing, is not asked."""
    n = len(batch_ehr.present)
    nobody = torch.zeros(n, dtype=torch.bool)
    signal = torch.zeros(n, 1, len(LEADS), MODEL_SIG_LEN)
    modality = Modality({"signal": signal, "record_present": nobody[:, None]}, nobody)
    return Encoded(modality, batch_ehr, absent_levels(ecg.encoder.levels, n), ehr_levels, torch.zeros(n, ecg.d_summary))


def absent_levels(infos: Sequence[LevelInfo], n: int) -> list[Level]:
    """Return what stands for the levels of n samples without the modality: zeros, no token valid."""
    return [
        Level(torch.zeros(n, info.n_tokens, info.d), torch.zeros(n, info.n_tokens, dtype=torch.bool)) for info in infos
    ]


class Joint(nn.Module, ABC):
    """One fold's reader of both modalities. `tuned`: its own encoders, "ecg" and "ehr"; None reads the frozen ones.

    # NOTE[DIFF] paper: nothing on whether encoders learn on while the modalities are fused. here: both arms; in
    # "finetuned" the level predictions stay those of Stage 1, and batch norm keeps the statistics it had. because: G
    # must read the predictions it was fitted on, and absent ECGs in a batch would move the statistics.
    """

    handles_missing_ecg: bool = False
    differentiable: bool = True

    def __init__(self, tuned: nn.ModuleDict | None = None) -> None:
        super().__init__()
        self.tuned = tuned

    @abstractmethod
    def logit(self, encoded: Encoded) -> Tensor:
        """Return log-odds (B, 1)."""

    @abstractmethod
    def loss(self, encoded: Encoded, targets: Tensor) -> Tensor:
        """Return what training minimises; targets (B, 1)."""

    def train(self, mode: bool = True) -> Joint:
        """Set training mode, batch norm's statistics excepted."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, _BatchNorm):
                module.eval()
        return self

    def _own_levels(self, encoded: Encoded) -> tuple[Encoded, Tensor]:
        """Return the samples with the levels that are read here, and the encoders' own penalty."""
        if self.tuned is None:
            return encoded, torch.zeros(())
        ecg, ehr = self.tuned["ecg"], self.tuned["ehr"]
        ecg_levels, ecg_state = run_stages(ecg.encoder, encoded.ecg)  # type: ignore[arg-type]
        ehr_levels, ehr_state = run_stages(ehr.encoder, encoded.ehr)  # type: ignore[arg-type]
        own = replace(encoded, ecg_levels=ecg_levels, ehr_levels=ehr_levels, ecg_summary=ecg.summary(ecg_levels))  # type: ignore[operator]
        return own, ecg.encoder.penalty(ecg_state) + ehr.encoder.penalty(ehr_state)  # type: ignore[operator,union-attr]


class CrossJoint(Joint):
    """Module 2 on its pair (ECG level 1..3, EHR level 0..3; 0 = its own tokens)."""

    def __init__(self, cross: CrossAttention, pair: tuple[int, int], tuned: nn.ModuleDict | None = None) -> None:
        super().__init__(tuned)
        self.cross, self.pair = cross, pair

    def output(self, encoded: Encoded, **how: Any) -> CrossOutput:
        """Return Module 2's output, attention maps included; `how` goes to it (permuted weights, say).

        Raises ModelMistake where a row has no ECG.
        """
        return self._output(self._own_levels(encoded)[0], **how)

    def _output(self, own: Encoded, **how: Any) -> CrossOutput:
        refuse_absent_ecgs("Module 2", own.ecg.present)
        ehr_level = own.ehr_levels[self.pair[1] - 1] if self.pair[1] else None
        return self.cross(own.ecg_levels[self.pair[0] - 1], own.ecg_summary, ehr_level, own.ehr, **how)

    def logit(self, encoded: Encoded) -> Tensor:
        """Return y_Omega2 (B, 1)."""
        return self.output(encoded).logit

    def loss(self, encoded: Encoded, targets: Tensor) -> Tensor:
        """Return binary cross-entropy, and while training the encoders' penalty."""
        own, penalty = self._own_levels(encoded)
        loss = functional.binary_cross_entropy_with_logits(self._output(own).logit, targets)
        return loss + penalty if self.training else loss


class NetJoint(Joint):
    """A rival's network."""

    def __init__(self, net: FusionNet | StagedFusionNet, tuned: nn.ModuleDict | None = None) -> None:
        super().__init__(tuned)
        self.net = net
        self.handles_missing_ecg = net.handles_missing_ecg

    def logit(self, encoded: Encoded) -> Tensor:
        """Return log-odds (B, 1)."""
        return self._run(encoded)[0].logit

    def loss(self, encoded: Encoded, targets: Tensor) -> Tensor:
        """Return the network's loss while training; what epochs are compared by is cross-entropy alone."""
        out, given, penalty = self._run(encoded)
        if not self.training:
            return functional.binary_cross_entropy_with_logits(out.logit, targets)
        if isinstance(self.net, StagedFusionNet):
            return self.net.loss(out, targets)
        if given is None:
            raise ValueError("a network over levels needs them, however: None")
        return self.net.loss(out, given, targets) + penalty

    def _run(self, encoded: Encoded) -> tuple[NetOutput, FusionInput | None, Tensor]:
        if isinstance(self.net, StagedFusionNet):
            if self.tuned is None:
                raise ValueError("a network between the encoders' stages needs encoders of its own")
            return self.net(self.tuned["ecg"], self.tuned["ehr"], encoded.ecg, encoded.ehr), None, torch.zeros(())
        own, penalty = self._own_levels(encoded)
        raw = raw_summary(*(own.ehr.tensors[name] for name in EHR_TENSORS))
        given = FusionInput(own.ecg_levels, own.ehr_levels, own.ecg_summary, raw, own.ecg.present)
        return self.net(given), given, penalty


class TreeJoint(Joint):
    """Boosted trees on the tabular view of the day, and beside it what `reads` names of the ECG (see TREES).

    No gradient runs through trees, so nothing is attributed to inputs.
    """

    handles_missing_ecg = True
    differentiable = False

    def __init__(self, trees: BoostedTrees, *, reads: str) -> None:
        super().__init__()
        self.reads = reads
        self.names = tuple(trees.to_arrays())
        for name, array in trees.to_arrays().items():
            self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(array)))

    @property
    def n_nodes(self) -> int:
        """Return how many nodes the trees have."""
        return len(self.feature)  # type: ignore[arg-type]

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor], *, reads: str) -> TreeJoint:
        """Return the trees of a state dict."""
        arrays = {name: tensor.numpy() for name, tensor in state.items()}
        return cls(BoostedTrees.from_arrays(arrays), reads=reads)

    def logit(self, encoded: Encoded) -> Tensor:
        """Return log-odds (B, 1)."""
        trees = BoostedTrees.from_arrays({name: getattr(self, name).numpy() for name in self.names})
        x = tree_features(encoded, reads=self.reads, n_features=trees.n_features.item())
        return torch.from_numpy(trees.logit(x))[:, None].float()

    def loss(self, encoded: Encoded, targets: Tensor) -> Tensor:
        """Trees are not fitted by gradients."""
        raise ValueError("boosted trees are fitted as a whole, see BoostedTrees.fit")


def tree_features(encoded: Encoded, *, reads: str, n_features: int | None = None) -> np.ndarray:
    """Return (B, f): what is read of the ECG (NaN without one; see TREES), and the tabular view.

    n_features: f, where a batch without any ECG cannot tell how many quantities would be measured.
    """
    view = tabular_view(*(encoded.ehr.tensors[name].detach().numpy() for name in EHR_TENSORS))
    if not reads:
        return view
    told = encoded.ecg_summary if reads == "summary" else encoded.ecg.tensors.get("measured")
    if told is None:
        if n_features is None:
            raise ValueError("the batch holds nothing measured from an ECG, and n_features is not given")
        told = torch.full((len(view), n_features - view.shape[1]), torch.nan)
    known = torch.where(encoded.ecg.present[:, None], told, torch.nan)
    return np.concatenate([known.detach().numpy(), view], axis=1)
