"""The contract of a fusion network: both modalities' levels and presence in, log-odds and named inner values out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from lemof_core.batch import Modality
from lemof_core.encoders import Level, LevelInfo, pool_level
from lemof_core.errors import ModelMistake
from lemof_core.level_heads import LevelPredictor


@dataclass(frozen=True)
class FusionInput:
    """B samples after both encoders.

    ecg, ehr: three levels each; the content of an absent ECG's levels may be anything and must change nothing.
    ecg_summary (B, d_summary) and raw_ehr (B, d_raw): what a head may read beside the levels (`raw_view`).
    """

    ecg: list[Level]
    ehr: list[Level]
    ecg_summary: Tensor
    raw_ehr: Tensor
    ecg_present: Tensor  # (B,) bool

    def blanked(self) -> FusionInput:
        """Return the same with zeros and no valid token in the place of an absent ECG, whatever stood there."""
        there = self.ecg_present
        levels = [
            Level(torch.where(there[:, None, None], level.tokens, 0.0), level.mask & there[:, None])
            for level in self.ecg
        ]
        return replace(self, ecg=levels, ecg_summary=torch.where(there[:, None], self.ecg_summary, 0.0))


@dataclass(frozen=True)
class NetOutput:
    """What a network says of B samples.

    logit (B, 1); modality_logits name -> (B, 1), what one source alone says, NaN in rows that lack it;
    inner name -> (B, ...); penalty: a scalar, the encoders' own where the network ran them.
    """

    logit: Tensor
    modality_logits: dict[str, Tensor] = field(default_factory=dict)
    inner: dict[str, Tensor] = field(default_factory=dict)
    penalty: Tensor = field(default_factory=lambda: torch.zeros(()))


@dataclass(frozen=True)
class NetSizes:
    """What a network is built for: the levels of both encoders, and the widths of what its head may read beside them.

    ecg_gates, ehr_gates: the encoders' `gate_widths`, for a network that works between their stages.
    raw_view: the head also reads ecg_summary and raw_ehr, as LeMoF `robust` does; a comparison without it is unfair.
    multi_level: what reads a modality as one vector reads all three levels side by side, not level 3 alone.
    """

    ecg: tuple[LevelInfo, LevelInfo, LevelInfo]
    ehr: tuple[LevelInfo, LevelInfo, LevelInfo]
    ecg_gates: tuple[int, int, int]
    ehr_gates: tuple[int, int, int]
    d_summary: int
    d_raw: int
    raw_view: bool
    d: int = 64
    dropout: float = 0.3
    multi_level: bool = False

    @property
    def d_ecg(self) -> int:
        """Return the width of the ECG as one vector (see `FusionNet.top`)."""
        return self._d_top(self.ecg)

    @property
    def d_ehr(self) -> int:
        """Return the width of the EHR as one vector."""
        return self._d_top(self.ehr)

    def _d_top(self, infos: Sequence[LevelInfo]) -> int:
        return sum(info.d for info in infos) if self.multi_level else infos[2].d


class FusionNet(nn.Module, ABC):
    """A network over finished levels; frozen or together with its encoders is the trainer's choice."""

    handles_missing_ecg: bool = False

    def __init__(self, sizes: NetSizes) -> None:
        super().__init__()
        self.sizes = sizes

    def forward(self, given: FusionInput) -> NetOutput:
        """Return the output. Raises ModelMistake for rows without an ECG where the method cannot handle them."""
        _check_ecg(self, given.ecg_present)
        return self.fuse(given.blanked())

    @abstractmethod
    def fuse(self, given: FusionInput) -> NetOutput:
        """Return the output; an absent ECG is zeros here, and there is none unless the method handles it."""

    def top(self, given: FusionInput) -> tuple[Tensor, Tensor]:
        """Return ECG and EHR as one vector each, (B, d_ecg), (B, d_ehr): level 3 pooled, or all three levels."""
        return self._pooled(given.ecg, self.sizes.ecg), self._pooled(given.ehr, self.sizes.ehr)

    def _pooled(self, levels: list[Level], infos: Sequence[LevelInfo]) -> Tensor:
        vectors = [pool_level(level, info) for level, info in zip(levels, infos, strict=True)]
        return torch.cat(vectors, dim=1) if self.sizes.multi_level else vectors[2]

    def loss(self, out: NetOutput, given: FusionInput, targets: Tensor) -> Tensor:
        """Return what is minimised; targets (B, 1). Here: binary cross-entropy of the logit."""
        return functional.binary_cross_entropy_with_logits(out.logit, targets)


class StagedFusionNet(nn.Module, ABC):
    """A network that works between the encoders' stages: it runs the encoders itself and cannot read cached levels."""

    handles_missing_ecg: bool = False

    def __init__(self, sizes: NetSizes) -> None:
        super().__init__()
        self.sizes = sizes

    def forward(self, ecg: LevelPredictor, ehr: LevelPredictor, batch_ecg: Modality, batch_ehr: Modality) -> NetOutput:
        """Return the output. Raises ModelMistake for rows without an ECG where the method cannot handle them."""
        _check_ecg(self, batch_ecg.present)
        return self.fuse(ecg, ehr, batch_ecg, batch_ehr)

    @abstractmethod
    def fuse(self, ecg: LevelPredictor, ehr: LevelPredictor, batch_ecg: Modality, batch_ehr: Modality) -> NetOutput:
        """Return the output for samples whose ECG is there where `batch_ecg.present` says so."""

    def loss(self, out: NetOutput, targets: Tensor) -> Tensor:
        """Return what is minimised; targets (B, 1). The encoders' own penalty counts while training alone."""
        loss = functional.binary_cross_entropy_with_logits(out.logit, targets)
        return loss + out.penalty if self.training else loss


def refuse_absent_ecgs(what: str, present: Tensor) -> None:
    """Raise ModelMistake where not every row (B,) has an ECG, in the name of what cannot do without."""
    n_absent = int((~present).sum())
    if n_absent:
        raise ModelMistake(f"{what} needs an ECG in every row, however: {n_absent} of {len(present)} rows have none")


def _check_ecg(net: FusionNet | StagedFusionNet, present: Tensor) -> None:
    if not net.handles_missing_ecg:
        refuse_absent_ecgs(type(net).__name__, present)


class FusedHead(nn.Module):
    """(B, d_fused) -> log-odds (B, 1): linear; with the raw view a small MLP that reads summary and raw EHR beside it.

    # NOTE[DIFF] papers of all rivals: a linear head on what was fused. here: that, or with `raw_view` this MLP.
    # because: LeMoF `robust` reads the raw view too.

    >>> sizes = NetSizes((), (), (), (), d_summary=4, d_raw=6, raw_view=True, d=8)
    >>> FusedHead(5, sizes)(torch.zeros(2, 5), torch.zeros(2, 4), torch.zeros(2, 6)).shape
    torch.Size([2, 1])
    """

    def __init__(self, d_fused: int, sizes: NetSizes) -> None:
        super().__init__()
        self.raw_view = sizes.raw_view
        d, dropout = sizes.d, sizes.dropout
        if sizes.raw_view:
            self.summary = nn.Sequential(
                nn.LayerNorm(sizes.d_summary), nn.Dropout(dropout / 2), nn.Linear(sizes.d_summary, d)
            )
            self.raw = nn.Sequential(nn.Dropout(dropout / 2), nn.Linear(sizes.d_raw, d))
            joint = d_fused + 2 * d
            self.out = nn.Sequential(
                nn.LayerNorm(joint), nn.Linear(joint, d), nn.ReLU(), nn.Dropout(dropout), nn.Linear(d, 1)
            )
        else:
            self.out = nn.Sequential(nn.Linear(d_fused, 1))

    def forward(self, fused: Tensor, ecg_summary: Tensor, raw_ehr: Tensor) -> Tensor:
        """Return log-odds; an absent ECG's summary is zeros (see `FusionInput.blanked`)."""
        if self.raw_view:
            fused = torch.cat([fused, self.summary(ecg_summary), self.raw(raw_ehr)], dim=1)
        return self.out(fused)
