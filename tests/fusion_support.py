"""Inputs for the fusion networks: levels of real encoders on the made-up cohort, and levels of noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from core_support import made_up_cohort
from torch import Tensor

from lemof_core.batch import Modality, ScaledCohort
from lemof_core.ehr_series import Scaler
from lemof_core.encoders import Level, LevelInfo, make_encoder
from lemof_core.encoders.ehr_summary import raw_summary
from lemof_core.fusion.contract import FusionInput, FusionNet, NetOutput, NetSizes, StagedFusionNet
from lemof_core.level_heads import LevelPredictor

NAMES = {"series_names": tuple(f"series_{i}" for i in range(6)), "static_names": ("age", "sex")}


def scaled(n: int = 8, *, seed: int = 0) -> ScaledCohort:
    """Return n scaled samples, all with an ECG."""
    arrays = made_up_cohort(n, seed=seed, ecg_share=1.0)
    return Scaler.fit(arrays, np.arange(n)).transform(arrays)


@dataclass(frozen=True)
class Encoded:
    """A pair of untrained encoders in eval mode, and networks' way through them."""

    ecg: LevelPredictor
    ehr: LevelPredictor

    @classmethod
    def of(cls, ecg: str = "resnet", ehr: str = "ft_transformer") -> Encoded:
        torch.manual_seed(0)
        pair = (make_encoder("ecg", ecg), 3), (make_encoder("ehr", ehr, **NAMES), 0)
        return cls(*(LevelPredictor(encoder, n_aux=n_aux).eval() for encoder, n_aux in pair))

    def sizes(self, *, raw_view: bool = False, d: int = 16) -> NetSizes:
        ecg, ehr = self.ecg.encoder, self.ehr.encoder
        d_raw = 2 * len(NAMES["series_names"]) + 2 * len(NAMES["static_names"])
        return NetSizes(
            ecg.levels, ehr.levels, ecg.gate_widths, ehr.gate_widths, self.ecg.d_summary, d_raw, raw_view, d=d
        )

    def given(self, ecg: Modality, ehr: Modality) -> FusionInput:
        levels = self.ecg.levels(ecg)
        raw = raw_summary(*(ehr.tensors[name] for name in ("value", "mask", "since", "static", "static_mask")))
        return FusionInput(levels, self.ehr.levels(ehr), self.ecg.summary(levels), raw, ecg.present)

    def output(self, net: FusionNet | StagedFusionNet, ecg: Modality, ehr: Modality) -> NetOutput:
        if isinstance(net, StagedFusionNet):
            return net(self.ecg, self.ehr, ecg, ehr)
        return net(self.given(ecg, ehr))

    def loss(self, net: FusionNet | StagedFusionNet, ecg: Modality, ehr: Modality, targets: Tensor) -> Tensor:
        if isinstance(net, StagedFusionNet):
            return net.loss(net(self.ecg, self.ehr, ecg, ehr), targets)
        given = self.given(ecg, ehr)
        return net.loss(net(given), given, targets)


def made_up_sizes(*, raw_view: bool = False, d: int = 8) -> NetSizes:
    """Return levels whose widths and numbers of tokens all differ."""

    def levels(modality: str, widths: tuple[int, int, int], n_tokens: tuple[int, int, int]) -> tuple[LevelInfo, ...]:
        return tuple(
            LevelInfo(f"{modality} {k}", n, d, "units", tuple(range(n)))
            for k, d, n in zip((1, 2, 3), widths, n_tokens, strict=True)
        )

    ecg, ehr = levels("ecg", (6, 10, 12), (9, 7, 4)), levels("ehr", (7, 5, 11), (3, 3, 3))
    return NetSizes(ecg, ehr, (6, 10, 12), (7, 5, 11), d_summary=4, d_raw=6, raw_view=raw_view, d=d)


def made_up_input(sizes: NetSizes, n: int = 16, *, seed: int = 0, present: Tensor | None = None) -> FusionInput:
    """Return n rows of unit-variance noise, all tokens valid."""
    made = torch.Generator().manual_seed(seed)

    def levels(infos: tuple[LevelInfo, ...]) -> list[Level]:
        return [
            Level(torch.randn(n, info.n_tokens, info.d, generator=made), torch.ones(n, info.n_tokens, dtype=torch.bool))
            for info in infos
        ]

    ecg, ehr = levels(sizes.ecg), levels(sizes.ehr)
    summary, raw = (torch.randn(n, width, generator=made) for width in (sizes.d_summary, sizes.d_raw))
    return FusionInput(ecg, ehr, summary, raw, torch.ones(n, dtype=torch.bool) if present is None else present)
